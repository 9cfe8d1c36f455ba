"""The segment of a map: its pixels above a share of the maximum, the largest connected part, a box.

This is how localisation is measured since Zhou et al., "Learning Deep Features for Discriminative
Localization" (arXiv 1512.04150, 2015), section 3.2, at 20 %; Selvaraju et al., "Grad-CAM" (arXiv
1610.02391, 2016), section 4.1, do it at 15 %. JAX throughout, so that a GPU takes all maps at once.
"""

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from jaxvis.errors import InputError
from jaxvis.types import AnyArray

Labels = Int[Array, "height width n"]
MOST_PIXELS = 2**31 - 1  # labels are int32


def above(
    maps: Float[AnyArray, "n height width"], threshold: float = 0.15
) -> Bool[Array, "n height width"]:
    """Return map >= threshold * max(map), in float32; nothing of a map without a positive value.

    Raises:
        ValueError: a threshold outside (0, 1], or maps of another rank.
    """
    if not 0 < threshold <= 1:
        raise InputError(f"threshold is {threshold}; wanted a share of the maximum, in (0, 1]")
    maps = jnp.asarray(maps)
    if maps.ndim != 3 or not jnp.issubdtype(maps.dtype, jnp.floating):
        raise InputError(
            f"maps are {maps.dtype} {maps.shape}; wanted floats of shape (n, height, width)"
        )
    return _above(maps, jnp.float32(threshold))


def largest_component(
    binary: Bool[AnyArray, "n height width"],
) -> Bool[Array, "n height width"]:
    """Return, of every image, the 4-connected component with the most pixels.

    Of equally large ones it is the one whose first pixel comes first in reading order. An image
    without a true pixel stays so.

    Raises:
        ValueError: another dtype or rank, or more than 2^31 - 1 pixels at once.
    """
    binary = _checked(binary)
    return _largest(binary) if binary.size else binary


def bounding_boxes(binary: Bool[AnyArray, "n height width"]) -> Int[Array, "n 4"]:
    """Return the smallest boxes that hold all true pixels: x_min, y_min, x_max, y_max.

    The upper ends are exclusive, so that x_max - x_min is the width; without a true pixel all four
    are 0.

    Raises:
        ValueError: another dtype or rank.
    """
    return _boxes(_checked(binary))


def _checked(binary: AnyArray) -> Array:
    binary = jnp.asarray(binary)
    if binary.ndim != 3 or binary.dtype != jnp.bool_:
        raise InputError(
            f"binary is {binary.dtype} {binary.shape}; wanted bool of shape (n, height, width), "
            "such as maps > 0"
        )
    if binary.size > MOST_PIXELS:
        raise InputError(f"binary has {binary.size:,} pixels; wanted {MOST_PIXELS:,} at most")
    return binary


@jax.jit
def _above(maps: Array, threshold: Array) -> Array:
    maps = maps.astype(jnp.float32)
    top = jnp.max(maps, axis=(1, 2), keepdims=True)
    return (maps >= threshold * top) & (top > 0)


@jax.jit
def _largest(binary: Array) -> Array:
    n, height, width = binary.shape
    # A pixel's label is its index, and images come last: a step of the scans below then works on
    # one row of all images, and labels of different images differ.
    labels, none = _labels(binary.transpose(1, 2, 0))
    sizes = jnp.zeros(none, jnp.int32).at[labels.ravel()].add(1, mode="drop")
    best = jnp.argmax(sizes.reshape(height * width, n), axis=0).astype(jnp.int32)
    chosen = best * n + jnp.arange(n, dtype=jnp.int32)
    return (labels == chosen[None, None, :]).transpose(2, 0, 1)


def _labels(binary: Bool[Array, "height width n"]) -> tuple[Labels, int]:
    """Return the smallest index in every pixel's component, and the number that means none.

    Sweeps alone would be right, but a label goes round one bend in a sweep, and noise has hundreds.
    Therefore news of a smaller label is also sent to the pixel that gave the old label its name,
    from which all others of that label fetch it: the components merge as in union-find, and the
    number of rounds grows about with the logarithm of the number of bends.
    """
    none = binary.size
    index = jnp.arange(none, dtype=jnp.int32).reshape(binary.shape)
    first = jnp.where(binary, index, none)

    def unfinished(state: tuple[Labels, Array]) -> Array:
        return state[1]

    def round_(state: tuple[Labels, Array]) -> tuple[Labels, Array]:
        old = state[0]
        swept = _sweep(old, none)
        at = swept.ravel().at[old.ravel()].min(swept.ravel(), mode="drop")
        for _ in range(2):  # measured: a third fetch costs more than the rounds it saves
            at = at.at[at].get(mode="fill", fill_value=none)
        return at.reshape(old.shape), jnp.any(swept != old)

    return lax.while_loop(unfinished, round_, (first, jnp.array(True)))[0], none


def _sweep(labels: Labels, none: int) -> Labels:
    """Spread the smallest label along every run of pixels, down and up, then right and left."""

    def step(carried: Array, row: Array) -> tuple[Array, Array]:
        carried = jnp.where(row < none, jnp.minimum(carried, row), none)
        return carried, carried

    for _ in range(2):
        nothing = jnp.full_like(labels[0], none)
        for reverse in (False, True):
            labels = lax.scan(step, nothing, labels, reverse=reverse)[1]
        labels = labels.swapaxes(0, 1)
    return labels


@jax.jit
def _boxes(binary: Array) -> Array:
    lows, highs = [], []
    for across in (1, 2):  # columns where any row is true, then rows
        line = jnp.any(binary, axis=across)
        lows.append(jnp.argmax(line, axis=1))
        last = line.shape[1] - jnp.argmax(line[:, ::-1], axis=1)
        highs.append(jnp.where(jnp.any(line, axis=1), last, 0))
    return jnp.stack([*lows, *highs], axis=1).astype(jnp.int32)
