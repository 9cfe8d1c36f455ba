"""What one image may take, whatever its header says: memory, time, and data beside its pixels.

A process takes less than 300 MB more for it. Pillow's decoders are C code that nothing can stop
once it runs, so what they will do is worked out from the header and refused beforehand; between the
pieces that they read, a deadline is looked at, too.
"""

import os
import time
from typing import BinaryIO

from jaxvis.pictures.errors import UnfitError

MEMORY = 280_000_000  # bytes, by the estimate in `decode`; 300 MB as measured from outside
METADATA = 8_000_000  # bytes of profiles, EXIF, comments; they are copied a few times
VALUES = 1 << 16  # numbers in one tag, each of which becomes a Python object
SECONDS = 20.0  # a photograph of 48 megapixels takes one
PIECE = 1 << 13  # bytes that a decoder is given at a time, between two looks at the clock


def check_metadata(size: int) -> None:
    """Refuse more data beside the pixels than any program has a use for."""
    if size > METADATA:
        raise UnfitError(
            f"{size:,} bytes of metadata; wanted at most {METADATA:,}: save the image without them"
        )


class Watched:
    """A file for Pillow's parsers that refuses to be read when the time is up."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._end = file, time.monotonic() + SECONDS
        self.seek, self.tell, self.fileno = file.seek, file.tell, file.fileno
        self.readline = file.readline

    def read(self, size: int = -1) -> bytes:
        """Read as a file does."""
        if time.monotonic() > self._end:
            raise UnfitError(
                f"not decoded after {SECONDS:g} seconds; open it and save it again as PNG or JPEG"
            )
        return self._file.read(size)


def size_of(file: BinaryIO) -> int:
    """The size of an open file in bytes."""
    return os.fstat(file.fileno()).st_size
