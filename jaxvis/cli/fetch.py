"""`jaxvis fetch`: known weights into the cache."""

import argparse
import sys
from typing import Any

from jaxvis.cli import options as shared
from jaxvis.cli.exits import DONE
from jaxvis.cli.say import say
from jaxvis.text import visible


def add_to(commands: Any) -> None:
    """Add the command to the parser."""
    add = shared.command(
        commands, "fetch", run, help="fetch or install Keras's ImageNet weights",
        description="Fetch Keras's ImageNet weights into the cache (JAXVIS_CACHE, or the "
        "platform's), verified; nothing is fetched that is there.",
    )  # fmt: skip
    add("name", choices=["imagenet", "imagenet-notop"])
    add("--file", metavar="PATH", help="verify and install this copy instead")


def run(chosen: argparse.Namespace) -> int:
    """Run the command; errors are those of `fetch`."""
    from jaxvis.weights.fetch import fetch

    path = fetch(chosen.name, file=chosen.file, progress=sys.stderr.isatty())
    say(f"{chosen.name}: verified, at {visible(path)}")
    return DONE
