"""What a picture that was made, and not taken, is held to: smoothness, and a small size.

A score alone is highest in pictures of high frequencies that no camera takes. Mahendran & Vedaldi,
"Understanding Deep Image Representations by Inverting Them" (arXiv 1412.0035, 2014), section 2.1;
Olah, Mordvintsev & Schubert, "Feature Visualization" (Distill, 2017), "Frequency Penalization".
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


def total_variation(x: Float[Array, "n height width channels"]) -> Float[Array, " n"]:
    """Return (sum |x[i+1, j] - x[i, j]| + sum |x[i, j+1] - x[i, j]|) / (height width channels).

    The anisotropic total variation of every picture, as `tf.image.total_variation` has it, by the
    number of its values: at least 0, in the units of x, 0 for an even picture. Its gradient is 0
    between equal pixels.
    """
    down = jnp.sum(_absolute(x[:, 1:] - x[:, :-1]), axis=(1, 2, 3))
    across = jnp.sum(_absolute(x[:, :, 1:] - x[:, :, :-1]), axis=(1, 2, 3))
    return (down + across) / x[0].size


def mean_norm(x: Float[Array, "n height width channels"], order: float) -> Float[Array, " n"]:
    """Return (mean |x|^order)^(1/order) of every picture: ||x||_order / size^(1/order).

    In the units of x and at least 0, whatever the size: 1 is the mean of |x|, 2 its root mean
    square, a large order near its largest value. `order` is at least 1; the gradient of a picture
    that is 0 everywhere is 0.
    """
    size = _absolute(x)
    if order == 1:
        return jnp.mean(size, axis=(1, 2, 3))
    # By its largest value first: |x|^6 of grey levels leaves float32 otherwise, and 0 has no root.
    largest = jnp.max(size, axis=(1, 2, 3), keepdims=True)
    empty = largest == 0
    scale = jnp.where(empty, jnp.ones_like(largest), largest)
    mean = jnp.mean((size / scale) ** order, axis=(1, 2, 3))
    nothing = empty[:, 0, 0, 0]
    root = jnp.where(nothing, jnp.ones_like(mean), mean) ** (1 / order)
    return jnp.where(nothing, jnp.zeros_like(mean), root * scale[:, 0, 0, 0])


def _absolute(x: Float[Array, "..."]) -> Float[Array, "..."]:
    """Return |x|, whose gradient is 0 at 0; `jnp.abs` has 1, and would tilt an even area."""
    return x * jax.lax.stop_gradient(jnp.sign(x))
