"""Boxes that people drew around objects, as the truth that maps are compared with."""

import csv
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool

from jaxvis.errors import InputError
from jaxvis.pictures.decode import measure

EDGES = ("xmin", "ymin", "xmax", "ymax")
COLUMNS = ("file", *EDGES)


class Box(NamedTuple):
    """One box, in pixels of its image: x from xmin up to xmax, which is outside, y likewise."""

    xmin: float
    ymin: float
    xmax: float
    ymax: float
    label: str | None = None


def read_boxes(path: str | os.PathLike[str]) -> dict[str, list[Box]]:
    """Read the boxes of a CSV file, by the name of the image's file.

    The first line names the columns: file, xmin, ymin, xmax, ymax and perhaps class, in any order;
    others are not looked at. A file may have several lines. Edges are counted in pixels from the
    left and upper edge of the image as it is shown, and xmax - xmin is the box's width.

    Raises:
        ValueError: the file cannot be read or has no boxes, a column is missing, or a line has no
            box with 0 <= xmin < xmax and 0 <= ymin < ymax; the message names the line.
    """
    boxes: dict[str, list[Box]] = {}
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:  # Excel writes a BOM
            for name, box in _rows(csv.reader(file, strict=True), str(path)):
                boxes.setdefault(name, []).append(box)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read as CSV in UTF-8: {error}") from error
    if not boxes:
        raise InputError(f"{path}: no boxes; wanted lines below the header {','.join(COLUMNS)}")
    return boxes


def box_masks(
    boxes: Mapping[str, Sequence[Box]],
    files: Sequence[str | os.PathLike[str]],
    size: tuple[int, int] = (224, 224),
    *,
    labels: Sequence[str] | None = None,
) -> Bool[np.ndarray, "n height width"]:
    """Return one mask per image, true inside its boxes, scaled from the image to `size`.

    A pixel is inside if its centre is; a box too small to hold a centre has the pixel it lies in.

    Args:
        boxes: by file, as `read_boxes` returns them. A file "geese/1.jpg" has the boxes under
            "geese/1.jpg" or, if there are none, under "1.jpg".
        files: the images, which are opened to know their sizes.
        size: height and width of the masks.
        labels: one per image; its boxes with another label are left out.

    Raises:
        ImageError: as `load_image`.
        ValueError: an image without a box, or a box that reaches beyond its image.
    """
    masks = np.zeros((len(files), *size), np.bool_)
    for number, file in enumerate(files):
        found = _boxes_of(boxes, Path(file), None if labels is None else labels[number])
        width, height = measure(Path(file).expanduser())
        for box in found:
            if box.xmax > width or box.ymax > height:
                raise InputError(
                    f"{file}: the box {tuple(box[:4])} reaches beyond the image, which has {width} "
                    f"x {height} pixels; wanted pixels of this very file, before any resizing"
                )
            rows, columns = scaled(box, (height, width), size)
            masks[number, rows, columns] = True
    return masks


def scaled(box: Box, source: tuple[int, int], target: tuple[int, int]) -> tuple[slice, slice]:
    """Return the rows and columns of a box in an image resized from `source` to `target`."""
    rows = _span(box.ymin / source[0] * target[0], box.ymax / source[0] * target[0], target[0])
    columns = _span(box.xmin / source[1] * target[1], box.xmax / source[1] * target[1], target[1])
    return rows, columns


def _span(low: float, high: float, size: int) -> slice:
    start, end = math.ceil(low - 0.5), math.ceil(high - 0.5)
    if start >= end:
        start = min(int((low + high) / 2), size - 1)
        end = start + 1
    return slice(start, end)


def _boxes_of(boxes: Mapping[str, Sequence[Box]], path: Path, label: str | None) -> Sequence[Box]:
    for first in range(len(path.parts)):
        name = "/".join(path.parts[first:])
        if boxes.get(name):
            break
    else:
        raise InputError(
            f"{path}: no box for {path.name}; wanted at least one: there are boxes for "
            f"{len(boxes)} files, such as {next(iter(boxes), 'none')}"
        )
    found = [box for box in boxes[name] if label is None or box.label in (label, None)]
    if not found:
        labels = sorted({str(box.label) for box in boxes[name]})
        raise InputError(f"{path}: no box of class {label!r}; found {', '.join(labels)}")
    return found


def _rows(lines: Iterator[list[str]], path: str) -> Iterator[tuple[str, Box]]:
    header = [name.strip().lower() for name in next(lines, [])]
    missing = [name for name in COLUMNS if name not in header]
    if missing or len(set(header)) < len(header):
        raise InputError(
            f"{path}: the first line is {','.join(header)!r}; wanted the columns "
            f"{','.join(COLUMNS)}, each once, separated by commas"
        )
    for number, line in enumerate(lines, start=2):
        cells = dict(zip(header, map(str.strip, line), strict=False))
        if any(cells.values()):
            box = _box(cells, len(line) == len(header), f"{path}, line {number}")
            yield cells["file"], box


def _box(cells: dict[str, str], complete: bool, where: str) -> Box:
    try:
        xmin, ymin, xmax, ymax = (float(cells[edge]) for edge in EDGES)
        good = complete and bool(cells["file"])
        good = good and 0 <= xmin < xmax < math.inf and 0 <= ymin < ymax < math.inf
    except (ValueError, KeyError):
        good = False
    if not good:
        raise InputError(
            f"{where}: {','.join(cells.values())!r} is no box; wanted a file name and numbers with "
            "0 <= xmin < xmax and 0 <= ymin < ymax"
        )
    return Box(xmin, ymin, xmax, ymax, cells.get("class") or None)
