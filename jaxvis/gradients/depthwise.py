"""A convolution that filters each channel by itself, as a sum of shifted products.

XLA convolves so, too (`feature_group_count`), but on a CPU at a tenth to a fiftieth of the speed.
Its transpose is written out as well: a sum of shifted products again, where JAX's own would be one
of shifted paddings.
"""

from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxvis.gradients.convolution import USUAL, Pads

Pixels = Float[Array, "n height width channels"]
Kernel = Float[Array, "side side 1 channels"]


def depthwise(x: Pixels, kernel: Kernel, stride: int) -> Float[Array, "n h w channels"]:
    """Return sum_ij x[:, stride y + i, stride x + j, c] kernel[i, j, 0, c], padded as "SAME" does.

    That is TensorFlow's padding: where an odd number of zeros is needed, as at stride 2, the one
    more stands below and on the right.
    """
    sides = zip(x.shape[1:3], kernel.shape[:2], strict=True)
    return depthwise_padded(x, kernel, stride, tuple(_same(n, side, stride) for n, side in sides))


def _same(length: int, side: int, stride: int) -> tuple[int, int]:
    total = max((-(-length // stride) - 1) * stride + side - length, 0)
    return total // 2, total - total // 2


@partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def depthwise_padded(
    x: Pixels, kernel: Kernel, stride: int, pads: Pads
) -> Float[Array, "n h w channels"]:
    """Return the same with zeros as told: `pads` above and below, then left and right."""
    return _summed(jnp.pad(x, ((0, 0), *pads, (0, 0))), kernel, stride)


def _summed(padded: Pixels, kernel: Kernel, stride: int) -> Float[Array, "n h w channels"]:
    n, height, width, channels = padded.shape
    rows, columns = kernel.shape[:2]
    taps = [tap.reshape(1, 1, 1, -1) for tap in kernel.reshape(rows * columns, -1)]
    total = jnp.zeros((), padded.dtype)
    for i in range(rows):
        for j in range(columns):
            end = (n, height - rows + i + 1, width - columns + j + 1, channels)
            shifted = jax.lax.slice(padded, (0, i, j, 0), end, (1, stride, stride, 1))
            total = total + shifted * taps[i * columns + j]
    return total


def _forward(
    x: Pixels, kernel: Kernel, stride: int, pads: Pads
) -> tuple[Array, tuple[Pixels, Kernel]]:
    return depthwise_padded(x, kernel, stride, pads), (x, kernel)


def _backward(
    stride: int, pads: Pads, saved: tuple[Pixels, Kernel], g: Array
) -> tuple[Pixels, Kernel]:
    x, kernel = saved
    # Strides left `stride - 1` pixels out between two of the result: zeros there. Each pixel of x
    # then takes from all places that it went to, which is the same sum with the kernel turned.
    zeros = []
    for n, out, side, (low, _) in zip(
        x.shape[1:3], g.shape[1:3], kernel.shape[:2], pads, strict=True
    ):
        zeros.append((side - 1 - low, n + low - (out - 1) * stride - 1, stride - 1))
    spread = jax.lax.pad(g, jnp.zeros((), g.dtype), ((0, 0, 0), *zeros, (0, 0, 0)))
    to_x = _summed(spread, kernel[::-1, ::-1], 1)
    to_kernel = jax.linear_transpose(partial(_by_xla, x, stride, pads), kernel)
    return to_x, to_kernel(g)[0]


def _by_xla(x: Pixels, stride: int, pads: Pads, kernel: Kernel) -> Array:
    """The same by XLA: for the gradient of kernels, which maps do not ask for."""
    return jax.lax.conv_general_dilated(
        x, kernel, (stride, stride), pads, feature_group_count=x.shape[-1],
        dimension_numbers=USUAL,
    )  # fmt: skip


depthwise_padded.defvjp(_forward, _backward)
