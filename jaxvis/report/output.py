"""What every command that writes files needs: all of them or none, and what made them.

A run works in a hidden folder beside its target, on the same file system:

    .jaxvis-report/             made when the run starts, removed when it ends
    .jaxvis-report/lock         locked while the run lives, by whatever way it ends
    .jaxvis-report/new/         the results, until all are written and on the disk
    .jaxvis-report/old/         what they replace, once it is renamed
    .jaxvis-report/journal.json what is to be renamed; there from before the first renaming until
                                after the last

If the target is not there, or holds nothing but an earlier run's files, the whole folder is
exchanged: target -> old, new -> target. If there are other files in it, they stay, and results are
exchanged one by one. In both cases a run that was killed before the journal stood has changed
nothing, and what one that was killed after it left is finished by the next run that writes to the
same target, or beside it, before that run does anything else. So a reader sees the old or the new
files, but for the moment between two renamings, or from a kill in that moment to the next run.

Which files an earlier run wrote is noted in the target's .jaxvis.json, with their hashes. Any other
file is the user's, and so is one that was changed: it is never replaced; where it is in the way,
there is an `OutputError` before anything is renamed. The folder works inside its target where the
target is a mount point or the working directory, or what is around it cannot be written to.
"""

import errno
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from platform import python_version
from typing import Any

from jaxvis import stopping
from jaxvis.errors import InputError
from jaxvis.errors import OutputError as OutputError
from jaxvis.folders import expanded
from jaxvis.report import journal, manifest
from jaxvis.report import work as works
from jaxvis.report.journal import Moves
from jaxvis.text import visible
from jaxvis.version import __version__

PACKAGES = ("jax", "jaxlib", "flax", "numpy", "h5py", "matplotlib", "pillow")

# What says that the disk is at fault, and not whoever writes to it.
DISK = {
    getattr(errno, name, None) for name in ("ENOSPC", "EFBIG", "EDQUOT", "EROFS", "EIO", "ESTALE")
}


@contextmanager
def staging(folder: str | os.PathLike[str], kind: str, names: Iterable[str] = ()) -> Iterator[Path]:
    """A folder whose files appear in `folder` at the end, all of them, or vanish after an error.

    Args:
        folder: the target; it is made if it is not there.
        kind: of the results: they replace those of an earlier run of the same kind.
        names: files that will be written; what is in their way is an error now, not at the end.

    Raises:
        OutputError: `folder` cannot be written to, or another run writes to it.
    """
    shown = expanded(folder)
    made: list[Path] = []
    locks: dict[Path, int] = {}

    def clean() -> None:
        for work, lock in reversed(locks.items()):
            works.release(work, lock)
        locks.clear()
        for parent in made:
            with suppress(OSError):
                os.rmdir(parent)  # unless there is something in it

    with stopping.undone_by(clean):
        try:
            with stopping.postponed(), _said(shown):
                target = _resolved(shown)
                _make(target.parent, made)
                work = _claim(shown, target, locks)
                _check_free(shown, target, kind, names)
                place = work / "new"
                os.mkdir(place)
            with _said(shown, work):
                yield place
            with stopping.postponed(), _said(shown):
                _publish(shown, target, work, kind)
                made.clear()
                stopping.succeeded(f"the results are complete, in {visible(shown)}")
        finally:
            with stopping.postponed():
                clean()


def refuse_inputs(folder: str | os.PathLike[str], files: Sequence[Path]) -> None:
    """Raise an error if results would go among the images that they are of.

    Raises:
        InputError: `folder`, by whatever name, is that of one of the files.
    """
    target = expanded(folder)
    if not target.is_dir():
        return
    for parent in {place for file in files for place in (file.parent, file.resolve().parent)}:
        if parent.is_dir() and os.path.samefile(parent, target):
            raise InputError(
                f"{folder}: the images are in this folder; results are written to one of their "
                "own: choose another folder with --out"
            )


@contextmanager
def _said(shown: Path, work: Path | None = None) -> Iterator[None]:
    """Turn what the system says into an OutputError; of what is done in `work` only the disk's."""
    try:
        yield
    except OutputError:
        raise
    except (OSError, RuntimeError) as error:
        if work is None or (isinstance(error, OSError) and _of_disk(error, work)):
            reason = getattr(error, "strerror", None) or error
            full = getattr(error, "errno", None) == errno.ENOSPC
            raise OutputError(
                f"{shown}: nothing can be written there: {reason}; {'make room, or ' * full}choose "
                "another folder with --out"
            ) from error
        raise


def _of_disk(error: OSError, work: Path) -> bool:
    if error.errno in DISK or not (work / "new").is_dir():
        return True
    name = error.filename  # or the number of an open file, or None
    return isinstance(name, str | bytes) and Path(os.fsdecode(name)).is_relative_to(work)


def _resolved(shown: Path) -> Path:
    """Return where the folder really is: links are followed, not replaced."""
    target = shown.resolve()
    if os.path.lexists(target):
        if not target.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, "it is a file, not a folder", str(shown))
        if not os.access(target, os.W_OK | os.X_OK):
            raise PermissionError(
                errno.EACCES, "no permission, or a read-only file system", str(shown)
            )
    return target


def _make(folder: Path, made: list[Path]) -> None:
    """Make the folder and those above it; note those made, innermost first."""
    if folder.is_dir():
        return
    _make(folder.parent, made)
    with suppress(FileExistsError):  # another run made it
        os.mkdir(folder)
        made.insert(0, folder)


def _claim(shown: Path, target: Path, locks: dict[Path, int]) -> Path:
    """Lock the target, tidy up after killed runs, and return the folder to work in."""
    name = works.name_for(target)
    beside, inside = target.parent / name, target / name
    try:
        locks[beside] = _locked(shown, beside)
        work = beside
    except OutputError:
        raise
    except OSError:
        if not target.is_dir():
            raise
        work = inside
    if target.is_dir():
        if _stays(target):
            work = inside
        if works.tidy(target, but=set()):
            raise _busy(shown)
    works.tidy(target.parent, but={beside})
    if work == inside:
        locks[inside] = _locked(shown, inside)
    return work


def _locked(shown: Path, work: Path) -> int:
    try:
        lock = works.claim(work)
    except FileExistsError as error:
        raise OutputError(
            f"{shown}: an earlier run was killed while it renamed its results, and now "
            f"{error.filename} is in their way; move it away, or remove {work}, where they are"
        ) from error
    if lock is None:
        raise _busy(shown)
    return lock


def _busy(shown: Path) -> OutputError:
    return OutputError(
        f"{shown}: another run of jaxvis is writing there; wait for it, or choose another folder "
        "with --out"
    )


def _stays(target: Path) -> bool:
    """Whether the folder is one that cannot be renamed, or should not be."""
    return (
        os.path.ismount(target)
        or os.stat(target).st_dev != os.stat(target.parent).st_dev
        or os.path.samefile(target, os.curdir)
    )


def _check_free(shown: Path, target: Path, kind: str, names: Iterable[str]) -> None:
    """Raise OutputError if something that is not an earlier run's is where a file is to be."""
    ours = manifest.read(target).get(kind, {})
    for name in sorted(names):
        if name not in ours and os.path.lexists(target / name):
            found = "a folder" if (target / name).is_dir() else "a file"
            raise OutputError(
                f"{shown / name}: {found} is there that jaxvis did not write, or that was changed "
                "since; move it away or choose another folder with --out"
            )
    if (target / manifest.MANIFEST).is_dir():
        raise OutputError(f"{shown / manifest.MANIFEST}: a folder; wanted a file; remove it")


def _publish(shown: Path, target: Path, work: Path, kind: str) -> None:
    """Exchange the results in `work` for those of an earlier run."""
    place = work / "new"
    _check_free(shown, target, kind, os.listdir(place))
    noted = manifest.read(target)
    ours = noted.pop(kind, {})
    manifest.write(place, kind, noted)
    for file in place.iterdir():
        journal.sync(file)
    journal.sync_folder(place)
    name, old, new = target.name, f"{work.name}/old", f"{work.name}/new"
    if not os.path.lexists(target):
        journal.publish(work, Moves([], [(new, name)]))
        return
    there = set(os.listdir(target))
    ours_there = there & {*ours, manifest.MANIFEST}
    if work.parent != target and there == ours_there and _alike(place, target):
        try:
            journal.publish(work, Moves([(name, old)], [(new, name)]))
            return
        except OSError:  # somebody holds on to the folder: then file by file
            pass
    os.mkdir(work / "old")
    inside = "" if work.parent == target else f"{name}/"
    journal.publish(
        work,
        Moves(
            [(f"{inside}{file}", f"{old}/{file}") for file in sorted(ours_there)],
            [(f"{new}/{file}", f"{inside}{file}") for file in sorted(os.listdir(place))],
        ),
    )


def _alike(place: Path, target: Path) -> bool:
    """Give the new folder the old one's mode; whether it has its owner, too."""
    old, new = target.stat(), place.stat()
    if (old.st_uid, old.st_gid) != (new.st_uid, new.st_gid):
        return False
    place.chmod(old.st_mode & 0o7777)
    return True


def environment() -> dict[str, Any]:
    """Return the versions and the device that a result names."""
    from jaxvis.gradients.devices import in_words

    return {
        "versions": {"jaxvis": __version__, "python": python_version()}
        | {name: version(name) for name in PACKAGES},
        "device": in_words(),
    }
