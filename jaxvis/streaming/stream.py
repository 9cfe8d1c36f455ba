"""`stream`: the maps of any number of images, written to a store, and on after a kill."""

import os
import time
from collections.abc import Callable, Sequence
from typing import Any, Literal, Unpack

import jax
import numpy as np

from jaxvis.errors import InputError
from jaxvis.methods.explain import asked_of
from jaxvis.methods.options import Options
from jaxvis.models.network import Network, as_network, with_layer
from jaxvis.pictures.files import check_filter
from jaxvis.streaming import layout
from jaxvis.streaming.batches import LARGEST, fitting_batch
from jaxvis.streaming.devices import Devices
from jaxvis.streaming.processes import Process
from jaxvis.streaming.run import LOOK, Plan, Progress, Run
from jaxvis.streaming.settings import check_same, settings_of
from jaxvis.streaming.source import Files, files_of, is_files
from jaxvis.streaming.store import Store, opened
from jaxvis.streaming.stored import StoredMaps
from jaxvis.text import visible

PREDICTED = "predicted"
ROOM = 0.6  # of what is free on an accelerator, for a call's temporaries
MEMORY = 1 << 30  # bytes for them where a device does not tell what it has: a CPU
PATIENCE = 600.0  # seconds to wait for what the first process makes


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
    plan = Plan(
        network, files, source, out, settings, size, process,
        Devices(network.model, size, best=best, devices=devices, **options), index, best > 1,
    )  # fmt: skip
    return StoredMaps(out, Run(plan, store, progress)())


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
