"""By which numbers a picture is changed: its pixels, or the waves that it is made of.

The direction of steepest ascent depends on them, so that the same steps end in another picture.
Olah et al., "Feature Visualization" (Distill, 2017), "Preconditioning and Parameterization".
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

Pictures = Float[Array, "n height width channels"]
EDGE = 1 / 512  # of the range: half a grey level, for no finite wave reaches an end of it


class Bounds(NamedTuple):
    """The values that a picture may have, by channel.

    Attributes:
        low, high: the smallest and largest, which may be infinite.
        grey: how much of the network's input one grey level of 255 is: (high - low) / 255, or 1
            where the range is infinite.
    """

    low: Float[Array, " channels"]
    high: Float[Array, " channels"]
    grey: Float[Array, " channels"]


class Parametrisation(NamedTuple):
    """A way to write pictures as parameters, arrays whose first axis is that of the pictures.

    Attributes:
        parameters: from pictures and bounds.
        pictures: back; `shape` is that of the pictures.
        project: parameters after a step -> the nearest of pictures inside the bounds.
    """

    parameters: Callable[[Pictures, Bounds], Any]
    pictures: Callable[[Any, Bounds, tuple[int, ...]], Pictures]
    project: Callable[[Any, Bounds], Any]


def _by_channel(values: Float[Array, " channels"]) -> Float[Array, "1 1 1 channels"]:
    return values.reshape(1, 1, 1, -1)


def _grey_levels(x: Pictures, bounds: Bounds) -> Pictures:
    return x / _by_channel(bounds.grey)


def _from_grey_levels(levels: Array, bounds: Bounds, shape: tuple[int, ...]) -> Pictures:
    return levels * _by_channel(bounds.grey)


def _levels_inside(levels: Array, bounds: Bounds) -> Array:
    low, high = (_by_channel(end / bounds.grey) for end in (bounds.low, bounds.high))
    return jnp.clip(levels, low, high)


def clipped(x: Pictures, bounds: Bounds) -> Pictures:
    """Return pictures with every value at its nearest inside the bounds."""
    return jnp.clip(x, _by_channel(bounds.low), _by_channel(bounds.high))


def _waves(x: Pictures, bounds: Bounds) -> Float[Array, "n parts height half channels"]:
    low, high = _by_channel(bounds.low), _by_channel(bounds.high)
    share = jnp.clip((x - low) / (high - low), EDGE, 1 - EDGE)
    squashed = jnp.log(share) - jnp.log1p(-share)
    spectrum = jnp.fft.rfft2(squashed, axes=(1, 2), norm="ortho")
    weights = _weights(x.shape, x.dtype)
    return jnp.stack([spectrum.real / weights, spectrum.imag / weights], axis=1)


def _from_waves(waves: Array, bounds: Bounds, shape: tuple[int, ...]) -> Pictures:
    weights = _weights(shape, waves.dtype)
    spectrum = jax.lax.complex(waves[:, 0] * weights, waves[:, 1] * weights)
    squashed = jnp.fft.irfft2(spectrum, s=shape[1:3], axes=(1, 2), norm="ortho")
    low, high = _by_channel(bounds.low), _by_channel(bounds.high)
    return low + (high - low) * jax.nn.sigmoid(squashed)


def _weights(shape: tuple[int, ...], dtype: Any) -> Float[Array, "1 height half 1"]:
    """Return 1 / frequency of every wave, that of the mean as of the longest; of mean square 1.

    So parameters of deviation 1 make a picture of deviation 1, before it is squashed, in which all
    lengths of waves have their share, as in photographs.
    """
    height, width = shape[1:3]
    down, right = np.fft.fftfreq(height)[:, np.newaxis], np.fft.fftfreq(width)[np.newaxis]
    inverse = 1 / np.maximum(np.hypot(down, right), 1 / max(height, width))
    inverse /= np.sqrt(np.mean(inverse**2))
    half = inverse[:, : width // 2 + 1]
    return jnp.asarray(half[np.newaxis, :, :, np.newaxis], dtype)


PIXELS = Parametrisation(_grey_levels, _from_grey_levels, _levels_inside)
"""Grey levels, clipped to the bounds after every step."""

FOURIER = Parametrisation(_waves, _from_waves, lambda waves, bounds: waves)
"""Waves, real and imaginary part, each by its length: x = low + (high - low) sigmoid(sum of waves).

Nothing needs to be clipped. A picture that reaches an end of the bounds comes back within 1/512 of
the range.
"""

PARAMETRISATIONS = {"pixels": PIXELS, "fourier": FOURIER}
