"""The report's page of stored maps: `jaxvis show`."""

import os
from collections.abc import Sequence
from fnmatch import fnmatchcase

import numpy as np
from jaxtyping import Int

from jaxvis.errors import InputError
from jaxvis.evaluate.boxes import box_masks, read_boxes
from jaxvis.folders import expanded
from jaxvis.models.labels import top_k
from jaxvis.pictures.palette import colormap_for
from jaxvis.report.output import staging
from jaxvis.report.page import MOST, PAGE, names_of_page, write_page
from jaxvis.report.shown import Further, Shown, ShownMap
from jaxvis.streaming.stored import StoredMaps
from jaxvis.text import near_names, visible


def write_stored_page(
    stored: StoredMaps,
    out: str | os.PathLike[str],
    which: Sequence[str] = (),
    *,
    boxes: str | os.PathLike[str] | None = None,
    folder: str | os.PathLike[str] | None = None,
) -> tuple[str, int]:
    """Write report.html of some images in a store, and return its path and how many they are.

    Args:
        stored: what `open_maps` returned.
        out: the folder; it is made if it is not there.
        which: numbers from 0, ranges of them ("0:50"), names, or patterns of names; the first
            dozen unless given.
        boxes: where the objects are: see `read_boxes`.
        folder: where the image files are, if they were moved.

    Raises:
        ImageError: a file is gone.
        InputError: there is no such image, or none of them has maps.
        OutputError: the folder cannot be written to.
    """
    numbers = chosen(stored, which)
    shown = shown_of(stored, numbers, boxes=boxes, folder=folder)
    with staging(out, "show", names_of_page(len(numbers))) as place:
        write_page(shown, place)
    return str(expanded(out) / PAGE), len(numbers)


def chosen(stored: StoredMaps, which: Sequence[str]) -> Int[np.ndarray, " k"]:
    """Return the numbers of the images meant, those that are done, each once."""
    done = stored.done
    if not len(done):
        raise InputError(f"{visible(stored.path)}: no maps are done; wanted some to show")
    if not which:
        return done[:MOST]
    names = stored.names
    found: list[int] = []
    for text in which:
        found += _meant(text, names, len(stored))
    those = np.array([number for number in dict.fromkeys(found) if number in set(done.tolist())])
    if not len(those):
        raise InputError(
            f"{visible(stored.path)}: the images {visible(', '.join(which))} have no maps; wanted "
            "some that were done and could be read"
        )
    return those


def _meant(text: str, names: Sequence[str], count: int) -> list[int]:
    """Return the numbers that one text stands for."""
    if text in names:
        return [number for number, name in enumerate(names) if name == text]
    start, colon, stop = text.partition(":")
    ends = [start, stop] if colon else [start]
    if any(ends) and all(not end or end.isdecimal() for end in ends):
        numbers = range(
            int(start or 0), min(int(stop or count), count) if colon else int(start) + 1
        )
        if not numbers or numbers[-1] >= count:
            raise InputError(f"{text!r} is beyond the {count} images, which count from 0")
        return [*numbers]
    found = [number for number, name in enumerate(names) if fnmatchcase(name, text)]
    if not found:
        near = near_names(text, names, 3)
        meant = f"; near it: {', '.join(map(visible, near))}" if near else ""
        raise InputError(
            f"{visible(text)}: no image has that name or number{meant}; wanted a name, a pattern "
            "such as 'cat*', a number from 0, or a range, 0:50"
        )
    return found


def shown_of(
    stored: StoredMaps,
    numbers: Int[np.ndarray, " k"],
    *,
    boxes: str | os.PathLike[str] | None = None,
    folder: str | os.PathLike[str] | None = None,
) -> Shown:
    """Return what the page shows of some images; errors are those of `write_stored_page`."""
    names = stored.names
    masks = None
    if boxes is not None:
        masks = box_masks(read_boxes(boxes), stored.files(numbers, folder=folder), stored.size)
    maps, classes = stored.maps(numbers, rank=0).shown(), stored.classes(numbers, rank=0)
    rows = [
        ShownMap(name, rule, array, colormap_for(None, lab=row.lab, signed=row.signed))
        for ((name, rule), array), row in zip(maps.items(), maps.rows(), strict=True)
    ]
    return Shown(
        [names[number] for number in numbers], stored.images(numbers, folder=folder), masks,
        [_class_name(stored, int(index)) for index in classes],
        top_k(maps.logits, labels=stored.labels, output=stored.output), rows,
        stored.settings["network"], stored.layer_name, further=_further(stored, numbers),
    )  # fmt: skip


def _class_name(stored: StoredMaps, index: int) -> str:
    return stored.labels[index] if stored.labels else f"class {index}"


def _further(stored: StoredMaps, numbers: Int[np.ndarray, " k"]) -> list[list[Further]] | None:
    """Return the maps of all classes but the first of each image."""
    if not stored.several:
        return None
    maps, classes = stored.maps(numbers).shown(), stored.classes(numbers)
    return [
        [
            Further(
                _class_name(stored, int(classes[row, rank])),
                [array[row, rank] for array in maps.values()],
            )
            for rank in range(1, classes.shape[1])
        ]
        for row in range(len(numbers))
    ]
