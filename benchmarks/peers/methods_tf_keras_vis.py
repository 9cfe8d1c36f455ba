"""tf-keras-vis's methods, one object for each."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import worker

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")


def prepare(weights: Path, images: np.ndarray) -> dict[str, Callable[[], Any]]:
    import keras
    from tf_keras_vis.gradcam_plus_plus import GradcamPlusPlus
    from tf_keras_vis.layercam import Layercam
    from tf_keras_vis.saliency import Saliency
    from tf_keras_vis.scorecam import Scorecam
    from tf_keras_vis.utils.model_modifiers import ReplaceToLinear
    from tf_keras_vis.utils.scores import CategoricalScore

    model = keras.applications.VGG16(weights=None)
    model.load_weights(weights)
    x = worker.network_input(images)

    def explained(kind: Any, count: int, **options: Any) -> Callable[[], Any]:
        visualiser = kind(model, ReplaceToLinear(), clone=True)
        score = CategoricalScore([worker.CLASS] * count)
        return lambda: visualiser(score, x[:count], **options)

    at = {"penultimate_layer": worker.LAYER}
    masked = at | {"batch_size": 16}
    return {
        "grad_cam_plus_plus": explained(GradcamPlusPlus, len(x), **at),
        "layer_cam": explained(Layercam, len(x), **at),
        "smoothgrad": explained(
            Saliency, worker.MASKED, smooth_samples=worker.SAMPLES, smooth_noise=0.15
        ),
        "score_cam": explained(Scorecam, worker.MASKED, max_N=-1, **masked),
        "score_cam_faster": explained(Scorecam, worker.MASKED, max_N=worker.CHANNELS, **masked),
    }


if __name__ == "__main__":
    worker.serve_methods(prepare)
