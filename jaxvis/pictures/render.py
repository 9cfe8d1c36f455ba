"""From raw maps to pictures: normalise, upsample, colour, overlay; NumPy only, no JAX.

The rest of jaxvis returns raw values; what is done to them before they are seen happens here and
in `figures`. Maps are (n, height, width), or one map (height, width), of any real dtype, NumPy or
JAX. Inputs are never modified.
"""

import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Float32, Float64, UInt8

from jaxvis.errors import InputError
from jaxvis.pictures.checks import check_images, finite_maps
from jaxvis.pictures.style import plain_style
from jaxvis.text import near_names

if TYPE_CHECKING:
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

DPI = 150
Z_RLE = 3  # zlib's name of a strategy, which Python's zlib does not export everywhere


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
    maps: Float[Any, "*n height width"], *, colormap: str = "jet"
) -> UInt8[np.ndarray, "*n height width 3"]:
    """Return the colours, RGB, of the normalised maps in a Matplotlib colour map.

    Raises `ValueError` for a colour map that Matplotlib does not know, and as `normalize` does.
    """
    return colours(normalize(maps), colormap)


def overlay(
    images: UInt8[Any, "*n height width 3"],
    maps: Float[Any, "*n height width"],
    *,
    alpha: float = 0.5,
    colormap: str = "jet",
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


@plain_style()
def save(figure: "Figure", path: str | os.PathLike[str]) -> Path:
    """Write the figure as PNG at 150 dpi and return its path; equal figures give equal bytes.

    The file appears complete or not at all: it is written beside its place and renamed. Raises
    `ValueError` for a name that does not end in .png, `FileNotFoundError` for a missing folder.
    """
    path = Path(path)
    if path.suffix.lower() != ".png":
        raise InputError(f"{path}: figures are written as PNG; give a name that ends in .png")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"{path}: the folder {path.parent} does not exist; make it first")
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
    try:
        # Compressed by runs alone: for a third of the time, files are as large as by level 4.
        figure.savefig(
            partial,
            format="png",
            dpi=DPI,
            metadata={"Software": None},
            pil_kwargs={"compress_level": 1, "compress_type": Z_RLE},
        )
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return path


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
