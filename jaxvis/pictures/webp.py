"""The size of a WebP file's canvas, which its decoder allocates as soon as it is made."""

from jaxvis.pictures.errors import UnfitError
from jaxvis.pictures.limits import Watched


def examine(file: Watched) -> tuple[int, int]:
    """Return width and height: RFC 9649, sections 2.5 to 2.7.

    Raises:
        UnfitError: none of the three kinds of file.
    """
    file.seek(12)
    start = file.read(18)
    kind, number = start[:4], int.from_bytes
    if kind == b"VP8 " and start[11:14] == b"\x9d\x01\x2a":
        return number(start[14:16], "little") & 0x3FFF, number(start[16:18], "little") & 0x3FFF
    if kind == b"VP8L" and start[8:9] == b"\x2f":
        bits = number(start[9:13], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8X":
        return number(start[12:15], "little") + 1, number(start[15:18], "little") + 1
    raise UnfitError("truncated or damaged, no size in its header; fetch or export it again")
