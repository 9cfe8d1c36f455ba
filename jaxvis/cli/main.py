"""The command `jaxvis`: the library from a shell, with messages instead of tracebacks."""

import argparse
import os
import sys
import warnings
from collections.abc import Sequence

from jaxvis.cli import classes, evaluate, fetch, report, summary, weights
from jaxvis.cli.exits import DONE, IMAGES, INTERRUPTED, OUTPUT, TEXT, USAGE, WEIGHTS
from jaxvis.errors import InputError
from jaxvis.pictures.files import ImageError
from jaxvis.version import __version__
from jaxvis.weights.errors import WeightsError

COMMANDS = (report, evaluate, fetch, weights, summary, classes)  # in the order of the help


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    options = parser().parse_args(arguments)
    # A file name may be in a script that the figures' font does not have; that is no mistake.
    warnings.filterwarnings("ignore", message="Glyph .* missing from font")
    from jaxvis.report.output import OutputError

    try:
        code = options.run(options)
        sys.stdout.flush()
        return code
    except ImageError as error:
        return _fail(error, IMAGES)
    except WeightsError as error:
        return _fail(error, WEIGHTS)
    except (OutputError, PermissionError) as error:
        return _fail(error, OUTPUT)
    except InputError as error:
        return _fail(error, USAGE)
    except KeyboardInterrupt:
        return _fail("interrupted; nothing was written", INTERRUPTED)
    except BrokenPipeError:  # the reader, head say, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE


def _fail(error: Exception | str, code: int) -> int:
    print(f"jaxvis: {error}", file=sys.stderr)
    return code


def parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    made = argparse.ArgumentParser(
        prog="jaxvis", epilog=TEXT, description="What does VGG16, or a network of yours, look at? "
        "Saliency maps and Grad-CAM, each vanilla, rectified and guided.",
    )  # fmt: skip
    made.add_argument("--version", action="version", version=f"jaxvis {__version__}")
    commands = made.add_subparsers(required=True, metavar="COMMAND")
    for one in COMMANDS:
        one.add_to(commands)
    return made
