"""What pictures are made of, checked: images, and maps that are finite."""

from typing import Any

import numpy as np
from jaxtyping import Float, Float64, UInt8

from jaxvis.errors import InputError


def check_images(images: np.ndarray) -> None:
    """Raise `ValueError` unless images are uint8 (n, height, width, 3), none of it empty."""
    good = images.dtype == np.uint8 and images.ndim == 4 and images.shape[-1] == 3
    if not good or images.size == 0:
        raise InputError(
            f"images must be uint8 (n, height, width, 3), n at least 1, as load_images returns "
            f"them; found {images.dtype} {images.shape}. Pass the images themselves, not what "
            "preprocess made of them."
        )


def finite_maps(maps: Float[Any, "*n height width"]) -> Float64[np.ndarray, "*n height width"]:
    """Return maps as float64; raise `ValueError` for a wrong rank, NaN, infinity, or no values."""
    values = np.asarray(maps, dtype=np.float64)
    if values.ndim not in (2, 3) or 0 in values.shape:
        raise InputError(
            f"maps must be (n, height, width) or (height, width), none of it empty; found shape "
            f"{values.shape}. An input gradient loses its channels first: saliency() does that."
        )
    bad = ~np.isfinite(values)
    if bad.any():
        places = [tuple(map(int, place)) for place in np.argwhere(bad)[:3]]
        axes = "(image, row, column)" if values.ndim == 3 else "(row, column)"
        raise InputError(
            f"maps hold {bad.sum()} values that are not finite ({np.isnan(values).sum()} NaN, "
            f"{np.isinf(values).sum()} infinite) out of {values.size}; the first at {axes} "
            f"{', '.join(map(str, places))}. Check the weights and the input for such values, and "
            "low precision (float16) for overflow."
        )
    return values


def maps_for(
    maps: Float[Any, "n h w"], images: UInt8[np.ndarray, "n height width 3"], name: str
) -> Float64[np.ndarray, "n h w"]:
    """Return maps as `finite_maps` does; raise `ValueError` unless there is one for each image."""
    values = finite_maps(maps)
    if values.ndim != 3 or len(values) != len(images):
        raise InputError(
            f"{name}: {len(images)} images want maps of shape ({len(images)}, height, width); "
            f"found {values.shape}"
        )
    return values
