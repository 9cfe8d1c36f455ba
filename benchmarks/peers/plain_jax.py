"""Plain JAX as one would write it first: six maps, six jitted functions."""

from functools import partial
from pathlib import Path

import numpy as np
import worker


def prepare(weights: Path, images: np.ndarray) -> tuple:
    import jax
    import jax.numpy as jnp

    parameters = jax.tree.map(jnp.asarray, worker.read_weights(weights))
    functions = {}
    for rule in worker.RULES:
        functions[f"saliency_{rule}"] = jax.jit(partial(saliency, relu_of(rule)))
        functions[f"grad_cam_{rule}"] = jax.jit(partial(grad_cam, relu_of(rule)))
    return functions, parameters, jnp.asarray(worker.network_input(images))


def run(state: tuple) -> worker.Maps:
    functions, parameters, x = state
    return {name: np.asarray(function(parameters, x)) for name, function in functions.items()}


def relu_of(rule: str):
    import jax
    import jax.numpy as jnp

    if rule == "vanilla":
        return jax.nn.relu

    @jax.custom_vjp
    def relu(x):
        return jnp.maximum(x, 0)

    def backward(x, g):
        g = jnp.maximum(g, 0)
        return (jnp.where(x > 0, g, 0) if rule == "guided" else g,)

    relu.defvjp(lambda x: (relu(x), x), backward)
    return relu


def convolutions(relu, parameters, x, names):
    from jax import lax

    for name in names:
        if name.endswith("conv1") and name != "block1_conv1":
            x = pool(x)
        kernel, bias = parameters[name]
        x = lax.conv_general_dilated(
            x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
        )
        x = relu(x + bias)
    return x


def pool(x):
    import jax.numpy as jnp
    from jax import lax

    return lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")


def classifier(relu, parameters, x):
    x = pool(x).reshape(len(x), -1)
    for name in ("fc1", "fc2"):
        kernel, bias = parameters[name]
        x = relu(x @ kernel + bias)
    kernel, bias = parameters["predictions"]
    return x @ kernel + bias


def saliency(relu, parameters, x):
    import jax
    import jax.numpy as jnp

    def score(x):
        features = convolutions(relu, parameters, x, worker.CONVOLUTIONS)
        return classifier(relu, parameters, features)[:, worker.CLASS].sum()

    return jnp.abs(jax.grad(score)(x)).max(axis=-1)


def grad_cam(relu, parameters, x):
    import jax

    features = convolutions(relu, parameters, x, worker.CONVOLUTIONS)
    gradient = jax.grad(lambda a: classifier(relu, parameters, a)[:, worker.CLASS].sum())(features)
    weights = gradient.mean(axis=(1, 2), keepdims=True)
    return jax.nn.relu((weights * features).sum(axis=-1))


if __name__ == "__main__":
    worker.serve(prepare, run)
