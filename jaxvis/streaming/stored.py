"""Maps of many images in a store, as they are read back: `open_maps`."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int, UInt8

from jaxvis.errors import InputError
from jaxvis.folders import expanded
from jaxvis.methods.catalogue import METHODS
from jaxvis.methods.maps import MapName, Maps
from jaxvis.pictures.files import load_image
from jaxvis.streaming import layout
from jaxvis.streaming.store import BROKEN, DONE, WAITING, Store, opened
from jaxvis.text import visible

Which = slice | Int[np.ndarray, " k"]  # images, by their numbers


class StoredMaps:
    """Maps in a store, read when they are asked for.

    Attributes:
        path: of the store.
        settings: what they were made with.
        labels: a name for every class, or None.
        size: height and width of the network's input.
    """

    def __init__(self, path: str | os.PathLike[str], store: Store) -> None:
        self.path, self._store = os.fspath(path), store
        kept = store.attributes
        self.settings: Mapping[str, Any] = kept["settings"]
        self.labels: tuple[str, ...] | None = None if kept["labels"] is None else (*kept["labels"],)
        self.output: str = kept["output"]
        self.layer_name: str = kept["layer_name"]
        self.size: tuple[int, int] = (*self.settings["size"],)

    def __len__(self) -> int:
        """The number of images."""
        return self._store.count

    def __repr__(self) -> str:
        """What there is."""
        names = ", ".join(layout.array_name(name) for name in self.map_names)
        return f"<{len(self)} images in {visible(self.path)}: {names}>"

    @property
    def names(self) -> list[str]:
        """Of the images: paths from the folder they are in, or what the source called them."""
        if layout.NAME in self._store.attributes["arrays"]:
            return layout.as_texts(self._store.read(layout.NAME))
        return self._store.attributes["names"]

    @property
    def folder(self) -> Path | None:
        """Where the files are, or were; None of images that are no files."""
        kept = self._store.attributes.get("folder")
        return None if kept is None else Path(kept)

    @property
    def map_names(self) -> list[MapName]:
        """Which maps there are."""
        return [
            MapName(method, rule)
            for method in self.settings["methods"]
            for rule in METHODS[method].under(tuple(self.settings["rules"]))
        ]

    @property
    def several(self) -> bool:
        """Whether there are maps of several classes of each image, with an axis for them."""
        return len(self._store.shape(layout.CLASS)) > 0

    def state(self) -> UInt8[np.ndarray, " images"]:
        """Return of every image 0: not done yet, 1: its maps are there, 2: it cannot be read."""
        return self._store.state()

    @property
    def done(self) -> Int[np.ndarray, " k"]:
        """The numbers of the images whose maps are there."""
        return np.flatnonzero(self.state() == DONE)

    @property
    def missing(self) -> int:
        """How many images are not done yet."""
        return int((self.state() == WAITING).sum())

    @property
    def broken(self) -> dict[str, str]:
        """Why images cannot be read, by name."""
        numbers = np.flatnonzero(self.state() == BROKEN)
        if not len(numbers):
            return {}
        names = self.names
        return {
            names[i]: layout.as_texts(self._store.read(layout.ERROR, slice(i, i + 1)))[0]
            for i in numbers
        }

    def maps(self, which: Which = slice(None), *, rank: int | None = None) -> Maps:
        """Return the maps of some images as float32, and their logits; NaN where there are none.

        Of several classes of each image, `rank` takes the maps of one: 0 of the most probable.
        """
        found: dict[str, dict[str, np.ndarray]] = {}
        for name in self.map_names:
            kept = layout.array_name(name)
            array = self._read(kept, which)
            if array.dtype == np.float16:
                array = layout.whole_values(array, self._read(kept + layout.EXPONENT, which))
            found.setdefault(name.method, {})[name.rule] = self._ranked(array, rank)
        return Maps(self._read(layout.LOGITS, which), found)

    def _ranked(self, array: np.ndarray, rank: int | None) -> np.ndarray:
        return array[:, rank] if self.several and rank is not None else array

    def logits(self, which: Which = slice(None)) -> Float[np.ndarray, "n c"]:
        """Return what the network made of some images."""
        return self._read(layout.LOGITS, which)

    def classes(
        self, which: Which = slice(None), *, rank: int | None = None
    ) -> Int[np.ndarray, "..."]:
        """Return the indices that the maps explain, (n,), or (n, k) of several, without `rank`."""
        return self._ranked(self._read(layout.CLASS, which), rank)

    def images(
        self, which: Which = slice(None), *, folder: str | os.PathLike[str] | None = None
    ) -> UInt8[np.ndarray, "n height width 3"]:
        """Return some images as the network saw them, kept here, or read from their files again.

        Args:
            which: their numbers.
            folder: where the files are, if they were moved.

        Raises:
            ImageError: a file is gone, or cannot be read.
        """
        if self.settings["images kept"]:
            return self._read(layout.PICTURE, which)
        resample = self.settings["resample"]
        files = self.files(which, folder=folder)
        return np.stack([load_image(file, self.size, resample=resample) for file in files])

    def files(
        self, which: Which = slice(None), *, folder: str | os.PathLike[str] | None = None
    ) -> list[Path]:
        """Return the paths of some images' files, in another folder if they were moved.

        Raises:
            InputError: these images are no files.
        """
        where = self.folder if folder is None else expanded(folder)
        if where is None:
            raise InputError(f"{visible(self.path)}: its images are no files; wanted some that are")
        names = self.names
        return [where / names[number] for number in np.arange(len(self))[which]]

    def _read(self, name: str, which: Any) -> np.ndarray:
        return self._store.read(name, which)


def open_maps(path: str | os.PathLike[str]) -> StoredMaps:
    """Open maps that `stream` or `jaxvis maps` wrote, finished or not.

    Raises:
        InputError: there are none.
    """
    store = opened(path)
    if store is None:
        raise InputError(
            f"{visible(os.fspath(path))}: no maps are there; wanted what jv.stream or `jaxvis maps "
            "--out` wrote"
        )
    return StoredMaps(path, store)
