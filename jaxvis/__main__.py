"""The command `jaxvis`, also as `python -m jaxvis`.

From its first lines on a signal ends it with a message, and closed streams are as /dev/null. So
only little is imported before; what takes its time, JAX above all, comes after.
"""

import os
import sys

from jaxvis import stopping


def run() -> int:
    """Run the command on the process's arguments; return its exit code."""
    stopping.install()
    try:
        _open_streams()
        from jaxvis.cli.main import command

        return command()
    finally:
        stopping.uninstall()


def _open_streams() -> None:
    """Open what was closed, or a file of results would get its number, and print what is no text.

    Characters that an encoding does not have, cp1252 or ASCII say, are written out as \\u....
    """
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free: this one
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, mode, closefd=False))  # noqa: SIM115 - to the end
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]


if __name__ == "__main__":
    sys.exit(run())
