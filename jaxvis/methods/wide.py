"""The two arrays of a layer in at least float32: half precision adds up badly."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxvis.methods.method import Pass


def wide(
    given: Pass,
) -> tuple[Float[Array, "n *space channels"], Float[Array, "n *space channels"]]:
    """Return the activation and its gradient, float32 if they were of half precision."""
    assert given.activation is not None
    assert given.activation_gradient is not None
    return widened(given.activation), widened(given.activation_gradient)


def widened(array: Array) -> Array:
    """Return an array in float32 if it was of half precision, else as it is."""
    return array.astype(jnp.float32) if array.dtype.itemsize < 4 else array


def weighed(
    maps: Float[Array, "n *space channels"], weights: Float[Array, "n channels"]
) -> Float[Array, "n *space"]:
    """Return sum_c w_c A_c, with one weight for every channel of an image."""
    ones = (1,) * len(space(maps))
    return jnp.sum(maps * weights.reshape(len(maps), *ones, -1), axis=-1)


def space(array: Array) -> tuple[int, ...]:
    """Return the axes between those of images and channels."""
    return tuple(range(1, array.ndim - 1))
