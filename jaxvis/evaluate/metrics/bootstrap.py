"""How sure a mean is: 95 % intervals by resampling.

Efron & Tibshirani, "An Introduction to the Bootstrap" (1993), chapter 13: the percentile interval.
"""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

RESAMPLES = 2000
DRAWN = 2**20  # at a time: 16 MB


class Estimate(NamedTuple):
    """A mean, the ends of its 95 % interval, and the number of images that it is a mean of."""

    mean: float
    low: float
    high: float
    images: int


def estimate(
    values: Float[Any, " n"], *, confidence: float = 0.95, resamples: int = RESAMPLES, seed: int = 0
) -> Estimate:
    """Return the mean of one value per image with its bootstrap interval.

    Images are drawn with replacement, `resamples` times, and the interval holds the middle
    `confidence` of their means. NaN, a value that does not exist for an image, is left out; if
    nothing is left, mean and interval are NaN. One image has no interval: its ends are NaN.
    """
    known = np.asarray(values, np.float64).ravel()
    known = known[~np.isnan(known)]
    if len(known) < 2:
        mean = float(known[0]) if len(known) else float("nan")
        return Estimate(mean, float("nan"), float("nan"), len(known))
    rng = np.random.Generator(np.random.PCG64(seed))
    means = np.empty(resamples)
    rows = max(1, DRAWN // len(known))
    for first in range(0, resamples, rows):  # the same draws, in their order, as all at once
        part = means[first : first + rows]
        part[:] = known[rng.integers(len(known), size=(len(part), len(known)))].mean(axis=1)
    low, high = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Estimate(float(known.mean()), float(low), float(high), len(known))
