"""Where is it? How well a map marks the pixels of the object.

- Pointing game: Zhang et al., "Top-down Neural Attention by Excitation Backprop" (arXiv 1608.00507,
  2016), section 4.1.
- Energy: Wang et al., "Score-CAM" (arXiv 1910.01279, 2019), section 4.3, there in the box.
- Component: the segmentation of Selvaraju et al., "Grad-CAM" (arXiv 1610.02391, 2016), section 4.1.

Maps are raw and of the images' size, masks are true on the object. What is below 0 in a map counts
as 0: the maps of `saliency` and `grad_cam` have no such values.

In NumPy and SciPy, where maps are by the time that they are measured: a sort and a search for
components take XLA longer to compile than all maps of a report take to be measured.
"""

import numpy as np
from jaxtyping import Bool, Float, Float32

from jaxvis.errors import InputError
from jaxvis.pictures.checks import finite_maps
from jaxvis.types import AnyArray

RawMaps = Float[AnyArray, "n height width"]
Masks = Bool[AnyArray, "n height width"]


def pointing_game(maps: RawMaps, masks: Masks, *, tolerance: float = 15) -> Bool[np.ndarray, " n"]:
    """Return whether the map's maximum lies within `tolerance` pixels of the mask.

    That is min over mask pixels p of |p - argmax(map)| <= tolerance, Euclidean. Of equal maxima the
    first in reading order counts. False for a map without a positive value.

    Raises:
        ValueError: maps that are not finite or have no mask each, a mask that is empty or not
            bool, or a negative tolerance.
    """
    if not tolerance >= 0:
        raise InputError(f"tolerance is {tolerance} pixels; wanted 0 or more")
    values, masks = _checked(maps, masks)
    found = [_points_at(a, mask, tolerance) for a, mask in zip(values, masks, strict=True)]
    return np.array(found, bool)


def energy_inside(maps: RawMaps, masks: Masks) -> Float32[np.ndarray, " n"]:
    """Return the share of the map that lies inside the mask, sum(map * mask) / sum(map).

    From 0 to 1; 0 for a map without a positive value. A map of equal values has the mask's share of
    the image. Errors as `pointing_game`.
    """
    values, masks = _checked(maps, masks)
    exact = values.astype(np.float64)  # so that no sum overflows
    inside, everything = exact.sum(axis=(1, 2), where=masks), exact.sum(axis=(1, 2))
    return (inside / np.where(everything > 0, everything, 1)).astype(np.float32)


def component_iou(
    maps: RawMaps, masks: Masks, *, threshold: float = 0.15
) -> Float32[np.ndarray, " n"]:
    """Return |C and mask| / |C or mask|, C the largest component of map >= threshold * max(map).

    From 0 to 1; 0 for a map without a positive value. C is that of `largest_component`.

    Raises:
        ValueError: as `pointing_game`, or a threshold outside (0, 1].
    """
    if not 0 < threshold <= 1:
        raise InputError(f"threshold is {threshold}; wanted a share of the maximum, in (0, 1]")
    values, masks = _checked(maps, masks)
    top = values.max(axis=(1, 2), keepdims=True)
    strong = (values >= np.float32(threshold) * top) & (top > 0)
    found = np.stack([_largest(one) for one in strong])
    both, either = (a.sum(axis=(1, 2)) for a in (found & masks, found | masks))
    return (both / either).astype(np.float32)


def precision_recall_area(maps: RawMaps, masks: Masks) -> Float32[np.ndarray, " n"]:
    """Return the area under precision and recall of the pixels as the map ranks them.

    This is average precision, sum over values v of (R(v) - R(next larger v)) P(v), where P and R
    are precision and recall of the pixels at or above v against the mask: pixels of equal value
    come together, as in scikit-learn's `average_precision_score`. Above 0, up to 1; any map of
    equal values, as one without a positive value, has the mask's share of the image. Errors as
    `pointing_game`.
    """
    values, masks = _checked(maps, masks)
    areas = [_average_precision(a, mask) for a, mask in zip(values, masks, strict=True)]
    return np.array(areas, np.float32)


def _checked(
    maps: RawMaps, masks: Masks
) -> tuple[Float32[np.ndarray, "n height width"], Bool[np.ndarray, "n height width"]]:
    """Return maps in float32, at least 0, and masks."""
    values = finite_maps(maps).astype(np.float32)
    if values.ndim != 3 or np.shape(masks) != values.shape:
        raise InputError(
            f"maps have shape {np.shape(maps)} and masks {np.shape(masks)}; wanted both (n, height,"
            " width): enlarge class activation maps with jv.upsample"
        )
    masks = np.asarray(masks)
    if masks.dtype != np.bool_:
        raise InputError(f"masks have dtype {masks.dtype}; wanted bool, true on the object")
    empty = np.flatnonzero(~masks.any(axis=(1, 2)))
    if empty.size:
        raise InputError(
            f"the mask of image {empty[0]} is empty ({empty.size} of {len(masks)} are); wanted "
            "at least one pixel of the object: leave out images without it"
        )
    return np.maximum(values, 0), masks


def _points_at(values: np.ndarray, mask: np.ndarray, tolerance: float) -> bool:
    row, column = np.unravel_index(np.argmax(values), values.shape)
    rows, columns = np.nonzero(mask)
    nearest = ((rows - row) ** 2 + (columns - column) ** 2).min()
    return bool(nearest <= tolerance**2 and values[row, column] > 0)


def _largest(binary: np.ndarray) -> np.ndarray:
    """What `largest_component` returns of one image."""
    # Imported here: it takes a quarter of a second, which no other metric needs.
    from scipy.ndimage import label

    labels, _ = label(binary)  # 4-connected, and numbered in reading order
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0  # the background
    return binary & (labels == sizes.argmax())


def _average_precision(values: np.ndarray, mask: np.ndarray) -> float:
    order = np.argsort(-values, axis=None)
    ordered, hits = values.ravel()[order], np.cumsum(mask.ravel()[order])
    # Equal values come together: only the last of them ends a step of the curve.
    last = np.append(np.flatnonzero(ordered[1:] != ordered[:-1]), ordered.size - 1)
    precision = hits[last] / (last + 1)
    gained = np.diff(hits[last], prepend=0)
    return float((gained * precision).sum() / hits[-1])
