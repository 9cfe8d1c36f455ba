"""Arrays of many images on disk, a Zarr group: what a killed run has written, the next one keeps.

A batch of images is one chunk of every array, so that batches are written without a lock, in any
order, by several processes. An array called `state` has a number for each image: 0 until the chunks
of its batch are on the disk, which is when its state is written. So a run that is killed at any
moment leaves batches that are whole, and batches that are done anew, with the same result.

The group is Zarr version 3, written by TensorStore: `zarr.open` and `xarray.open_zarr` read it, and
a path may be that of a bucket ("gs://...", "s3://...").
"""

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import UInt8

from jaxvis.errors import InputError, OutputError
from jaxvis.folders import expanded
from jaxvis.text import visible
from jaxvis.types import AnyArray

WAITING, DONE, BROKEN = 0, 1, 2  # of an image: not yet; its maps are there; it cannot be read
STATE = "state"
GROUP = "zarr.json"  # written last: a group that has it is whole
MARK = "jaxvis.json"  # there until then: what is there was begun by jaxvis
FORMAT = 1


class Array(NamedTuple):
    """What an array holds of each image.

    Attributes:
        shape: of one image.
        dtype: its name in Zarr: "float32", "float16", "int32".
        axes: their names, for whoever reads it; arrays share one only if it is as long in both.
        attributes: whatever else is to be known of it, as JSON can hold it.
    """

    shape: tuple[int, ...]
    dtype: str
    axes: tuple[str, ...]
    attributes: Mapping[str, Any] = {}


class Store:
    """A group that is open; `created` and `opened` return one.

    Attributes:
        count: images.
        batch: images in a chunk, and so in a `write`.
        attributes: of the group, as they were when it was opened.
    """

    def __init__(self, place: Any, attributes: dict[str, Any], arrays: dict[str, Any]) -> None:
        self._place, self._arrays, self.attributes = place, arrays, attributes
        self.count, self.batch = attributes["images"], attributes["batch"]

    def state(self) -> UInt8[np.ndarray, " images"]:
        """Return what is known of every image: WAITING, DONE or BROKEN."""
        return self._arrays[STATE].read().result()

    def read(self, name: str, which: slice = slice(None)) -> np.ndarray:
        """Return an array, or some images of it; what is not written is NaN, or 0 of integers."""
        return self._arrays[name][which].read().result()

    def shape(self, name: str) -> tuple[int, ...]:
        """Return the shape of what an array holds of one image."""
        return self._arrays[name].shape[1:]

    def write(
        self, start: int, values: Mapping[str, AnyArray], state: UInt8[np.ndarray, " n"]
    ) -> "Pending":
        """Begin to write a batch, and return what to wait for.

        Args:
            start: the first image, a multiple of `batch`.
            values: by the arrays' names, all of them, for the images from there on; one batch, or
                the first of them of the last.
            state: DONE or BROKEN of each.
        """
        stop = start + len(state)
        assert start % self.batch == 0
        assert stop <= self.count
        assert {*values, STATE} == {*self._arrays}
        data = [
            self._arrays[name][start:stop].write(np.asarray(array)[: stop - start])
            for name, array in values.items()
        ]
        return Pending(data, self._arrays[STATE][start:stop], state)

    def set_count(self, count: int) -> None:
        """Have room for another number of images; what is beyond it goes.

        Raises:
            OutputError: it cannot be written.
        """
        try:
            resized = [
                (name, array.resize(exclusive_max=[count, *array.shape[1:]]))
                for name, array in self._arrays.items()
            ]
            for name, pending in resized:
                self._arrays[name] = pending.result()
            self.note(images=count)
        except ValueError as error:
            raise _not_written(error) from error
        self.count = count

    def note(self, **attributes: Any) -> None:
        """Add attributes to the group, or replace some."""
        self.attributes.update(attributes)
        _write_group(self._place, self.attributes)


class Pending:
    """A batch on its way to the disk; its state follows once the rest is there."""

    def __init__(self, data: Sequence[Any], place: Any, state: np.ndarray) -> None:
        self._data, self._place, self._state = data, place, state

    def result(self) -> None:
        """Wait until all of it is on the disk.

        Raises:
            OutputError: it cannot be written.
        """
        try:
            for one in self._data:
                one.result()
            self._place.write(self._state).result()
        except ValueError as error:  # TensorStore has no other
            raise _not_written(error) from error


def created(
    path: str | os.PathLike[str],
    count: int,
    batch: int,
    arrays: Mapping[str, Array],
    attributes: Mapping[str, Any],
) -> Store:
    """Make a group for `count` images.

    What a run left that was killed before the group was whole is replaced; nothing else ever is.

    Raises:
        OutputError: something else is there, or it cannot be written to.
    """
    place = _place(path)
    try:
        names = {key.decode(errors="replace") for key in place.list().result()}
        if names and MARK not in names:
            raise OutputError(
                f"{visible(os.fspath(path))}: something is there that jaxvis did not write, "
                f"{visible(min(names))}; wanted a new folder"
            )
        if GROUP in names:
            raise OutputError(f"{visible(os.fspath(path))}: results are there already")
        for name in names - {MARK}:
            place.write(name, None).result()
        place.write(MARK, json.dumps({"format": FORMAT}).encode()).result()
        known = {
            **attributes, "jaxvis": FORMAT, "images": count, "batch": batch,
            "arrays": [*arrays, STATE],
        }  # fmt: skip
        state = Array((), "uint8", (), {"0": "waiting", "1": "done", "2": "broken"})
        opened = {
            name: _array(place, name, create=_metadata(one, count, batch))
            for name, one in {**arrays, STATE: state}.items()
        }
        _write_group(place, known)
        place.write(MARK, None).result()
    except ValueError as error:
        raise _not_written(error) from error
    return Store(place, known, opened)


def opened(path: str | os.PathLike[str]) -> Store | None:
    """Open a group that `created` has made; None if there is none, or none that is whole.

    Raises:
        InputError: a Zarr group that jaxvis did not write, or one of a later format.
    """
    place = _place(path)
    found = place.read(GROUP).result().value
    if not found:
        return None
    attributes = json.loads(found).get("attributes", {})
    if attributes.get("jaxvis") != FORMAT:
        raise InputError(
            f"{visible(os.fspath(path))}: a Zarr group, but not one of maps that this jaxvis "
            f"reads (format {attributes.get('jaxvis')!r}; wanted {FORMAT})"
        )
    arrays = {name: _array(place, name) for name in attributes["arrays"]}
    store = Store(place, attributes, arrays)
    if any(array.shape[0] != store.count for array in arrays.values()):  # killed in `set_count`
        store.set_count(store.count)
    return store


def _place(path: str | os.PathLike[str]) -> Any:
    """Return TensorStore's view of a folder, or of a bucket's."""
    import tensorstore

    text = os.fspath(path)
    if "://" in text:
        return tensorstore.KvStore.open(text.rstrip("/") + "/").result()
    where = {"driver": "file", "path": f"{expanded(path).absolute()}/"}
    return tensorstore.KvStore.open(where).result()


def _array(place: Any, name: str, create: Mapping[str, Any] | None = None) -> Any:
    import tensorstore

    spec: dict[str, Any] = {"driver": "zarr3", "kvstore": (place / f"{name}/").spec().to_json()}
    if create is None:
        return tensorstore.open(spec, open=True).result()
    return tensorstore.open({**spec, "metadata": create}, create=True).result()


def _metadata(array: Array, count: int, batch: int) -> dict[str, Any]:
    order = {} if array.dtype == "uint8" else {"configuration": {"endian": "little"}}
    codecs = [
        {"name": "bytes", **order},
        {"name": "zstd", "configuration": {"level": 1, "checksum": True}},
    ]
    return {
        "shape": [count, *array.shape],
        "chunk_grid": {
            "name": "regular",
            "configuration": {"chunk_shape": [min(batch, count), *array.shape]},
        },
        "data_type": array.dtype,
        "fill_value": "NaN" if array.dtype.startswith("float") else 0,
        "dimension_names": ["image", *array.axes],
        "attributes": dict(array.attributes),
        "codecs": codecs,
    }


def _write_group(place: Any, attributes: Mapping[str, Any]) -> None:
    group = {"zarr_format": 3, "node_type": "group", "attributes": dict(attributes)}
    place.write(GROUP, json.dumps(group).encode()).result()


def _not_written(error: ValueError) -> OutputError:
    return OutputError(f"the maps cannot be written: {str(error).split(' [tensorstore_spec')[0]}")
