"""pytorch-grad-cam's methods, as it gives them: scaled to [0, 1] and enlarged."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import worker
from pytorch_grad_cam_maps import without_torchvision


def prepare(weights: Path, images: np.ndarray) -> dict[str, Callable[[], Any]]:
    import torch_vgg16

    without_torchvision()
    import pytorch_grad_cam as library
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    model = torch_vgg16.vgg16(weights).requires_grad_(False)
    x = torch_vgg16.network_input(images)

    def explained(kind: Any, count: int, batch: int | None = None) -> Callable[[], Any]:
        targets = [ClassifierOutputTarget(worker.CLASS)] * count

        def run() -> np.ndarray:
            # A new object each time: each leaves hooks behind, which its end takes off.
            with kind(model, [model.get_submodule(f"{worker.LAYER}_relu")]) as cam:
                if batch is not None:
                    cam.batch_size = batch
                return cam(x[:count].clone().requires_grad_(), targets)

        return run

    of_all = {
        "grad_cam_plus_plus": library.GradCAMPlusPlus,
        "layer_cam": library.LayerCAM,
        "hires_cam": library.HiResCAM,
        "xgrad_cam": library.XGradCAM,
        "eigen_cam": library.EigenCAM,
    }
    methods = {name: explained(kind, len(x)) for name, kind in of_all.items()}
    methods["score_cam"] = explained(library.ScoreCAM, worker.MASKED, 16)
    methods["ablation_cam"] = explained(library.AblationCAM, worker.MASKED)
    return methods


if __name__ == "__main__":
    worker.serve_methods(prepare)
