"""What a compiled call runs on, and how fast and how exact each precision is there."""

import os
import time
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from jaxvis.gradients import onednn
from jaxvis.gradients.compiled import Compiled
from jaxvis.gradients.convolution import convolve, same

PRECISIONS = ("default", "high", "highest", "bfloat16")
SHAPE = (4, 56, 56, 256)  # of what block3_conv2 of a VGG16 reads, four images
KERNEL = (3, 3, 256, 256)


def in_words() -> str:
    """Return the default device in words, and what is asked of oneDNN there."""
    device = jax.devices()[0]
    if device.platform != "cpu":
        return f"{device.platform} ({device.device_kind})"
    asked = [
        f"{dtype} by oneDNN, {onednn.units(dtype)}"
        for dtype in onednn.UNITS
        if onednn.is_asked(dtype)
    ]
    return f"cpu ({'; '.join([f'{device.device_kind}, {os.cpu_count()} cores', *asked])})"


class Speed(NamedTuple):
    """What one precision gives: 10^9 operations a second, and the largest error.

    The error is of a convolution's results, as a share of the largest of them, against float64.
    """

    gflops: float
    error: float


@dataclass(frozen=True)
class _Layer:
    """A layer of a network, so that it is computed as the products of one are."""

    precision: str
    asks_onednn = True

    def __call__(self, x: Array, kernel: Array) -> Array:
        precision = None if self.precision == "bfloat16" else self.precision
        return convolve(x, kernel, same(kernel), precision)


@Compiled
def _run(layer: _Layer, x: Array, kernel: Array) -> Array:
    return layer(x, kernel)


def speed(precision: str, rounds: int = 5) -> Speed:
    """Measure one layer of a VGG16, the best of some rounds, on the default device."""
    rng = np.random.default_rng(0)
    x, kernel = (rng.standard_normal(shape, np.float32) for shape in (SHAPE, KERNEL))
    dtype = jnp.bfloat16 if precision == "bfloat16" else jnp.float32
    arrays = [jax.device_put(jnp.asarray(a, dtype)) for a in (x, kernel)]
    seconds = []
    for _ in range(rounds + 1):
        start = time.perf_counter()
        result = jax.block_until_ready(_run(_Layer(precision), *arrays))
        seconds.append(time.perf_counter() - start)
    operations = 2 * np.prod(SHAPE) * np.prod(KERNEL[:2]) * KERNEL[3]
    return Speed(float(operations) / min(seconds[1:]) / 1e9, _error(result, x, kernel))


def _error(result: Array, x: np.ndarray, kernel: np.ndarray) -> float:
    """The largest error inside a few pixels' windows, against float64."""
    found = np.asarray(result.astype(jnp.float32), np.float64)
    windows = [(0, i, j) for i in range(1, 54, 7) for j in range(1, 54, 7)]
    wanted = np.stack([
        np.tensordot(x[n, i - 1 : i + 2, j - 1 : j + 2].astype(np.float64), kernel, 3)
        for n, i, j in windows
    ])  # fmt: skip
    difference = np.abs(np.stack([found[place] for place in windows]) - wanted)
    return float(difference.max() / np.abs(wanted).max())
