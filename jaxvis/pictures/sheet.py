"""A contact sheet: many small pictures in one figure, as one picture with texts over it.

A panel of its own for each, with axes that Matplotlib lays out, takes some 30 ms; hundreds of
images, each in a dozen rows, would take minutes.
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from jaxtyping import UInt8

from jaxvis.pictures.colour_bar import Bar, draw_bar
from jaxvis.pictures.lettering import text_height, wrapped
from jaxvis.pictures.render import DPI

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CELL = 150  # pixels of a picture's width, on which silhouettes and the marks of maps still show
COLUMNS = 12
TITLE, HEADING = 12, 6.5  # points
GAP = 6  # pixels between pictures
LABELS, BARS = 40, 110  # pixels of the row labels at the left, and of the colour bars at the right
BOX = {"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "boxstyle": "round,pad=0.2"}


class Row(NamedTuple):
    """Pictures to draw side by side, remarks on them, and their colour bar."""

    pictures: UInt8[np.ndarray, "n height width 3"]
    remarks: list[str]
    label: str = ""
    bar: Bar | None = None


def sheet(rows: Sequence[Row], titles: Sequence[str] | None, title: str | None) -> "Figure":
    """Return the figure of the rows, in lines of at most 12 images, titles above each."""
    from jaxvis.pictures.plain_figure import PlainFigure
    from jaxvis.pictures.whole_picture import WholePicture

    count, height, width = rows[0].pictures.shape[:3]
    lines = math.ceil(count / COLUMNS)
    columns = math.ceil(count / lines)
    cell = (CELL, max(1, round(CELL * height / width)))  # width, height: as Pillow has it
    left = LABELS if rows[0].label else GAP
    right = BARS if any(row.bar for row in rows) else GAP
    wide = left + columns * (CELL + GAP) + right
    name = wrapped(title or "", (wide - 2 * GAP) / DPI, TITLE, 3)
    headings = [wrapped(text, CELL / DPI, HEADING, 3) for text in titles or [""] * count]
    tops, tall = [], GAP + _pixels(name, TITLE)
    for first in range(0, count, columns):
        tall += max(_pixels(text, HEADING) for text in headings[first : first + columns])
        tops.append(tall)
        tall += len(rows) * (cell[1] + GAP) + GAP
    paper = np.full((tall, wide, 3), 255, np.uint8)
    figure = PlainFigure((wide / DPI, tall / DPI), DPI)
    ground = figure.add_axes((0, 0, 1, 1))
    ground.set_axis_off()

    def write(x: float, y: float, text: str, points: float, **looks: Any) -> None:
        if text:
            place = x / wide, 1 - y / tall
            figure.text(*place, text, fontsize=points, parse_math=False, **looks)

    write(wide / 2, GAP, name, TITLE, ha="center", va="top")
    for number, row in enumerate(rows):
        for index, picture in enumerate(row.pictures):
            line, column = divmod(index, columns)
            x, y = left + column * (CELL + GAP), tops[line] + number * (cell[1] + GAP)
            paper[y : y + cell[1], x : x + CELL] = _resized(picture, cell)
            write(x + CELL / 2, y + cell[1] / 2, row.remarks[index], HEADING, ha="center",
                  va="center", bbox=BOX)  # fmt: skip
            if number == 0:
                write(x + CELL / 2, y - GAP / 2, headings[index], HEADING, ha="center", va="bottom")
        for line in range(lines):
            label = wrapped(row.label, cell[1] / DPI, HEADING, 2)
            y = tops[line] + number * (cell[1] + GAP) + cell[1] / 2
            write(left - GAP, y, label, HEADING, ha="right", va="center", rotation=90)
        if row.bar:
            x, y = left + (columns - 1) * (CELL + GAP), tops[0] + number * (cell[1] + GAP)
            high = cell[1] - 2 * GAP  # so that numbers at the ends do not meet those of the next
            box = (x / wide, 1 - (y + GAP + high) / tall, CELL / wide, high / tall)
            panel = figure.add_axes(box)
            panel.set_axis_off()
            draw_bar(panel, row.bar, HEADING)
    ground.add_image(WholePicture(ground, paper))
    return figure


def _resized(
    picture: UInt8[np.ndarray, "height width 3"], size: tuple[int, int]
) -> UInt8[np.ndarray, "h w 3"]:
    """Return the picture at another size: a smaller network's with its pixels, as they are."""
    from PIL import Image

    if picture.shape[1::-1] == size:
        return picture
    how = Image.Resampling.NEAREST if picture.shape[1] < size[0] else Image.Resampling.BILINEAR
    return np.asarray(Image.fromarray(picture).resize(size, how))


def _pixels(text: str, points: float) -> int:
    return math.ceil(text_height(text, points) * DPI)
