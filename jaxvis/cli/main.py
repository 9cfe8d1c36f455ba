"""The command `jaxvis`: the library from a shell, with messages instead of tracebacks."""

import argparse
import os
import traceback
import warnings
from collections.abc import Sequence
from typing import NoReturn

from jaxvis import stopping
from jaxvis.cli import classes, devices, evaluate, fetch, maps, report, show, summary, weights
from jaxvis.cli.exits import DONE, FAULT, IMAGES, INTERRUPTED, OUTPUT, TEXT, USAGE, WEIGHTS
from jaxvis.cli.say import complain, finish
from jaxvis.errors import InputError
from jaxvis.pictures.files import ImageError
from jaxvis.report.output import DISK, OutputError
from jaxvis.text import visible
from jaxvis.version import __version__
from jaxvis.weights.errors import WeightsError

COMMANDS = (
    report,
    evaluate,
    maps,
    show,
    fetch,
    weights,
    summary,
    classes,
    devices,
)  # as in the help


def command() -> int:
    """Do what `main` does with the process's arguments; show a fault, and ask to report it."""
    try:
        code = _code_of_main()
        try:
            finish()
        except OutputError as error:
            return _fail(error, OUTPUT)
        return code
    except Exception:
        complain(traceback.format_exc().rstrip())
        return _fail(
            "this is a fault of jaxvis, or of the network's own code; if it is not of the latter, "
            "please report it with the lines above",
            FAULT,
        )


def _code_of_main() -> int:
    try:
        return main()
    except SystemExit as end:  # argparse, after --help or a mistake
        if end.code is None or isinstance(end.code, int):
            return end.code or DONE
        raise  # a text, by a network's own code


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code. What is a fault, and no user's mistake, is raised."""
    stopping.begin()
    options = parser().parse_args(arguments)
    # A file name may be in a script that the figures' font does not have; that is no mistake.
    warnings.filterwarnings("ignore", message="Glyph .* missing from font")
    try:
        return options.run(options)
    except ImageError as error:
        return _fail(error, IMAGES)
    except WeightsError as error:
        return _fail(error, WEIGHTS)
    except InputError as error:
        return _fail(error, USAGE)
    except (OutputError, PermissionError) as error:
        return _fail(error, OUTPUT)
    except BrokenPipeError:  # the reader, head say, has seen enough
        return DONE
    except KeyboardInterrupt:  # where another program calls this function
        return _fail(f"interrupted; {stopping.outcome}", INTERRUPTED)
    except Exception as error:
        if isinstance(error, OSError) and error.errno in DISK:
            return _fail(error, OUTPUT)
        reason = _why_jax_does_not_start()
        if reason:
            return _fail(reason, USAGE)
        raise


def _why_jax_does_not_start() -> str | None:
    """Ask JAX for its devices: if it has none, every other error comes from that."""
    import jax

    try:
        jax.devices()
    except Exception as error:  # an AssertionError, too
        reason = (str(error).splitlines() or ["it finds no device"])[0].rstrip(".")
        chosen = os.environ.get("JAX_PLATFORMS", "")
        return f"JAX does not start: {reason}; JAX_PLATFORMS is '{chosen}': set it to cpu, say"
    return None


def _fail(error: Exception | str, code: int) -> int:
    complain(f"jaxvis: {error}")
    return code


class Parser(argparse.ArgumentParser):
    """A parser whose messages show what cannot be seen in an argument."""

    def error(self, message: str) -> NoReturn:
        """Print the usage and the message, and leave with exit code 2."""
        super().error(visible(message))


def parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    made = Parser(
        prog="jaxvis", epilog=TEXT, description="What does VGG16, or a network of yours, look at? "
        "Saliency maps and Grad-CAM, each vanilla, rectified and guided.",
    )  # fmt: skip
    made.add_argument("--version", action="version", version=f"jaxvis {__version__}")
    commands = made.add_subparsers(required=True, metavar="COMMAND")
    for one in COMMANDS:
        one.add_to(commands)
    return made
