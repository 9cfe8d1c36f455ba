"""jaxvis: every method that a peer has too, by its own function."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import worker


def prepare(
    weights: Path, images: np.ndarray, precision: str | None = None
) -> dict[str, Callable[[], Any]]:
    import jaxvis as jv

    model = jv.load_vgg16(weights, precision=precision)
    x = jv.preprocess(images)
    one = x[: worker.MASKED]
    of_all = {
        "input_x_gradient": jv.input_x_gradient,
        "guided_grad_cam": jv.guided_grad_cam,
        "grad_cam_plus_plus": jv.grad_cam_plus_plus,
        "layer_cam": jv.layer_cam,
        "hires_cam": jv.hires_cam,
        "xgrad_cam": jv.xgrad_cam,
    }
    of_one = {
        "smoothgrad": partial(jv.smoothgrad, samples=worker.SAMPLES),
        "integrated_gradients": lambda *given: (
            jv.integrated_gradients(*given, steps=worker.STEPS).maps
        ),
        "occlusion": partial(jv.occlusion, window=worker.WINDOW, stride=worker.STRIDE),
        "rise": partial(jv.rise, masks=worker.MASKS),
        "score_cam": jv.score_cam,
        "score_cam_faster": partial(jv.score_cam, channels=worker.CHANNELS),
        "ablation_cam": jv.ablation_cam,
        "lrp": jv.lrp,
    }
    functions: dict[str, Callable[[], Any]] = {"eigen_cam": lambda: jv.eigen_cam(model, x)}
    for name, method in of_all.items():
        functions[name] = partial(method, model, x, worker.CLASS)
    for name, method in of_one.items():
        functions[name] = partial(method, model, one, worker.CLASS)
    return functions


if __name__ == "__main__":
    worker.serve_methods(prepare)
