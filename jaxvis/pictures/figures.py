"""The figures of the lab report: images, saliency maps, Grad-CAM overlays, the comparison grid.

Each function takes uint8 RGB images and raw maps and returns a `matplotlib.figure.Figure`. There is
no pyplot: a figure needs no display, may be drawn in a thread, and goes with its last reference.
The style that the user has set does not reach it.
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from jaxtyping import Float, UInt8

from jaxvis.errors import InputError
from jaxvis.pictures import render
from jaxvis.pictures.checks import check_images, maps_for
from jaxvis.pictures.colour_bar import Bar, draw_bar
from jaxvis.pictures.lettering import text_height, wrapped
from jaxvis.pictures.palette import Colours, colormap_for
from jaxvis.pictures.presets import present, preset_named
from jaxvis.pictures.sheet import DPI, SMALL, Look, Row, sheet
from jaxvis.pictures.style import plain_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CELL = 200  # pixels of a panel's width, at least: a smaller picture is enlarged to whole pixels
LARGEST = 400  # and at most
SMALL_CELL = 144  # of a panel of the comparison grid, so that it can be seen at a glance
SHARE = 0.36  # of the images above their saliency maps, which are on the page already
MOST_COLUMNS = 5  # of a row of images, before it goes on in a next line
MOST_LARGE = 16  # images in large panels; more are small, on a contact sheet
MOST_COMPARED = 48
PERCENTILE = 99.5  # a few pixels of a saliency map are far above the rest
SIGNS = ("negative", "0", "positive")  # what the ends and the middle of colours mean
TITLE, HEADING = 12, 9  # points
GAP = 0.08  # inches between panels
BAR = 0.6  # inches of the words or numbers of a colour bar
BOX = {"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "boxstyle": "round"}
REMARK = {"ha": "center", "va": "center", "fontsize": HEADING + 1, "bbox": BOX}

Images = UInt8[Any, "n height width 3"]
RawMaps = Float[Any, "n h w"]
Titles = Sequence[str] | None


@plain_style()
def figure_images(
    images: Images, titles: Titles = None, *, title: str | None = None, axes: bool = True
) -> "Figure":
    """Return the figure of the images, five at most in a line, each under its title.

    More than 16 images are small, twelve at most in a line, and all of them one picture. So they
    are without `axes`, in a tenth of the time, at their usual size; also in the other figures.

    Raises `ValueError` for images that are not uint8 RGB or another number of titles.
    """
    images = _checked(images, titles)
    return _lines([Row(images, [""] * len(images))], titles, title, axes)


@plain_style()
def figure_saliency(
    images: Images,
    maps: RawMaps,
    titles: Titles,
    *,
    title: str | None,
    colormap: str | None = None,
    signed: bool = False,
    preset: str | None = None,
    axes: bool = True,
) -> "Figure":
    """Return the figure of the images, small, and under each its map on a scale of its own.

    That runs from the map's smallest value to its 99.5th percentile: a few pixels are far above the
    rest, and scaled by them a map is all but black. A map without a positive value, and a constant
    one, says so. Where signs show, 0 has the middle of the colours, the 99.5th percentile of the
    absolute values is at both ends, and a colour bar says which is which.

    Args:
        images: uint8 RGB (n, height, width, 3).
        maps: raw, (n, h, w), of any real dtype.
        titles: one above each image, or None.
        title: above all of them, or None.
        colormap: any of Matplotlib's; None for the preset's, the lab's `jet`, or diverging colours
            where signs show.
        signed: whether signs show.
        preset: a name in `PRESETS`: maps then are what `present` makes of them, with their signs if
            the preset shows them; None for the above.
        axes: whether every panel has axes of its own: see `figure_images`.

    Raises:
        ValueError: as `figure_images` and `present` do, and for another number of maps than images.
    """
    images = _checked(images, titles)
    values = maps_for(maps, images, "maps")
    if preset is None:
        found = colormap_for(colormap, lab=True, signed=signed)
        if signed:
            shares = render.around_zero(values, _ends(values, PERCENTILE))
        else:
            shares = render.normalize(_without_peaks(values))
        row = _row(values, render.colours(shares, found), found, signed)
    else:
        row = _preset_row(values, None, preset, colormap)
    return _lines([Row(images, [""] * len(images), share=SHARE), row], titles, title, axes)


@plain_style()
def figure_grad_cam(
    images: Images,
    cams: RawMaps,
    titles: Titles,
    *,
    title: str | None,
    alpha: float | None = None,
    colormap: str | None = None,
    signed: bool = False,
    preset: str | None = None,
    axes: bool = True,
) -> "Figure":
    """Return the figure of the class activation maps, upsampled and laid over their images.

    Each map is scaled by its own range. One without a positive value says "nothing positive", a
    constant one its value, and both leave their image as it is. Where signs show, 0 has the middle
    of the colours, the largest absolute value an end, and a colour bar says which is which.

    Args:
        images, titles, title, colormap, signed, preset, axes: as in `figure_saliency`.
        cams: raw, (n, h, w), of any real dtype.
        alpha: the share of the colours, from 0 to 1; None for the preset's, or 0.5.

    Raises:
        ValueError: as `figure_saliency` and `overlay` do.
    """
    images = _checked(images, titles)
    values = maps_for(cams, images, "cams")
    if preset is None:
        found = colormap_for(colormap, lab=True, signed=signed)
        large = render.upsample(values, images.shape[1:3])
        shares = render.around_zero(large, _ends(large, 100)) if signed else render.normalize(large)
        pictures = render.blend(images, render.colours(shares, found), _or_half(alpha))
        row = _row(values, pictures, found, signed, images)
    else:
        row = _preset_row(values, images, preset, colormap, alpha)
    return _lines([row], titles, title, axes)


class MapRow(NamedTuple):
    """A row of the comparison grid: its label, raw maps, and how they are drawn.

    Attributes:
        label: at its left.
        maps: raw, (n, h, w).
        laid_over: whether they are enlarged and laid over the images, as a layer's; maps of the
            input's size stand alone.
        signed: whether their signs show.
        lab: whether they are one of the lab's, in `jet` where no colours are asked for.
    """

    label: str
    maps: RawMaps
    laid_over: bool
    signed: bool = False
    lab: bool = False


@plain_style()
def figure_comparison(
    images: Images,
    titles: Titles,
    rows: Sequence[MapRow],
    *,
    title: str | None = None,
    alpha: float | None = None,
    colormap: str | None = None,
    preset: str | None = None,
    axes: bool = True,
) -> "Figure":
    """Return one grid: images as columns, maps as rows, raw values on one scale per row.

    A row's scale runs from 0 to its largest value, for maps that stand alone to their 99.5th
    percentile: the colour bar then ends in an arrow. Where signs show, it runs as far below 0. A
    map without a positive value says so; a row of such maps has no colour bar.

    Args:
        images: uint8 RGB (n, height, width, 3), 16 at most.
        titles: one above each image, or None.
        rows: what `Maps.rows()` returns.
        title: above all of them, or None.
        alpha: the share of the colours over images, from 0 to 1; None for the preset's, or 0.5.
        colormap: any of Matplotlib's, for all rows; None for what each row is drawn in: see
            `jaxvis.pictures.palette.colormap_for`.
        preset: a name in `PRESETS`: every map is what `present` makes of it, on a scale of its own;
            None for the above.

    Raises:
        ValueError: as `figure_saliency` and `figure_grad_cam` do, for no maps at all and for more
            than 48 images.
    """
    images = _checked(images, titles)
    if not rows:
        raise InputError("figure_comparison: nothing to compare; pass maps.rows()")
    if len(images) > MOST_COMPARED:
        raise InputError(
            f"figure_comparison: one grid holds at most {MOST_COMPARED} images; found "
            f"{len(images)}. Draw them in several figures."
        )
    whole = _whole(images.shape[2])
    wide = min(whole, max(SMALL_CELL, 4 * SMALL_CELL // len(images)))
    drawn = [Row(images, [""] * len(images), "input")]
    for row in rows:
        values = maps_for(row.maps, images, row.label)
        if preset is None:
            one = _compared(images, values, row, alpha, colormap)
        else:
            under = images if row.laid_over else None
            one = _preset_row(values, under, preset, colormap, alpha)
        drawn.append(one._replace(label=row.label))
    if len(images) > MOST_LARGE:
        return sheet(drawn, titles, title, SMALL)
    if not axes:
        return sheet(drawn, titles, title, Look(wide, len(images), HEADING))
    return _grid(drawn, len(images), wide, titles, title)


def _compared(
    images: np.ndarray, values: np.ndarray, row: MapRow, alpha: float | None, colormap: str | None
) -> Row:
    """Return a row of the grid on one scale, from 0 to `top`, or from -`top` where signs show."""
    found = colormap_for(colormap, lab=row.lab, signed=row.signed)
    seen = np.abs(values) if row.signed else values
    most = 0 if row.laid_over else np.percentile(seen, PERCENTILE)
    top = float(most if most > 0 else max(seen.max(), 0))
    large = render.upsample(values, images.shape[1:3]) if row.laid_over else values
    shares = render.around_zero(large, top or 1) if row.signed else large / (top or 1)
    pictures = render.colours(shares, found)
    if row.laid_over:
        pictures = render.blend(images, pictures, _or_half(alpha))
    drawn = _row(values, pictures, found, row.signed, images if row.laid_over else None)
    bottom = -top if row.signed else 0.0
    beyond = 2 * (values.min() < bottom) + (values.max() > top)
    bar = Bar(found, bottom, top, ("neither", "max", "min", "both")[beyond])
    return drawn._replace(bar=bar if top > 0 else None)


def _preset_row(
    values: np.ndarray,
    images: np.ndarray | None,
    preset: str,
    colormap: str | None,
    alpha: float | None = None,
) -> Row:
    """Return maps as the preset shows them, laid over images if they are given."""
    how = preset_named(preset)
    pictures = present(values, preset, images=images, colormap=colormap, alpha=alpha)
    return _row(values, pictures, colormap or how.colormap, how.signed, images)


def _row(
    values: np.ndarray,
    pictures: np.ndarray,
    colours: Colours,
    signed: bool,
    images: np.ndarray | None = None,
) -> Row:
    """Return maps, each on its own scale, as a row: remarks, and the meaning of signs in words.

    Where a map has nothing to show, what it would be laid over is left bare.
    """
    remarks = _remarks(values, signed)
    if images is not None:
        bare = np.array([remark != "" for remark in remarks])
        pictures = np.where(bare[:, None, None, None], images, pictures)
    return Row(pictures, remarks, bar=Bar(colours, -1, 1, words=SIGNS) if signed else None)


def _checked(images: Images, titles: Titles) -> UInt8[np.ndarray, "n height width 3"]:
    images = np.asarray(images)
    check_images(images)
    if titles is not None and len(titles) != len(images):
        raise InputError(f"{len(images)} images want as many titles; found {len(titles)}")
    return images


def _without_peaks(values: Float[np.ndarray, "n h w"]) -> Float[np.ndarray, "n h w"]:
    """Return maps cut at their 99.5th percentile, but where that is their smallest value."""
    low = values.min(axis=(1, 2), keepdims=True)
    high = np.percentile(values, PERCENTILE, axis=(1, 2), keepdims=True)
    return np.where(high > low, np.minimum(values, high), values)


def _ends(values: Float[np.ndarray, "n h w"], percentile: float) -> Float[np.ndarray, "n 1 1"]:
    """Return a percentile of each map's absolute values, or the largest, or 1: above 0."""
    sizes = np.abs(values)
    most = np.percentile(sizes, percentile, axis=(1, 2), keepdims=True)
    most = np.where(most > 0, most, sizes.max(axis=(1, 2), keepdims=True))
    return np.where(most > 0, most, 1)


def _or_half(alpha: float | None) -> float:
    return 0.5 if alpha is None else alpha


def _remarks(values: Float[np.ndarray, "n h w"], signed: bool) -> list[str]:
    """Return what a picture of each map would hide: that there is nothing, or only one value."""
    constant = ["" if np.ptp(a) > 0 else f"constant {a.flat[0]:.3g}" for a in values]
    return [
        c if signed or a.max() > 0 else "nothing positive"
        for a, c in zip(values, constant, strict=True)
    ]


def _lines(rows: list[Row], titles: Titles, title: str | None, axes: bool) -> "Figure":
    """Return the figure of the rows, broken into lines of even length; of many, a sheet."""
    count = len(rows[0].pictures)
    if count > MOST_LARGE:
        return sheet(rows, titles, title, SMALL)
    width = _whole(rows[0].pictures.shape[2])
    if not axes:
        return sheet(rows, titles, title, Look(width, MOST_COLUMNS, HEADING))
    lines = math.ceil(count / MOST_COLUMNS)
    return _grid(rows, math.ceil(count / lines), width, titles, title)


def _whole(width: int) -> int:
    """Return the width of a panel in which every pixel of a picture is whole pixels."""
    return min(LARGEST, width * math.ceil(CELL / width))


def _grid(rows: list[Row], columns: int, wide: int, titles: Titles, title: str | None) -> "Figure":
    """Return a figure of the rows, in as many lines of `columns` panels, `wide` pixels each, as it
    takes.

    Every panel has its place in whole pixels, so that its picture is drawn as it is: smoothing
    would make new colours, and many more bytes.
    """
    from jaxvis.pictures.plain_figure import PlainFigure

    count, height, width = rows[0].pictures.shape[:3]
    inches, gap = wide / DPI, round(GAP * DPI)
    headings = [wrapped(text, inches, HEADING, 3) for text in titles or [""] * count]
    labels = [wrapped(row.label, inches * height / width, HEADING + 1, 3) for row in rows]
    name = wrapped(title or "", columns * inches, TITLE, 3)
    above = [_text_pixels(heading, HEADING) for heading in headings]
    above = [max(above[first : first + columns]) for first in range(0, count, columns)]
    left = max(_text_pixels(label, HEADING + 1) for label in labels)
    barred = any(row.bar for row in rows)
    below = gap + 5 * barred  # the numbers of a bar stand out above and below
    right = round(0.09 * wide + BAR * DPI) * barred
    tall = [max(1, round(row.share * wide * height / width)) for row in rows]
    lines = len(above)
    size = (
        gap + left + columns * (wide + gap) + right,
        gap + _text_pixels(name, TITLE) + sum(above) + lines * (sum(tall) + below * len(rows)),
    )
    # A whole number of pixels, and a trifle, for what is left of a division is cut off.
    figure = PlainFigure([(side + 1e-3) / DPI for side in size], DPI)
    if name:
        middle = gap + left + (columns * (wide + gap) - gap) / 2
        figure.suptitle(name, x=middle / size[0], y=1 - gap / size[1], fontsize=TITLE,
                        parse_math=False)  # fmt: skip
    axes = figure.subplots(lines * len(rows), columns, squeeze=False)
    top = gap + _text_pixels(name, TITLE)
    for line in range(lines):
        top += above[line]
        for place, row in enumerate(rows):
            for column in range(columns):
                panel, index = axes[line * len(rows) + place, column], line * columns + column
                if index >= count:
                    panel.remove()
                    continue
                across = round(row.share * wide)
                start = gap + left + column * (wide + gap) + (wide - across) // 2
                _place(panel, size, start, top, across, tall[place])
                smaller = across < width
                panel.imshow(row.pictures[index], aspect="auto",
                             interpolation="antialiased" if smaller else "none")  # fmt: skip
                panel.text(0.5, 0.5, row.remarks[index], transform=panel.transAxes, **REMARK)
                panel.set(xticks=[], yticks=[])
                panel.spines[:].set_visible(False)
                if place == 0:
                    panel.set_title(headings[index], fontsize=HEADING, parse_math=False)
                if column == 0:
                    panel.set_ylabel(labels[place], fontsize=HEADING + 1, parse_math=False)
            top += tall[place] + below
    for panel, row in zip(axes[: len(rows), -1], rows, strict=True):
        if row.bar:
            draw_bar(panel, row.bar, HEADING - 1)
    return figure


def _place(panel: "Axes", size: tuple[int, int], left: int, top: int, wide: int, tall: int) -> None:
    """Put a panel on the pixels from `left` and `top` of a figure of `size`."""
    # Less than a pixel by a trifle, for whatever is more is drawn as one more.
    trifle = 0.005
    panel.set_position((
        (left + trifle) / size[0], 1 - (top + tall - trifle) / size[1],
        (wide - 2 * trifle) / size[0], (tall - 2 * trifle) / size[1],
    ))  # fmt: skip


def _text_pixels(text: str, points: float) -> int:
    """Return the pixels that a text takes with the space around it."""
    return round(text_height(text, points) * DPI)
