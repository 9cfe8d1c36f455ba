"""`jaxvis classes`: class names, looked up."""

import argparse
from typing import Any

from jaxvis.cli import options as shared
from jaxvis.cli.exits import DONE
from jaxvis.cli.say import say
from jaxvis.errors import InputError
from jaxvis.text import visible


def add_to(commands: Any) -> None:
    """Add the command to the parser."""
    add = shared.command(commands, "classes", run, help="look up classes by a part of their name")
    add("text", nargs="?", default="", help="as in: jaxvis classes goose")
    shared.network(add, "default the ImageNet classes")


def run(chosen: argparse.Namespace) -> int:
    """Run the command; raises ValueError where nothing is found."""
    from jaxvis.models import labels

    names = None
    if chosen.network is not None:
        from jaxvis.weights.load import load

        names = load(chosen.network, **shared.told(chosen)).labels
        if names is None:
            raise InputError(f"{chosen.network} has no class names")
    found = labels.search(chosen.text, names)
    if not found:
        raise InputError(f"no class has a name like {chosen.text!r}; try a part of it")
    say(
        "\n".join(
            f"{index:>4}  {wordnet_id:<9}  {visible(name)}" if wordnet_id
            else f"{index:>4}  {visible(name)}"
            for index, wordnet_id, name in found
        )
    )  # fmt: skip
    return DONE
