"""Is a difference real? The exact test for paired values, and what many tests at once ask of it.

Fisher, "The Design of Experiments" (1935), section 21: were there no difference, each image's
difference would as soon have the other sign, so all 2^n choices of signs are equally likely. Holm,
"A Simple Sequentially Rejective Multiple Test Procedure" (Scandinavian Journal of Statistics 6,
1979): of many tests, the chance that any of them is wrong stays at the level of one.
"""

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import Any

import numpy as np
from jaxtyping import Float

STEPS = 200  # to which the largest difference is rounded


def sign_flip(differences: Float[Any, " n"]) -> float:
    """Return the two-sided p-value of paired differences: of all 2^n choices of their signs, the
    share whose sum lies as far from zero as the sum found, or further.

    The differences are first rounded to 1/200 of the largest. That treats both signs alike, so that
    the test stays exact, and the sums are integers whose distribution is counted rather than drawn:
    one difference after another moves every sum so far up or down. A difference of zero has no sign
    and decides nothing. NaN, a value that does not exist for an image, is left out; without any
    difference p is 1.
    """
    known = np.asarray(differences, np.float64).ravel()
    known = known[~np.isnan(known)]
    largest = np.abs(known).max(initial=0)
    if largest == 0:
        return 1.0
    steps = np.rint(known / largest * STEPS).astype(int)
    steps = steps[steps != 0]
    chances = np.ones(1)  # of every sum so far, in steps of 2 from the lowest
    for size in np.abs(steps):
        moved = np.zeros(len(chances) + size)
        moved[: len(chances)] = chances
        moved[size:] += chances
        chances = moved / 2
    sums = 2 * np.arange(len(chances)) - np.abs(steps).sum()
    return min(1.0, float(chances[np.abs(sums) >= abs(steps.sum())].sum()))


def holm(p_values: Sequence[float], level: float) -> list[bool]:
    """Return which of many tests are significant while any error at all has the chance `level`.

    The smallest p-value has to be at most level / m, the next level / (m - 1), and so on up to the
    first that is not.
    """
    found = [False] * len(p_values)
    for rank, place in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        if p_values[place] > level / (len(p_values) - rank):
            break
        found[place] = True
    return found


def fewest_images(tests: int, level: float) -> int:
    """Return the number of images below which none of so many tests could be significant.

    All n differences of one sign have p = 2 / 2^n, and nothing has less.
    """
    return 1 + math.ceil(math.log2(tests / level))


def images_needed(tests: int, level: float, effect: float) -> int:
    """Return about how many images let one of so many tests find a difference in 4 of 5 cases.

    `effect` is the mean difference as a share of its standard deviation over images. The normal
    approximation, with what Student's t adds to it; simulated in tests/evaluate/test_verdict.py.
    """
    needed = NormalDist().inv_cdf(1 - level / tests / 2)
    power = NormalDist().inv_cdf(0.8)
    return math.ceil(((needed + power) / effect) ** 2 + needed**2 / 2)
