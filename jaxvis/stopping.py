"""What is undone when the process is told to stop, and what is finished first.

An exception raised by a signal comes out anywhere: inside an import of C code or a callback of
XLA's, which print it and go on. So the command's handler raises nothing: it undoes what is on
disk, says so and leaves. Python calls handlers in the main thread, which may be in XLA for as long
as a batch takes; so a thread of its own does this, and the main thread only stands still.

A program that uses jaxvis as a library installs nothing of this; there, KeyboardInterrupt is an
exception like any other.
"""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import NoReturn

NAMES = {"SIGINT": "interrupted", "SIGTERM": "terminated", "SIGHUP": "hung up"}
PATIENCE = 0.2  # seconds that the thread waits for the main thread to stand still
NOTHING = "nothing was written"

outcome = NOTHING  # what is true if the process stops now
_undo: list[Callable[[], None]] = []
_held = 0  # how many parts that are not to be stopped halfway are being done
_noted: int | None = None  # the signal that came meanwhile, as the main thread knows
_asked: int | None = None  # the signal that came, as the thread knows
_watched = False  # whether there is that thread
_still = False  # whether the main thread stands


def install() -> None:
    """Let signals end this process with a message and the exit code 128 + signal."""
    for name in NAMES:
        number = getattr(signal, name, None)
        # What is ignored (nohup, a script's background job) was ignored on purpose.
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _handle)
    _start_thread()


def uninstall() -> None:
    """All is done: from here to the end of the process there is nothing to stop."""
    for name in NAMES:
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is _handle:
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
    _held += 1  # before the look at what was asked: the thread does the two the other way round
    if _held == 1 and _asked is not None:
        _held = 0
        _give_way(_asked)
    try:
        yield
    finally:
        _held -= 1
        came = _noted or _asked
        if not _held and came is not None:
            _give_way(came)


@contextmanager
def undone_by(undo: Callable[[], None]) -> Iterator[None]:
    """A part that leaves something behind unless `undo` is called."""
    _undo.append(undo)
    try:
        yield
    finally:
        _undo.remove(undo)


def _handle(number: int, frame: FrameType | None) -> None:
    """In the main thread."""
    global _noted
    if _held and _noted is None:
        _noted = number
    elif _held and not _watched:
        _leave_at_once(number)
    else:
        _give_way(number)


def _give_way(number: int) -> NoReturn:
    """Stand still while the thread stops the process, or do it here."""
    global _still
    if _watched:
        _still = True
        # It does, unless other code, asyncio for one, has taken the signals that Python sends it.
        time.sleep(10 * PATIENCE)
    if _held:
        _leave_at_once(number)
    _stop(number)


def _start_thread() -> None:
    global _watched
    import socket
    import threading

    with suppress(OSError, RuntimeError):  # without it signals are a little slower
        here, there = socket.socketpair()  # Windows takes nothing else
        there.setblocking(False)
        threading.Thread(target=_watch, args=(here, there), daemon=True).start()
        signal.set_wakeup_fd(there.fileno(), warn_on_full_buffer=False)
        _watched = True


def _watch(here: object, there: object) -> None:
    """In the thread: wait for a signal and for the main thread, and stop; at once at a second one.

    The other end is held here, so that nobody closes it.
    """
    global _asked
    receive = here.recv  # type: ignore[attr-defined]
    number = _next_signal(receive)
    _asked = number
    here.settimeout(0.01)  # type: ignore[attr-defined]
    end = time.monotonic() + PATIENCE
    while _held or not (_still or time.monotonic() > end):
        with suppress(TimeoutError):
            _leave_at_once(_next_signal(receive))
    _stop(number)


def _next_signal(receive: Callable[[int], bytes]) -> int:
    while True:
        number = receive(1)[0]
        if signal.getsignal(number) is _handle:
            return number


def _stop(number: int) -> NoReturn:
    for undo in reversed(_undo):
        with suppress(Exception):
            undo()
    _flush()
    _leave(number, outcome)


def _flush() -> None:
    """Print what is buffered, unless it is just this that was interrupted, or nobody reads it."""

    def flush() -> None:
        with suppress(Exception):
            sys.stdout.flush()

    if _watched:
        import threading  # is there already

        waiting = threading.Thread(target=flush, daemon=True)
        waiting.start()
        waiting.join(PATIENCE)
    else:
        flush()


def _leave_at_once(number: int) -> NoReturn:
    _leave(number, "at once; the next run with the same folder tidies up")


def _leave(number: int, text: str) -> NoReturn:
    start = "\n" if os.isatty(2) else ""  # below the line of the progress
    with suppress(OSError):
        name = NAMES[signal.Signals(number).name]
        os.write(2, f"{start}jaxvis: {name}; {text}\n".encode(errors="backslashreplace"))
    # XLA's threads are still at work, and would crash in an interpreter that is taken down.
    os._exit(128 + number)
