"""Several renamings as one: written down before the first, so that the next run can finish them."""

import errno
import json
import os
from contextlib import suppress
from pathlib import Path, PurePath
from typing import NamedTuple

JOURNAL = "journal.json"


class Moves(NamedTuple):
    """Renamings (from, to), relative to the parent of the folder in which the journal lies."""

    aside: list[tuple[str, str]]  # what was there, first
    into: list[tuple[str, str]]  # what takes its place; never onto something else


def publish(work: Path, moves: Moves) -> None:
    """Carry out all the moves, or none if there is an error."""
    _write(work, moves)
    try:
        _carry_out(work.parent, moves)
    except BaseException:
        _undo(work.parent, moves)  # if that fails too, the journal stays, and the next run goes on
        os.unlink(work / JOURNAL)
        raise
    with suppress(OSError):  # all is in place; the next run closes it
        _close(work, moves)


def finish(work: Path) -> None:
    """Carry out what is left of the moves of a run that was killed, if it had begun them.

    Raises:
        OSError: they cannot be: something is in the way; all is left as it is.
    """
    try:
        text = (work / JOURNAL).read_text(encoding="utf-8")
    except FileNotFoundError:
        return
    try:
        found = json.loads(text)
        moves = Moves(*([(str(a), str(b)) for a, b in found[name]] for name in Moves._fields))
        if not all(_ours(work, *move) for part in moves for move in part):
            raise ValueError
    except (ValueError, TypeError, KeyError):
        raise OSError(errno.EINVAL, "no journal of jaxvis", str(work / JOURNAL)) from None
    _carry_out(work.parent, moves)
    _close(work, moves)


def _ours(work: Path, *ends: str) -> bool:
    """Whether a move goes in or out of the work's folder; others are not from this module."""
    parts = [PurePath(end).parts for end in ends]
    inside = [part[:1] == (work.name,) for part in parts]
    return any(inside) and not any(
        ".." in part or PurePath(end).is_absolute() for part, end in zip(parts, ends, strict=True)
    )


def _write(work: Path, moves: Moves) -> None:
    part = work / f"{JOURNAL}.part"
    part.write_text(json.dumps(moves._asdict()), encoding="utf-8")
    sync(part)
    os.rename(part, work / JOURNAL)
    sync_folder(work)


def _carry_out(base: Path, moves: Moves) -> None:
    """Do what is not done yet: what is aside has arrived there, and what is in has left."""
    for source, target in moves.aside:
        if os.path.lexists(base / source) and not os.path.lexists(base / target):
            os.rename(base / source, base / target)
    for source, target in moves.into:
        if os.path.lexists(base / source):
            if os.path.lexists(base / target):
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(base / target))
            os.rename(base / source, base / target)


def _undo(base: Path, moves: Moves) -> None:
    for source, target in [*reversed(moves.into), *reversed(moves.aside)]:
        if os.path.lexists(base / target) and not os.path.lexists(base / source):
            os.rename(base / target, base / source)


def _close(work: Path, moves: Moves) -> None:
    """Remove the journal, once the moves will outlast a power cut."""
    ends = {work.parent / end for part in moves for move in part for end in move}
    for folder in {end.parent for end in ends}:
        sync_folder(folder)
    os.unlink(work / JOURNAL)
    sync_folder(work)


def sync(file: Path) -> None:
    """Return when the bytes of the file, or of all files in the folder, are on the disk."""
    if file.is_dir():
        for one in file.iterdir():
            sync(one)
        sync_folder(file)
        return
    with file.open("rb+") as opened:  # Windows wants to be allowed to write
        os.fsync(opened.fileno())


def sync_folder(folder: Path) -> None:
    """Return when the names in a folder are on the disk, on systems that can say so."""
    with suppress(OSError):  # Windows opens no folder
        opened = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)
