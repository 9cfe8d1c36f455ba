"""Images read and decoded in the background, while those before them are computed.

By Grain, the data loader of the JAX project: threads decode ahead, since Pillow lets go of Python's
lock meanwhile, and what comes out has the order of what went in, however long each image took.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8

from jaxvis.pictures.errors import ImageError

Load = Callable[[Path], UInt8[np.ndarray, "..."]]
AHEAD = 3  # batches that are read before they are wanted: one image may take as long as many


class Batch(NamedTuple):
    """Some images, one after the other.

    Attributes:
        start: the number of the first.
        images: black where one cannot be read.
        broken: why, by the number of each that cannot.
        names: of images that are no files, whose names nobody knows before they come.
    """

    start: int
    images: UInt8[np.ndarray, "n height width 3"]
    broken: Mapping[int, str]
    names: tuple[str, ...] = ()


def read_batches(
    files: Sequence[Path],
    starts: Sequence[int],
    batch: int,
    load: Load,
    shape: tuple[int, ...],
    *,
    threads: int | None = None,
) -> Iterator[Batch]:
    """Yield the batches that start at these files, in that order.

    Args:
        files: of all images, in a fixed order.
        starts: numbers of first images, each a multiple of `batch`: those of one process, and not
            done yet.
        batch: images in each; the last of all may have fewer.
        load: from a file to an image; an `ImageError` that it raises is noted, any other goes on.
        shape: of what `load` returns, which is black where it cannot.
        threads: that decode; one for each core unless given.
    """
    import grain

    numbers = [
        number for start in starts for number in range(start, min(start + batch, len(files)))
    ]

    def read(number: int) -> tuple[UInt8[np.ndarray, "..."] | None, str]:
        try:
            return load(files[number]), ""
        except ImageError as error:
            return None, str(error)

    options = grain.ReadOptions(
        num_threads=threads or os.cpu_count() or 1, prefetch_buffer_size=AHEAD * batch
    )
    found = iter(grain.MapDataset.source(numbers).map(read).to_iter_dataset(options))
    for start in starts:
        stop = min(start + batch, len(files))
        images = np.zeros((stop - start, *shape), np.uint8)
        broken = {}
        for place, number in enumerate(range(start, stop)):
            image, trouble = next(found)
            if image is None:
                broken[number] = trouble
            else:
                images[place] = image
        yield Batch(start, images, broken)
