"""Record what Keras 2 makes of a narrow VGG16, fine-tuned in the ways that its users had.

    pip install tensorflow-cpu tf-keras
    python tests/record_keras2.py

Writes tests/recorded/keras2_*.h5 and .keras, and keras2.npz: an input, and the logits of each.
"""

import warnings
from pathlib import Path

import numpy as np
import tf_keras as keras

FOLDER = Path(__file__).parent / "recorded"
WIDTH, SIZE = 64, 32


def base(y):
    for block, (count, features) in enumerate([(2, 64), (2, 128), (3, 256), (3, 512), (3, 512)], 1):
        for number in range(1, count + 1):
            y = keras.layers.Conv2D(
                features // WIDTH, 3, padding="same", activation="relu",
                name=f"block{block}_conv{number}",
            )(y)  # fmt: skip
        y = keras.layers.MaxPooling2D(2, name=f"block{block}_pool")(y)
    return y


def inner():
    start = keras.Input((SIZE, SIZE, 3))
    model = keras.Model(start, base(start), name="vgg16")
    for layer in model.layers[:-4]:  # as one freezes all but the last block
        layer.trainable = False
    return model


def nested():
    """preprocess_input's mode "tf" as operations, a model in a model, a frozen half."""
    start = keras.Input((SIZE, SIZE, 3))
    y = keras.applications.imagenet_utils.preprocess_input(start, mode="tf")
    y = inner()(y, training=False)
    y = keras.layers.GlobalAveragePooling2D()(y)
    y = keras.layers.Dense(6)(y)
    y = keras.layers.BatchNormalization()(y)
    y = keras.layers.Activation("relu")(y)
    y = keras.layers.Dropout(0.5)(y)
    return keras.Model(start, keras.layers.Dense(3, activation="softmax")(y))


def caffe():
    """preprocess_input's mode "caffe", whose x[..., ::-1] only .h5 can keep."""
    start = keras.Input((SIZE, SIZE, 3))
    y = keras.applications.vgg16.preprocess_input(start)
    y = keras.layers.GlobalMaxPooling2D()(base(y))
    return keras.Model(start, keras.layers.Dense(2, activation="softmax")(y))


def sequential():
    """Augmentation and Rescaling first, one sigmoid unit last."""
    return keras.Sequential(
        [
            keras.Input((SIZE, SIZE, 3)),
            keras.Sequential([keras.layers.RandomFlip("horizontal")]),
            keras.layers.Rescaling(1 / 255),
            inner(),
            keras.layers.Flatten(),
            keras.layers.Dense(5, activation="relu"),
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )


def main():
    rng = np.random.default_rng(0)
    x = rng.uniform(0, 255, (2, SIZE, SIZE, 3)).astype("f4")
    found = {"x": x}
    for name, build in (("nested", nested), ("caffe", caffe), ("sequential", sequential)):
        model = build()
        for variable in model.weights:
            shape = variable.shape
            scale = np.sqrt(2 / np.prod(shape[:-1])) if len(shape) > 1 else 0.3
            values = rng.normal(0, scale, shape)
            positive = "gamma" in variable.name or "variance" in variable.name
            variable.assign(1 + abs(values) if positive else values)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.save(FOLDER / f"keras2_{name}.h5")
            if name != "caffe":
                model.save(FOLDER / f"keras2_{name}.keras")
        model.layers[-1].activation = keras.activations.linear
        found[name] = np.asarray(model(x, training=False))
    np.savez_compressed(FOLDER / "keras2.npz", version=keras.__version__, **found)


if __name__ == "__main__":
    main()
