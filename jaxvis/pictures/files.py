"""Image files -> uint8 RGB.

Transparency goes over white, 16 bits per channel are scaled to 8, CMYK is converted as Pillow does
without a profile, EXIF orientation is applied, an animation gives its first frame.
"""

import difflib
import glob
import os
import re
import stat
import struct
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import UInt8

from jaxvis.errors import InputError

if TYPE_CHECKING:
    from PIL import Image

StrPath = str | os.PathLike[str]
Source = StrPath | Sequence[StrPath]

# Pillow has 40 parsers, one of which (EPS) starts another program; these are what people have.
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "PPM")
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff",
            ".ppm", ".pgm", ".pbm", ".pnm", ".jpe", ".jfif", ".mpo", ".dib")  # fmt: skip
RESAMPLING = ("nearest", "box", "bilinear", "hamming", "bicubic", "lanczos")
SMALLEST_SIDE = 32  # pixels: VGG16 halves the image five times
MOST_PIXELS = 1024**3 // 4 // 3  # 89,478,485, where Pillow warns of a decompression bomb

_MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr")
_DAMAGED = (OSError, SyntaxError, ValueError, TypeError, LookupError, ArithmeticError, EOFError,
            MemoryError, RuntimeError, struct.error)  # what Pillow's parsers raise  # fmt: skip


class ImageError(InputError):
    """A file that cannot serve as an image; the message names it and says what to do."""


def find_images(source: Source) -> list[Path]:
    """Return the files that a path, a folder, a glob pattern or a list of these stands for.

    A folder gives its image files, known by suffix, hidden ones left out, sub-folders not searched;
    a pattern every file it matches; both in natural order, goose_2 before goose_10. A list keeps
    its order and duplicates. A name that exists is taken literally; `~` is the home folder.

    Raises:
        ImageError: nothing is found.
    """
    if isinstance(source, (list, tuple)):
        if not source:
            raise ImageError("the list of images is empty; wanted at least one file or folder")
        return [path for entry in source for path in find_images(entry)]
    name = os.path.expanduser(os.fspath(source))  # type: ignore[arg-type]
    if not name:
        raise ImageError("a file name is empty; wanted a file, a folder ('.') or a pattern")
    if os.path.isdir(name):
        return _images_in(Path(name))
    if os.path.lexists(name):
        return [Path(name)]
    if not glob.has_magic(name):
        raise _missing(Path(name))
    matches = [match for match in glob.glob(name, recursive=True) if not os.path.isdir(match)]
    if not matches:
        raise ImageError(f"{name}: the pattern matches no file; check the folder and the suffix")
    return sorted(map(Path, sorted(matches)), key=_natural_order)


def load_images(
    source: Source, size: tuple[int, int] = (224, 224), *, resample: str = "nearest"
) -> UInt8[np.ndarray, "n height width 3"]:
    """Read all of `find_images(source)` as `load_image` does, squeezed to (height, width)."""
    _check_options(size, resample)
    return np.stack([load_image(path, size, resample=resample) for path in find_images(source)])


def load_image(
    path: StrPath, size: tuple[int, int] = (224, 224), *, resample: str = "nearest"
) -> UInt8[np.ndarray, "height width 3"]:
    """Read one image as uint8 RGB, squeezed to `size`, (height, width), as Keras's `load_img` does.

    The format is one of `FORMATS`, whatever the suffix; `resample` is one of `RESAMPLING`.

    Raises:
        ImageError: the file is missing, unreadable, no regular file, empty, in another format,
            truncated, under 32 pixels on its shorter side, over 89,478,485 pixels in all (refused
            before decoding), or of a pixel type whose range is unknown.
        ValueError: an impossible size or an unknown filter.
    """
    from PIL import Image

    _check_options(size, resample)
    image = decode(Path(os.path.expanduser(path)))
    return np.array(image.resize((size[1], size[0]), Image.Resampling[resample.upper()]))


def _check_options(size: tuple[int, int], resample: str) -> None:
    if np.shape(size) != (2,) or not all(isinstance(s, int) and s > 0 for s in size):
        raise InputError(f"size is {size!r}; wanted (height, width) in pixels, such as (224, 224)")
    if resample not in RESAMPLING:
        raise InputError(f"resample is {resample!r}; wanted one of {', '.join(RESAMPLING)}")


def _images_in(folder: Path) -> list[Path]:
    try:
        names = sorted(name for name in os.listdir(folder) if not name.startswith("."))
    except OSError as error:
        raise ImageError(f"{folder}: the folder cannot be read: {error.strerror}") from error
    paths = [folder / name for name in names if name.lower().endswith(SUFFIXES)]
    if not paths:
        raise ImageError(
            f"{folder}: no image in this folder, only {', '.join(names[:3]) or 'nothing'}; "
            f"wanted {' '.join(SUFFIXES)}; sub-folders are not searched"
        )
    return sorted(paths, key=_natural_order)


def _natural_order(path: Path) -> list[list[str | int]]:
    split = [re.split(r"(\d+)", name.casefold()) for name in path.parts]
    # Text and numbers take turns, so two keys never compare one with the other.
    return [[int(part) if i % 2 else part for i, part in enumerate(parts)] for parts in split]


def _missing(path: Path) -> ImageError:
    if not path.parent.is_dir():
        return ImageError(f"{path}: no such file, nor a folder {path.parent}; check the path")
    names = {name.lower(): name for name in sorted(os.listdir(path.parent))}
    near = difflib.get_close_matches(path.name.lower(), names, n=1)
    hint = f"did you mean {path.parent / names[near[0]]}?" if near else "check the spelling"
    return ImageError(f"{path}: no such file; {hint}")


def decode(path: Path) -> "Image.Image":
    """Open one file as an 8-bit RGB image at full size; every failure is an `ImageError`."""
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        _check_file(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # odd metadata; a bomb is refused, not warned of
            with path.open("rb") as file, Image.open(file, formats=FORMATS) as image:
                _check_size(path, *image.size)
                ImageOps.exif_transpose(image, in_place=True)
                return _to_rgb(path, image)
    except ImageError:
        raise
    except (FileNotFoundError, NotADirectoryError):
        raise _missing(path) from None
    except PermissionError as error:
        raise ImageError(f"{path}: permission denied; make the file readable") from error
    except UnidentifiedImageError:
        raise ImageError(
            f"{path}: not an image; wanted {', '.join(FORMATS)}: convert it, or fetch it again"
        ) from None
    except Image.DecompressionBombError as error:
        raise ImageError(f"{path}: {error} Wanted at most {MOST_PIXELS:,}; shrink it") from None
    except _DAMAGED as error:
        raise ImageError(
            f"{path}: truncated or damaged, Pillow says: {error}; fetch or export it again"
        ) from error


def _check_file(path: Path) -> None:
    info = path.stat()
    if not stat.S_ISREG(info.st_mode):  # opening a pipe would wait for ever
        found = "a folder" if stat.S_ISDIR(info.st_mode) else "a pipe, socket or device"
        raise ImageError(f"{path}: {found}; wanted a file (load_images takes a folder, too)")
    if info.st_size == 0:
        raise ImageError(f"{path}: the file is empty, 0 bytes; fetch or export it again")


def _check_size(path: Path, width: int, height: int) -> None:
    found = f"{path}: {width} x {height} pixels"
    if width * height > MOST_PIXELS:
        limit = f"wanted at most {MOST_PIXELS:,} in all"
        raise ImageError(f"{found}, perhaps a decompression bomb; {limit}: make it smaller")
    if min(width, height) < SMALLEST_SIDE:
        limit = f"wanted at least {SMALLEST_SIDE} on each side"
        raise ImageError(f"{found}, too small to mean anything; {limit}: take a larger image")


def _to_rgb(path: Path, image: "Image.Image") -> "Image.Image":
    from PIL import Image

    if image.mode.startswith("I;16") or (image.mode, image.format) == ("I", "PPM"):
        scaled = (np.asarray(image).astype(np.uint32) + 128) // 257  # v / 257, rounded
        image = Image.fromarray(scaled.astype(np.uint8))
    if image.mode not in _MODES:
        raise ImageError(
            f"{path}: pixels of type {image.mode}, whose range is unknown; wanted 8 or 16 bits per "
            "channel: scale it to 0..255 and save it as PNG"
        )
    if not image.has_transparency_data:
        return image.convert("RGB")
    rgba = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB")
