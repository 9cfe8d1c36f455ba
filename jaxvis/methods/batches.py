"""Which of many rows go together, so that one compilation serves all."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Int


def filled(count: int, size: int) -> Iterator[tuple[int, Int[np.ndarray, " size"]]]:
    """Yield (start, numbers of `size` rows) until all `count` have come.

    The last batch is filled up with the last row: of its results the first `count - start` count.
    """
    for start in range(0, count, size):
        yield start, start + filling(count - start, size)


def filling(count: int, size: int) -> Int[np.ndarray, " size"]:
    """Return the numbers of `size` rows of which `count` are there, the last one repeated."""
    return np.minimum(np.arange(size), count - 1)
