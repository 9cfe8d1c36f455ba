"""From raw maps to pictures: normalise, upsample, colour, overlay; NumPy only, no JAX.

The rest of jaxvis returns raw values; what is done to them before they are seen happens here and
in `figures`. Maps are (n, height, width), or one map (height, width), of any real dtype, NumPy or
JAX. Inputs are never modified.
"""

import io
import math
import os
import secrets
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Float32, Float64, UInt8

from jaxvis.errors import InputError
from jaxvis.pictures.checks import check_images, finite_maps
from jaxvis.pictures.kinds import SAVED
from jaxvis.pictures.palette import EVEN
from jaxvis.pictures.style import file_settings, plain_style
from jaxvis.text import near_names

if TYPE_CHECKING:
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

DPI = 150  # of charts
MOST_KEPT = 128  # of the 256 colours of a PNG, for maps
NEARLY_WHITE = 244
LOOKED_AT = 250_000  # pixels, some thousand for a colour
FINEST, COARSEST = 3, 20  # steps of a noisy picture in a PNG of few colours: 38 dB in jet
JPEG_QUALITY = 80  # at full resolution of colours


def normalize(maps: Float[Any, "*n height width"]) -> Float32[np.ndarray, "*n height width"]:
    """Return every map scaled to [0, 1] by its own range: (a - min) / (max - min), in float64.

    A constant map becomes all zeros, and no other, however small its values: gradients of 1e-9 are
    a map like any. Raises `ValueError` for values that are not finite and for arrays that are no
    maps.
    """
    values = finite_maps(maps)
    low = values.min(axis=(-2, -1), keepdims=True)
    high = values.max(axis=(-2, -1), keepdims=True)
    # Halved, for the range of float64's own largest values is not a float64.
    span = high / 2 - low / 2
    shares = (values / 2 - low / 2) / np.where(high > low, span, 1)
    return shares.astype(np.float32)


def upsample(
    maps: Float[Any, "*n h w"], size: tuple[int, int]
) -> Float32[np.ndarray, "*n height width"]:
    """Return maps resized to `size` = (height, width), bilinear with aligned corners.

    R a C^T, where R (height, h) and C (width, w) interpolate rows and columns; the corners keep
    their values, as with `scipy.ndimage.zoom(order=1)`. Raises `ValueError` for a size that is not
    two positive integers, for values that are not finite and for arrays that are no maps.
    """
    values = finite_maps(maps)
    whole = [isinstance(s, (int, np.integer)) and s > 0 for s in size]
    if whole != [True, True]:
        raise InputError(f"upsample: size must be two positive integers (height, width): {size!r}")
    rows = interpolation(values.shape[-2], size[0])
    columns = interpolation(values.shape[-1], size[1])
    # As one matrix: of a stack NumPy multiplies each by itself, thirty times slower.
    across = (rows @ values).reshape(-1, values.shape[-1]) @ np.ascontiguousarray(columns.T)
    return across.astype(np.float32).reshape(*values.shape[:-2], *size)


def heat_map(
    maps: Float[Any, "*n height width"], *, colormap: str = EVEN
) -> UInt8[np.ndarray, "*n height width 3"]:
    """Return the colours, RGB, of the normalised maps in a Matplotlib colour map.

    The default is perceptually even; the lab draws in "jet", whose yellow looks like an edge.
    Raises `ValueError` for a colour map that Matplotlib does not know, and as `normalize` does.
    """
    return colours(normalize(maps), colormap)


def overlay(
    images: UInt8[Any, "*n height width 3"],
    maps: Float[Any, "*n height width"],
    *,
    alpha: float = 0.5,
    colormap: str = EVEN,
) -> UInt8[np.ndarray, "*n height width 3"]:
    """Return (1 - alpha) * image + alpha * heat_map(map), rounded; alpha in [0, 1].

    Raises `ValueError` for images that are not uint8 RGB, for maps of another size or number
    than the images, for an alpha outside its range, and as `heat_map` does.
    """
    images, values = np.asarray(images), np.asarray(maps)
    if images.ndim == 3:
        check_images(images[np.newaxis])
    else:
        check_images(images)
    if values.shape != images.shape[:-1]:
        wanted = images.shape[:-1]
        hint = ""
        if values.ndim == len(wanted) and values.shape[:-2] == wanted[:-2]:
            hint = f" Upsample the maps first: upsample(maps, {wanted[-2:]})."
        raise InputError(
            f"overlay: images of shape {images.shape} want maps of shape {wanted}; found "
            f"{values.shape}.{hint}"
        )
    return blend(images, heat_map(values, colormap=colormap), alpha)


def save(figure: "Figure", path: str | os.PathLike[str], *, few_colours: bool = False) -> Path:
    """Write the figure and return its path; equal figures give equal bytes.

    As PNG, JPEG, SVG or PDF, by the end of the name, .png, .jpg, .svg or .pdf, at the figure's own
    dpi. In SVG and PDF letters are letters, and pictures have all their pixels. The file appears
    complete or not at all: it is written beside its place and renamed.

    Args:
        figure: any of Matplotlib's.
        path: where to.
        few_colours: whether a PNG is kept to 256 colours, which a picture of colour-mapped values
            has: a noisy one goes in coarser steps, and what lies between colours is dithered, so
            that nothing shows bands.

    Raises:
        ValueError: the name ends otherwise.
        FileNotFoundError: the folder is not there.
    """
    return rendered(figure, path, few_colours=few_colours)()


@plain_style()
def rendered(
    figure: "Figure", path: str | os.PathLike[str], *, few_colours: bool = False
) -> Callable[[], Path]:
    """Draw the figure, and return what writes it: `save` in two steps.

    The second needs neither the figure nor Matplotlib, so that another thread can take it while the
    next figure is drawn. Arguments and errors are those of `save`.
    """
    path = Path(path)
    kind = path.suffix.lower().removeprefix(".")
    if kind not in SAVED:
        raise InputError(
            f"{path}: figures are written as PNG, JPEG, SVG or PDF; give a name that ends in "
            f"{', '.join('.' + known for known in SAVED)}"
        )
    if not path.parent.is_dir():
        raise FileNotFoundError(f"{path}: the folder {path.parent} does not exist; make it first")
    if kind in ("svg", "pdf"):
        write: Callable[[Path], Any] = partial(Path.write_bytes, data=_vectors(figure, kind))
    else:
        pixels, maps = _pixels(figure, few_colours)
        if kind == "jpg":
            write = partial(_write_jpeg, pixels, figure.dpi)
        else:
            write = partial(_write_png, pixels, figure.dpi, maps if few_colours else None)
    return partial(_written, path, write)


def _written(path: Path, write: Callable[[Path], Any]) -> Path:
    """Have a file written beside its place, and put there when it is complete."""
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
    try:
        write(unfinished)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    return path


def _pixels(
    figure: "Figure", few_colours: bool
) -> tuple[UInt8[np.ndarray, "height width 3"], list[np.ndarray]]:
    """Return the figure's pixels, and the pictures that it holds, as they are shown."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    # `findobj` would make all ticks to look at them.
    images = [image for panel in figure.axes for image in panel.images]
    whole = [image for image in images if image.get_interpolation() == "none"]
    theirs, exact = figure.canvas, [np.asarray(image.get_array()) for image in whole]
    shown = [no_finer_than_noise(pixels) for pixels in exact] if few_colours else exact
    try:
        for image, pixels in zip(whole, shown, strict=True):
            image.set_data(pixels)
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
    finally:
        figure.set_canvas(theirs)
        for image, pixels in zip(whole, exact, strict=True):
            image.set_data(pixels)
    return np.asarray(canvas.buffer_rgba())[..., :3], shown


def _write_jpeg(pixels: UInt8[np.ndarray, "height width 3"], dpi: float, path: Path) -> None:
    from PIL import Image

    picture = Image.fromarray(pixels)
    # Colours at full resolution: they are what a map says.
    how: Any = {"quality": JPEG_QUALITY, "subsampling": 0, "dpi": (dpi, dpi)}
    try:
        picture.save(path, "JPEG", optimize=True, progressive=True, **how)
    except OSError:  # Pillow's buffer holds a byte a pixel then, and pure noise takes more
        picture.save(path, "JPEG", **how)


def _write_png(
    pixels: UInt8[np.ndarray, "height width 3"],
    dpi: float,
    maps: Sequence[np.ndarray] | None,
    path: Path,
) -> None:
    """Write a PNG, of 256 colours if the maps that it shows are given."""
    from PIL import Image

    picture = Image.fromarray(pixels)
    if maps is not None:
        picture = _in_few_colours(picture, maps)
    # Compression 4 takes less than half the time of the usual 6, for 3 % more bytes.
    picture.save(path, "PNG", compress_level=4, dpi=(dpi, dpi))


def _in_few_colours(picture: Any, maps: Sequence[np.ndarray]) -> Any:
    """Return a picture of 256 colours: paper, ink, those of the maps if they are few enough, as
    they are, and for all else what lies nearest to it, dithered."""
    from PIL import Image

    # As one number each, which sorts in a tenth of the time.
    numbers = [a.reshape(-1, 3).astype(np.int32) @ (1 << 16, 1 << 8, 1) for a in maps]
    found = np.unique(np.concatenate([*numbers, np.zeros(0, np.int32)]))
    found = found if len(found) <= MOST_KEPT else found[:0]
    kept = np.stack([found >> 16, found >> 8 & 255, found & 255], axis=-1)
    rest = 254 - len(kept)
    # Of as many pixels as tell the colours: to look at all of a large picture takes ten times as
    # long as to draw it in those that are found.
    step = max(1, round(math.sqrt(picture.width * picture.height / LOOKED_AT)))
    size = math.ceil(picture.width / step), math.ceil(picture.height / step)
    some = picture.resize(size, Image.Resampling.NEAREST)
    others = np.reshape(some.quantize(rest, Image.Quantize.MEDIANCUT).getpalette() or [], (-1, 3))
    # Pillow takes the next best of colours as near as that, and paper would be grey.
    others = others[:rest][others[:rest].min(axis=1) < NEARLY_WHITE]
    palette = Image.new("P", (1, 1))
    palette.putpalette([255, 255, 255, 0, 0, 0, *kept.ravel().tolist(), *others.ravel().tolist()])
    return picture.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG)


def no_finer_than_noise(
    picture: UInt8[np.ndarray, "height width 3"],
) -> UInt8[np.ndarray, "height width 3"]:
    """Return a noisy picture in steps of what neighbours differ by anyway, 20 of 255 at most.

    Nobody sees the difference, and a PNG of it takes a third less. A smooth one, whatever its
    slope, is returned as it is.
    """
    changes = np.abs(np.diff(picture.astype(np.int16), n=2, axis=1)).max(axis=-1)
    noise = np.median(changes) / np.sqrt(3) if changes.size else 0
    if noise < FINEST:
        return picture
    step = min(noise, COARSEST)
    return np.clip(np.rint(picture / step) * step, 0, 255).astype(np.uint8)


def _vectors(figure: "Figure", kind: str) -> bytes:
    """Return the figure as a file of SVG or PDF."""
    from matplotlib.image import AxesImage

    images = figure.findobj(AxesImage)
    drawn = [image.get_interpolation() for image in images]
    for image in images:
        image.set_interpolation("none")  # its own pixels, whatever the size it is shown in
    # No date and no random names, so that equal figures give equal bytes.
    dated: Any = {"Date": None} if kind == "svg" else {"CreationDate": None}
    file = io.BytesIO()
    try:
        with file_settings(svg_hashsalt="jaxvis", svg_fonttype="none", pdf_fonttype=42):
            figure.savefig(file, format=kind, metadata=dated)
    finally:
        for image, interpolation in zip(images, drawn, strict=True):
            image.set_interpolation(interpolation)
    return file.getvalue()


def blend(
    images: UInt8[np.ndarray, "*n height width 3"],
    coloured: UInt8[np.ndarray, "*n height width 3"],
    alpha: float,
) -> UInt8[np.ndarray, "*n height width 3"]:
    """Return (1 - alpha) * images + alpha * coloured, rounded; alpha in [0, 1]."""
    if not 0 <= alpha <= 1:
        raise InputError(
            f"alpha must be from 0 (only the image) to 1 (only the colours): found {alpha}"
        )
    blended = images * float(1 - alpha)
    blended += coloured * float(alpha)
    return np.rint(blended, out=blended).astype(np.uint8)


def colours(
    values: Float[np.ndarray, "*n height width"], colormap: str
) -> UInt8[np.ndarray, "*n height width 3"]:
    """Return the colours, RGB, of values in [0, 1]; beyond it those of 0 and 1."""
    return colormap_named(colormap)(values, bytes=True)[..., :3]


def around_zero(values: np.ndarray, end: Any) -> np.ndarray:
    """Return values as shares of the colours: 1/2 for 0, 1 for `end`, 0 for -`end`."""
    return 0.5 + values / (2 * end)


def colormap_named(name: str) -> "Colormap":
    """Return Matplotlib's colour map; raise `ValueError` with near names if there is none."""
    import matplotlib

    if name in matplotlib.colormaps:
        return matplotlib.colormaps[name]
    near = near_names(name, matplotlib.colormaps, 5)
    advice = f"Near names: {', '.join(near)}." if near else ""
    raise InputError(
        f"unknown colour map {name!r}. {advice or 'No name is near; try jet or viridis.'} "
        "list(matplotlib.colormaps) gives all of them."
    )


def interpolation(source: int, target: int) -> Float64[np.ndarray, "target source"]:
    """Return a matrix; row t weighs the two samples beside t (source - 1) / (target - 1)."""
    positions = np.linspace(0, source - 1, target)
    return np.maximum(0, 1 - np.abs(positions[:, np.newaxis] - np.arange(source)))
