"""tf-keras-vis the lab's way: six objects, each with its own copy of the model, and six calls."""

import os
from pathlib import Path

import numpy as np
import worker

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")


def prepare(weights: Path, images: np.ndarray) -> tuple:
    import keras
    import tensorflow as tf
    from tf_keras_vis.gradcam import Gradcam
    from tf_keras_vis.saliency import Saliency
    from tf_keras_vis.utils.model_modifiers import ReplaceToLinear
    from tf_keras_vis.utils.scores import CategoricalScore

    @tf.custom_gradient
    def rectified_relu(x):
        return tf.nn.relu(x), lambda dy: tf.cast(dy > 0, dy.dtype) * dy

    @tf.custom_gradient
    def guided_relu(x):
        def grad(dy):
            return tf.cast(dy > 0, dy.dtype) * tf.cast(x > 0, dy.dtype) * dy

        return tf.nn.relu(x), grad

    def with_relu(relu):
        def modify(model):
            for layer in model.layers:
                if getattr(layer, "activation", None) is keras.activations.relu:
                    layer.activation = relu
            return model

        return modify

    model = keras.applications.VGG16(weights=None)
    model.load_weights(weights)
    score = CategoricalScore([worker.CLASS] * len(images))
    objects = {}
    for rule, relu in zip(worker.RULES, (None, rectified_relu, guided_relu), strict=True):
        modifiers = [ReplaceToLinear()] + ([with_relu(relu)] if relu else [])
        objects[f"saliency_{rule}"] = Saliency(model, modifiers, clone=True)
        objects[f"grad_cam_{rule}"] = Gradcam(model, modifiers, clone=True)
    return objects, score, worker.network_input(images)


def run(state: tuple) -> worker.Maps:
    objects, score, x = state
    raw = {"penultimate_layer": worker.LAYER, "expand_cam": False, "normalize_cam": False}
    return {
        name: np.asarray(
            visualiser(score, x, normalize_map=False)
            if name.startswith("saliency")
            else visualiser(score, x, **raw)
        )
        for name, visualiser in objects.items()
    }


def draw(images: np.ndarray, maps: worker.Maps, folder: Path) -> None:
    """The lab's figures: a row of images for each of the six kinds of map."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot as plt
    from scipy.ndimage import zoom
    from tf_keras_vis.utils import normalize, zoom_factor

    for name, values in maps.items():
        saliency = name.startswith("saliency")
        if not saliency:
            values = zoom(values, (1, *zoom_factor(values.shape[1:], images.shape[1:3])), order=1)
        values = normalize(values)
        figure, axes = plt.subplots(1, len(images), figsize=(12, 4))
        for number, axis in enumerate(axes):
            axis.set_title(f"image {number}")
            if saliency:
                axis.imshow(values[number], cmap="jet")
            else:
                axis.imshow(images[number])
                axis.imshow(values[number], cmap="jet", alpha=0.5)
            axis.axis("off")
        figure.tight_layout()
        figure.savefig(folder / f"{name}.png")
        plt.close(figure)


if __name__ == "__main__":
    worker.serve(prepare, run, draw=draw)
