"""Image files -> uint8 RGB: `find` knows which files, `decode` reads one, here they become arrays.

Transparency goes over white, 16 bits per channel are scaled to 8, CMYK is converted as Pillow does
without a profile, EXIF orientation is applied, an animation gives its first frame.
"""

import os
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from jaxvis.errors import InputError
from jaxvis.pictures.decode import decode
from jaxvis.pictures.errors import ImageError
from jaxvis.pictures.find import Source, StrPath, find_images

__all__ = ["RESAMPLING", "ImageError", "Source", "find_images", "load_image", "load_images"]

RESAMPLING = ("nearest", "box", "bilinear", "hamming", "bicubic", "lanczos")


def load_images(
    source: Source, size: tuple[int, int] = (224, 224), *, resample: str = "nearest"
) -> UInt8[np.ndarray, "n height width 3"]:
    """Read all of `find_images(source)` as `load_image` does, squeezed to (height, width).

    Nearest is what VGG16 is used with in Keras. Another network says what it was trained with:
    `load_images(files, network.size, resample=network.resample)`.
    """
    _check_options(size, resample)
    return np.stack([load_image(path, size, resample=resample) for path in find_images(source)])


def load_image(
    path: StrPath, size: tuple[int, int] = (224, 224), *, resample: str = "nearest"
) -> UInt8[np.ndarray, "height width 3"]:
    """Read one image as uint8 RGB, squeezed to `size`, (height, width), as Keras's `load_img` does.

    The format is one of `decode.FORMATS`, whatever the suffix; `resample` is one of `RESAMPLING`.
    An image takes at most 300 MB while it is read. That is a JPEG of 70 megapixels, or 35 if the
    camera was turned; a larger one is decoded at a half, a quarter or an eighth of its size, so
    that its pixels are means of its own, and then squeezed. Of other formats, a larger one is
    refused before it is decoded: an RGB PNG of over 70 megapixels, 35 with transparency, a WebP of
    over 17. Decoding may take 20 seconds.

    Raises:
        ImageError: the file is missing, unreadable, no regular file, empty, in another format,
            truncated, under 32 pixels on its shorter side, too large or too slow to decode, or of
            a pixel type whose range is unknown; or it has 16 bits per channel and uses 12.
        ValueError: an impossible size or an unknown filter.
    """
    from PIL import Image

    _check_options(size, resample)
    image = decode(Path(os.path.expanduser(path)))
    return np.array(image.resize((size[1], size[0]), Image.Resampling[resample.upper()]))


def _check_options(size: tuple[int, int], resample: str) -> None:
    if np.shape(size) != (2,) or not all(isinstance(s, int) and s > 0 for s in size):
        raise InputError(f"size is {size!r}; wanted (height, width) in pixels, such as (224, 224)")
    check_filter(resample)


def check_filter(resample: str) -> None:
    """Raise InputError for what is no name of a filter."""
    if resample not in RESAMPLING:
        raise InputError(f"resample is {resample!r}; wanted one of {', '.join(RESAMPLING)}")
