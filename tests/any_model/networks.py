"""Small networks as their authors write them, each beside itself with the ReLU handed in.

Every builder returns `(f, by_hand, x)`: the function that knows nothing of jaxvis, a function
from a ReLU to the same network with that ReLU in its source, and an input.
"""

from collections.abc import Callable

import equinox as eqx
import flax.linen as nn
import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.ad_checkpoint import checkpoint_name

Network = tuple[Callable, Callable, jax.Array]


def normal(*shape: int, seed: int = 0) -> jax.Array:
    rng = np.random.Generator(np.random.PCG64(seed))
    return jnp.asarray(rng.normal(size=shape), jnp.float32)


def conv(x: jax.Array, kernel: jax.Array, stride: int = 1) -> jax.Array:
    dims = ("NHWC", "HWIO", "NHWC")
    return jax.lax.conv_general_dilated(x, kernel, (stride, stride), "SAME", dimension_numbers=dims)


def dense() -> Network:
    """Four layers in plain jax.numpy, with a bare form of the ReLU behind each."""
    kernels = normal(4, 6, 6)
    forms = (
        jax.nn.relu,
        lambda x: jnp.maximum(0, x),
        lambda x: jnp.where(x > 0, x, 0),
        lambda x: jnp.clip(x, 0),
    )

    def f(x):
        for kernel, relu in zip(kernels, forms, strict=True):
            x = relu(x @ kernel)
        return x

    def by_hand(relu):
        def with_relu(x):
            for kernel in kernels:
                x = relu(x @ kernel)
            return x

        return with_relu

    return f, by_hand, normal(5, 6, seed=1)


def scanned() -> Network:
    """A scan over the weights of equal layers, each of them rematerialised."""
    kernels = normal(5, 6, 6)

    def by_hand(relu):
        @jax.checkpoint
        def layer(x, kernel):
            return relu(x @ kernel) + x, None

        return lambda x: jax.lax.scan(layer, x, kernels)[0]

    return by_hand(jax.nn.relu), by_hand, normal(5, 6, seed=1)


def skipping() -> Network:
    """Convolutions in a jitted block, a skip connection around two of them, and a name."""
    kernels = [normal(3, 3, 3, 4)] + [normal(3, 3, 4, 4, seed=i) for i in range(1, 4)]
    bias, readout = normal(4, seed=7), normal(4, 5, seed=8)

    def by_hand(relu):
        @jax.jit
        def block(x, kernel):
            return checkpoint_name(relu(conv(x, kernel) + bias.reshape(1, 1, 1, 4)), "block")

        def f(x):
            x = relu(conv(x, kernels[0], 2))
            shortcut = jnp.sin(x)
            x = relu(conv(x, kernels[1]))
            x = block(x, kernels[2])
            x = relu(conv(x, kernels[3]) + shortcut)
            return jnp.mean(x, axis=(1, 2)) @ readout

        return f

    return by_hand(jax.nn.relu), by_hand, normal(2, 10, 8, 3, seed=9)


class LinenNet(nn.Module):
    """A residual network with layer normalisation, whose variance is guarded by a maximum."""

    relu: Callable = nn.relu

    @nn.compact
    def __call__(self, x):
        x = self.relu(nn.Conv(4, (3, 3), name="stem")(x))
        y = nn.LayerNorm()(nn.Conv(4, (3, 3))(x))
        x = self.relu(x + y)
        x = nn.max_pool(x, (2, 2), (2, 2))
        x = self.relu(nn.Dense(7)(x.reshape(x.shape[0], -1)))
        return nn.Dense(5)(x)


def linen() -> Network:
    x = normal(2, 8, 8, 3)
    variables = LinenNet().init(jax.random.key(0), x)

    def by_hand(relu):
        return jax.tree_util.Partial(LinenNet(relu).apply, variables)

    return by_hand(nn.relu), by_hand, x


class NnxNet(nnx.Module):
    def __init__(self, relu, rngs):
        self.relu = relu
        self.stem = nnx.Conv(3, 4, (3, 3), rngs=rngs)
        self.norm = nnx.BatchNorm(4, use_running_average=True, rngs=rngs)
        self.conv = nnx.Conv(4, 4, (3, 3), strides=2, rngs=rngs)
        self.out = nnx.Linear(4, 5, rngs=rngs)

    def __call__(self, x):
        x = self.relu(self.norm(self.stem(x)))
        x = self.relu(self.conv(x))
        return self.out(x.mean(axis=(1, 2)))


def nnx_module() -> Network:
    def by_hand(relu):
        return NnxNet(relu, nnx.Rngs(0))

    return by_hand(nnx.relu), by_hand, normal(2, 8, 8, 3)


class EquinoxNet(eqx.Module):
    """Channels first, one image at a time, as Equinox has it."""

    layers: eqx.nn.Sequential

    def __init__(self, relu):
        a, b, c = jax.random.split(jax.random.key(0), 3)
        self.layers = eqx.nn.Sequential(
            [
                eqx.nn.Conv2d(3, 4, 3, padding=1, key=a),
                eqx.nn.Lambda(relu),
                eqx.nn.Conv2d(4, 6, 3, key=b),
                eqx.nn.GroupNorm(2, 6),
                eqx.nn.Lambda(relu),
                eqx.nn.AdaptiveAvgPool2d(1),
                eqx.nn.Lambda(jnp.ravel),
                eqx.nn.MLP(6, 5, 8, 1, activation=relu, key=c),
            ]
        )

    def __call__(self, x):
        return jax.vmap(self.layers)(x)


def equinox() -> Network:
    return EquinoxNet(jax.nn.relu), EquinoxNet, normal(2, 3, 8, 9)


def haiku() -> Network:
    x = normal(2, 8, 8, 3)

    def by_hand(relu):
        def forward(x):
            x = relu(hk.Conv2D(4, 3)(x))
            x = relu(hk.LayerNorm(-1, True, True)(hk.Conv2D(4, 3)(x)))
            return hk.nets.MLP([16, 5], activation=relu)(hk.Flatten()(x))

        network = hk.without_apply_rng(hk.transform(forward))
        return jax.tree_util.Partial(network.apply, network.init(jax.random.key(0), x))

    return by_hand(jax.nn.relu), by_hand, x


ALL = {
    builder.__name__: builder
    for builder in (dense, scanned, skipping, linen, nnx_module, equinox, haiku)
}
