"""The same raw map as different libraries show it: how much of what one sees is display.

A preset is five choices: what becomes of the channels, how a small map is enlarged, how values
become shares of a colour scale, which colours, and how much of the image shines through. Read in
the sources of tf-keras-vis 0.8.7, keras-vis 0.4.1, Captum 0.9.0, saliency 0.2.1 (PAIR) and torchcam
0.5.0. NumPy, Pillow and Matplotlib's colours only, no JAX.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

import numpy as np
from jaxtyping import Float, Float64, UInt8

from jaxvis.errors import InputError
from jaxvis.pictures.checks import check_images
from jaxvis.pictures.palette import DIVERGING, EVEN, Colours
from jaxvis.pictures.render import around_zero, blend, colours, upsample
from jaxvis.text import near_names

Array = Float64[np.ndarray, "..."]
Size = tuple[int, int]


class Preset(NamedTuple):
    """How a library shows a map.

    Attributes:
        reduce: from values (n, height, width, channels) to (n, height, width).
        enlarge: from one map and (height, width) to a map of that size.
        share: from one enlarged map to numbers in [0, 1] for the colours.
        colormap: Matplotlib's name for the colours, or some RGB, each in [0, 1], between which
            they run.
        alpha: the share of the colours where a map is laid over its image.
        signed: whether 1/2 stands for 0, so that both signs show.
        before: what is done to one map before it is enlarged.
    """

    reduce: Callable[[Array], Array]
    enlarge: Callable[[Array, Size], Array]
    share: Callable[[Array], Array]
    colormap: Colours
    alpha: float = 0.5
    signed: bool = False
    before: Callable[[Array], Array] = lambda map: map


def present(
    values: Float[Any, "n height width *channels"],
    preset: str = "jaxvis",
    *,
    images: UInt8[Any, "n height width 3"] | None = None,
    size: Size | None = None,
    colormap: str | None = None,
    alpha: float | None = None,
) -> UInt8[np.ndarray, "n height width 3"]:
    """Return raw maps as a library would show them, RGB.

    Args:
        values: raw and signed: a gradient (n, height, width, channels), or maps (n, height, width)
            of the input's or a layer's size.
        preset: a name in `PRESETS`.
        images: what the maps are laid over, which are enlarged to their size; without them the
            colours stand alone.
        size: (height, width) to enlarge to, where there are no images.
        colormap: any of Matplotlib's, in the place of the preset's.
        alpha: the share of the colours over the images, from 0 to 1, in the place of the preset's.

    Raises:
        ValueError: an unknown preset or colour map, an alpha out of range, values that are not
            finite or no maps, or images that do not fit.
    """
    how = preset_named(preset)
    found = np.asarray(values, np.float64)
    if found.ndim not in (3, 4) or 0 in found.shape:
        raise InputError(
            f"values have shape {found.shape}; wanted maps (n, height, width), or a gradient (n, "
            "height, width, channels)"
        )
    if not np.isfinite(found).all():
        raise InputError("values hold NaN or infinity; wanted finite numbers")
    maps = how.reduce(found if found.ndim == 4 else found[..., None])
    if images is not None:
        check_images(np.asarray(images))
        if len(images) != len(maps):
            raise InputError(f"there are {len(images)} images for {len(maps)} maps")
        size = np.asarray(images).shape[1:3]
    shares = []
    for one in maps:
        one = how.before(one)
        if size is not None and one.shape != tuple(size):
            one = how.enlarge(one, (int(size[0]), int(size[1])))
        shares.append(np.clip(how.share(one), 0, 1))
    coloured = _coloured(np.stack(shares), how.colormap if colormap is None else colormap)
    if images is None:
        return coloured
    return blend(np.asarray(images), coloured, how.alpha if alpha is None else alpha)


def preset_named(name: str) -> Preset:
    """Return the preset; raise `ValueError` with near names if there is none."""
    if name in PRESETS:
        return PRESETS[name]
    near = near_names(name, PRESETS, 3)
    advice = f". Near names: {', '.join(near)}" if near else ""
    raise InputError(f"preset is {name!r}; wanted one of {', '.join(PRESETS)}{advice}")


def _coloured(shares: Array, colormap: Colours) -> UInt8[np.ndarray, "n height width 3"]:
    if isinstance(colormap, str):
        return colours(shares, colormap)
    places = np.linspace(0, 1, len(colormap))
    channels = [np.interp(shares, places, channel) for channel in zip(*colormap, strict=True)]
    return np.rint(255 * np.stack(channels, axis=-1)).astype(np.uint8)


def _largest(values: Array) -> Array:
    return np.abs(values).max(axis=-1)


def _strongest(values: Array) -> Array:
    """The value that is largest in absolute value, with its sign."""
    place = np.abs(values).argmax(axis=-1)[..., None]
    return np.take_along_axis(values, place, axis=-1)[..., 0]


def _aligned(one: Array, size: Size) -> Array:
    return np.asarray(upsample(one, size), np.float64)


def _bicubic(one: Array, size: Size) -> Array:
    return _by_pillow(one, size, "BICUBIC")


def _nearest(one: Array, size: Size) -> Array:
    return _by_pillow(one, size, "NEAREST")


def _by_pillow(one: Array, size: Size, how: Literal["BICUBIC", "NEAREST"]) -> Array:
    from PIL import Image

    picture = Image.fromarray(one.astype(np.float32))  # mode "F"
    return np.asarray(picture.resize(size[::-1], Image.Resampling[how]), np.float64)


def _min_max(one: Array) -> Array:
    """With the 1e-7 of tf-keras-vis and keras-vis: a map of tiny values stays dark."""
    return (one - one.min()) / (one.max() - one.min() + 1e-7)


def _own_range(one: Array) -> Array:
    extent = one.max() - one.min()
    return (one - one.min()) / (extent if extent > 0 else 1)


def _percentile(one: Array) -> Array:
    """From the smallest value to the 99th percentile."""
    low, high = one.min(), np.percentile(one, 99)
    return np.clip((one - low) / (high - low if high > low else 1), 0, 1)


def _outliers(one: Array) -> float:
    """The value below which 98 % of all that the map adds up to lies."""
    ordered = np.sort(np.abs(one), axis=None)
    total = np.cumsum(ordered)
    found = ordered[np.flatnonzero(total >= 0.98 * total[-1])[0]]
    return float(found) if found > 0 else 1.0


def _around_zero(one: Array) -> Array:
    """1/2 for 0, and the largest absolute value at an end."""
    return around_zero(one, np.abs(one).max() or 1)


PRESETS: Mapping[str, Preset] = MappingProxyType(
    {
        "jaxvis": Preset(_largest, _aligned, _own_range, EVEN),
        "signed": Preset(_strongest, _aligned, _around_zero, DIVERGING, signed=True),
        "tf-keras-vis": Preset(_largest, _aligned, _min_max, "jet"),
        "keras-vis": Preset(_largest, _bicubic, _min_max, "jet"),
        "captum": Preset(
            lambda values: np.abs(values.sum(axis=-1)), _nearest,
            lambda one: np.clip(one / _outliers(one), 0, 1), "Blues",
        ),
        "captum signed": Preset(
            lambda values: values.sum(axis=-1), _nearest,
            lambda one: 0.5 + np.clip(one / _outliers(one), -1, 1) / 2,
            ((1, 0, 0), (1, 1, 1), (0, 0.5, 0)), signed=True,
        ),
        "pair": Preset(lambda values: np.abs(values).sum(axis=-1), _aligned, _percentile, "gray"),
        "torchcam": Preset(
            _largest, _bicubic, lambda one: np.clip(one, 0, 1) ** 2, "jet", alpha=0.3,
            before=_own_range,
        ),
    }
)  # fmt: skip
