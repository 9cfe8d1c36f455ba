"""A convolution whose way back is written out: the same convolution, with the kernel turned round.

What a pixel gave to its neighbours it gets back from them, from the opposite side: the gradient of
the input is the cotangent, convolved with the kernel flipped in space and with its channels
exchanged (Dumoulin & Visin, "A guide to convolution arithmetic", arXiv 1603.07285, 2016, section
4). JAX makes a transposed convolution of it, which is the same sum; libraries for CPUs with units
for bfloat16 do not know it by that name, and take three to ten times as long.
"""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax.custom_derivatives import SymbolicZero
from jaxtyping import Array, Float

from jaxvis.gradients.onednn import bare

Pads = tuple[tuple[int, int], ...]
USUAL = ("NHWC", "HWIO", "NHWC")


@partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def convolve(
    x: Float[Array, "n height width channels"],
    kernel: Float[Array, "rows columns channels features"],
    pads: Pads,
    precision: Any = None,
) -> Float[Array, "n h w features"]:
    """Return sum_ijc x[:, y + i, z + j, c] kernel[i, j, c, :], with zeros around x, at stride 1.

    Args:
        pads: how many zeros, above and below, then left and right; fewer than the kernel's sides.
        precision: as in `jax.lax.conv_general_dilated`.
    """
    return bare(
        jax.lax.conv_general_dilated(
            x, kernel, (1, 1), pads, dimension_numbers=USUAL, precision=precision
        )
    )


def same(kernel: Array) -> Pads:
    """Return the zeros with which the result is as large as x: TensorFlow's "SAME"."""
    return tuple(((side - 1) // 2, side // 2) for side in kernel.shape[:2])


def _forward(x: Any, kernel: Any, pads: Pads, precision: Any) -> tuple[Array, tuple]:
    # Each comes with whether its gradient is asked for: maps do not ask for that of a kernel.
    kept = x.value if kernel.perturbed else None
    return convolve(x.value, kernel.value, pads, precision), (kept, kernel.value)


def _backward(pads: Pads, precision: Any, saved: tuple, g: Any) -> tuple[Array, Array | None]:
    x, kernel = saved
    if isinstance(g, SymbolicZero):
        g = jnp.zeros(g.shape, g.dtype)
    turned = kernel[::-1, ::-1].swapaxes(2, 3)
    sides = zip(kernel.shape[:2], pads, strict=True)
    opposite = tuple((side - 1 - low, side - 1 - high) for side, (low, high) in sides)
    to_x = convolve(g, turned, opposite, precision)
    if x is None:
        return to_x, None
    by_xla = partial(
        jax.lax.conv_general_dilated, x, window_strides=(1, 1), padding=pads,
        dimension_numbers=USUAL, precision=precision,
    )  # fmt: skip
    return to_x, jax.linear_transpose(by_xla, kernel)(g)[0]


convolve.defvjp(_forward, _backward, symbolic_zeros=True)


def linear(x: Float[Array, "n ..."], kernel: Array, precision: Any = None) -> Array:
    """Return the sums of a layer without its bias: "SAME" convolution, or product with a matrix."""
    if kernel.ndim == 4:
        return convolve(x, kernel, same(kernel), precision)
    return bare(jnp.matmul(x, kernel, precision=precision))


def row(a: Any, like: Array) -> Array:
    """Return numbers of the last axis with as many axes as `like`, and of its dtype."""
    return jnp.asarray(a, like.dtype).reshape((1,) * (like.ndim - 1) + (-1,))
