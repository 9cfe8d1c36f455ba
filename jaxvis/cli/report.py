"""`jaxvis report`: the lab report of some images."""

import argparse
import json
from typing import TYPE_CHECKING, Any

from jaxvis.cli import options as shared
from jaxvis.cli.exits import DONE
from jaxvis.cli.progress import Progress
from jaxvis.cli.say import say
from jaxvis.demo.images import demo_images
from jaxvis.errors import InputError
from jaxvis.pictures import palette
from jaxvis.pictures.kinds import ASKED_FOR
from jaxvis.pictures.photographs import REPORTED
from jaxvis.pictures.presets import PRESETS
from jaxvis.report.lab_words import LANGUAGES
from jaxvis.text import visible

if TYPE_CHECKING:
    from jaxvis.report.result import LabOptions


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
    add("--classes", type=shared.count, default=1, metavar="N", help="on the page, maps for the N "
        "most probable classes of every image, one backward pass each; default "
        "%(default)s, the one explained")  # fmt: skip
    add("--what-if", action="store_true", help="on the page, the probability of the class as the "
        "strongest pixels are removed, map by map: 21 forward passes each")  # fmt: skip
    add("--microscope", action="store_true", help="on the page, the gradient before and after "
        "every ReLU, and what each switch of the rule stops")  # fmt: skip
    add("--figures", choices=ASKED_FOR, default="png", help="how figures are saved: png, with JPEG "
        "where photographs show in full, or as vectors that scale, svg or pdf; default "
        "%(default)s")  # fmt: skip
    add("--no-evaluation", action="store_true", help="leave out the measured conclusion")
    add("--lab", action="store_true", help="also write lab.html and lab.md, the lab's report to "
        "hand in: its tasks in their order, code, figures, what was measured, and room for your "
        "own words")  # fmt: skip
    add("--student", metavar="NAME", help="on its title page, with --lab; default a blank line")
    add("--group", metavar="NAME", help="the same")
    add("--teacher", metavar="NAME", help="the same")
    add("--language", choices=LANGUAGES, help="of the report to hand in, with --lab; default en")


def run(chosen: argparse.Namespace) -> int:
    """Run the command; errors are those of `write_report`."""
    from jaxvis.report.lab import Options, write_report

    shared.use_cache(chosen)
    given, network = shared.images_and_network(chosen, REPORTED, "IMAGES")
    images = given or [str(path) for path in demo_images()]
    class_name = chosen.class_name
    if not given and network == "demo" and class_name is None:
        class_name = "goose"
    lab = _lab(chosen)
    wanted = Options(
        network=network, class_name=class_name, layer=chosen.layer, methods=chosen.methods,
        rules=chosen.rules, labels=shared.labels(chosen),
        precision=shared.precision(chosen, network), resample=chosen.resample,
        colormap=chosen.colormap, alpha=chosen.alpha, preset=chosen.preset,
        figures=chosen.figures, boxes=chosen.boxes,
        evaluate=not chosen.no_evaluation, told=shared.told(chosen), classes=chosen.classes,
        what_if=chosen.what_if, microscope=chosen.microscope, lab=lab,
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
        spent = done["seconds"]
        say(
            f"{spent['maps']:.1f} s for the maps, {spent['compile']:.1f} s to compile them, "
            f"{spent['draw']:.1f} s for the drawing"
        )
        say(f"{len(done['figures'])} figures and {visible(done['maps'])}")
        say(f"to explore in a browser: {visible(done['page'])}")
        if lab is not None:
            say(f"to hand in: {visible(done['lab'])}")
        say(f"report: {visible(done['report'])}")
    return DONE


def _lab(chosen: argparse.Namespace) -> "LabOptions | None":
    """What the hand-in is told, None where none is wanted."""
    from jaxvis.report.result import LabOptions

    told = {name: getattr(chosen, name) for name in ("student", "group", "teacher", "language")}
    given = {name: value for name, value in told.items() if value is not None}
    if chosen.lab:
        return LabOptions(**given)
    if given:
        options = ", ".join(f"--{name}" for name in given)
        raise InputError(
            f"{options}: only the report to hand in says this; add --lab, or leave it out"
        )
    return None
