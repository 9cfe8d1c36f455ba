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

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DPI = 100  # at which the letters of a figure have the size of a page's
TITLE = 12  # points
GAP = 6  # pixels between pictures
BOX = {"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "boxstyle": "round,pad=0.2"}


class Look(NamedTuple):
    """How large a sheet is drawn: pixels of a picture's width, pictures in a line, points."""

    cell: int
    columns: int
    points: float


SMALL = Look(150, 12, 9)  # on which silhouettes and the marks of maps still show


class Row(NamedTuple):
    """Pictures to draw side by side, remarks on them, and their colour bar."""

    pictures: UInt8[np.ndarray, "n height width 3"]
    remarks: list[str]
    label: str = ""
    bar: Bar | None = None
    share: float = 1  # of the width of a panel


def sheet(
    rows: Sequence[Row], titles: Sequence[str] | None, title: str | None, look: Look
) -> "Figure":
    """Return the figure of the rows, in lines of even length, a title above each image."""
    from jaxvis.pictures.heading import Heading
    from jaxvis.pictures.plain_figure import PlainFigure
    from jaxvis.pictures.whole_picture import WholePicture

    count, height, width = rows[0].pictures.shape[:3]
    lines = math.ceil(count / look.columns)
    columns = math.ceil(count / lines)
    wide = look.cell
    sizes = [
        (round(row.share * wide), max(1, round(row.share * wide * height / width))) for row in rows
    ]
    below = [sum(high + GAP for _, high in sizes[:number]) for number in range(len(rows) + 1)]
    # Room for two lines of a row's label, and for a colour bar with its words.
    left = round(2.8 * look.points * DPI / 72) if rows[0].label else GAP
    right = round(0.1 * wide + 5.5 * look.points * DPI / 72) if any(r.bar for r in rows) else GAP
    across = left + columns * (wide + GAP) + right
    name = wrapped(title or "", (across - 2 * GAP) / DPI, TITLE, 3)
    headings = [wrapped(text, wide / DPI, look.points, 3) for text in titles or [""] * count]
    tops, down = [], GAP + _pixels(name, TITLE)
    for first in range(0, count, columns):
        down += max(_pixels(text, look.points) for text in headings[first : first + columns])
        tops.append(down)
        down += below[-1] + GAP
    paper = np.full((down, across, 3), 255, np.uint8)
    figure = PlainFigure((across / DPI, down / DPI), DPI)
    ground = figure.add_axes((0, 0, 1, 1))
    ground.set_axis_off()

    def write(x: float, y: float, text: str, points: float, **looks: Any) -> None:
        if text:
            place = x / across, 1 - y / down
            figure.text(*place, text, fontsize=points, parse_math=False, **looks)

    write(across / 2, GAP, name, TITLE, ha="center", va="top")
    for number, (row, (across_it, high)) in enumerate(zip(rows, sizes, strict=True)):
        label = wrapped(row.label, high / DPI, look.points, 2)
        for index, picture in enumerate(row.pictures):
            line, column = divmod(index, columns)
            x, y = left + column * (wide + GAP), tops[line] + below[number]
            start = x + (wide - across_it) // 2
            paper[y : y + high, start : start + across_it] = _resized(picture, (across_it, high))
            write(x + wide / 2, y + high / 2, row.remarks[index], look.points, ha="center",
                  va="center", bbox=BOX)  # fmt: skip
            if number == 0 and headings[index]:
                place = (x + wide / 2) / across, 1 - (y - GAP / 2) / down
                figure.add_artist(Heading(*place, headings[index], look.points))
            if column == 0:
                write(x - GAP, y + high / 2, label, look.points, ha="right", va="center",
                      rotation=90)  # fmt: skip
        if row.bar:
            x, y = left + (columns - 1) * (wide + GAP), tops[0] + below[number]
            tall = high - 2 * GAP  # so that numbers at the ends do not meet those of the next
            box = (x / across, 1 - (y + GAP + tall) / down, wide / across, tall / down)
            panel = figure.add_axes(box)
            panel.set_axis_off()
            draw_bar(panel, row.bar, look.points)
    ground.add_image(WholePicture(ground, paper))
    return figure


def _resized(
    picture: UInt8[np.ndarray, "height width 3"], size: tuple[int, int]
) -> UInt8[np.ndarray, "h w 3"]:
    """Return the picture at another size; from three times larger on its pixels are squares."""
    from PIL import Image

    if picture.shape[1::-1] == size:
        return picture
    large = size[0] >= 3 * picture.shape[1]
    how = Image.Resampling.NEAREST if large else Image.Resampling.BILINEAR
    return np.asarray(Image.fromarray(picture).resize(size, how))


def _pixels(text: str, points: float) -> int:
    return math.ceil(text_height(text, points) * DPI)
