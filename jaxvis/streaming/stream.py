"""`stream`: the maps of any number of images, written to a store, and on after a kill."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal, NamedTuple, Unpack

import jax
import numpy as np

from jaxvis.errors import InputError
from jaxvis.methods.explain import asked_of
from jaxvis.methods.options import Options
from jaxvis.models.network import Network, as_network, with_layer
from jaxvis.pictures.files import check_filter
from jaxvis.streaming import layout
from jaxvis.streaming.batches import LARGEST, fitting_batch
from jaxvis.streaming.devices import Devices, Explained
from jaxvis.streaming.processes import Process
from jaxvis.streaming.reading import Batch, read_batches
from jaxvis.streaming.run import BEHIND, Clock, Writing, steps
from jaxvis.streaming.settings import check_same, settings_of
from jaxvis.streaming.source import Files, Given, files_of, is_files
from jaxvis.streaming.store import BROKEN, DONE, WAITING, Store, created, opened
from jaxvis.streaming.stored import StoredMaps
from jaxvis.text import visible

PREDICTED = "predicted"
ROOM = 0.6  # of what is free on an accelerator, for a call's temporaries
MEMORY = 1 << 30  # bytes for them where a device does not tell what it has: a CPU
MORE = 64  # batches that room is made for at once, where nobody knows how many will come
SAME = 1e-3  # of the largest logit: what another fusion of the same network may change
PATIENCE, LOOK = 600.0, 0.5  # seconds to wait for the first process, and between two looks


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


def stream(
    network: Network | Any,
    source: Any,
    out: str | os.PathLike[str],
    *,
    classes: int | str | None = None,
    dtype: layout.Dtype = "float32",
    batch: int | Literal["auto"] = "auto",
    resample: str | None = None,
    keep_images: bool | None = None,
    process: Process = Process(),  # noqa: B008 - a NamedTuple does not change
    devices: Sequence[jax.Device] | None = None,
    progress: Callable[[Progress], None] = lambda _: None,
    **options: Unpack[Options],
) -> StoredMaps:
    """Write the maps of any number of images to a Zarr group, and return it opened.

    Images are read ahead, explained on all devices of this process and written, all at the same
    time; memory does not grow with their number. Started again with the same arguments after it
    was killed, at whatever moment, it goes on, and the result is the same to the bit. Images that
    cannot be read are noted (`StoredMaps.broken`), and tried again by the next run.

    Wants jaxvis[many].

    Args:
        network: a `Network`, or a `VGG16`, which describes itself.
        source: files: a folder, a pattern, a path that ends in .txt and lists paths, one a line, or
            a list of these; or an iterable of pairs of a name and an image, uint8 RGB of any size.
        out: the group: a folder, or what TensorStore knows ("gs://...", "s3://...").
        classes: what is explained: an index or a class's name, the same for all; None or
            "predicted" for the most probable of each image; "top5" for five, any number up to all
            classes, whose maps are then (n, 5, *space).
        dtype: of the maps at the input: "float16" halves what they take; see `layout`.
        batch: images on each device in a call, and in a chunk; "auto" by the compiler's own plan of
            memory.
        resample: the filter by which images are resized; the network's unless given.
        keep_images: store the images as well; by default only those that are no files.
        process: which of several this is: `jaxvis.streaming.processes`.
        devices: those to use; all of this process unless given.
        progress: called whenever a batch is on the disk.
        options: as in `explain`, but for one layer and no score; methods that are in `METHODS`, and
            rules that are data.

    Raises:
        ImageError: there are no images.
        InputError: what is there was begun with other settings or images; arguments that do not go
            together; as `explain`.
        OutputError: nothing can be written there. What was written stays.
    """
    network = as_network(network)
    options = {"layer": network.layer, **options}
    asked, rules = asked_of(options)
    if asked.score is not None or asked.by_layer:
        raise InputError(
            "score= and several layers are for jv.explain and jv.explain_batches; a stream "
            "explains classes at one layer"
        )
    if dtype not in ("float32", "float16"):
        raise InputError(f"dtype is {dtype!r}; wanted 'float32' or 'float16'")
    network = with_layer(network, asked.layers[0])
    filter_ = resample or network.resample
    check_filter(filter_)
    index, best = _classes(network, classes)
    files = files_of(source) if is_files(source) else None
    if files is None and process.of > 1 and not hasattr(source, "__len__"):
        raise InputError(
            "several processes share out images whose number is known; wanted files, or a source "
            "with a len()"
        )
    keep = files is None if keep_images is None else keep_images
    settings = settings_of(
        network, asked, rules, classes=_noted(index, best), resample=filter_, dtype=dtype,
        keep_images=keep,
    )  # fmt: skip
    store = opened(out)
    if store is None and process.number > 0:
        store = _awaited(out)
    place = visible(os.fspath(out))
    if store is not None:
        check_same(place, store.attributes["settings"], settings)
        if files is not None:
            files = _as_begun(place, files, store)
        if batch not in ("auto", store.batch):
            raise InputError(
                f"{place}: was begun with batches of {store.batch}, and now they are {batch}; "
                "wanted the same, or 'auto'"
            )
        size = store.batch
    else:
        size = _batch_size(batch, network, best, index, None if files is None else files, options)
    plan = _Plan(
        network, files, source, out, settings, size, process,
        Devices(network.model, size, best=best, devices=devices, **options), index, best > 1,
    )  # fmt: skip
    return StoredMaps(out, _Run(plan, store, progress)())


class _Plan(NamedTuple):
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


def _classes(network: Network, classes: int | str | None) -> tuple[int | None, int]:
    """Return the index that is explained of every image, or None and how many of the best are."""
    if classes is None or classes == PREDICTED:
        return None, 1
    if isinstance(classes, str) and classes.startswith("top") and classes[3:].isdecimal():
        best = int(classes[3:])
        count = None if network.labels is None else len(network.labels)
        if best < 1 or (count is not None and best > count):
            raise InputError(f"classes is {classes!r}; wanted from top1 to top{count or 'N'}")
        return None, best
    return network.class_index(str(classes)), 1


def _noted(index: int | None, best: int) -> str | int:
    if index is not None:
        return index
    return PREDICTED if best == 1 else f"top{best}"


def _batch_size(
    batch: int | str, network: Network, best: int, index: int | None, files: Files | None,
    options: Options,
) -> int:  # fmt: skip
    """Return how many images go on a device at once."""
    most = LARGEST if files is None else min(LARGEST, len(files.paths))
    if batch != "auto":
        if isinstance(batch, bool) or not isinstance(batch, int) or batch < 1:
            raise InputError(f"batch is {batch!r}; wanted a number from 1, or 'auto'")
        return batch
    one = network.preprocess(np.zeros((1, *network.size, 3), np.uint8))
    x = jax.tree.map(lambda a: np.broadcast_to(np.asarray(a), (most, *a.shape[1:])), one)
    classes = None
    if index is not None or best > 1:
        shape = (most, best) if best > 1 else (most,)
        classes = np.zeros(shape, np.int32)
    return fitting_batch(network.model, x, classes, memory=_memory(), **options)


def _memory() -> int:
    stats = jax.local_devices()[0].memory_stats()
    if stats and "bytes_limit" in stats:
        return int(ROOM * (stats["bytes_limit"] - stats.get("bytes_in_use", 0)))
    return MEMORY


def _awaited(out: Any) -> Store:
    """Return the store once the first process has made it."""
    end = time.monotonic() + PATIENCE
    while (store := opened(out)) is None:
        if time.monotonic() > end:
            raise InputError(
                f"{visible(os.fspath(out))}: the first process made nothing there in "
                f"{PATIENCE:.0f} s; wanted process 0 to be started as well, on the same files"
            )
        time.sleep(LOOK)
    return store


def _as_begun(place: str, files: Files, store: Store) -> Files:
    """Return the files that the store was begun with, whatever has come or gone since.

    Raises:
        InputError: none of them is there.
    """
    names = store.attributes.get("names")
    if names is None:
        raise InputError(
            f"{place}: was begun with images that are no files; wanted the same source"
        )
    if names != files.names and not {*names} & {*files.names}:
        raise InputError(
            f"{place}: was begun with other images, {visible(names[0])} for one, of which none is "
            f"in {visible(files.folder)}; wanted the same, or another output"
        )
    return Files([files.folder / name for name in names], files.folder)


class _Run:
    """One run of `stream`: reads, computes and writes what is left."""

    def __init__(
        self, plan: _Plan, store: Store | None, progress: Callable[[Progress], None]
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
        plan = self.plan
        writing = Writing(BEHIND * plan.devices.count, self._done)
        for step in steps(
            self._batches(), plan.devices, plan.network.preprocess, plan.class_index, self.clock
        ):
            for batch, found in step.parts():
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
            resample = self.plan.settings["resample"]
            yield from read_batches(files.paths, starts, size, self.plan.network.size, resample)
            return
        assert self.given is not None
        for batch in self.given.batches(self._wanted):
            self.seen = batch.start + len(batch.names)
            self._check_names(batch)
            if len(batch.images):
                yield batch

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
