"""Random numbers that belong to an image, and not to its place in a batch."""

from collections.abc import Sequence

import numpy as np

from jaxvis.errors import InputError

Seed = int | Sequence[int]  # for all images alike, or one for each


def streams(seed: Seed, n: int, number: int = 0) -> list[np.random.Generator]:
    """Return a stream of random numbers for every image, the `number`-th that its seed gives.

    One image alone and the same image among others have the same one.

    Raises:
        ValueError: not as many seeds as images.
    """
    seeds = [seed] * n if isinstance(seed, int | np.integer) else list(seed)
    if len(seeds) != n:
        raise InputError(f"seed has {len(seeds)} numbers; wanted one for all, or {n}, one an image")
    return [np.random.Generator(np.random.PCG64([one, number])) for one in seeds]
