"""A weight file held open, and the certainty that it stays the same file while it is read.

Several hands read it: HDF5 in a process of its own, threads here. Each opens it for itself, without
waiting for a pipe, and compares what it has with what the first one saw; a file that was replaced
or written to in between is refused, for what was read may be a mixture of both.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

from jaxvis.folders import near_name
from jaxvis.weights.errors import WeightsError, WeightsFileError, WeightsLayoutError
from jaxvis.weights.foreign import what_it_is

SIGNATURE = b"\x89HDF\r\n\x1a\n"
WANTED = "Keras's .keras or .h5"
AGAIN = "copy or download it again"
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


class Identity(NamedTuple):
    """What another file, or the same one after a change, does not have."""

    device: int
    inode: int
    size: int
    mtime_ns: int
    ctime_ns: int


@contextmanager
def opened(path: Path, identity: Identity | None = None) -> Iterator[BinaryIO]:
    """Open a regular file, unbuffered; at the end it is still what it was.

    Args:
        path: the file.
        identity: of the file that it must be, as an earlier opening found it.

    Raises:
        WeightsFileError: missing, a folder, a pipe or device, unreadable, or changed.
    """
    file = _open(path)
    with file:
        before = identity_of(file)
        if identity is not None and before != identity:
            raise _changed()
        try:
            yield file
        except WeightsError as error:
            if identity_of(file) != before:
                raise _changed() from error
            raise
        if identity_of(file) != before:
            raise _changed()


def identity_of(file: BinaryIO) -> Identity:
    """The identity of an open file."""
    info = os.fstat(file.fileno())
    return Identity(info.st_dev, info.st_ino, info.st_size, info.st_mtime_ns, info.st_ctime_ns)


def _open(path: Path) -> BinaryIO:
    try:
        handle = os.open(path, _FLAGS)
    except FileNotFoundError:
        near = near_name(path)
        do = f"did you mean {near}?" if near else "check the path"
        raise WeightsFileError("there is no such file", do=do) from None
    except (OSError, ValueError) as error:  # ValueError: a null byte in the path
        _check_kind(_mode(path), path)  # a socket, say, cannot be opened
        raise WeightsFileError(f"cannot be read: {error}", do="check the path") from error
    try:
        _check_kind(os.fstat(handle).st_mode, path)
        return os.fdopen(handle, "rb", buffering=0)
    except BaseException:
        os.close(handle)
        raise


def _mode(path: Path) -> int:
    try:
        return path.stat().st_mode
    except (OSError, ValueError):
        return stat.S_IFREG


def _check_kind(mode: int, path: Path) -> None:
    if stat.S_ISREG(mode):
        return
    kind, do = "a pipe or device", "give the file's own path"
    if stat.S_ISDIR(mode):
        kind = "a folder"
        if (path / "saved_model.pb").exists():
            kind = "a folder of TensorFlow's, a SavedModel"
            do = 'load it with the Keras that saved it, and save it with model.save("name.keras")'
    raise WeightsFileError(f"found {kind}, wanted {WANTED}", do=do)


def _changed() -> WeightsFileError:
    return WeightsFileError(
        "changed while it was read, and what was read may be neither of the two",
        do="wait until it is written, then load it again",
    )


def check_start(file: BinaryIO) -> bytes:
    """Return the first bytes of a file that starts as HDF5.

    Raises:
        WeightsFileError: empty, or no HDF5 file.
    """
    file.seek(0)
    start = file.read(64)
    if not start:
        raise WeightsFileError("the file is empty", do=AGAIN)
    if not start.startswith(SIGNATURE):
        kind, do = what_it_is(start)
        raise WeightsFileError(
            f"found {kind} (it starts with {start[:16]!r}), wanted {WANTED}", do=do
        )
    return start


def check_whole(path: Path) -> Identity:
    """Check that a file ends where its superblock says, and return its identity.

    HDF5 File Format Specification 3.0, section II.A: version 0 and 1 keep three addresses (base,
    free space, end of file) at byte 24 or 28, versions 2 and 3 (base, extension, end) at byte 12.

    Raises:
        WeightsFileError: as `opened` and `check_start`; or bytes are missing or too many.
        WeightsLayoutError: a superblock that neither Keras nor h5py writes.
    """
    with opened(path) as file:
        start, identity = check_start(file), identity_of(file)
    version = start[8] if len(start) > 8 else -1
    at, width = {0: (24, 13), 1: (28, 13), 2: (12, 9), 3: (12, 9)}.get(version, (0, 0))
    if len(start) < 64 or not at:
        raise WeightsFileError(
            f"the HDF5 file is damaged or truncated: superblock version {version} in "
            f"{len(start)} bytes",
            do=AGAIN,
        )
    base, end = (int.from_bytes(start[i : i + 8], "little") for i in (at, at + 16))
    if start[width] != 8 or base:
        raise WeightsLayoutError(
            f"found addresses of {start[width]} bytes from byte {base:,}, wanted 8 from 0",
            do="write the file with Keras's save_weights",
        )
    if identity.size != end:
        problem = "is truncated" if identity.size < end else "has something behind its end"
        raise WeightsFileError(
            f"the HDF5 file {problem}: found {identity.size:,} bytes, wanted {end:,}", do=AGAIN
        )
    return identity
