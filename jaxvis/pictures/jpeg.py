"""What a JPEG file will cost, from its markers: ITU-T T.81, annex B.

A file in one scan is decoded row by row. In several scans, progressive or one per colour, the
coefficients of the whole image are kept, and each scan goes through all of them.
"""

import re
from typing import BinaryIO, NamedTuple

from jaxvis.pictures.errors import UnfitError
from jaxvis.pictures.limits import VALUES, Watched, check_metadata

MOST_SCANS = 100  # photographs have about ten; libjpeg-turbo advises against 500
# A marker is 0xFF and a byte; 00, 01, FF and D0 to D7 are none or stand alone.
_MARKER = re.compile(rb"\xff[\x02-\xcf\xd8-\xfe]")
_SOI, _EOI, _SOS, _COM = 0xD8, 0xD9, 0xDA, 0xFE
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_PROGRESSIVE = (0xC2, 0xC6, 0xCA, 0xCE)
_WINDOW = 4096


class Jpeg(NamedTuple):
    """What there is besides pixels: bytes of coefficients that are kept, and the EXIF segments."""

    coefficients: int
    exif: bytes


def examine(file: BinaryIO | Watched) -> Jpeg:
    """Walk through the segments of a JPEG file.

    Raises:
        UnfitError: too many scans, or too much metadata.
    """
    scans = metadata = segments = coefficients = 0
    exif, components = b"", 0
    file.seek(0)
    while (marker := _next_marker(file)) != _EOI:
        segments += 1
        size = 0 if marker == _SOI else int.from_bytes(file.read(2)) - 2
        if size < 0 or segments > VALUES:
            raise UnfitError("its segments are damaged; fetch or export it again")
        wanted = marker in _FRAMES or marker in (_SOS, 0xE1)
        body = file.read(size) if wanted else b""
        file.seek(size - len(body), 1)
        if 0xE0 <= marker <= 0xEF or marker == _COM:
            metadata += size
            check_metadata(metadata)
        if marker == 0xE1 and body.startswith(b"Exif\0\0"):
            exif += body[6 * bool(exif) :]
        if marker in _FRAMES and len(body) > 5:
            components, kept = body[5], _kept(body)
            coefficients = max(coefficients, kept if marker in _PROGRESSIVE else 0)
        if marker == _SOS and components:
            scans += 1
            if body[:1] and body[0] < components:
                coefficients = max(coefficients, kept)
            if scans > MOST_SCANS:
                raise UnfitError(
                    f"more than {MOST_SCANS} scans, each of which goes over the whole image; "
                    f"save it again as a plain JPEG"
                )
    return Jpeg(coefficients, exif)


def _kept(frame: bytes) -> int:
    """Bytes of all coefficients: two each, as many as each colour has samples."""
    height, width = int.from_bytes(frame[1:3]), int.from_bytes(frame[3:5])
    factors = [(byte >> 4, byte & 15) for byte in frame[7::3]]
    most = max((h for h, _ in factors), default=1), max((v for _, v in factors), default=1)
    samples = sum(h * v for h, v in factors) / max(1, most[0] * most[1])
    return int(2 * samples * (width + 8 * most[0]) * (height + 8 * most[1]))


def _next_marker(file: BinaryIO | Watched) -> int:
    """Go behind the next marker, over the data of a scan if need be; the end is one, too."""
    while len(window := file.read(_WINDOW)) > 1:
        found = _MARKER.search(window)
        if found:
            file.seek(found.end() - len(window), 1)
            return window[found.end() - 1]
        if window.endswith(b"\xff"):
            file.seek(-1, 1)
    return _EOI
