"""What a PNG file carries besides pixels, from its chunks."""

from typing import BinaryIO, NamedTuple

from jaxvis.pictures.limits import Watched, check_metadata

_PACKED = (b"zTXt", b"iTXt", b"iCCP")
_UNPACKED = 5 << 20  # bytes: Pillow stops a packed text at 1 MiB, a text takes up to 4 times that


class Png(NamedTuple):
    """Bytes that its metadata may take, its EXIF data, and whether something may turn it."""

    metadata: int
    exif: bytes
    turned: bool


def examine(file: BinaryIO | Watched) -> Png:
    """Walk through the chunks of a PNG file.

    Raises:
        UnfitError: too much metadata.
    """
    metadata, packed, exif, turned = 0, 0, b"", False
    file.seek(8)
    while len(head := file.read(8)) == 8:
        size, kind = int.from_bytes(head[:4]), head[4:]
        body = b""
        if kind not in (b"IDAT", b"fdAT"):
            metadata += size + 12
            packed += _UNPACKED if kind in _PACKED else 0
            check_metadata(metadata)
        check_metadata(packed // 16)
        if kind == b"eXIf":
            exif = body = file.read(size)
        turned = turned or kind in (b"eXIf", b"tEXt", *_PACKED[:2])  # all can have EXIF or XMP
        if kind == b"IEND":
            break
        file.seek(size - len(body) + 4, 1)
    return Png(3 * metadata + packed, exif, turned)
