"""Where is it? How well a map marks the pixels of the object.

- Pointing game: Zhang et al., "Top-down Neural Attention by Excitation Backprop" (arXiv 1608.00507,
  2016), section 4.1.
- Energy: Wang et al., "Score-CAM" (arXiv 1910.01279, 2019), section 4.3, there in the box.
- Component: the segmentation of Selvaraju et al., "Grad-CAM" (arXiv 1610.02391, 2016), section 4.1.

Maps are raw and of the images' size, masks are true on the object. What is below 0 in a map counts
as 0: the maps of `saliency` and `grad_cam` have no such values.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float

from jaxvis.errors import InputError
from jaxvis.evaluate.metrics.components import above, largest_component
from jaxvis.pictures.checks import finite_maps
from jaxvis.types import AnyArray

RawMaps = Float[AnyArray, "n height width"]
Masks = Bool[AnyArray, "n height width"]


def pointing_game(maps: RawMaps, masks: Masks, *, tolerance: float = 15) -> Bool[Array, " n"]:
    """Return whether the map's maximum lies within `tolerance` pixels of the mask.

    That is min over mask pixels p of |p - argmax(map)| <= tolerance, Euclidean. Of equal maxima the
    first in reading order counts. False for a map without a positive value.

    Raises:
        ValueError: maps that are not finite or have no mask each, a mask that is empty or not
            bool, or a negative tolerance.
    """
    if not tolerance >= 0:
        raise InputError(f"tolerance is {tolerance} pixels; wanted 0 or more")
    return _pointing(*_checked(maps, masks), jnp.float32(tolerance))


def energy_inside(maps: RawMaps, masks: Masks) -> Float[Array, " n"]:
    """Return the share of the map that lies inside the mask, sum(map * mask) / sum(map).

    From 0 to 1; 0 for a map without a positive value. A map of equal values has the mask's share of
    the image. Errors as `pointing_game`.
    """
    return _energy(*_checked(maps, masks))


def component_iou(maps: RawMaps, masks: Masks, *, threshold: float = 0.15) -> Float[Array, " n"]:
    """Return |C and mask| / |C or mask|, C the largest component of map >= threshold * max(map).

    From 0 to 1; 0 for a map without a positive value. C is that of `largest_component`.

    Raises:
        ValueError: as `pointing_game`, or a threshold outside (0, 1].
    """
    values, masks = _checked(maps, masks)
    return _iou(largest_component(above(values, threshold)), masks)


def precision_recall_area(maps: RawMaps, masks: Masks) -> Float[Array, " n"]:
    """Return the area under precision and recall of the pixels as the map ranks them.

    This is average precision, sum over values v of (R(v) - R(next larger v)) P(v), where P and R
    are precision and recall of the pixels at or above v against the mask: pixels of equal value
    come together, as in scikit-learn's `average_precision_score`. Above 0, up to 1; any map of
    equal values, as one without a positive value, has the mask's share of the image. Errors as
    `pointing_game`.
    """
    return _average_precision(*_checked(maps, masks))


def _checked(maps: RawMaps, masks: Masks) -> tuple[Array, Array]:
    """Return maps in float32, at least 0, and masks; values that are traced cannot be checked."""
    traced = [isinstance(array, jax.core.Tracer) for array in (maps, masks)]
    if not traced[0]:
        maps = finite_maps(maps).astype(np.float32)
    if np.ndim(maps) != 3 or np.shape(masks) != np.shape(maps):
        raise InputError(
            f"maps have shape {np.shape(maps)} and masks {np.shape(masks)}; wanted both (n, height,"
            " width): enlarge class activation maps with jv.upsample"
        )
    if not traced[1]:
        masks = np.asarray(masks)
        if masks.dtype != np.bool_:
            raise InputError(f"masks have dtype {masks.dtype}; wanted bool, true on the object")
        empty = np.flatnonzero(~masks.any(axis=(1, 2)))
        if empty.size:
            raise InputError(
                f"the mask of image {empty[0]} is empty ({empty.size} of {len(masks)} are); wanted "
                "at least one pixel of the object: leave out images without it"
            )
    values = jnp.asarray(maps, jnp.float32)
    return jnp.where(values > 0, values, jnp.zeros_like(values)), jnp.asarray(masks)


@jax.jit
def _pointing(maps: Array, masks: Array, tolerance: Array) -> Array:
    n, height, width = maps.shape
    row, column = jnp.divmod(jnp.argmax(maps.reshape(n, -1), axis=1), width)

    def squared(places: int, at: Array) -> Array:
        return (jnp.arange(places)[None, :] - at[:, None]) ** 2

    distance = squared(height, row)[:, :, None] + squared(width, column)[:, None, :]
    nearest = jnp.min(distance, axis=(1, 2), where=masks, initial=height**2 + width**2)
    hit = nearest.astype(jnp.float32) <= tolerance**2
    return hit & (jnp.max(maps, axis=(1, 2)) > 0)


@jax.jit
def _energy(maps: Array, masks: Array) -> Array:
    top = jnp.max(maps, axis=(1, 2), keepdims=True)
    # At most about 1, so that no sum overflows. Not divided by the top: XLA would multiply by
    # 1 / top, which above 2^126 is a subnormal float, and so 0.
    scale = lax.rsqrt(jnp.where(top > 0, top, jnp.ones_like(top)))
    shares = maps * scale * scale
    inside, everything = (jnp.sum(a, axis=(1, 2)) for a in (jnp.where(masks, shares, 0), shares))
    return inside / jnp.where(everything > 0, everything, jnp.ones_like(everything))


@jax.jit
def _iou(found: Array, masks: Array) -> Array:
    both, either = (
        jnp.sum(a, axis=(1, 2), dtype=jnp.int32) for a in (found & masks, found | masks)
    )
    return both.astype(jnp.float32) / either.astype(jnp.float32)


@jax.jit
def _average_precision(maps: Array, masks: Array) -> Array:
    n = maps.shape[0]
    # The bits of floats at least 0, read as integers, are in the order of the floats. The sign bit
    # is free, so the mask goes along as the last bit, and one sort of integers, which on a CPU
    # takes a quarter of the time of floats, orders both. Equal values stay together.
    bits = lax.bitcast_convert_type(maps, jnp.uint32).reshape(n, -1)
    keys = (bits << 1) | masks.reshape(n, -1).astype(jnp.uint32)
    keys = jnp.sort(keys, axis=1, stable=False)[:, ::-1]
    hits = jnp.cumsum((keys & 1).astype(jnp.int32), axis=1)
    values = keys >> 1
    last = jnp.pad(values[:, 1:] != values[:, :-1], ((0, 0), (0, 1)), constant_values=True)
    # Hits at the end of the values before: the largest count at any earlier end.
    ended = lax.cummax(jnp.where(last, hits, 0), axis=1)
    gained = jnp.where(last, hits - jnp.pad(ended, ((0, 0), (1, 0)))[:, :-1], 0)
    ranks = jnp.arange(1, keys.shape[1] + 1, dtype=jnp.int32)[None, :]
    precision = hits.astype(jnp.float32) / ranks.astype(jnp.float32)
    area = jnp.sum(gained.astype(jnp.float32) * precision, axis=1)
    return area / hits[:, -1].astype(jnp.float32)
