"""Where the images of a stream come from: files, or whatever yields names and images."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from pathlib import Path
from queue import Queue
from threading import Thread
from typing import Any, NamedTuple, TypeVar

import numpy as np
from jaxtyping import UInt8

from jaxvis.errors import InputError, InputTypeError
from jaxvis.folders import expanded
from jaxvis.pictures.errors import ImageError
from jaxvis.pictures.files import find_images
from jaxvis.streaming.reading import AHEAD, Batch

T = TypeVar("T")
Named = tuple[str, UInt8[np.ndarray, "height width 3"]]
LIST = ".txt"  # of a file that lists images, one a line


class Files(NamedTuple):
    """Image files in a fixed order.

    Attributes:
        paths: of all.
        folder: in which all are; names are as seen from there.
    """

    paths: list[Path]
    folder: Path

    @property
    def names(self) -> list[str]:
        """What each is called: its path from the folder, with forward slashes."""
        return [path.relative_to(self.folder).as_posix() for path in self.paths]


def files_of(source: Any) -> Files:
    """Return the files of a folder, a pattern, a list of these, or a text file of paths.

    A path that ends in .txt is a list of paths, one a line; those that are relative start at the
    list's own folder.

    Raises:
        ImageError: as `find_images`; a list that cannot be read, or that is empty.
    """
    entries = [source] if isinstance(source, str | os.PathLike) else list(source)
    found: list[Path] = []
    for entry in entries:
        if isinstance(entry, str | os.PathLike) and os.fspath(entry).lower().endswith(LIST):
            found += _listed(expanded(entry))
        else:
            found += find_images(entry)
    if not found:
        raise ImageError("there are no images; wanted at least one file")
    paths = [Path(os.path.abspath(path)) for path in found]
    return Files(paths, Path(os.path.commonpath([path.parent for path in paths])))


def _listed(path: Path) -> list[Path]:
    try:
        lines = path.read_text("utf-8-sig", "surrogateescape").splitlines()
    except OSError as error:
        raise ImageError(f"{path}: {error.strerror or error}; wanted a list of images") from error
    named = [Path(line.strip()) for line in lines if line.strip()]
    if not named:
        raise ImageError(f"{path}: no image is listed; wanted one path a line")
    return [path.parent / name for name in named]


def is_files(source: Any) -> bool:
    """Whether a source is of files: a path, or a list of paths."""
    if isinstance(source, str | os.PathLike):
        return True
    return isinstance(source, Sequence) and all(
        isinstance(entry, str | os.PathLike) for entry in source
    )


class Given:
    """Images that somebody yields with their names, in batches; each is wanted once.

    Attributes:
        count: of all, or None where nobody knows until the last one has come.
    """

    def __init__(
        self, source: Iterable[Named], batch: int, size: tuple[int, int], resample: str
    ) -> None:
        self.count = len(source) if isinstance(source, Sized) else None
        self._source, self._batch, self._size, self._resample = source, batch, size, resample

    def batches(self, wanted: Callable[[int], bool]) -> Iterator[Batch]:
        """Yield all batches with their names, read ahead in a thread; those whose start is not
        wanted without their images.

        Raises:
            TypeError, ValueError: what comes is no pair of a name and an image.
        """
        return ahead(self._batches(wanted), AHEAD)

    def _batches(self, wanted: Callable[[int], bool]) -> Iterator[Batch]:
        start, names, images = 0, list[str](), list[np.ndarray]()
        for number, entry in enumerate(self._source):
            name, image = _checked(entry, number)
            names.append(name)
            if wanted(start):
                images.append(self._resized(image))
            if len(names) == self._batch:
                yield self._made(start, names, images)
                start, names, images = number + 1, [], []
        if names:
            yield self._made(start, names, images)

    def _made(self, start: int, names: list[str], images: list[np.ndarray]) -> Batch:
        none = np.zeros((0, *self._size, 3), np.uint8)
        return Batch(start, np.stack(images) if images else none, {}, tuple(names))

    def _resized(self, image: np.ndarray) -> np.ndarray:
        if image.shape[:2] == self._size:
            return image
        from PIL import Image

        height, width = self._size
        filter_ = Image.Resampling[self._resample.upper()]
        return np.array(Image.fromarray(image).resize((width, height), filter_))


def _checked(entry: Any, number: int) -> Named:
    match entry:
        case (str() as name, image):
            array = np.asarray(image)
            if array.dtype == np.uint8 and array.ndim == 3 and array.shape[2] == 3:
                return name, array
            raise InputError(
                f"image {number}, {name!r}, is {array.dtype} {array.shape}; wanted uint8 RGB "
                "(height, width, 3)"
            )
    raise InputTypeError(
        f"the source yields a {type(entry).__name__}; wanted pairs of a name and an image, or paths"
    )


def ahead(values: Iterator[T], count: int) -> Iterator[T]:
    """Yield the values, of which a thread has `count` ready before they are wanted."""
    waiting: Queue[tuple[bool, Any]] = Queue(count)
    over = False

    def fill() -> None:
        try:
            for value in values:
                waiting.put((True, value))
                if over:
                    return
            waiting.put((False, None))
        except BaseException as error:  # raised again where the values are wanted
            waiting.put((False, error))

    Thread(target=fill, daemon=True).start()
    try:
        while True:
            good, value = waiting.get()
            if good:
                yield value
            elif value is None:
                return
            else:
                raise value
    finally:
        over = True
        while not waiting.empty():  # so that the thread, which may wait for room, sees it
            waiting.get()
