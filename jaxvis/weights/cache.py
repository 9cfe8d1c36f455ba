"""The cache of fetched weights: where it is, what in it is sound, and how a file gets in whole.

The hash of a file is checked when it comes, and again whenever its size, times or inode are not
those of the last check: hashing 553 MB takes several times as long as loading them.
"""

import hashlib
import json
import os
import shutil
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from jaxvis.folders import cache_folder
from jaxvis.weights.errors import WeightsFetchError

STALE = 24 * 3600  # seconds after which an unfinished download belongs to a run that died
LOCK = "lock"  # the name of the file in there that its process holds
PART = (".jaxvis-", ".part")  # first and last letters of the folder of an unfinished download


class Source(NamedTuple):
    """A file that others published: its name, size in bytes, MD5, and where it may be had."""

    file: str
    size: int
    md5: str
    urls: tuple[str, ...]


@contextmanager
def incoming(target: Path, source: Source) -> Iterator[Path]:
    """Give a place in the target's folder to write to; rename it to the target once verified."""
    folder = target.parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _remove_stale(folder)
        free = shutil.disk_usage(folder).free
        if free < source.size:
            raise OSError(f"{free:,} bytes free, wanted {source.size:,}")
        with tempfile.TemporaryDirectory(
            prefix=PART[0], suffix=PART[1], dir=folder, ignore_cleanup_errors=True
        ) as stage:
            staged = Path(stage) / target.name
            with _alive(Path(stage)):
                yield staged
            with staged.open("rb+") as opened:
                os.fsync(opened.fileno())
            wrong = problem(staged, source)
            if wrong:
                raise OSError(f"the copy is not {source.file}: {wrong}")
            if problem(target, source):  # else another process was faster, and somebody may read it
                _set_aside(target)
                os.replace(staged, target)
        problem(target, source)  # notes that it is verified
    except WeightsFetchError:
        raise
    except OSError as error:
        raise WeightsFetchError(
            f"cannot be written to: {error.strerror or error}", file=folder,
            do=f"make room for {source.size:,} bytes, or set JAXVIS_CACHE to another folder",
        ) from error  # fmt: skip


def _set_aside(target: Path) -> None:
    """Rename what stands where the file belongs: it is evidence, and not ours to delete."""
    aside = target.with_name(f"{target.name}.corrupt")
    with suppress(FileNotFoundError):
        os.replace(target, aside)
        warnings.warn(
            f"{target} is not the file that was published; it is now {aside}", stacklevel=2
        )


@contextmanager
def _alive(stage: Path) -> Iterator[None]:
    """Hold a lock in a folder, which the system lets go of when the process ends, however it does.

    It gets its name once it is locked, so that nobody meets it unlocked. Where there are no such
    locks, the folder is known by its age.
    """
    with (stage / "new").open("wb") as file:
        with suppress(ImportError, OSError):
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.replace(stage / "new", stage / LOCK)
        yield


def _abandoned(part: Path) -> bool:
    """Whether the process that began an unfinished download is known to have ended."""
    try:
        import fcntl

        with (part / LOCK).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (ImportError, OSError):
        return False
    return True


def _remove_stale(folder: Path) -> None:
    """Remove unfinished downloads of runs that died, or that nobody has written to for a day."""
    for part in folder.glob("*".join(PART)):
        with suppress(OSError):
            newest = max(path.stat().st_mtime for path in (part, *part.iterdir()))
            if _abandoned(part) or time.time() - newest > STALE:
                shutil.rmtree(part)


def problem(path: Path, source: Source, *, again: bool = False) -> str:
    """Say what keeps a file from being the one published: "" if nothing.

    Args:
        again: hash it even if nothing about it has changed since it was last verified.
    """
    try:
        if not path.is_file():  # a pipe would block
            return "no such file" if not path.exists() else "no regular file"
        with path.open("rb") as opened:
            identity = _identity(path, os.fstat(opened.fileno()))
            if identity["size"] != source.size:
                return f"found {identity['size']:,} bytes, wanted {source.size:,}"
            stamp = cache_folder() / f"{source.file}.verified"
            if not again and _read(stamp) == {**identity, "md5": source.md5}:
                return ""
            md5 = hashlib.file_digest(opened, lambda: hashlib.md5(usedforsecurity=False))
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    if md5.hexdigest() != source.md5:
        return f"found MD5 {md5.hexdigest()}, wanted {source.md5}"
    with suppress(OSError):  # a cache that cannot be written to costs a second per load
        stamp.parent.mkdir(parents=True, exist_ok=True)  # the file may be in Keras's cache
        stamp.write_text(json.dumps({**identity, "md5": source.md5}))
    return ""


def _identity(path: Path, found: os.stat_result) -> dict[str, str | int]:
    return {
        "path": str(path.absolute()), "size": found.st_size, "inode": found.st_ino,
        "mtime_ns": found.st_mtime_ns, "ctime_ns": found.st_ctime_ns,
    }  # fmt: skip


def _read(stamp: Path) -> object:
    try:
        return json.loads(stamp.read_text())
    except (OSError, ValueError):
        return None
