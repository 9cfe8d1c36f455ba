"""Whether a path is an HDF5 file at all, and whole: what can be said without the HDF5 library."""

import os
import stat
from pathlib import Path

from jaxvis.weights.errors import WeightsFileError, WeightsLayoutError

SIGNATURE = b"\x89HDF\r\n\x1a\n"
AGAIN = "copy or download it again"


def check_start(path: Path) -> bytes:
    """Return the first bytes of a regular file that starts as HDF5, without waiting for a pipe.

    Raises:
        WeightsFileError: missing, a folder, a pipe or device, unreadable, empty, no HDF5 file.
    """
    try:
        mode = path.stat().st_mode
        if stat.S_ISREG(mode):
            with path.open("rb") as opened:
                start = opened.read(64)
    except FileNotFoundError:
        raise WeightsFileError(path, "there is no such file", do="check the path") from None
    except (OSError, ValueError) as error:  # ValueError: a null byte in the path
        raise WeightsFileError(path, f"cannot be read: {error}", do="check the path") from error
    if not stat.S_ISREG(mode):
        kind = "a folder" if stat.S_ISDIR(mode) else "a pipe or device"
        raise WeightsFileError(
            path, f"found {kind}, wanted a Keras .h5 weight file", do="give the file's own path"
        )
    if not start:
        raise WeightsFileError(path, "the file is empty", do=AGAIN)
    if not start.startswith(SIGNATURE):
        kind = "a web page" if start.lstrip()[:1] == b"<" else "no HDF5 file"
        raise WeightsFileError(
            path, f"found {kind}, which starts with {start[:16]!r}, wanted a Keras .h5 weight file",
            do="download the file itself, not the page about it",
        )  # fmt: skip
    return start


def check_whole(path: Path) -> None:
    """Check that a file ends where its superblock says.

    HDF5 File Format Specification 3.0, section II.A: version 0 and 1 keep three addresses (base,
    free space, end of file) at byte 24 or 28, versions 2 and 3 (base, extension, end) at byte 12.

    Raises:
        WeightsFileError: as `check_start`; or bytes are missing, or there are too many.
        WeightsLayoutError: a superblock that neither Keras nor h5py writes.
    """
    start = check_start(path)
    version = start[8] if len(start) > 8 else -1
    at, width = {0: (24, 13), 1: (28, 13), 2: (12, 9), 3: (12, 9)}.get(version, (0, 0))
    if len(start) < 64 or not at:
        raise WeightsFileError(
            path, f"the HDF5 file is damaged or truncated: superblock version {version} in "
            f"{len(start)} bytes", do=AGAIN,
        )  # fmt: skip
    base, end = (int.from_bytes(start[i : i + 8], "little") for i in (at, at + 16))
    if start[width] != 8 or base:
        raise WeightsLayoutError(
            path, f"found addresses of {start[width]} bytes from byte {base:,}, wanted 8 from 0",
            do="write the file with Keras's save_weights",
        )  # fmt: skip
    size = os.stat(path).st_size
    if size != end:
        problem = "is truncated" if size < end else "has something behind its end"
        raise WeightsFileError(
            path, f"the HDF5 file {problem}: found {size:,} bytes, wanted {end:,}", do=AGAIN
        )
