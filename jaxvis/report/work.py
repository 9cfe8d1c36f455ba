"""The hidden folder in which a run works: locked while the run lives, tidied up by the next one."""

import errno
import os
import shutil
import time
from contextlib import suppress
from pathlib import Path

from jaxvis.lock import hold
from jaxvis.report import journal

PREFIX = ".jaxvis-"
LOCK = "lock"
PATIENCE = 5  # tenths of a second to wait for a lock


def name_for(target: Path) -> str:
    """Return the name of the folder for results that go to `target`: one name, one lock."""
    return PREFIX + target.name[:60]  # 240 bytes at most, of the 255 that a name may have


def claim(work: Path) -> int | None:
    """Make and lock the folder, and tidy up in it; return the lock, None if a run lives there."""
    for _ in range(PATIENCE):
        with suppress(FileExistsError):
            os.mkdir(work, 0o700)
        if not _mine(work):
            raise PermissionError(
                errno.EACCES, f"{work.name} is there and belongs to somebody else", str(work)
            )
        try:
            lock = hold(work / LOCK)
        except FileNotFoundError:  # a run that has just ended removed the folder
            continue
        if lock is None:  # it may be but a run that tidies up
            time.sleep(0.1)
            continue
        try:
            journal.finish(work)
            _empty(work)
        except BaseException:
            os.close(lock)
            raise
        return lock
    return None


def release(work: Path, lock: int) -> None:
    """Remove the folder and the lock on it, unless the next run has something to finish there."""
    try:
        if not os.path.lexists(work / journal.JOURNAL):
            _empty(work)
            try:
                os.unlink(work / LOCK)  # last: from here on the folder may be another run's
            except PermissionError:  # Windows: not while it is open
                os.close(lock)
                lock = -1
                os.unlink(work / LOCK)
            os.rmdir(work)
    except OSError:
        pass  # the next run tidies up
    finally:
        if lock != -1:
            os.close(lock)


def tidy(folder: Path, *, but: set[Path]) -> bool:
    """Tidy up after runs in `folder` that were killed; return whether one lives there."""
    lives = False
    for work in sorted(folder.glob(f"{PREFIX}*")):
        if work in but:
            continue
        with suppress(OSError):  # what cannot be tidied up is left
            if not (_mine(work) and os.path.lexists(work / LOCK)):
                continue
            lock = hold(work / LOCK)
            if lock is None:
                lives = True
                continue
            try:
                journal.finish(work)
            except BaseException:
                os.close(lock)
                raise
            release(work, lock)
    return lives


def _mine(work: Path) -> bool:
    """Whether it is a folder of this user: nobody else's journal is to be carried out."""
    if work.is_symlink() or not work.is_dir():
        return False
    return not hasattr(os, "getuid") or work.stat().st_uid == os.getuid()


def _empty(work: Path) -> None:
    for path in work.iterdir():
        if path.name != LOCK:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                os.unlink(path)
