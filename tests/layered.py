"""Networks whose layers are known by hand: names, order, arrays and fan-ins."""

from collections.abc import Callable
from typing import Any, NamedTuple

import flax.linen as nn
import haiku as hk
import jax
import jax.numpy as jnp
import keras
import networks
import numpy as np
from networks import conv, normal

import jaxvis as jv
from jaxvis.any_model.adapters import as_model

Partial = jax.tree_util.Partial


class Layered(NamedTuple):
    """A model, an input, and what its author knows of it.

    Attributes:
        layers: from the image up to the logits; for each the text that the paths of its arrays,
            and no others, contain.
        fan_in: for each layer with a kernel, how many inputs each of its outputs sums.
    """

    model: Any
    x: Any
    layers: dict[str, str]
    fan_in: dict[str, int]


def linen() -> Layered:
    f, _, x = networks.linen()
    names = ("stem", "Conv_0", "LayerNorm_0", "Dense_0", "Dense_1")
    layers = {name: f"['{name}']" for name in names}
    return Layered(
        jv.expose_relu(f), x, layers, {"stem": 27, "Conv_0": 36, "Dense_0": 64, "Dense_1": 7}
    )


class Normalised(nn.Module):
    """A network whose normalisation has statistics, in a collection of their own."""

    @nn.compact
    def __call__(self, x):
        x = nn.Conv(4, (3, 3), name="zeroth")(x)
        x = nn.relu(nn.BatchNorm(use_running_average=True)(x))
        return nn.Dense(5, name="last")(x.mean(axis=(1, 2)))


def linen_with_statistics() -> Layered:
    x = normal(2, 8, 8, 3)
    model = as_model(Normalised().bind(Normalised().init(jax.random.key(0), x)))
    layers = {name: f"['{name}']" for name in ("zeroth", "BatchNorm_0", "last")}
    return Layered(model, x, layers, {"zeroth": 27, "last": 4})


def nnx_module() -> Layered:
    f, _, x = networks.nnx_module()
    layers = {name: f".{name}." for name in ("stem", "norm", "conv", "out")}
    return Layered(jv.expose_relu(f), x, layers, {"stem": 27, "conv": 36, "out": 4})


def equinox() -> Layered:
    f, _, x = networks.equinox()
    places = {"0": "[0]", "2": "[2]", "3": "[3]"}
    layers = {f"layers/layers/{name}": f".layers.layers{at}." for name, at in places.items()}
    layers |= {f"layers/layers/7/layers/{i}": f".layers.layers[7].layers[{i}]." for i in (0, 1)}
    names = list(layers)
    return Layered(jv.expose_relu(f), x, layers, dict(zip(names[:2], (27, 36), strict=True))
                   | dict(zip(names[3:], (6, 8), strict=True)))  # fmt: skip


def haiku() -> Layered:
    f, _, x = networks.haiku()
    names = ("conv2_d", "conv2_d_1", "layer_norm", "mlp/~/linear_0", "mlp/~/linear_1")
    return Layered(
        jv.expose_relu(f), x, {name: f"['{name}']" for name in names},
        {"conv2_d": 27, "conv2_d_1": 36, "mlp/~/linear_0": 256, "mlp/~/linear_1": 16},
    )  # fmt: skip


def haiku_with_state() -> Layered:
    """Its scale has four axes, and its averages are called neither mean nor variance."""

    def forward(x, training):
        x = hk.BatchNorm(True, True, 0.9)(hk.Conv2D(4, 3, name="zeroth")(x), training)
        return hk.Linear(5, name="last")(jax.nn.relu(x).mean(axis=(1, 2)))

    x = normal(2, 8, 8, 3)
    network = hk.without_apply_rng(hk.transform_with_state(forward))
    parameters, state = network.init(jax.random.key(0), x, True)
    _, state = network.apply(parameters, state, x, True)

    def f(parameters, state, x):
        return network.apply(parameters, state, x, False)[0]

    names = ("zeroth", "batch_norm", "last")
    layers = {name: f"['{name}']" for name in names}
    # Haiku multiplies scale and 1 / sqrt(variance) before it takes the mean away.
    layers |= {f"1/batch_norm/~/{name}": f"['batch_norm/~/{name}']"
               for name in ("mean_ema", "var_ema")}  # fmt: skip
    order = ("zeroth", "1/batch_norm/~/var_ema", "batch_norm", "1/batch_norm/~/mean_ema", "last")
    return Layered(
        jv.expose_relu(Partial(f, parameters, state)), x, {name: layers[name] for name in order},
        {"zeroth": 27, "last": 4},
    )  # fmt: skip


def keras_model() -> Layered:
    i = keras.Input((8, 8, 3))
    y = keras.layers.Conv2D(4, 3, activation="relu", name="stem")(i)
    y = keras.layers.BatchNormalization(name="norm")(y)
    y = keras.layers.Conv2D(6, 3, activation="relu", name="conv")(y)
    y = keras.layers.Dropout(0.5)(keras.layers.GlobalAveragePooling2D()(y))
    model = keras.Model(i, keras.layers.Dense(5, name="answer")(y))
    for layer in model.layers:  # Keras draws others every time
        if hasattr(layer, "kernel"):
            layer.kernel.assign(normal(*layer.kernel.shape))
    KEPT.append(model)
    layers = {name: f"|{name}/" for name in ("stem", "norm", "conv", "answer")}
    x = np.asarray(normal(2, 8, 8, 3))
    return Layered(as_model(model), x, layers, {"stem": 27, "conv": 36, "answer": 6})


KEPT: list = []  # an exposed Keras model holds it weakly


def dense(width: int, *names: str) -> dict:
    """Weights of layers of equal width, none of them zero."""
    return {
        name: {"w": normal(width, width, seed=i), "b": normal(width, seed=100 + i)}
        for i, name in enumerate(names)
    }


def plain() -> Layered:
    """Its names sort the other way round than its layers run."""
    weights = {
        "b": {"w": normal(6, 4, seed=1), "b": normal(4, seed=2)},
        "a": {"w": normal(4, 3, seed=3), "b": normal(3, seed=4)},
    }

    def f(weights, x):
        x = jax.nn.relu(x @ weights["b"]["w"] + weights["b"]["b"][None])
        return x @ weights["a"]["w"] + weights["a"]["b"][None]

    layers = {name: f"[0]['{name}']" for name in ("b", "a")}
    return Layered(Partial(f, weights), normal(2, 6), layers, {"b": 6, "a": 4})


def linear(weights: dict, x: jax.Array) -> jax.Array:
    return x @ weights["w"] + weights["b"][None]


def inside() -> Layered:
    """Layers inside of jit, checkpoint, scan, while and cond, in an order that no sorting finds."""
    names = ("m", "z", "c", "y", "k", "a", "x", "b")
    weights = dense(4, *names)
    weights["c"] = jax.tree.map(lambda *leaves: jnp.stack(leaves), *dense(4, *"123").values())

    def f(w, x):
        x = jax.checkpoint(lambda w, x: jax.nn.relu(linear(w, x)))(w["m"], x)

        @jax.jit
        def two(x):
            return linear(w["y"], jax.lax.scan(over, linear(w["z"], x), w["c"])[0])

        def over(x, scanned):
            return jax.nn.relu(linear(scanned, x)), None

        x = two(x)
        x, _ = jax.lax.scan(lambda x, _: (jax.nn.relu(linear(w["k"], x)), None), x, None, length=2)
        _, x = jax.lax.while_loop(
            lambda state: state[0] < 2, lambda state: (state[0] + 1, linear(w["a"], state[1])),
            (jnp.int32(0), x),
        )  # fmt: skip
        x = jax.lax.cond(x.sum() > 0, lambda x: linear(w["x"], x), lambda x: -x, x)
        return linear(w["b"], x)

    layers = {name: f"[0]['{name}']" for name in names}
    fan_in = {name: 4 for name in names if name != "c"}  # nothing tells that "c" is a stack
    return Layered(Partial(f, weights), normal(2, 4), layers, fan_in)


def cast() -> Layered:
    """All weights are given another form before any of them is used, as for half precision."""
    weights = {
        "c": {"w": normal(3, 3, 3, 4), "b": normal(4)},
        "a": {"w": normal(5, 4, seed=1)},
        "unused": {"w": normal(4, 4)},
    }

    def f(weights, x):
        half = jax.tree.map(lambda a: a.astype(jnp.bfloat16), weights)
        dense = half["a"]["w"].T
        x = conv(x.astype(jnp.bfloat16), half["c"]["w"]) + half["c"]["b"].reshape(1, 1, 1, 4)
        return (jax.nn.relu(x).mean(axis=(1, 2)) @ dense).astype(jnp.float32)

    layers = {name: f"[0]['{name}']" for name in ("c", "a")}
    return Layered(Partial(f, weights), normal(2, 8, 8, 3), layers, {"c": 27})


CASES: dict[str, Callable[[], Layered]] = {
    builder.__name__: builder
    for builder in (
        linen, linen_with_statistics, nnx_module, equinox, haiku, haiku_with_state, keras_model,
        plain, inside, cast,
    )
}  # fmt: skip
