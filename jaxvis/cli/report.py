"""`jaxvis report`: the lab report of some images."""

import argparse
import json
from typing import Any

from jaxvis.cli import options as shared
from jaxvis.cli.exits import DONE
from jaxvis.cli.progress import Progress
from jaxvis.cli.say import say
from jaxvis.demo.images import demo_images
from jaxvis.pictures import palette
from jaxvis.pictures.kinds import ASKED_FOR
from jaxvis.pictures.photographs import REPORTED
from jaxvis.pictures.presets import PRESETS
from jaxvis.text import visible


def add_to(commands: Any) -> None:
    """Add the command to the parser."""
    add = shared.command(
        commands, "report", run, help="write the lab report of some images",
        description="Write the lab report: the maps of every image as figures, their raw values as "
        "maps.npz, report.html to explore in a browser, and report.md. Without IMAGES it runs on "
        "the demo that comes with jaxvis.",
    )  # fmt: skip
    add("images", nargs="*", metavar="IMAGES", help="files, folders or globs")
    shared.photographs(add, f"in place of IMAGES: {REPORTED} that other packages bring")
    shared.network(add, "default imagenet, and the demo without IMAGES")
    shared.what_is_explained(add, "each image's prediction")
    shared.how_it_is_computed(add)
    shared.boxes(add, "the conclusion then asks whether maps point there")
    shared.output(add, "report")
    add("--preset", metavar="NAME", help="draw every map as another library shows it: "
        f"{', '.join(repr(name) for name in PRESETS)}")  # fmt: skip
    add("--colormap", metavar="NAME", help="any of Matplotlib's, for every map; default "
        f"the preset's, or {palette.LAB} for the lab's maps, {palette.EVEN} for all "
        "others")  # fmt: skip
    add("--alpha", type=shared.share, help="of the overlays; default the preset's, or 0.5")
    add("--figures", choices=ASKED_FOR, default="png", help="how figures are saved: png, with JPEG "
        "where photographs show in full, or as vectors that scale, svg or pdf; default "
        "%(default)s")  # fmt: skip
    add("--no-evaluation", action="store_true", help="leave out the measured conclusion")


def run(chosen: argparse.Namespace) -> int:
    """Run the command; errors are those of `write_report`."""
    from jaxvis.report.lab import Options, write_report

    shared.use_cache(chosen)
    given, network = shared.images_and_network(chosen, REPORTED, "IMAGES")
    images = given or [str(path) for path in demo_images()]
    class_name = chosen.class_name
    if not given and network == "demo" and class_name is None:
        class_name = "goose"
    wanted = Options(
        network=network, class_name=class_name, layer=chosen.layer, methods=chosen.methods,
        rules=chosen.rules, labels=shared.labels(chosen),
        precision=shared.precision(chosen, network), resample=chosen.resample,
        colormap=chosen.colormap, alpha=chosen.alpha, preset=chosen.preset,
        figures=chosen.figures, boxes=chosen.boxes,
        evaluate=not chosen.no_evaluation, told=shared.told(chosen),
    )  # fmt: skip
    with Progress(chosen.quiet or chosen.json) as progress:
        done = write_report(images, chosen.out, wanted, progress=progress)
    if chosen.json:
        say(json.dumps(done, indent=2))
    elif not chosen.quiet:
        for image in done["images"]:
            best = image["top"][0]
            say(
                f"{visible(image['file'])}: {visible(best['name'])} "
                f"{100 * best['probability']:.1f} %, "
                f"explained for {visible(image['class']['name'])} ({image['class']['index']})"
            )
        for sentence in done["sentences"]:
            say(sentence)
        say(f"{len(done['figures'])} figures and {visible(done['maps'])}")
        say(f"to explore in a browser: {visible(done['page'])}")
        say(f"report: {visible(done['report'])}")
    return DONE
