"""`jaxvis summary`: the table of layers and parameters."""

import argparse
from typing import Any

from jaxvis.cli import options as shared
from jaxvis.cli.exits import DONE
from jaxvis.cli.say import say
from jaxvis.errors import InputError


def add_to(commands: Any) -> None:
    """Add the command to the parser."""
    add = shared.command(commands, "summary", run, help="print the table of layers and parameters")
    shared.network(add, "default the full VGG16, no file read")


def run(chosen: argparse.Namespace) -> int:
    """Run the command; errors are those of `load`."""
    if chosen.network is None:
        if shared.told(chosen):
            raise InputError("what is told of a network belongs to --network FILE")
        from jaxvis.models.layers import summary_table

        say(summary_table())
    else:
        from jaxvis.weights.load import load

        say(load(chosen.network, **shared.told(chosen)).summary())
    return DONE
