"""`jaxvis show`: stored maps on the report's page."""

import argparse
import json
import webbrowser
from pathlib import Path
from typing import Any

from jaxvis.cli import options as shared
from jaxvis.cli.exits import DONE
from jaxvis.cli.say import say
from jaxvis.packages import check_installed
from jaxvis.text import visible


def add_to(commands: Any) -> None:
    """Add the command to the parser."""
    add = shared.command(
        commands, "show", run, help="show stored maps on a page to explore",
        description="Write the report's page, report.html, of images whose maps `jaxvis maps` has "
        "stored. The images themselves are read from their files again.",
    )  # fmt: skip
    add("maps", metavar="GROUP", help="what `jaxvis maps --out` wrote")
    add("which", nargs="*", metavar="WHICH", help="images: numbers from 0, ranges (0:50), names, "
        "or patterns of names ('cat*'); default the first twelve")  # fmt: skip
    add("--folder", metavar="FOLDER", help="where the image files are, if they were moved")
    shared.boxes(add, "they are outlined on the page")
    shared.output(add, "show")
    add("--open", action="store_true", help="open the page in the browser")


def run(chosen: argparse.Namespace) -> int:
    """Run the command; errors are those of `open_maps` and `write_stored_page`."""
    check_installed("stored maps", "tensorstore", extra="many")
    from jaxvis.report.stored_page import write_stored_page
    from jaxvis.streaming.stored import open_maps

    page, count = write_stored_page(
        open_maps(chosen.maps), chosen.out, chosen.which, boxes=chosen.boxes, folder=chosen.folder
    )
    if chosen.json:
        say(json.dumps({"page": page, "images": count}))
    elif not chosen.quiet:
        say(f"{count} image{'s' * (count != 1)} to explore in a browser: {visible(page)}")
    if chosen.open:
        webbrowser.open(Path(page).absolute().as_uri())
    return DONE
