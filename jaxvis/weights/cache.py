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

from jaxvis import stopping
from jaxvis.folders import cache_folder
from jaxvis.lock import hold
from jaxvis.text import visible
from jaxvis.weights.errors import WeightsFetchError

STALE = 24 * 3600  # seconds after which an unfinished download belongs to a run that died
LOCK = "lock"  # in that folder
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
        with _stage(folder) as stage:
            staged = stage / target.name
            yield staged
            with staged.open("rb+") as opened:
                os.fsync(opened.fileno())
            wrong = problem(staged, source)
            if wrong:
                raise OSError(f"the copy is not {source.file}: {wrong}")
            damaged = problem(target, source)  # else another process was faster
            with stopping.postponed():
                if damaged:
                    _set_aside(target)
                    os.replace(staged, target)
                stopping.succeeded(
                    f"the weights are complete, at {visible(target)}; nothing else was written"
                )
        problem(target, source)  # notes that it is verified
    except WeightsFetchError:
        raise
    except OSError as error:
        raise WeightsFetchError(
            f"cannot be written to: {error.strerror or error}", file=folder,
            do=f"make room for {source.size:,} bytes, or set JAXVIS_CACHE to another folder",
        ) from error  # fmt: skip


@contextmanager
def _stage(folder: Path) -> Iterator[Path]:
    """A folder of this process alone, locked while it lives."""
    made: list[tuple[Path, int | None]] = []

    def remove() -> None:
        for stage, lock in made:
            shutil.rmtree(stage, ignore_errors=True)
            if lock is not None:
                os.close(lock)
                shutil.rmtree(stage, ignore_errors=True)  # Windows: now the lock, too
        made.clear()

    with stopping.undone_by(remove):
        try:
            with stopping.postponed():
                stage, lock = _new_stage(folder)
                made.append((stage, lock))
            yield stage
        finally:
            with stopping.postponed():
                remove()


def _new_stage(folder: Path) -> tuple[Path, int]:
    """Make a folder and lock it.

    Between the two another process may take it for one of a run that died, and remove it
    (`_remove_stale`): then another is made.
    """
    while True:
        stage = Path(tempfile.mkdtemp(prefix=PART[0], suffix=PART[1], dir=folder))
        with suppress(FileNotFoundError):
            lock = hold(stage / LOCK)
            if lock is not None and (stage / LOCK).exists():
                return stage, lock
            if lock is not None:
                os.close(lock)
        shutil.rmtree(stage, ignore_errors=True)


def _set_aside(target: Path) -> None:
    """Rename what stands where the file belongs: it is evidence, and not ours to delete."""
    aside = target.with_name(f"{target.name}.corrupt")
    with suppress(FileNotFoundError):
        os.replace(target, aside)
        warnings.warn(
            f"{target} is not the file that was published; it is now {aside}", stacklevel=2
        )


def _remove_stale(folder: Path) -> None:
    """Remove unfinished downloads of runs that died: not locked, or not written to for a day."""
    for part in folder.glob("*".join(PART)):
        with suppress(OSError):
            if (part / LOCK).exists():
                lock = hold(part / LOCK)
                if lock is not None:
                    shutil.rmtree(part, ignore_errors=True)
                    os.close(lock)
                    shutil.rmtree(part, ignore_errors=True)  # Windows: now the lock, too
                continue
            newest = max(path.stat().st_mtime for path in (part, *part.iterdir()))
            if time.time() - newest > STALE:
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
