"""The command `jaxvis evaluate`: which map tells the truth, in numbers."""

import argparse
import json
import time
from pathlib import Path

from jaxvis.cli.progress import Progress
from jaxvis.models.vgg16 import PRECISIONS
from jaxvis.pictures.files import RESAMPLING

SCENES = 500


def add_evaluate(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]", epilog: str
) -> None:
    """Add the command to the parser."""
    command = commands.add_parser(
        "evaluate", epilog=epilog, help="measure which map tells the truth",
        description="Measure the six maps: does each point at the object, does what it marks "
        "matter to the network, does it depend on the network? Prints the tables; writes "
        "evaluation.md, evaluation.json and a chart per question. Without --images it draws scenes "
        "whose objects are known, for the demo's network.",
    )  # fmt: skip
    add = command.add_argument
    add(
        "--images",
        nargs="+",
        metavar="IMAGES",
        help="files, folders or globs; default drawn scenes",
    )
    add("--boxes", metavar="FILE", help="where the objects are: CSV with the columns file, xmin, "
        "ymin, xmax, ymax, in pixels of each image; without it the first question is left "
        "out")  # fmt: skip
    add("--class", dest="class_name", metavar="NAME",
        help="class to explain, by name or index; default each image's prediction, and the object "
        "drawn in a scene")  # fmt: skip
    add("--weights", help="'demo', 'imagenet' or a Keras .h5 file; default imagenet, and the demo "
        "without --images")  # fmt: skip
    add("--labels", metavar="FILE", help="class names, one a line, for weights of other classes")
    add("--scenes", type=_count, default=SCENES, metavar="N",
        help="scenes to draw; default %(default)s")  # fmt: skip
    add("--closely", type=_count, default=None, metavar="N",
        help="images for the second and third question, which take hundreds of passes each; "
        "default 12")  # fmt: skip
    add("--out", default="evaluation", metavar="FOLDER", help="where to write; default %(default)s")
    add("--layer", default="block5_conv3", help="of Grad-CAM; default %(default)s")
    add("--precision", choices=PRECISIONS, default="highest",
        help="of products; default %(default)s")  # fmt: skip
    add("--resample", default="nearest", choices=sorted(RESAMPLING),
        help="how images are resized; default %(default)s, as Keras does")  # fmt: skip
    add("--cache", action="store_true", help="keep compiled code for the next run; also with "
        "JAXVIS_COMPILE_CACHE=1, or =FOLDER")  # fmt: skip
    add("--quiet", action="store_true", help="print nothing but errors")
    add("--json", action="store_true", help="print what evaluation.json holds")
    command.set_defaults(run=run)


def _count(text: str) -> int:
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of images from 1")
    return value


def run(options: argparse.Namespace) -> int:
    """Run the command; errors are those of `evaluate` and of the files."""
    from jaxvis import evaluate as ev
    from jaxvis.evaluate import evaluation, tables
    from jaxvis.gradients.compile_cache import use_compile_cache, use_compile_cache_if_asked
    from jaxvis.gradients.cut import cut
    from jaxvis.models.labels import read_labels
    from jaxvis.report.output import environment, staging
    from jaxvis.weights.load import load_vgg16

    use_compile_cache() if options.cache else use_compile_cache_if_asked()
    if options.boxes is not None and options.images is None:
        raise ValueError("--boxes belong to --images; without images scenes are drawn")
    weights = options.weights or ("imagenet" if options.images else "demo")
    start = time.perf_counter()
    folder = Path(options.out).expanduser()
    with Progress(options.quiet or options.json) as step, staging(folder) as place:
        step("loading")
        labels = None if options.labels is None else read_labels(options.labels)
        model = load_vgg16(weights, labels=labels, precision=options.precision)
        cut(model, options.layer)
        if options.images is None:
            subjects = ev.scene_subjects(model, options.scenes, class_name=options.class_name)
        else:
            subjects = ev.file_subjects(
                model, options.images, boxes=options.boxes, class_name=options.class_name,
                resample=options.resample,
            )  # fmt: skip
        closely = options.closely or ev.CLOSELY
        found = ev.evaluate(model, subjects, layer=options.layer, closely=closely, step=step)
        seconds = time.perf_counter() - start
        about = {
            "weights": str(weights), "layer": options.layer, "images": len(subjects.images),
            "closely": min(closely, len(subjects.images)), **environment(),
        }  # fmt: skip
        made = [
            f"Weights: `{weights}`; Grad-CAM of {options.layer}; "
            + ("drawn scenes that training never saw." if options.images is None else "files."),
            f"Device: {about['device']}.",
            f"Time: {seconds:.0f} s.",
            "Versions: " + ", ".join(f"{k} {v}" for k, v in about["versions"].items()) + ".",
        ]
        told = evaluation.write(found, place, folder, about, made)
    if options.json:
        print(json.dumps(told, indent=1))
    elif not options.quiet:
        for question in found.questions:
            print(tables.text(question), end="\n\n")
        print("\n\n".join(found.conclusion), end="\n\n")
        print(f"evaluation: {told['page']} ({seconds:.0f} s)")
    return 0
