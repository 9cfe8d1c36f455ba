"""What the hand-in measures of maps: how dark, how concentrated, how much of it on the object.

`accuracy` and `completeness` are what the lab asks for by these words, made measurable.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from jaxvis.evaluate.metrics.location import energy_inside, precision_recall_area
from jaxvis.evaluate.metrics.similarity import spearman
from jaxvis.pictures.render import upsample
from jaxvis.types import AnyArray

DARK = 1 / 20  # of a map's largest value
STRONGEST = 0.01  # of a map's pixels

RawMaps = Float[AnyArray, "n height width"]
PerImage = Float[np.ndarray, " n"]


class Measured(NamedTuple):
    """Means over images of one map: NaN where none has a value.

    Attributes:
        zero, dark, strongest: as the functions of these names say, of the map in its own size.
        rank: Spearman's correlation with the map under the vanilla rule.
        change: the largest difference from that map, each scaled to its largest value.
        empty: the number of images whose map is zero everywhere.
        accuracy, completeness, both: of the map enlarged to the image; NaN without masks.
    """

    zero: float
    dark: float
    strongest: float
    rank: float
    change: float
    empty: int
    accuracy: float
    completeness: float
    both: float


def measured_maps(
    by_rule: Mapping[str, RawMaps], masks: Bool[np.ndarray, "n height width"] | None
) -> dict[str, Measured]:
    """Return what is measured of a method's maps, at least 0, by rule; "vanilla" is among them."""
    arrays = {rule: np.asarray(maps, np.float32) for rule, maps in by_rule.items()}
    plain = arrays["vanilla"]
    return {rule: _measured(maps, plain, masks) for rule, maps in arrays.items()}


def zero_share(maps: RawMaps) -> PerImage:
    """Return the share of pixels whose value is exactly 0."""
    return (np.asarray(maps) == 0).mean(axis=(1, 2))


def dark_share(maps: RawMaps) -> PerImage:
    """Return the share of pixels below a twentieth of the map's largest value; 1 of a zero map."""
    maps = np.asarray(maps, np.float64)
    largest = maps.max(axis=(1, 2), keepdims=True)
    return ((maps < DARK * largest) | (largest <= 0)).mean(axis=(1, 2))


def strongest_share(maps: RawMaps) -> PerImage:
    """Return the share of a map's sum that its strongest pixels hold, 1 % of all, at least one.

    NaN where the map is zero everywhere.
    """
    values = np.sort(np.asarray(maps, np.float64).reshape(len(maps), -1), axis=1)
    count = max(1, round(STRONGEST * values.shape[1]))
    with np.errstate(invalid="ignore"):
        return values[:, -count:].sum(axis=1) / values.sum(axis=1)


def completeness(maps: RawMaps, masks: Bool[np.ndarray, "n height width"]) -> PerImage:
    """Return the share of the object's pixels that are among as many strongest pixels of the map.

    That is recall, and precision too, where as many pixels are taken as the object has. A pixel of
    value 0 is not marked, and never taken; where some of equal value are, a share of each.
    """
    return np.array([_recall(a, mask) for a, mask in zip(maps, masks, strict=True)])


def _recall(one: np.ndarray, mask: np.ndarray) -> float:
    values, inside = np.asarray(one, np.float64).ravel(), mask.ravel()
    area = int(inside.sum())
    last = np.partition(values, values.size - area)[values.size - area]  # the least one taken
    if last <= 0:
        return float((inside & (values > 0)).sum() / area)
    above, level = values > last, values == last
    share = (area - above.sum()) / level.sum()
    return float(((inside & above).sum() + share * (inside & level).sum()) / area)


def _measured(maps: np.ndarray, plain: np.ndarray, masks: np.ndarray | None) -> Measured:
    change = np.abs(_scaled(maps) - _scaled(plain)).max(axis=(1, 2))
    located = [np.array([np.nan])] * 3
    if masks is not None:
        size = masks.shape[1:]
        large = maps if maps.shape[1:] == size else upsample(maps, size)
        located = [
            np.asarray(function(large, masks))
            for function in (energy_inside, completeness, precision_recall_area)
        ]
    return Measured(
        mean(zero_share(maps)), mean(dark_share(maps)), mean(strongest_share(maps)),
        mean(np.asarray(spearman(maps, plain))), mean(change),
        int((~maps.any(axis=(1, 2))).sum()), *map(mean, located),
    )  # fmt: skip


def _scaled(maps: np.ndarray) -> np.ndarray:
    largest = maps.max(axis=(1, 2), keepdims=True)
    return maps / np.where(largest > 0, largest, 1)


def mean(values: AnyArray) -> float:
    """Return the mean of the values that exist; NaN if none does."""
    known = np.asarray(values, np.float64)
    known = known[np.isfinite(known)]
    return float(known.mean()) if known.size else float("nan")
