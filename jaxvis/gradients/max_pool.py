"""Max pooling whose backward pass is cheap, and shared between rules.

XLA's own gradient of a maximum over windows searches every window again, for every rule, on a CPU
in one thread, one number after another. Saving which place of the window won (one byte) leaves a
comparison for each place on the way back.
"""

import itertools
import math
from functools import partial, reduce

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, UInt8

Sizes = tuple[int, ...]


@partial(jax.custom_vjp, nondiff_argnums=(1, 2))
def max_pool(
    x: Float[Array, "..."], window: Sizes = (1, 2, 2, 1), strides: Sizes | None = None
) -> Float[Array, "..."]:
    """Return the maximum of every window that lies wholly inside x; by default 2 x 2, stride 2.

    The gradient goes to the first of equal maxima, reading row by row, as in TensorFlow. Under the
    deconvnet rule that matters: whole windows of zeros are common after a ReLU.

    Args:
        window: its size along each axis of x, at most 256 places in all.
        strides: steps from window to window, along each axis; default `window`.
    """
    return _pool(x, window, strides or window)[0]


def _pool(
    x: Float[Array, "..."], window: Sizes, strides: Sizes
) -> tuple[Float[Array, "..."], UInt8[Array, "..."]]:
    sizes = [(n - size) // step + 1 for n, size, step in zip(x.shape, window, strides, strict=True)]

    def at(place: Sizes) -> Array:
        axes = zip(place, sizes, strides, strict=True)
        return jax.lax.slice(x, place, [at + (n - 1) * step + 1 for at, n, step in axes], strides)

    first, *others = _places(window)
    best = at(first)
    winner = jnp.zeros(best.shape, jnp.uint8)
    for index, place in enumerate(others, start=1):
        other = at(place)
        winner = jnp.where(other > best, jnp.uint8(index), winner)
        best = jnp.maximum(best, other)
    return best, winner


def _places(window: Sizes) -> list[Sizes]:
    return list(itertools.product(*map(range, window)))


def _forward(x: Array, window: Sizes, strides: Sizes | None) -> tuple[Array, tuple]:
    best, winner = _pool(x, window, strides or window)
    return best, (winner, x.shape)


def _backward(window: Sizes, strides: Sizes | None, saved: tuple, g: Array) -> tuple[Array]:
    winner, shape = saved
    if strides is None or strides == window:
        return (_spread(winner, shape, window, g),)
    return (_summed(winner, shape, window, strides, g),)


def _spread(winner: Array, shape: Sizes, window: Sizes, g: Array) -> Array:
    """The gradient where no windows overlap: each pixel takes from one."""
    # Every window gets axes of its own: one comparison, which XLA fuses with what comes next.
    place = jnp.arange(math.prod(window), dtype=jnp.uint8)
    place = place.reshape([n for size in window for n in (1, size)])
    own = [n for size in winner.shape for n in (size, 1)]
    spread = jnp.where(winner.reshape(own) == place, g.reshape(own), jnp.zeros((), g.dtype))
    covered = [n * size for n, size in zip(winner.shape, window, strict=True)]
    left = [(0, all_ - done) for all_, done in zip(shape, covered, strict=True)]
    return jnp.pad(spread.reshape(covered), left)


def _summed(winner: Array, shape: Sizes, window: Sizes, strides: Sizes, g: Array) -> Array:
    """The gradient where windows overlap: the sum over the places in a window."""
    zero = jnp.zeros((), g.dtype)
    parts = []
    for index, place in enumerate(_places(window)):
        axes = zip(place, shape, g.shape, strides, strict=True)
        pads = [(at, all_ - at - (n - 1) * step - 1, step - 1) for at, all_, n, step in axes]
        parts.append(jax.lax.pad(jnp.where(winner == index, g, zero), zero, pads))
    return reduce(jnp.add, parts)


max_pool.defvjp(_forward, _backward)
