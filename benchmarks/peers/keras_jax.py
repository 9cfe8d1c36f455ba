"""Keras 3 on JAX: the same six functions, jitted, around Keras's own VGG16."""

import os
from functools import partial
from pathlib import Path

import numpy as np
import worker
from plain_jax import relu_of

os.environ["KERAS_BACKEND"] = "jax"


def prepare(weights: Path, images: np.ndarray) -> tuple:
    import jax
    import jax.numpy as jnp
    import keras

    model = keras.applications.VGG16(weights=None, classifier_activation=None)
    model.load_weights(weights)
    values = [variable.value for variable in model.trainable_variables]
    functions = {}
    for rule in worker.RULES:
        twin = keras.models.clone_model(model)
        for layer in twin.layers:
            if getattr(layer, "activation", None) is keras.activations.relu:
                layer.activation = relu_of(rule)
        outputs = [twin.get_layer(worker.LAYER).output, twin.output]
        both = keras.Model(twin.inputs, outputs)
        head = keras.Model(outputs[0], twin.output)
        functions[f"saliency_{rule}"] = partial(jax.jit(partial(saliency, twin)), values)
        functions[f"grad_cam_{rule}"] = partial(jax.jit(partial(grad_cam, both, head)), values)
    return functions, jnp.asarray(worker.network_input(images))


def run(state: tuple) -> worker.Maps:
    functions, x = state
    return {name: np.asarray(function(x)) for name, function in functions.items()}


def saliency(model, values, x):
    import jax
    import jax.numpy as jnp

    def score(x):
        return model.stateless_call(values, [], x)[0][:, worker.CLASS].sum()

    return jnp.abs(jax.grad(score)(x)).max(axis=-1)


def grad_cam(both, head, values, x):
    import jax

    behind = values[len(values) - len(head.trainable_variables) :]
    activation = both.stateless_call(values, [], x)[0][0]

    def score(a):
        return head.stateless_call(behind, [], a)[0][:, worker.CLASS].sum()

    weights = jax.grad(score)(activation).mean(axis=(1, 2), keepdims=True)
    return jax.nn.relu((weights * activation).sum(axis=-1))


if __name__ == "__main__":
    worker.serve(prepare, run)
