"""What a TIFF file will cost, from its first directory; EXIF data are such a file, too."""

from typing import BinaryIO, NamedTuple

from jaxvis.pictures.errors import UnfitError
from jaxvis.pictures.limits import VALUES, Watched, check_metadata

_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4,
          16: 8, 17: 8, 18: 8}  # bytes of a value of each type  # fmt: skip
_WHOLE = (1, 3, 4, 6, 8, 9, 13, 16, 17, 18)  # types that are whole numbers
_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _SAMPLES = 256, 257, 258, 259, 277
_ROWS, _TILE_WIDTH, _TILE_HEIGHT = 278, 322, 323
_NUMBERS = (_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _SAMPLES, _ROWS, _TILE_WIDTH, _TILE_HEIGHT)
_JPEG = (6, 7)


class Tiff(NamedTuple):
    """The size, and bytes that unpacking takes beside the pixels."""

    width: int
    height: int
    fixed: int


def examine(file: BinaryIO | Watched, size: int) -> Tiff:
    """Read the first directory of a TIFF file of `size` bytes.

    Raises:
        UnfitError: too much metadata, a tag with more numbers than any image needs, or, where the
            pieces are JPEG, too many scans of them.
    """
    tags = _directory(file)
    width, height = tags.get(_WIDTH, 0), tags.get(_HEIGHT, 0)
    rows = min(tags.get(_ROWS, height), height)
    pixels = max(width * rows, tags.get(_TILE_WIDTH, 0) * tags.get(_TILE_HEIGHT, 0))
    compression = tags.get(_COMPRESSION, 1)
    if compression in _JPEG:
        _check_scans(file, pixels)
        each = 8  # libtiff makes RGBA of it, and turns it over
    else:
        each = max(1, tags.get(_SAMPLES, 1) * max(1, tags.get(_BITS, 1) // 8))
    # libtiff unpacks a piece at a time from a file that it maps; Pillow reads the rest row by row.
    return Tiff(width, height, 0 if compression == 1 else pixels * each + size)


def check_exif(file: BinaryIO) -> None:
    """Refuse EXIF data whose tags would take more memory than they are.

    Raises:
        UnfitError: as `examine`.
    """
    _directory(file)


def _directory(file: BinaryIO | Watched) -> dict[int, int]:
    """The numbers of interest; of a tag that is there twice the larger, for readers differ."""
    file.seek(0)
    head = file.read(16)
    order = "little" if head[:2] == b"II" else "big"

    def number(data: bytes) -> int:
        return int.from_bytes(data, order)  # type: ignore[arg-type]

    big = number(head[2:4]) == 43  # BigTIFF
    word, entry = (8, 20) if big else (4, 12)
    file.seek(number(head[8:16] if big else head[4:8]))
    count = number(file.read(8 if big else 2))
    if count > VALUES:
        raise UnfitError(f"{count:,} tags; wanted at most {VALUES:,}: save the image again")
    body = file.read(count * entry)
    found: dict[int, int] = {}
    total = 0
    for at in range(0, len(body) - entry + 1, entry):
        tag, kind = number(body[at : at + 2]), number(body[at + 2 : at + 4])
        values = number(body[at + 4 : at + 4 + word])
        width = _SIZES.get(kind, 0)
        total += width * values
        check_metadata(total)
        if width > 1 and values > VALUES:
            raise UnfitError(
                f"{values:,} numbers in tag {tag}; wanted at most {VALUES:,}: save the image again"
            )
        if tag in _NUMBERS and kind in _WHOLE:
            data = body[at + 4 + word : at + entry]
            if width * values > word:
                file.seek(number(data))
                data = file.read(width * values)
            some = [number(data[i : i + width]) for i in range(0, width * values, width)]
            found[tag] = max(found.get(tag, 0), *some, 0)
    return found


def _check_scans(file: BinaryIO | Watched, pixels: int) -> None:
    """Count what may be the start of a scan, anywhere in the file."""
    scans = 0
    file.seek(0)
    while piece := file.read(1 << 20):
        scans += piece.count(b"\xff\xda")
    if scans * pixels > 2_000_000_000:
        raise UnfitError(
            f"{scans:,} JPEG scans over pieces of {pixels:,} pixels; save it as a plain JPEG"
        )
