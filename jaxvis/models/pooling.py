"""2x2 max pooling whose backward pass is cheap, and shared between rules.

XLA's own gradient of a maximum over windows searches every window again, for every rule. Saving
which of the four pixels won (one byte) leaves four comparisons for the way back.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, UInt8

Pixels = Float[Array, "n height width channels"]


@jax.custom_vjp
def max_pool(x: Float[Array, "n height width channels"]) -> Float[Array, "n h w channels"]:
    """Return the maximum of every 2 x 2 window, stride 2; an odd last row or column is left out.

    The gradient goes to the first of equal maxima, reading row by row, as in TensorFlow. Under the
    deconvnet rule that matters: whole windows of zeros are common after a ReLU.
    """
    return _pool(x)[0]


def _pool(x: Pixels) -> tuple[Float[Array, "n h w channels"], UInt8[Array, "n h w channels"]]:
    height, width = x.shape[1] // 2 * 2, x.shape[2] // 2 * 2
    best = x[:, 0:height:2, 0:width:2]
    winner = jnp.zeros(best.shape, jnp.uint8)
    for index, (row, column) in enumerate(((0, 1), (1, 0), (1, 1)), start=1):
        other = x[:, row:height:2, column:width:2]
        winner = jnp.where(other > best, jnp.uint8(index), winner)
        best = jnp.maximum(best, other)
    return best, winner


def _forward(x: Pixels) -> tuple[Pixels, tuple]:
    best, winner = _pool(x)
    return best, (winner, x.shape)


def _backward(saved: tuple, g: Pixels) -> tuple[Pixels]:
    winner, (n, height, width, channels) = saved
    # Every window as (2, 2) axes of its own: one comparison, which XLA fuses with what comes next.
    place = jnp.arange(4, dtype=jnp.uint8).reshape(1, 1, 2, 1, 2, 1)
    won = winner[:, :, None, :, None] == place
    spread = jnp.where(won, g[:, :, None, :, None], jnp.zeros((), g.dtype))
    even = spread.reshape(n, height // 2 * 2, width // 2 * 2, channels)
    return (jnp.pad(even, ((0, 0), (0, height % 2), (0, width % 2), (0, 0))),)


max_pool.defvjp(_forward, _backward)
