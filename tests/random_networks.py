"""Random small networks, each written as people write them and once more by hand.

All numbers are small multiples of a quarter and all sides powers of two, so that sums are exact in
float32 in whatever order they are taken, and a unit at zero is at zero for everybody.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import equinox as eqx
import flax.linen as nn
import jax
import jax.numpy as jnp
import keras
import numpy as np
from flax import nnx
from jax.ad_checkpoint import checkpoint_name

import jaxvis as jv

IMAGES, SIDE = 4, 8
FORMS: dict[str, Callable] = {
    "relu": jax.nn.relu,
    "maximum": lambda x: jnp.maximum(x, 0),
    "where": lambda x: jnp.where(x > 0, x, jnp.zeros((), x.dtype)),
    "clip": lambda x: jnp.clip(x, 0),
}


class Weights(NamedTuple):
    kernels: list[jax.Array]  # (3, 3, in, out)
    biases: list[jax.Array]
    readout: jax.Array  # (channels, classes)


@dataclass(frozen=True)
class Plan:
    """What a network looks like.

    Attributes:
        channels: of the image and behind every convolution.
        strides: of the convolutions.
        layer: the number of the convolution that is cut behind.
        first: whether channels come first.
        coupled: whether each image has the batch's mean taken away behind the first convolution.
        residual: whether the last convolution's result is added to what it came from.
        form: how the ReLU is written.
        named: whether the value behind the layer has a name, by which it is cut. It has to, where
            more than bias and ReLU follow the convolution.
    """

    channels: tuple[int, ...]
    strides: tuple[int, ...]
    classes: int
    layer: int
    first: bool = False
    coupled: bool = False
    residual: bool = False
    form: str = "relu"
    named: bool = False

    @property
    def where(self) -> str | int:
        return "cut" if self.named else self.layer

    @property
    def axis(self) -> int:
        return 1 if self.first else -1


def quarters(rng: np.random.Generator, *shape: int, most: int = 4) -> jax.Array:
    return jnp.asarray(rng.integers(-most, most + 1, shape) / 4, jnp.float32)


def plan(rng: np.random.Generator, kind: str) -> Plan:
    depth = int(rng.integers(1, 4))
    channels = (3, *(int(c) for c in rng.integers(2, 6, depth)))
    plain = kind in ("keras", "nnx", "equinox", "linen")
    residual = not plain and depth > 1 and bool(rng.random() < 0.4)
    if residual:
        channels = (*channels[:-1], channels[-2])
    strides = [int(s) for s in rng.choice([1, 2], depth, p=[0.7, 0.3])]
    if residual:
        strides[-1] = 1
    layer, coupled = int(rng.integers(depth)), not plain and bool(rng.random() < 0.3)
    more = (coupled and layer == 0) or (residual and layer == depth - 1)
    return Plan(
        channels, tuple(strides), int(rng.integers(2, 5)), layer,
        first=kind == "equinox" or (not plain and bool(rng.random() < 0.4)),
        coupled=coupled, residual=residual, named=not plain and (more or bool(rng.random() < 0.3)),
        form=str(rng.choice([*FORMS])) if kind in ("partial", "closure") else "relu",
    )  # fmt: skip


def weights(rng: np.random.Generator, of: Plan) -> Weights:
    pairs = list(zip(of.channels[:-1], of.channels[1:], strict=True))
    return Weights(
        [quarters(rng, 3, 3, a, b, most=2) for a, b in pairs],
        [quarters(rng, b) for _, b in pairs],
        quarters(rng, of.channels[-1], of.classes),
    )


def images(rng: np.random.Generator, of: Plan) -> jax.Array:
    shape = (of.channels[0], SIDE, SIDE) if of.first else (SIDE, SIDE, of.channels[0])
    return quarters(rng, IMAGES, *shape)


def convolution(of: Plan, w: Weights, i: int, x: jax.Array, relu: Callable) -> jax.Array:
    spec = "NCHW" if of.first else "NHWC"
    y = jax.lax.conv_general_dilated(
        x, w.kernels[i], (of.strides[i],) * 2, "SAME", dimension_numbers=(spec, "HWIO", spec)
    )
    y = y + w.biases[i].reshape(1, -1, 1, 1) if of.first else y + w.biases[i].reshape(1, 1, 1, -1)
    if of.coupled and i == 0:
        y = y - y.mean(axis=0, keepdims=True)
    if of.residual and i == len(of.strides) - 1:
        y = y + x
    return relu(y)


def body(of: Plan, w: Weights, x: jax.Array, relu: Callable = jax.nn.relu) -> jax.Array:
    for i in range(of.layer + 1):
        x = convolution(of, w, i, x, relu)
    return checkpoint_name(x, "cut") if of.named else x


def head(of: Plan, w: Weights, x: jax.Array, relu: Callable = jax.nn.relu) -> jax.Array:
    for i in range(of.layer + 1, len(of.strides)):
        x = convolution(of, w, i, x, relu)
    return x.mean(axis=(2, 3) if of.first else (1, 2)) @ w.readout


def whole(of: Plan, w: Weights, x: jax.Array, relu: Callable = jax.nn.relu) -> jax.Array:
    return head(of, w, body(of, w, x, relu), relu)


def as_written(of: Plan, w: Weights, x: jax.Array) -> jax.Array:
    """The network with its own form of the ReLU in it, and no `relu=`."""
    return whole(of, w, x, FORMS[of.form])


# The same by hand: a ReLU with its gates, and plain jax.grad.


@jax.custom_vjp
def gated(x: jax.Array, gates: jax.Array) -> jax.Array:
    return jnp.where(x > 0, x, jnp.zeros_like(x))


def _forward(x: jax.Array, gates: jax.Array) -> tuple:
    return gated(x, gates), (x, gates)


def _backward(kept: tuple, g: jax.Array) -> tuple:
    x, gates = kept
    zero = jnp.zeros_like(g)
    g = jnp.where(gates[0] & (x <= 0), zero, g)
    return jnp.where(gates[1] & (g <= 0), zero, g), np.zeros(gates.shape, jax.dtypes.float0)


gated.defvjp(_forward, _backward)
GATES = {"vanilla": (True, False), "rectified": (False, True), "guided": (True, True)}


@partial(jax.jit, static_argnums=0)
def by_hand(of: Plan, w: Weights, x: jax.Array, targets: jax.Array, gates: jax.Array) -> tuple:
    """Logits, saliency and Grad-CAM by their definitions."""

    def relu(v: jax.Array) -> jax.Array:
        return gated(v, gates)

    def chosen(logits: jax.Array) -> jax.Array:
        return jnp.take_along_axis(logits, targets[:, None], axis=1).sum()

    gradient = jax.grad(lambda x: chosen(whole(of, w, x, relu)))(x)
    a = body(of, w, x, relu)
    at_layer = jax.grad(lambda a: chosen(head(of, w, a, relu)))(a)
    space = (2, 3) if of.first else (1, 2)
    cam = (at_layer.mean(axis=space, keepdims=True) * a).sum(axis=of.axis)
    logits = whole(of, w, x, relu)
    return logits, jnp.abs(gradient).max(axis=of.axis), jnp.maximum(cam, jnp.zeros_like(cam))


# The same as people have it. Every kind is `(model, change)`: `change(weights)` gives the model its
# new weights and returns it, itself where it can be changed and a new one where it cannot.


def partial_of(of: Plan, w: Weights) -> tuple:
    def made(w: Weights) -> Any:
        return jv.expose_relu(jax.tree_util.Partial(partial(as_written, of), w))

    return made(w), made


def closure(of: Plan, w: Weights) -> tuple:
    held = [w]
    model = jv.expose_relu(lambda x: as_written(of, held[0], x))

    def change(new: Weights) -> Any:
        held[0] = new
        return model

    return model, change


@dataclass(eq=False)
class Own:
    """A model of one's own that is no pytree, takes `relu=`, and can be cut."""

    of: Plan
    w: Weights
    images_are_independent: bool = field(init=False)

    def __post_init__(self) -> None:
        self.images_are_independent = not self.of.coupled

    def __call__(self, x: jax.Array, relu: Callable = jax.nn.relu) -> jax.Array:
        return whole(self.of, self.w, x, relu)

    def cut(self, layer: str | int) -> tuple:
        of = self.of
        assert layer == of.where
        return (
            lambda x, relu=jax.nn.relu: body(of, self.w, x, relu),
            lambda x, relu=jax.nn.relu: head(of, self.w, x, relu),
        )


def own(of: Plan, w: Weights) -> tuple:
    model = Own(of, w)

    def change(new: Weights) -> Any:
        model.w = new
        return model

    return model, change


def pair(of: Plan, w: Weights) -> tuple:
    def made(w: Weights) -> Any:
        return tuple(jax.tree_util.Partial(partial(half, of), w) for half in (body, head))

    return made(w), made


def keras_model(of: Plan, w: Weights) -> tuple:
    y = i = keras.Input((SIDE, SIDE, of.channels[0]))
    for channels, stride in zip(of.channels[1:], of.strides, strict=True):
        y = keras.layers.Conv2D(channels, 3, stride, padding="same", activation="relu")(y)
    y = keras.layers.Dense(of.classes, use_bias=False)(keras.layers.GlobalAveragePooling2D()(y))
    model = keras.Model(i, y)

    def change(new: Weights) -> Any:
        pairs = zip(new.kernels, new.biases, strict=True)
        model.set_weights([*(np.asarray(a) for two in pairs for a in two), np.asarray(new.readout)])
        return model

    return change(w), change


class Nnx(nnx.Module):
    def __init__(self, of: Plan):
        rngs = nnx.Rngs(0)
        self.convs = nnx.List(
            nnx.Conv(a, b, (3, 3), strides=s, rngs=rngs)
            for a, b, s in zip(of.channels[:-1], of.channels[1:], of.strides, strict=True)
        )
        self.out = nnx.Linear(of.channels[-1], of.classes, use_bias=False, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        for conv in self.convs:
            x = nnx.relu(conv(x))
        return self.out(x.mean(axis=(1, 2)))


def nnx_module(of: Plan, w: Weights) -> tuple:
    model = Nnx(of)

    def change(new: Weights) -> Any:
        for conv, kernel, bias in zip(model.convs, new.kernels, new.biases, strict=True):
            conv.kernel[...], conv.bias[...] = kernel, bias
        model.out.kernel[...] = new.readout
        return model

    return change(w), change


class Equinox(eqx.Module):
    convs: list
    readout: jax.Array

    def __call__(self, x: jax.Array) -> jax.Array:
        def one(x: jax.Array) -> jax.Array:
            for conv in self.convs:
                x = jax.nn.relu(conv(x))
            return x.mean(axis=(1, 2)) @ self.readout

        return jax.vmap(one)(x)


def equinox_module(of: Plan, w: Weights) -> tuple:
    def made(w: Weights) -> Any:
        convs = []
        sides = zip(of.channels[:-1], of.channels[1:], of.strides, strict=True)
        for (a, b, s), kernel, bias in zip(sides, w.kernels, w.biases, strict=True):
            conv = eqx.nn.Conv2d(a, b, 3, s, padding="SAME", key=jax.random.key(0))
            conv = eqx.tree_at(
                lambda c: (c.weight, c.bias), conv,
                (kernel.transpose(3, 2, 0, 1), bias.reshape(-1, 1, 1)),
            )  # fmt: skip
            convs.append(conv)
        return Equinox(convs, w.readout)

    return made(w), made


class Linen(nn.Module):
    of: Plan

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        for i, (channels, s) in enumerate(zip(self.of.channels[1:], self.of.strides, strict=True)):
            x = nn.relu(nn.Conv(channels, (3, 3), strides=s, name=f"conv{i}")(x))
        return nn.Dense(self.of.classes, use_bias=False, name="out")(x.mean(axis=(1, 2)))


def linen_module(of: Plan, w: Weights) -> tuple:
    def made(w: Weights) -> Any:
        params: dict[str, Any] = {
            f"conv{i}": {"kernel": kernel, "bias": bias}
            for i, (kernel, bias) in enumerate(zip(w.kernels, w.biases, strict=True))
        }
        return Linen(of).bind({"params": {**params, "out": {"kernel": w.readout}}})

    return made(w), made


KINDS: dict[str, Callable] = {
    "partial": partial_of, "closure": closure, "own": own, "pair": pair, "keras": keras_model,
    "nnx": nnx_module, "equinox": equinox_module, "linen": linen_module,
}  # fmt: skip
EXPOSED = ("keras", "nnx", "equinox", "linen")  # for `grad_cam` they have to be exposed
