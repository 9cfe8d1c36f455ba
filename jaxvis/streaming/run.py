"""One run over a stream of images: what is left of it is read, explained, written."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from jaxvis.errors import InputError
from jaxvis.methods.batches import filling
from jaxvis.models.network import Network
from jaxvis.pictures.files import load_image
from jaxvis.streaming import layout
from jaxvis.streaming.devices import Devices, Explained
from jaxvis.streaming.loop import BEHIND, Clock, Writing, steps
from jaxvis.streaming.processes import Process
from jaxvis.streaming.reading import Batch, read_batches
from jaxvis.streaming.source import Files, Given
from jaxvis.streaming.store import BROKEN, DONE, WAITING, Store, created
from jaxvis.streaming.stored import StoredMaps
from jaxvis.text import visible

MORE = 64  # batches that room is made for at once, where nobody knows how many will come
SAME = 1e-3  # of the largest logit: what another fusion of the same network may change
LOOK = 0.5  # seconds between two looks at what other processes have done


class Progress(NamedTuple):
    """How far a run of `stream` is.

    Attributes:
        done: images that are on the disk, those of earlier runs and of this process.
        total: images in all, None where nobody knows.
        here: images that this process has done in this run.
        seconds: since it began.
        waiting: of these, in which the devices had nothing to do, at most.
    """

    done: int
    total: int | None
    here: int
    seconds: float
    waiting: float


class Plan(NamedTuple):
    """What a run is to do, checked."""

    network: Network
    files: Files | None
    source: Any  # where there are no files
    out: Any
    settings: dict[str, Any]
    size: int  # of a batch
    process: Process
    devices: Devices
    class_index: int | None  # of the one that is explained of every image
    several: bool  # classes of each image


class Run:
    """One run of `stream`: reads, computes and writes what is left."""

    def __init__(
        self, plan: Plan, store: Store | None, progress: Callable[[Progress], None]
    ) -> None:
        self.plan, self.store, self.progress, self.clock = plan, store, progress, Clock()
        self.given = None
        self.total: int | None
        if plan.files is not None:
            self.total = len(plan.files.paths)
        else:
            size, resample = plan.network.size, plan.settings["resample"]
            self.given = Given(plan.source, plan.size, size, resample)
            self.total = self.given.count
        self.state = np.zeros(0, np.uint8) if store is None else store.state()
        self.before = int((self.state != WAITING).sum())
        self.here = 0  # images that this run has brought onto the disk
        self.seen = 0  # images that a source has yielded
        self.again = self._first_done()

    def __call__(self) -> Store:
        """Do what is left, and return the store."""
        devices = self.plan.devices
        writing = Writing(BEHIND * devices.count, self._done)
        for step in steps(self._batches(), devices, self._inputs, self.clock):
            for batch, found in step.parts(lambda batch: len(batch.images)):
                if batch.start == self.again:
                    self._check(batch, found)
                    continue
                store = self.store or self._created(found)
                self._make_room(store, batch)
                state = np.full(len(batch.images), DONE, np.uint8)
                state[[number - batch.start for number in batch.broken]] = BROKEN
                values = self._values(batch, found, state == BROKEN)
                known = self.state[batch.start : batch.start + len(state)] != WAITING
                new = len(state) - int(known.sum())
                writing.add(new, store.write(batch.start, values, state))
        writing.finish()
        return self._finished()

    def _first_done(self) -> int | None:
        """The start of this process's first batch that is done, to be computed once more.

        Settings do not tell all: a network's own code may have changed. None where nothing is done,
        or nothing is left.
        """
        if self.store is None:
            return None
        starts = self.plan.process.share(range(0, self.store.count, self.plan.size))
        done = [start for start in starts if self._is_done(start)]
        left = self.given is not None or len(done) < len(starts)
        return done[0] if done and left else None

    def _is_done(self, start: int) -> bool:
        """Whether a batch is whole and has no image that could not be read."""
        size = self.plan.size
        if self.total is None and start + size > len(self.state):
            return False  # the last, which may have become longer
        part = self.state[start : start + size]
        return len(part) > 0 and bool((part == DONE).all())

    def _wanted(self, start: int) -> bool:
        process = self.plan.process
        mine = start // self.plan.size % process.of == process.number
        return mine and (start == self.again or not self._is_done(start))

    def _batches(self) -> Iterator[Batch]:
        """Yield what this process has to do."""
        files, size = self.plan.files, self.plan.size
        if files is not None:
            starts = [start for start in range(0, len(files.paths), size) if self._wanted(start)]
            shape, resample = self.plan.network.size, self.plan.settings["resample"]
            load = partial(load_image, size=shape, resample=resample)
            yield from read_batches(files.paths, starts, size, load, (*shape, 3))
            return
        assert self.given is not None
        for batch in self.given.batches(self._wanted):
            self.seen = batch.start + len(batch.names)
            self._check_names(batch)
            if len(batch.images):
                yield batch

    def _inputs(self, batches: Sequence[Batch]) -> tuple[Any, np.ndarray | None]:
        """Return what the devices are given of some batches."""
        size, count = self.plan.size, self.plan.devices.count
        rows = [batch.images[filling(len(batch.images), size)] for batch in batches]
        images = np.concatenate(rows + [rows[-1]] * (count - len(rows)))
        index = self.plan.class_index
        classes = None if index is None else np.full(len(images), index)
        return self.plan.network.preprocess(images), classes

    def _check_names(self, batch: Batch) -> None:
        if self.store is None or not (self.state[batch.start : batch.start + 1] != WAITING).any():
            return
        rows = slice(batch.start, min(batch.start + len(batch.names), len(self.state)))
        kept = layout.as_texts(self.store.read(layout.NAME, rows))
        given = layout.as_texts(layout.as_bytes(batch.names, layout.LONGEST[layout.NAME]))
        for number, (one, other) in enumerate(zip(kept, given, strict=False)):
            if one != other and self.state[batch.start + number] != WAITING:
                raise InputError(
                    f"image {batch.start + number} was {visible(one)} when this was begun, and now "
                    f"it is {visible(other)}; wanted the same images in the same order, or another "
                    "output"
                )

    def _created(self, found: Explained) -> Store:
        """Make the store, now that the shapes are known."""
        network, files, settings = self.plan.network, self.plan.files, self.plan.settings
        attributes = {
            "settings": settings,
            "labels": None if network.labels is None else [*network.labels],
            "output": network.output,
            "layer_name": network.layer_name,
            "names": None if files is None else files.names,
            "folder": None if files is None else os.fspath(files.folder),
        }
        arrays = layout.arrays_for(
            found.maps, settings["dtype"], several=self.plan.several,
            image_size=network.size if settings["images kept"] else None,
        )  # fmt: skip
        count = MORE * self.plan.size if self.total is None else self.total
        self.store = created(self.plan.out, count, self.plan.size, arrays, attributes)
        return self.store

    def _make_room(self, store: Store, batch: Batch) -> None:
        if self.total is None and batch.start + self.plan.size > store.count:
            store.set_count(batch.start + MORE * self.plan.size)

    def _values(self, batch: Batch, found: Explained, broken: np.ndarray) -> dict[str, np.ndarray]:
        assert self.store is not None
        arrays = self.store.attributes["arrays"]
        values = layout.stored_values(found.maps, found.classes, arrays, broken)
        rows = range(batch.start, batch.start + len(batch.images))
        values[layout.ERROR] = layout.as_bytes(
            (batch.broken.get(number, "") for number in rows), layout.LONGEST[layout.ERROR]
        )
        if layout.PICTURE in arrays:
            values[layout.PICTURE] = batch.images
            files = self.plan.files
            names = batch.names if files is None else files.names[batch.start : rows.stop]
            values[layout.NAME] = layout.as_bytes(names, layout.LONGEST[layout.NAME])
        return values

    def _check(self, batch: Batch, found: Explained) -> None:
        """Compare a batch of an earlier run with what it is now."""
        assert self.store is not None
        rows = slice(batch.start, batch.start + len(batch.images))
        kept, now = self.store.read(layout.LOGITS, rows), np.asarray(found.maps.logits)
        good = [i for i in range(len(kept)) if batch.start + i not in batch.broken]
        apart = np.abs(now - kept).max(axis=1) > SAME * np.abs(kept).max(axis=1)
        if good and apart[good].all():  # one image alone may have been exchanged
            raise InputError(
                f"{visible(os.fspath(self.plan.out))}: was begun with a network, or images, that "
                f"gave other logits than they do now: {kept[good[0]][:3].round(3)}... for image "
                f"{rows.start + good[0]}, and now {now[good[0]][:3].round(3)}...; wanted the same, "
                "or another output"
            )

    def _done(self, count: int) -> None:
        self.here += count
        done = self.before + self.here
        clock = self.clock
        self.progress(Progress(done, self.total, self.here, clock.seconds, clock.waiting))

    def _finished(self) -> Store:
        if self.store is None:
            raise InputError("the source yields no images; wanted at least one")
        if self.total is None:
            self.store.set_count(self.seen)
        if self.plan.process.connected:
            self._wait_for_all()
        if not (self.store.state() == WAITING).any():
            maps = StoredMaps(self.plan.out, self.store)
            self.store.note(names=maps.names, broken=maps.broken)
        return self.store

    def _wait_for_all(self) -> None:
        """Stay until the last process is done: JAX takes one that leaves early for a lost one."""
        assert self.store is not None
        while (self.store.state() == WAITING).any():
            time.sleep(LOOK)
