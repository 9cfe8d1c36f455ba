"""All that the command prints goes through here: no name in it reaches a terminal as a control."""

import os
import sys
from contextlib import suppress
from typing import TextIO

from jaxvis import stopping
from jaxvis.report.output import OutputError
from jaxvis.text import visible


def say(text: str) -> None:
    """Print lines of results.

    Raises:
        OutputError: the disk that stdout goes to is full, or the like.
        BrokenPipeError: nobody reads it.
    """
    try:
        print(visible(text, keep="\n"), flush=True)
    except BrokenPipeError:
        _close(sys.stdout)
        raise
    except OSError as error:
        _close(sys.stdout)
        raise OutputError(f"cannot print: {error.strerror}; {stopping.outcome}") from error


def complain(text: str) -> None:
    """Print lines on stderr; where that is impossible, the exit code has to do."""
    try:
        print(visible(text, keep="\n"), file=sys.stderr, flush=True)
    except OSError:
        _close(sys.stderr)


def finish() -> None:
    """Print what others, argparse for one, have left in buffers; errors are those of `say`."""
    try:
        sys.stdout.flush()
    except OSError as error:
        _close(sys.stdout)
        if isinstance(error, BrokenPipeError):
            return
        raise OutputError(f"cannot print: {error.strerror}") from error
    finally:
        try:
            sys.stderr.flush()
        except OSError:
            _close(sys.stderr)


def _close(stream: TextIO) -> None:
    """Let the stream go nowhere, or the end of Python would try once more, and complain."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
