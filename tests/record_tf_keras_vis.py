"""Record the lab's maps with the lab's own library, for test_tf_keras_vis.py to compare with.

Run once, in an environment of its own (TensorFlow does not belong into jaxvis's):

    pip install tensorflow==2.21.0 tf-keras-vis==0.8.7
    python tests/record_tf_keras_vis.py

It builds the narrow VGG16 of tests/recorded/narrow_vgg16.h5 in Keras, loads that file by Keras's
own `load_weights`, and writes tests/recorded/tf_keras_vis.npz. The file of weights is made by
`python tests/record_tf_keras_vis.py --weights` where jaxvis is installed.
"""

import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent / "recorded"
SIZE, CLASSES, WIDTH, FC = 64, 7, 1 / 16, 64
TARGETS = [3, 0, 6]


def make_weights() -> None:
    from conftest import with_biases

    import jaxvis as jv

    model = with_biases(jv.VGG16(width=WIDTH, classes=CLASSES, size=SIZE, fc=FC, seed=4))
    jv.save_vgg16(model, HERE / "narrow_vgg16.h5")


def record() -> None:
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

    model = narrow_vgg16(keras)
    model.load_weights(HERE / "narrow_vgg16.h5")
    x = np.random.Generator(np.random.PCG64(5)).normal(0, 60, (3, SIZE, SIZE, 3))
    x = x.astype(np.float32)
    results = {"x": x, "classes": np.array(TARGETS), "logits": linear_logits(keras, model, x)}
    modifiers = {"vanilla": None, "rectified": rectified_relu, "guided": guided_relu}
    score = CategoricalScore(TARGETS)
    for name, relu in modifiers.items():
        modifier = [ReplaceToLinear()] + ([with_relu(relu)] if relu else [])
        results[f"saliency_{name}"] = Saliency(model, modifier, clone=True)(
            score, x, normalize_map=False
        )
        results[f"grad_cam_{name}"] = Gradcam(model, modifier, clone=True)(
            score, x, penultimate_layer="block5_conv3", expand_cam=False, normalize_cam=False
        )
    packages = ("tensorflow", "keras", "tf-keras-vis", "numpy")
    results["versions"] = np.array([f"{name} {version(name)}" for name in packages])
    np.savez_compressed(HERE / "tf_keras_vis.npz", **results)
    for name, value in results.items():
        print(name, value.shape, value.dtype)


def narrow_vgg16(keras):
    """VGG16 with a sixteenth of the channels, layer by layer as in keras.applications."""
    layers = keras.layers
    model = keras.Sequential([keras.Input((SIZE, SIZE, 3))], name="narrow_vgg16")
    for block, (convolutions, channels) in enumerate(
        [(2, 4), (2, 8), (3, 16), (3, 32), (3, 32)], start=1
    ):
        for number in range(1, convolutions + 1):
            name = f"block{block}_conv{number}"
            model.add(layers.Conv2D(channels, 3, padding="same", activation="relu", name=name))
        model.add(layers.MaxPooling2D(name=f"block{block}_pool"))
    model.add(layers.Flatten(name="flatten"))
    model.add(layers.Dense(FC, activation="relu", name="fc1"))
    model.add(layers.Dense(FC, activation="relu", name="fc2"))
    model.add(layers.Dense(CLASSES, activation="softmax", name="predictions"))
    return keras.Model(model.inputs, model.outputs)


def linear_logits(keras, model, x):
    twin = keras.models.clone_model(model)
    twin.set_weights(model.get_weights())
    twin.layers[-1].activation = keras.activations.linear
    return np.asarray(twin(x))


if __name__ == "__main__":
    make_weights() if "--weights" in sys.argv else record()
