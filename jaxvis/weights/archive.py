"""A .keras file, which is a ZIP archive: config.json and model.weights.h5, and nothing else of it.

The two are looked for by their names, within limits that are checked before anything is unpacked,
and the weights are copied to a folder of their own, under a name of ours, until they are read.
"""

import io
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from jaxvis.weights.arrays import MAX_RATIO, PIECE, SMALL
from jaxvis.weights.errors import WeightsError, WeightsFileError, WeightsLayoutError
from jaxvis.weights.foreign import is_keras_archive, what_it_is
from jaxvis.weights.opened import AGAIN, opened

CONFIG, WEIGHTS = "config.json", "model.weights.h5"
MOST_MEMBERS = 1000
MOST_CONFIG, MOST_WEIGHTS = 4 << 20, 8 << 30  # bytes, unpacked
END, END_SIZE, MOST_COMMENT = b"PK\x05\x06", 22, 65535
# What `zipfile` raises at archives that are damaged, or encrypted, or packed in other ways.
DAMAGED = (
    zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, NotImplementedError, ValueError
)  # fmt: skip


@contextmanager
def weights_inside(path: Path) -> Iterator[tuple[Path, str | None]]:
    """Yield the .h5 file and the description inside a .keras file; any other file, and None.

    Raises:
        WeightsFileError: the archive is damaged, cannot be unpacked, or changes meanwhile.
        WeightsLayoutError: it is none of Keras's, or its parts are out of bounds.
    """
    with opened(path) as file:
        start = file.read(64)
    if not is_keras_archive(start):
        yield path, None
        return
    with tempfile.TemporaryDirectory(prefix="jaxvis-") as folder:
        target = Path(folder) / "weights.h5"
        with opened(path) as file:
            description = _unpack(file, start, target)
        yield target, description


def _unpack(file: BinaryIO, start: bytes, target: Path) -> str:
    """Write the weights to a file, and return the text of the description."""
    try:
        _check_count(file)
        with zipfile.ZipFile(file) as archive:
            members = _members(archive, start)
            config = archive.read(members[CONFIG])
            _copy(archive, members[WEIGHTS], target)
            return config.decode("utf-8")
    except UnicodeDecodeError as error:
        raise WeightsLayoutError(f"{CONFIG} is not UTF-8 text",
            do="save the model again with Keras",
        ) from error  # fmt: skip
    except WeightsError:
        raise
    except DAMAGED as error:
        raise WeightsFileError(f"the .keras archive is damaged: {error}", do=AGAIN) from error


def _check_count(file: BinaryIO) -> None:
    """Look at how many members there are before `zipfile` makes an object of each."""
    size = file.seek(0, io.SEEK_END)
    file.seek(max(0, size - END_SIZE - MOST_COMMENT))
    tail = file.read()
    at = tail.rfind(END)
    if at < 0 or len(tail) - at < END_SIZE:
        raise WeightsFileError("the .keras archive is truncated: it has no end", do=AGAIN)
    count = int.from_bytes(tail[at + 10 : at + 12], "little")
    directory = int.from_bytes(tail[at + 12 : at + 16], "little")
    if count > MOST_MEMBERS or directory > MOST_MEMBERS << 10:
        raise WeightsLayoutError(
            f"an archive of {count:,} members; wanted at most {MOST_MEMBERS:,}",
            do="wanted a file written by Keras's model.save",
        )
    file.seek(0)


def _members(archive: zipfile.ZipFile, start: bytes) -> dict[str, zipfile.ZipInfo]:
    names = archive.namelist()
    if not {CONFIG, WEIGHTS} <= set(names):
        if "model.weights.json" in names:
            raise WeightsLayoutError("its weights are in several pieces",
                do="save the model again without max_shard_size=",
            )  # fmt: skip
        raise WeightsLayoutError(f"{what_it_is(start)[0]} without {CONFIG} or {WEIGHTS}",
            do="save the model again with Keras",
        )  # fmt: skip
    members = {}
    for name, most in ((CONFIG, MOST_CONFIG), (WEIGHTS, MOST_WEIGHTS)):
        if names.count(name) > 1:
            raise WeightsLayoutError(f"has {name} twice", do="save the model again with Keras")
        member = members[name] = archive.getinfo(name)
        size, packed = member.file_size, member.compress_size
        if size > most or size > MAX_RATIO * packed + SMALL:
            raise WeightsLayoutError(
                f"{name} is {packed:,} bytes that would unpack to {size:,}; wanted at most "
                f"{most:,}, and weights that hardly shrink",
                do="save the model again with Keras",
            )
    return members


def _copy(archive: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path) -> None:
    """Copy a member to a file; `zipfile` gives no more than it declares, and checks its CRC-32."""
    with archive.open(member) as source, target.open("wb") as copy:
        while piece := source.read(PIECE):
            try:
                copy.write(piece)
            except OSError as error:
                raise WeightsFileError(
                    f"cannot be unpacked into {target.parent}: {error.strerror or error}",
                    do="make room there, or set TMPDIR to another folder",
                ) from error
