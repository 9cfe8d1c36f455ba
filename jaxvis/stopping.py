"""What is undone when the process is told to stop, and what is finished first.

An exception raised by a signal comes out anywhere: inside an import of C code or a callback of
XLA's, which print it and go on. So the command's handler raises nothing: it undoes what is on
disk, says so and leaves. A program that uses jaxvis as a library installs nothing of this; there,
KeyboardInterrupt is an exception like any other.
"""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

NAMES = {"SIGINT": "interrupted", "SIGTERM": "terminated", "SIGHUP": "hung up"}

NOTHING = "nothing was written"

outcome = NOTHING  # what is true if the process stops now
_undo: list[Callable[[], None]] = []
_held = 0  # how many parts that are not to be stopped halfway are being done
_asked: int | None = None  # the signal that came meanwhile


def install() -> None:
    """Let signals end this process with a message and the exit code 128 + signal."""
    for name in NAMES:
        number = getattr(signal, name, None)
        # What is ignored (nohup, a script's background job) was ignored on purpose.
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _stop)


def uninstall() -> None:
    """All is done: from here to the end of the process there is nothing to stop."""
    for name in NAMES:
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is _stop:
            signal.signal(number, signal.SIG_IGN)


def begin() -> None:
    """Nothing is done yet."""
    succeeded(NOTHING)


def succeeded(text: str) -> None:
    """Note what will be true of the results if the process stops after this."""
    global outcome
    outcome = text


@contextmanager
def postponed() -> Iterator[None]:
    """A part that is finished before the process stops, unless it is told twice."""
    global _held
    _held += 1
    try:
        yield
    finally:
        _held -= 1
        if not _held and _asked is not None:
            _stop(_asked, None)


@contextmanager
def undone_by(undo: Callable[[], None]) -> Iterator[None]:
    """A part that leaves something behind unless `undo` is called."""
    _undo.append(undo)
    try:
        yield
    finally:
        _undo.remove(undo)


def _stop(number: int, frame: FrameType | None) -> None:
    global _asked
    if _held and _asked is None:
        _asked = number
        return
    text = outcome
    if _held:
        text = "at once; the next run with the same folder tidies up"
    else:
        for undo in reversed(_undo):
            with suppress(OSError):
                undo()
    with suppress(Exception):  # it may be what was interrupted
        sys.stdout.flush()
    start = "\n" if os.isatty(2) else ""  # below the line of the progress
    with suppress(OSError):
        name = NAMES[signal.Signals(number).name]
        os.write(2, f"{start}jaxvis: {name}; {text}\n".encode(errors="backslashreplace"))
    # XLA's threads are still at work, and would crash in an interpreter that is taken down.
    os._exit(128 + number)
