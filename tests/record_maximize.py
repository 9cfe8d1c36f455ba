"""Record the activation maximisation of the lab's own library, for test_maximize_parity.py.

Run once, in an environment of its own (TensorFlow does not belong into jaxvis's):

    pip install tensorflow==2.21.0 tf-keras-vis==0.8.7
    python tests/record_maximize.py

It takes the narrow VGG16 and the images of record_tf_keras_vis.py, which come first, and writes
tests/recorded/maximize.npz. Optimiser, regularisers and their weights are the library's defaults;
the random modifiers are left out, and the range, to which it clips what it returns.
"""

from importlib.metadata import version

import numpy as np
from record_tf_keras_vis import HERE, narrow_vgg16

TARGETS = [3, 0]
STEPS, SHOWN = 20, 5


def record() -> None:
    import keras
    import tensorflow as tf
    from tf_keras_vis.activation_maximization import ActivationMaximization
    from tf_keras_vis.activation_maximization.callbacks import Callback
    from tf_keras_vis.activation_maximization.regularizers import Norm, TotalVariation2D
    from tf_keras_vis.utils.model_modifiers import ReplaceToLinear
    from tf_keras_vis.utils.scores import CategoricalScore

    pictures, scores = [], []

    class Watch(Callback):
        def __call__(self, number, values, grads, score_values, *args, **kwargs):
            pictures.append(np.array(values[0]))
            scores.append(np.array(score_values[0]))

    model = narrow_vgg16(keras)
    model.load_weights(HERE / "narrow_vgg16.h5")
    with np.load(HERE / "tf_keras_vis.npz") as file:
        x = file["x"][:2]
    last = ActivationMaximization(model, ReplaceToLinear(), clone=True)(
        CategoricalScore(TARGETS),
        seed_input=x,
        input_range=None,
        input_modifiers=[],
        steps=STEPS,
        callbacks=[Watch()],
    )
    assert np.array_equal(last, pictures[-1])
    results = {
        "classes": np.array(TARGETS),
        "shown": np.array(SHOWN),
        "picture": pictures[SHOWN - 1],
        "scores": np.stack(scores),
    }
    for name, regularizer in {
        "total_variation": TotalVariation2D(1.0), "norm_1": Norm(0.3, p=1), "norm_6": Norm(10.0, 6),
    }.items():  # fmt: skip
        variable = tf.Variable(x)
        with tf.GradientTape() as tape:
            value = regularizer(variable)
        gradient = np.array(tape.gradient(value, variable))
        results[name], results[f"{name}_gradient"] = np.array(value), gradient[:, :16, :16]
    packages = ("tensorflow", "keras", "tf-keras-vis", "numpy")
    results["versions"] = np.array([f"{name} {version(name)}" for name in packages])
    np.savez_compressed(HERE / "maximize.npz", **results)
    for name, value in results.items():
        print(name, value.shape, value.dtype)


if __name__ == "__main__":
    record()
