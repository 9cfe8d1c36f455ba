"""A convolution that filters each channel by itself, as a sum of shifted products.

XLA convolves so, too (`feature_group_count`), but on a CPU at a tenth to a fiftieth of the speed.
Its transpose is written out as well: a sum of shifted products again, where JAX's own would be one
of shifted paddings.
"""

from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

Pixels = Float[Array, "n height width channels"]
Kernel = Float[Array, "side side 1 channels"]


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def depthwise(x: Pixels, kernel: Kernel, stride: int) -> Float[Array, "n h w channels"]:
    """Return sum_ij x[:, stride y + i, stride x + j, c] kernel[i, j, 0, c], padded as "SAME" does.

    That is TensorFlow's padding: where an odd number of zeros is needed, as at stride 2, the one
    more stands below and on the right.
    """
    side = kernel.shape[0]
    pads = [_same(n, side, stride) for n in x.shape[1:3]]
    return _summed(jnp.pad(x, ((0, 0), *pads, (0, 0))), kernel, stride)


def _same(length: int, side: int, stride: int) -> tuple[int, int]:
    total = max((-(-length // stride) - 1) * stride + side - length, 0)
    return total // 2, total - total // 2


def _summed(padded: Pixels, kernel: Kernel, stride: int) -> Float[Array, "n h w channels"]:
    n, height, width, channels = padded.shape
    side = kernel.shape[0]
    taps = [tap.reshape(1, 1, 1, -1) for tap in kernel.reshape(side * side, -1)]
    total = jnp.zeros((), padded.dtype)
    for i in range(side):
        for j in range(side):
            end = (n, height - side + i + 1, width - side + j + 1, channels)
            shifted = jax.lax.slice(padded, (0, i, j, 0), end, (1, stride, stride, 1))
            total = total + shifted * taps[i * side + j]
    return total


def _forward(x: Pixels, kernel: Kernel, stride: int) -> tuple[Array, tuple[Pixels, Kernel]]:
    return depthwise(x, kernel, stride), (x, kernel)


def _backward(stride: int, saved: tuple[Pixels, Kernel], g: Array) -> tuple[Pixels, Kernel]:
    x, kernel = saved
    side = kernel.shape[0]
    # Strides left `stride - 1` pixels out between two of the result: zeros there. Each pixel of x
    # then takes from all places that it went to, which is the same sum with the kernel turned.
    zeros = []
    for n, out in zip(x.shape[1:3], g.shape[1:3], strict=True):
        low, _ = _same(n, side, stride)
        zeros.append((side - 1 - low, n + low - (out - 1) * stride - 1, stride - 1))
    spread = jax.lax.pad(g, jnp.zeros((), g.dtype), ((0, 0, 0), *zeros, (0, 0, 0)))
    to_x = _summed(spread, kernel[::-1, ::-1], 1)
    _, pull_to_kernel = jax.vjp(partial(_by_xla, x, stride), kernel)
    return to_x, pull_to_kernel(g)[0]


def _by_xla(x: Pixels, stride: int, kernel: Kernel) -> Array:
    """The same by XLA: for the gradient of kernels, which maps do not ask for."""
    return jax.lax.conv_general_dilated(
        x, kernel, (stride, stride), "SAME", feature_group_count=x.shape[-1],
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )  # fmt: skip


depthwise.defvjp(_forward, _backward)
