"""One image file -> 8-bit RGB, or an `ImageError`; what it will cost is known before it is decoded.

Pillow keeps 1, 2 or 4 bytes a pixel. A second image stands beside the decoded one where colours are
converted or the camera was turned, and some decoders have buffers of their own: `_cost` adds it up.
A JPEG file beyond the limit is decoded at 1/2, 1/4 or 1/8 of its size, which its cosine transform
gives for nothing; any other is refused.
"""

import io
import stat
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from jaxvis.pictures import jpeg, limits, png, tiff, webp
from jaxvis.pictures.errors import ImageError, UnfitError
from jaxvis.pictures.find import missing

if TYPE_CHECKING:
    from PIL import Image, ImageFile

# Pillow has 40 parsers, one of which (EPS) starts another program; these are what people have.
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "PPM")
SMALLEST_SIDE = 32  # pixels: VGG16 halves the image five times

_MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr")
# What Pillow's parsers raise; a warning, of odd metadata, where a user made errors of them.
_DAMAGED = (OSError, SyntaxError, ValueError, TypeError, LookupError, ArithmeticError, EOFError,
            MemoryError, RuntimeError, struct.error, Warning)  # fmt: skip
_STARTS = {  # -> Pillow's module and class
    b"\xff\xd8\xff": "Jpeg", b"\x89PNG\r\n\x1a\n": "Png", b"RIFF": "WebP", b"BM": "Bmp",
    b"GIF87a": "Gif", b"GIF89a": "Gif", b"II*\0": "Tiff", b"MM\0*": "Tiff", b"II+\0": "Tiff",
    b"MM\0+": "Tiff", b"P1": "Ppm", b"P2": "Ppm", b"P3": "Ppm", b"P4": "Ppm", b"P5": "Ppm",
    b"P6": "Ppm",
}  # fmt: skip
_PHONES = (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1", b"avif", b"avis")
_STORED = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2, "I;16L": 2, "I;16N": 2}  # bytes a pixel
# More bytes a pixel inside a decoder: WebP's canvases, and what Pillow decodes in Python.
_BUFFERS = {"WebP": 12, "gif": 1, "bmp_rle": 4, "ppm": 12, "ppm_plain": 12}
_ORIENTATION = 274  # the tag of EXIF
_BAND = 1 << 18  # pixels that are converted at a time
# What undoes each orientation of EXIF.
_TURNS = {2: "FLIP_LEFT_RIGHT", 3: "ROTATE_180", 4: "FLIP_TOP_BOTTOM", 5: "TRANSPOSE",
          6: "ROTATE_270", 7: "TRANSVERSE", 8: "ROTATE_90"}  # fmt: skip


class Opened(NamedTuple):
    """An image whose header is read: what it is, and by what a JPEG has to be reduced."""

    image: "ImageFile.ImageFile"
    orientation: int
    scale: int
    deep: bool  # 16 bits in the file


def decode(path: Path) -> "Image.Image":
    """Read one file as 8-bit RGB, at full size unless it is a JPEG beyond the limits."""
    with _opened(path) as (image, orientation, scale, deep):
        if scale > 1:
            image.draft(None, (image.width // scale, image.height // scale))
        image.decodermaxblock = limits.PIECE
        image.load()
        if deep:
            _check_depth(image)
        rgb = _to_rgb(image)
        orientation = _orientation(image)
        if rgb is not image:
            image.close()  # its pixels are not needed any more, and a turned image comes beside
        return _turned(rgb, orientation)


def measure(path: Path) -> tuple[int, int]:
    """Return the width and height of an image as it is shown, before any reduction."""
    with _opened(path) as (image, orientation, _, _):
        if image.format == "PNG":
            orientation = _orientation(image)  # decodes it: EXIF data may follow the pixels
        return image.size if orientation < 5 else (image.height, image.width)


@contextmanager
def _opened(path: Path) -> Iterator[Opened]:
    """Open an image that is bearable; whatever fails here or inside is an `ImageError`."""
    try:
        _check_file(path)
        with path.open("rb") as file:
            yield _parsed(_kind(file.read(64)), limits.Watched(file), limits.size_of(file))
    except ImageError:
        raise
    except UnfitError as error:
        raise ImageError(f"{path}: {error}") from None
    except (FileNotFoundError, NotADirectoryError):
        raise missing(path) from None
    except PermissionError as error:
        raise ImageError(f"{path}: permission denied; make the file readable") from error
    except _DAMAGED as error:
        raise ImageError(
            f"{path}: truncated or damaged, Pillow says: {error}; fetch or export it again"
        ) from error


def _check_file(path: Path) -> None:
    info = path.stat()
    if not stat.S_ISREG(info.st_mode):  # opening a pipe would wait for ever
        found = "a folder" if stat.S_ISDIR(info.st_mode) else "a pipe, socket or device"
        raise UnfitError(f"{found}; wanted a file (load_images takes a folder, too)")
    if info.st_size == 0:
        raise UnfitError("the file is empty, 0 bytes; fetch or export it again")


def _kind(start: bytes) -> str:
    """The format by the first bytes, as Pillow's modules are named."""
    for magic, kind in _STARTS.items():
        if start.startswith(magic) and (kind != "WebP" or start[8:12] == b"WEBP"):
            return kind
    wanted = f"wanted {', '.join(FORMATS)}"
    if start[4:8] == b"ftyp" and start[8:12] in _PHONES:
        raise UnfitError(f"a HEIC or AVIF photograph; {wanted}: convert it, export it as JPEG")
    raise UnfitError(f"not an image; {wanted}: convert it, or fetch it again")


def _parsed(kind: str, file: limits.Watched, size: int) -> Opened:
    """Look at what an image will cost, have its header parsed, and look again.

    The class of its format is called, not `Image.open`, which warns of large images: that would
    have to be silenced, for all threads at once.
    """
    fixed, exif, turned, width, height = 0, b"", False, 0, 0
    if kind == "Jpeg":
        fixed, exif = jpeg.examine(file)
    elif kind == "Png":
        fixed, exif, turned = png.examine(file)
    elif kind == "Tiff":
        width, height, fixed = tiff.examine(file, size)
    elif kind == "WebP":
        width, height = webp.examine(file)
        fixed = size  # read as a whole
        _scale(kind, width, height, fixed, _BUFFERS[kind])
    elif kind == "Gif":
        fixed = size  # comments are kept
    if exif:
        tiff.check_exif(io.BytesIO(exif.removeprefix(b"Exif\0\0")))
    file.seek(0)
    image = getattr(import_module(f"PIL.{kind}ImagePlugin"), f"{kind}ImageFile")(file)
    _check_mode(image)
    # Asking a PNG would decode it, for its EXIF data may follow the pixels.
    orientation = 1 if kind == "Png" else _orientation(image)
    pixel = _bytes_per_pixel(kind, image, turned or orientation > 1)
    width, height = max(width, image.width), max(height, image.height)
    scale = _scale(kind, width, height, fixed + _widest_gap(image), pixel)
    return Opened(image, orientation, scale, any(";16" in str(tile[3]) for tile in image.tile))


def _bytes_per_pixel(kind: str, image: "ImageFile.ImageFile", turned: bool) -> int:
    """At the worst moment: decoded, converted to RGB, turned."""
    codec = image.tile[0][0] if image.tile else kind
    converted = 0 if image.mode == "RGB" and not image.has_transparency_data else 4
    decoded = _STORED.get(image.mode, 4) + max(converted, _BUFFERS.get(codec, 0))
    return max(decoded, 8 * turned)


def _widest_gap(image: "ImageFile.ImageFile") -> int:
    """Pillow reads a tile up to where the next one starts, all at once."""
    starts = sorted(tile[2] for tile in image.tile)
    return max(
        (after - before for before, after in zip(starts, starts[1:], strict=False)), default=0
    )


def _scale(kind: str, width: int, height: int, fixed: int, pixel: int) -> int:
    """Return by what a JPEG has to be reduced; 1 for the others.

    Raises:
        UnfitError: the image would take too much memory, or is too small.
    """
    found = f"{width} x {height} pixels"
    if min(width, height) < SMALLEST_SIDE:
        limit = f"wanted at least {SMALLEST_SIDE} on each side"
        raise UnfitError(f"{found}, too small to mean anything; {limit}: take a larger image")
    for scale in (1, 2, 4, 8) if kind == "Jpeg" else (1,):
        bytes_ = fixed + pixel * width * height // scale**2
        if bytes_ <= limits.MEMORY:
            return scale
    do = "save it again, not progressive" if kind == "Jpeg" else "make it smaller, or a JPEG"
    raise UnfitError(
        f"{found}, which take {bytes_ / 1e6:,.0f} MB to decode; wanted at most "
        f"{limits.MEMORY / 1e6:,.0f} MB: {do}"
    )


def _check_mode(image: "Image.Image") -> None:
    wide = image.mode.startswith("I;16") or (image.mode, image.format) == ("I", "PPM")
    if image.mode not in _MODES and not wide:
        raise UnfitError(
            f"pixels of type {image.mode}, whose range is unknown; wanted 8 or 16 bits per "
            "channel: scale it to 0..255 and save it as PNG"
        )


def _check_depth(image: "Image.Image") -> None:
    """Refuse 10 or 12 bits in a file of 16: scaled as it says, it would be all but black.

    A picture that is black altogether is none the wiser, and taken as it is.
    """
    most = 0
    for _, band in _bands(image):
        values = np.asarray(band)
        if band.mode[-1] == "A":
            values = values[..., :-1]
        most = max(most, int(values.max()))
    if not image.mode.startswith("I"):  # Pillow kept the upper eight bits
        most = 256 * most + 255 * (most > 0)
    if 0 < most < 4096:
        raise UnfitError(
            f"values up to {most:,} of 65,535: looks like {max(8, most.bit_length())} bits, which "
            "would be almost black; scale it to 0..65535, or save it as 8 bits"
        )


def _to_rgb(image: "Image.Image") -> "Image.Image":
    """Convert in bands of rows, so that what comes between takes next to nothing."""
    from PIL import Image

    if image.mode == "RGB" and not image.has_transparency_data:
        return image
    rgb = Image.new("RGB", image.size)
    for top, band in _bands(image):
        rgb.paste(_band_to_rgb(band), (0, top))
    return rgb


def _bands(image: "Image.Image") -> Iterator[tuple[int, "Image.Image"]]:
    """Cut an image into bands of rows, each with the number of its first."""
    rows = max(1, _BAND // image.width)
    for top in range(0, image.height, rows):
        yield top, image.crop((0, top, image.width, min(top + rows, image.height)))


def _band_to_rgb(band: "Image.Image") -> "Image.Image":
    from PIL import Image

    if band.mode.startswith("I"):
        scaled = (np.asarray(band).astype(np.uint32) + 128) // 257  # v / 257, rounded
        band = Image.fromarray(scaled.astype(np.uint8))
    if not band.has_transparency_data:
        return band.convert("RGB")
    rgba = band.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB")


def _orientation(image: "Image.Image") -> int:
    found = image.getexif().get(_ORIENTATION, 1)
    return found if found in _TURNS else 1


def _turned(image: "Image.Image", orientation: int) -> "Image.Image":
    from PIL import Image

    how = _TURNS.get(orientation)
    return image if how is None else image.transpose(Image.Transpose[how])
