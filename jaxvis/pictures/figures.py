"""The figures of the lab report: images, saliency maps, Grad-CAM overlays, the comparison grid.

Each function takes uint8 RGB images and raw maps and returns a `matplotlib.figure.Figure`. There is
no pyplot: a figure needs no display, may be drawn in a thread, and goes with its last reference.
The style that the user has set does not reach it.
"""

import math
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from jaxtyping import Float, UInt8

from jaxvis.errors import InputError
from jaxvis.pictures import render
from jaxvis.pictures.checks import check_images, maps_for
from jaxvis.pictures.style import plain_style
from jaxvis.text import visible

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CELL = 2.4  # inches of a panel's width: 360 pixels for the 224 of an input
SMALL_CELL = 1.6  # the least that a panel of the comparison grid shrinks to: 240 pixels
MOST_COLUMNS = 5  # of a row of images, before it goes on in a next line
MOST_COMPARED = 16
PERCENTILE = 99.5  # a few pixels of a saliency map are far above the rest
TITLE, HEADING = 12, 9  # points
GAP, SIDES = 0.08, 1.2  # inches between panels; of the row labels and colour bars together
BOX = {"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "boxstyle": "round"}
REMARK = {"ha": "center", "va": "center", "fontsize": HEADING + 1, "bbox": BOX}

Images = UInt8[Any, "n height width 3"]
RawMaps = Float[Any, "n h w"]
Titles = Sequence[str] | None


class _Row(NamedTuple):
    """Pictures to draw side by side, remarks on them, and the upper end of their colour bar."""

    pictures: UInt8[np.ndarray, "n height width 3"]
    remarks: list[str]
    label: str = ""
    top: float = 0.0
    extend: str = "neither"


@plain_style()
def figure_images(images: Images, titles: Titles = None, *, title: str | None = None) -> "Figure":
    """Return the figure of the images, five at most in a line, each under its title.

    Raises `ValueError` for images that are not uint8 RGB or another number of titles.
    """
    images = _checked(images, titles)
    return _lines([_Row(images, [""] * len(images))], titles, title)


@plain_style()
def figure_saliency(
    images: Images, maps: RawMaps, titles: Titles, *, title: str | None, colormap: str = "jet"
) -> "Figure":
    """Return the figure of the images and, under each, its map on a scale of its own.

    That runs from the map's smallest value to its 99.5th percentile: a few pixels are far above the
    rest, and scaled by them a map is all but black. A map without a positive value, and a constant
    one, says so. Raises `ValueError` as `figure_images` and `heat_map` do, and for another number
    of maps than images.
    """
    images = _checked(images, titles)
    values = maps_for(maps, images, "maps")
    row = _Row(render.heat_map(_without_peaks(values), colormap=colormap), _remarks(values))
    return _lines([_Row(images, [""] * len(images)), row], titles, title)


@plain_style()
def figure_grad_cam(
    images: Images,
    cams: RawMaps,
    titles: Titles,
    *,
    title: str | None,
    alpha: float = 0.5,
    colormap: str = "jet",
) -> "Figure":
    """Return the figure of the class activation maps, upsampled and laid over their images.

    Each map is scaled by its own range. One without a positive value says "nothing positive", a
    constant one its value, and both leave their image as it is. Raises `ValueError` as
    `figure_images` and `overlay` do, and for another number of maps than images.
    """
    images = _checked(images, titles)
    values = maps_for(cams, images, "cams")
    large = render.upsample(values, images.shape[1:3])
    pictures = render.overlay(images, large, alpha=alpha, colormap=colormap)
    return _lines([_overlaid(images, pictures, values)], titles, title)


class MapRow(NamedTuple):
    """A row of the comparison grid: its label, raw maps, and whether they are laid over the image.

    Maps that have the input's size stand alone; a layer's are enlarged and laid over.
    """

    label: str
    maps: RawMaps
    laid_over: bool


@plain_style()
def figure_comparison(
    images: Images,
    titles: Titles,
    rows: Sequence[MapRow],
    *,
    title: str | None = None,
    alpha: float = 0.5,
    colormap: str = "jet",
) -> "Figure":
    """Return one grid: images as columns, maps as rows, raw values on one scale per row.

    `rows` are what `Maps.rows()` returns. A row's scale runs from 0 to its largest value, for maps
    that stand alone to their 99.5th percentile: the colour bar then ends in an arrow. A map without
    a positive value says so; a row of such maps has no colour bar. Raises `ValueError` as
    `figure_saliency` and `figure_grad_cam` do, for no maps at all and for more than 16 images.
    """
    images = _checked(images, titles)
    if not rows:
        raise InputError("figure_comparison: nothing to compare; pass maps.rows()")
    if len(images) > MOST_COMPARED:
        raise InputError(
            f"figure_comparison: one grid holds at most {MOST_COMPARED} images; found "
            f"{len(images)}. Draw them in several figures."
        )
    cell = max(SMALL_CELL, min(CELL, 6 * CELL / len(images)))
    drawn = [_Row(images, [""] * len(images), "input")]
    drawn += [_compared(images, row, alpha, colormap) for row in rows]
    figure, axes = _grid(drawn, len(images), cell, titles, title)
    for panels, row in zip(axes, drawn, strict=True):
        label = _wrap(row.label, cell * images.shape[1] / images.shape[2], HEADING + 1, 3)
        panels[0].set_ylabel(label, fontsize=HEADING + 1, parse_math=False)
        if row.top > 0:
            _colour_bar(panels[-1], row, colormap)
    return figure


def _compared(images: np.ndarray, row: MapRow, alpha: float, colormap: str) -> _Row:
    values = maps_for(row.maps, images, row.label)
    if row.laid_over:
        top = float(max(values.max(), 0))
        large = render.upsample(values, images.shape[1:3]) / (top or 1)
        pictures = render.blend(images, render.colours(large, colormap), alpha)
        return _on_scale(_overlaid(images, pictures, values), row.label, values, top)
    most = np.percentile(values, PERCENTILE)
    top = float(most if most > 0 else max(values.max(), 0))
    pictures = render.colours(values / (top or 1), colormap)
    return _on_scale(_Row(pictures, _remarks(values)), row.label, values, top)


def _checked(images: Images, titles: Titles) -> UInt8[np.ndarray, "n height width 3"]:
    images = np.asarray(images)
    check_images(images)
    if titles is not None and len(titles) != len(images):
        raise InputError(f"{len(images)} images want as many titles; found {len(titles)}")
    return images


def _without_peaks(values: Float[np.ndarray, "n h w"]) -> Float[np.ndarray, "n h w"]:
    """Return maps cut at their 99.5th percentile, but where that is their smallest value."""
    low, high = (np.percentile(values, q, axis=(1, 2), keepdims=True) for q in (0, PERCENTILE))
    return np.where(high > low, np.minimum(values, high), values)


def _remarks(values: Float[np.ndarray, "n h w"]) -> list[str]:
    """Return what a picture of each map would hide: that there is nothing, or only one value."""
    constant = ["" if np.ptp(a) > 0 else f"constant {a.flat[0]:.3g}" for a in values]
    return [c if a.max() > 0 else "nothing positive" for a, c in zip(values, constant, strict=True)]


def _overlaid(images: np.ndarray, pictures: np.ndarray, values: np.ndarray) -> _Row:
    """Return the overlays as a row, with the bare image where a map has nothing to show."""
    remarks = _remarks(values)
    bare = np.array([remark != "" for remark in remarks])
    return _Row(np.where(bare[:, None, None, None], images, pictures), remarks)


def _on_scale(row: _Row, label: str, values: np.ndarray, top: float) -> _Row:
    """Return the row with its label and a colour bar from 0 to `top`, arrows where values pass."""
    extend = ("neither", "max", "min", "both")[2 * (values.min() < 0) + (values.max() > top)]
    return row._replace(label=label, top=top, extend=extend)


def _lines(rows: list[_Row], titles: Titles, title: str | None) -> "Figure":
    """Return the figure of the rows, broken into lines of even length."""
    count = len(rows[0].pictures)
    lines = math.ceil(count / MOST_COLUMNS)
    return _grid(rows, math.ceil(count / lines), CELL, titles, title)[0]


def _grid(
    rows: list[_Row], columns: int, cell: float, titles: Titles, title: str | None
) -> tuple["Figure", np.ndarray]:
    """Return a figure of the rows, in as many lines of `columns` pictures as it takes, and axes."""
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    from jaxvis.pictures.plain_figure import PlainFigure

    count, height, width = rows[0].pictures.shape[:3]
    headings = [_wrap(text, cell, HEADING, 3) for text in titles or [""] * count]
    name = _wrap(title or "", columns * cell, TITLE, 3)
    above = [_text_height(heading, HEADING) for heading in headings]
    above = [max(above[first : first + columns]) for first in range(0, count, columns)]
    lines = len(above)
    tall = lines * len(rows) * (cell * height / width + GAP) + sum(above) + GAP
    wide = columns * (cell + GAP) + (SIDES if rows[0].label else 0)
    pad = GAP / 2
    layout = ConstrainedLayoutEngine(w_pad=pad, h_pad=pad, wspace=0, hspace=0, compress=True)
    size = (wide, tall + _text_height(name, TITLE))
    figure = PlainFigure(size, render.DPI, layout=layout)
    if name:
        figure.suptitle(name, fontsize=TITLE, parse_math=False)
    axes = figure.subplots(lines * len(rows), columns, squeeze=False)
    for place, row in enumerate(rows):
        for index, picture in enumerate(row.pictures):
            panel = axes[index // columns * len(rows) + place, index % columns]
            panel.imshow(picture)
            panel.text(0.5, 0.5, row.remarks[index], transform=panel.transAxes, **REMARK)
            if place == 0:
                panel.set_title(headings[index], fontsize=HEADING, parse_math=False)
    for panel in axes.flat:
        panel.set(xticks=[], yticks=[])
        panel.spines[:].set_visible(False)
        if not panel.images:
            panel.remove()
    return figure, axes


def _colour_bar(panel: "Axes", row: _Row, colormap: str) -> None:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize
    from matplotlib.ticker import MaxNLocator

    mappable = ScalarMappable(Normalize(0, row.top), render.colormap_named(colormap))
    beside = panel.inset_axes((1.04, 0, 0.05, 1))
    bar = panel.figure.colorbar(mappable, cax=beside, extend=row.extend)
    bar.locator = MaxNLocator(4, steps=[1, 2, 2.5, 5, 10])
    bar.ax.tick_params(labelsize=HEADING - 1)
    bar.ax.yaxis.set_major_formatter("{x:g}")


def _wrap(text: str, inches: float, points: float, lines: int) -> str:
    """Return the text in at most so many lines of that width; a longer one ends in dots."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    # A percent sign stays with its number.
    words = visible(text, keep="\n").replace(" %", "\N{NO-BREAK SPACE}%").split(" ")
    font = FontProperties(size=points)
    for letters in range(int(inches * 72 / (0.5 * points)), 5, -1):
        # A class name too long for a line may end it after an underscore: a blank, for the while.
        parts = [word.replace("_", "_ ") if len(word) > letters else word for word in words]
        wrapped = textwrap.wrap(" ".join(parts), letters, max_lines=lines, placeholder=" ...")
        wrapped = [line.replace("_ ", "_").replace("\N{NO-BREAK SPACE}", " ") for line in wrapped]
        widths = [text_to_path.get_text_width_height_descent(a, font, False)[0] for a in wrapped]
        if max(widths, default=0) <= inches * 72:
            break
    return "\n".join(wrapped)


def _text_height(text: str, points: float) -> float:
    """Return the inches that a text takes with the space around it."""
    return (text.count("\n") + 1.5) * 1.2 * points / 72 if text else 0.0
