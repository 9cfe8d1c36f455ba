"""The loop: while the devices explain some batches, the next are read and the last are kept."""

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any, Generic, NamedTuple, TypeVar

import jax
import numpy as np
from jaxtyping import Int

from jaxvis.streaming.devices import Devices, Explained
from jaxvis.streaming.store import Pending

BEHIND = 2  # steps that may be on their way to the disk

Batch = TypeVar("Batch")
# From some batches to what is explained of them: for every device as many images as it takes, the
# last one repeated to fill up, and their classes, if those are given.
Inputs = Callable[[Sequence[Batch]], tuple[Any, Int[np.ndarray, "..."] | None]]


class Clock:
    """How long a run has taken, and how much of that the devices had nothing to do.

    Attributes:
        waiting: seconds; at most, since a step may have ended at any time while the next was read.
    """

    def __init__(self) -> None:
        self._start, self.waiting = time.perf_counter(), 0.0

    @property
    def seconds(self) -> float:
        """Since the run began."""
        return time.perf_counter() - self._start


class Step(NamedTuple, Generic[Batch]):
    """Some batches, one for each device but at the end, and what is made of them.

    Attributes:
        batches: as they came.
        size: images that each has room for in `explained`.
        explained: of all of them, one after the other.
    """

    batches: list[Batch]
    size: int
    explained: Explained

    def parts(self, images_in: Callable[[Batch], int]) -> Iterator[tuple[Batch, Explained]]:
        """Yield each batch and what belongs to its images, as NumPy arrays, once it is there."""
        found = jax.tree.map(np.asarray, self.explained)
        for place, batch in enumerate(self.batches):
            rows = slice(place * self.size, place * self.size + images_in(batch))
            yield batch, jax.tree.map(lambda a, rows=rows: a[rows], found)


def steps(
    batches: Iterator[Batch],
    devices: Devices,
    inputs: Inputs[Batch],
    clock: Clock | None = None,
) -> Iterator[Step[Batch]]:
    """Yield what the devices make of the batches, each step when the next has begun."""
    clock = Clock() if clock is None else clock
    before: Step[Batch] | None = None
    while True:
        start = time.perf_counter()
        taken = list(islice(batches, devices.count))
        given = inputs(taken) if taken else None
        if before is None or _is_ready(before.explained):
            clock.waiting += time.perf_counter() - start
        if before is not None and not devices.in_order:
            jax.block_until_ready(before.explained)
        now = None if given is None else Step(taken, devices.batch, devices(*given))
        if before is not None:
            yield before
        if now is None:
            return
        before = now


def _is_ready(found: Any) -> bool:
    arrays: list[Any] = [leaf for leaf in jax.tree.leaves(found) if isinstance(leaf, jax.Array)]
    return all(array.is_ready() for array in arrays)


class Writing:
    """Batches on their way to the disk, of which only so many are in memory."""

    def __init__(self, most: int, done: Callable[[int], None]) -> None:
        """Call `done` with the number of a batch's images once they are on the disk."""
        self._most, self._done = most, done
        self._pending: deque[tuple[int, Pending]] = deque()

    def add(self, count: int, pending: Pending) -> None:
        """Take one more, and wait for the oldest if there are too many."""
        self._pending.append((count, pending))
        while len(self._pending) > self._most:
            self._wait()

    def finish(self) -> None:
        """Wait for all."""
        while self._pending:
            self._wait()

    def _wait(self) -> None:
        count, pending = self._pending.popleft()
        pending.result()
        self._done(count)
