"""`jaxvis evaluate`: which map tells the truth, in numbers."""

import argparse
import json
import time
from typing import Any

from jaxvis.cli import options as shared
from jaxvis.cli.exits import DONE
from jaxvis.cli.progress import Progress
from jaxvis.cli.say import say
from jaxvis.errors import InputError
from jaxvis.packages import check_installed
from jaxvis.text import visible


def add_to(commands: Any) -> None:
    """Add the command to the parser."""
    add = shared.command(
        commands, "evaluate", run, help="measure which map tells the truth",
        description="Measure maps: does each point at the object, and of two at the one asked "
        "for, does what it marks matter to the network, does it depend on the network and on its "
        "last layer? Prints three sentences, the table that decides and its rule; writes "
        "evaluation.md, evaluation.json and a chart per question. Without --images it draws scenes "
        "whose objects are known, for the demo's network.",
    )  # fmt: skip
    add("given", nargs="*", metavar="IMAGES", help="files, folders or globs; default drawn scenes")
    add("--images", nargs="+", metavar="IMAGES", help="the same, behind an option")
    add("--maps", metavar="GROUP", help="in place of --images: what `jaxvis maps` wrote; "
        "nothing is computed again, and --boxes are needed")  # fmt: skip
    add("--folder", metavar="FOLDER", help="with --maps, where the images are, if they were moved")
    shared.photographs(add, "in place of --images: all that other packages bring, without boxes")
    shared.network(add, "default imagenet, and the demo without --images")
    shared.what_is_explained(add, "each image's prediction, and the object drawn in a scene")
    shared.how_it_is_computed(add)
    shared.boxes(add, "without it nobody knows where the object is, and that is not asked")
    shared.output(add, "evaluation")
    add("--scenes", type=shared.count, default=500, metavar="N",
        help="scenes to draw, and a quarter of that with two objects; default "
        "%(default)s")  # fmt: skip
    add("--closely", type=shared.count, default=24, metavar="N",
        help="images for the questions that take hundreds of passes each; default "
        "%(default)s")  # fmt: skip


def run(chosen: argparse.Namespace) -> int:
    """Run the command; errors are those of `write_evaluation`."""
    from jaxvis.evaluate.readable import in_brief, in_columns
    from jaxvis.report.evaluation import Options, write_evaluation

    if chosen.given and chosen.images:
        raise InputError(
            f"images are given twice, {chosen.given[0]} and --images; wanted one of them"
        )
    chosen.images = chosen.given or chosen.images
    if chosen.maps is not None:
        _check_alone(chosen)
    elif chosen.folder is not None:
        raise InputError("--folder belongs to --maps; --images have their paths")
    shared.use_cache(chosen)
    images, network = shared.images_and_network(chosen, None, "--images")
    wanted = Options(
        images=images, maps=chosen.maps, folder=chosen.folder, boxes=chosen.boxes,
        class_name=chosen.class_name, network=network, labels=shared.labels(chosen),
        scenes=chosen.scenes, closely=chosen.closely, layer=chosen.layer,
        methods=chosen.methods, rules=chosen.rules,
        precision=shared.precision(chosen, network), resample=chosen.resample,
        told=shared.told(chosen),
    )  # fmt: skip
    start = time.perf_counter()
    with Progress(chosen.quiet or chosen.json) as progress:
        found, told = write_evaluation(chosen.out, wanted, progress=progress)
    if chosen.json:
        say(json.dumps(told, indent=1))
    elif not chosen.quiet:
        brief = in_brief(found, told["network"])
        seconds = time.perf_counter() - start
        last = f"all figures, map by map: {visible(told['page'])} ({seconds:.0f} s)"
        above = "\n".join(map(_filled, brief.sentences))
        table = in_columns(brief.heading, brief.rows)
        below = [f"Rule: {brief.rule}", *(f"Note: {note}" for note in brief.notes)]
        say("\n\n".join([above, table, *map(_filled, below), last]))
    return DONE


def _check_alone(chosen: argparse.Namespace) -> None:
    """Raise InputError for options that say what stored maps are to be made of."""
    check_installed("stored maps", "tensorstore", extra="many")
    made_of = {
        "--images": chosen.images, "--photographs": chosen.photographs, "--network": chosen.network,
        "--class": chosen.class_name, "--layer": chosen.layer, "--precision": chosen.precision,
        "--resample": chosen.resample, "--labels": chosen.labels,
    }  # fmt: skip
    given = [name for name, value in made_of.items() if value]
    if given:
        raise InputError(
            f"{given[0]} says what maps are made of, and --maps are made already; leave it out"
        )


def _filled(text: str) -> str:
    """Text in lines of 88 letters, which the table is wide."""
    from jaxvis.evaluate.readable import in_lines

    return "\n".join(in_lines(text, 88))
