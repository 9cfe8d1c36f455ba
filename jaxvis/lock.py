"""A lock on a file, which ends with the process that holds it, however that ends."""

import os
from pathlib import Path


def hold(path: Path) -> int | None:
    """Make the file, lock it and return its descriptor, to be closed; None if another holds it."""
    while True:
        opened = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            if not _lock(opened):
                os.close(opened)
                return None
            # Whoever held it may have removed it meanwhile: then this lock is on a file of no name.
            if os.path.exists(path) and os.path.samestat(os.fstat(opened), os.stat(path)):
                return opened
        except BaseException:
            os.close(opened)
            raise
        os.close(opened)


def _lock(opened: int) -> bool:
    """Whether it could be locked; a file system that knows no locks has to do without."""
    try:
        import fcntl
    except ImportError:
        return _lock_on_windows(opened)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def _lock_on_windows(opened: int) -> bool:
    try:
        import msvcrt
    except ImportError:  # in a browser, say, where there is one process
        return True
    try:
        msvcrt.locking(opened, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
    except OSError:
        return False
    return True
