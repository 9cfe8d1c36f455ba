"""`jaxvis weights`: what is there, whether it is sound, and how to remove it."""

import argparse
from typing import Any

from jaxvis.cli import options as shared
from jaxvis.cli.exits import DONE
from jaxvis.cli.say import say


def add_to(commands: Any) -> None:
    """Add the command to the parser."""
    text = "list the weights that are there, verify them, say how to remove them"
    shared.command(commands, "weights", run, help=text)


def run(chosen: argparse.Namespace) -> int:
    """Run the command."""
    from jaxvis.folders import cache_folder, keras_folder
    from jaxvis.weights.fetch import SOURCES, inventory
    from jaxvis.weights.load import weights_file

    demo = weights_file("demo")
    say(f"demo: {demo}, {demo.stat().st_size:,} bytes, part of jaxvis")
    entries = inventory()
    for entry in entries:
        name = f"{entry.name}: " if entry.name else ""
        say(f"{name}{entry.path}, {entry.size:,} bytes, {entry.state}")
        owner = (
            "belongs to Keras" if entry.path.parent == keras_folder() else "to remove: delete it"
        )
        say(f"    {owner}")
    for name in sorted(SOURCES.keys() - {entry.name for entry in entries}):
        say(f"{name}: not here; jaxvis fetch {name} fetches {SOURCES[name].size:,} bytes")
    say(f"cache: {cache_folder()}")
    return DONE
