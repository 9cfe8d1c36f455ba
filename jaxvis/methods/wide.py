"""The two arrays of a layer in at least float32, since half precision adds up badly; their sums.

Sums of products are written as `einsum`, and not as `jnp.sum(a * b)`. Of three rules at once, one
of the two is the same for all, and such a sum, joined to the |.| or ReLU behind it, is wrong
without a word on a CPU in JAX 0.10.2: XLA's fusion for YNNPACK gives all rules the first one's. It
did so for maps of the input and of large layers, which tests/methods/test_large_maps.py has.
"""

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
    return jnp.einsum("n...c,nc->n...", maps, weights, precision="highest")


def summed(a: Float[Array, "n *space channels"], b: Float[Array, "n *space channels"]) -> Array:
    """Return the sum of a * b over the channels, (n, *space)."""
    return jnp.einsum("...c,...c->...", a, b, precision="highest")


def summed_over_space(
    a: Float[Array, "n *space channels"], b: Float[Array, "n *space channels"]
) -> Float[Array, "n channels"]:
    """Return the sum of a * b over all places, (n, channels)."""
    return jnp.einsum("n...c,n...c->nc", a, b, precision="highest")


def space(array: Array) -> tuple[int, ...]:
    """Return the axes between those of images and channels."""
    return tuple(range(1, array.ndim - 1))
