"""The command `jaxvis`: the library from a shell, with messages instead of tracebacks."""

import argparse
import json
import os
import sys
import warnings
from collections.abc import Sequence

from jaxvis.cli.evaluate import add_evaluate
from jaxvis.cli.progress import Progress
from jaxvis.demo.images import demo_images
from jaxvis.models import labels
from jaxvis.models.layers import summary_table
from jaxvis.models.vgg16 import PRECISIONS
from jaxvis.pictures.files import RESAMPLING, ImageError
from jaxvis.version import __version__
from jaxvis.weights.errors import WeightsError

DONE, USAGE, IMAGES, WEIGHTS, OUTPUT, INTERRUPTED = 0, 2, 3, 4, 5, 130
EXIT_CODES = (
    "exit codes: 0 done, 2 wrong usage (also an unknown class, layer or colour map), 3 images, "
    "4 weights, 5 the output cannot be written, 130 interrupted"
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    options = _parser().parse_args(arguments)
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
    except ValueError as error:
        return _fail(error, USAGE)
    except KeyboardInterrupt:
        return _fail("interrupted; nothing was written", INTERRUPTED)
    except BrokenPipeError:  # the reader, head say, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE


def _fail(error: Exception | str, code: int) -> int:
    print(f"jaxvis: {error}", file=sys.stderr)
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="jaxvis", epilog=EXIT_CODES, description="What does VGG16 look at? Saliency maps and "
        "Grad-CAM, each vanilla, rectified and guided.",
    )  # fmt: skip
    parser.add_argument("--version", action="version", version=f"jaxvis {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_report(commands)
    add_evaluate(commands, EXIT_CODES)
    _add_weights(commands)
    command = commands.add_parser("summary", help="print the table of layers and parameters")
    command.add_argument("--weights", help="of this network; default the full VGG16, no file read")
    command.set_defaults(run=_summary)
    command = commands.add_parser("classes", help="look up classes by a part of their name")
    command.add_argument("text", nargs="?", default="", help="as in: jaxvis classes goose")
    command.add_argument("--weights", help="of this network; default the ImageNet classes")
    command.set_defaults(run=_classes)
    return parser


def _add_report(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    command = commands.add_parser(
        "report", epilog=EXIT_CODES, help="write the lab report of some images",
        description="Write the lab report: six maps of every image as PNG, their raw values as "
        "maps.npz, and report.md. Without IMAGES it runs on the demo that comes with jaxvis.",
    )  # fmt: skip
    add = command.add_argument
    add("images", nargs="*", metavar="IMAGES", help="files, folders or globs")
    add("--class", dest="class_name", metavar="NAME",
        help="class to explain, by name or index; default each image's prediction")  # fmt: skip
    add("--weights", help="'demo', 'imagenet' or a Keras .h5 file; default imagenet, and the demo "
        "without IMAGES")  # fmt: skip
    add("--labels", metavar="FILE", help="class names, one a line, for weights of other classes")
    add("--out", default="report", metavar="FOLDER", help="where to write; default %(default)s")
    add("--layer", default="block5_conv3", help="of Grad-CAM; default %(default)s")
    add("--precision", choices=PRECISIONS, default="highest",
        help="of products; default %(default)s, at which all devices agree; others are faster on "
        "GPU and TPU")  # fmt: skip
    add("--cache", action="store_true", help="keep compiled code for the next run; also with "
        "JAXVIS_COMPILE_CACHE=1, or =FOLDER")  # fmt: skip
    add("--resample", default="nearest", choices=sorted(RESAMPLING),
        help="how images are resized; default %(default)s, as Keras does")  # fmt: skip
    add("--colormap", default="jet", help="any of Matplotlib's; default %(default)s")
    add("--alpha", type=_share, default=0.5, help="of the overlays; default %(default)s")
    add("--boxes", metavar="FILE", help="where the objects are: CSV with the columns file, xmin, "
        "ymin, xmax, ymax, in pixels of each image; the conclusion then asks whether maps point "
        "there")  # fmt: skip
    add("--no-evaluation", action="store_true", help="leave out the measured conclusion")
    add("--quiet", action="store_true", help="print nothing but errors")
    add("--json", action="store_true", help="print what was done as JSON")
    command.set_defaults(run=_report)


def _add_weights(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    command = commands.add_parser(
        "fetch", help="fetch or install Keras's ImageNet weights",
        description="Fetch Keras's ImageNet weights into the cache (JAXVIS_CACHE, or the "
        "platform's), verified; nothing is fetched that is there.",
    )  # fmt: skip
    command.add_argument("name", choices=["imagenet", "imagenet-notop"])
    command.add_argument("--file", metavar="PATH", help="verify and install this copy instead")
    command.set_defaults(run=_fetch)
    command = commands.add_parser(
        "weights", help="list the weights that are there, verify them, say how to remove them"
    )
    command.set_defaults(run=_weights)


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 0 to 1")
    return value


def _report(options: argparse.Namespace) -> int:
    from jaxvis.gradients.compile_cache import use_compile_cache, use_compile_cache_if_asked
    from jaxvis.report.lab import Options, write_report

    use_compile_cache() if options.cache else use_compile_cache_if_asked()
    images = options.images or [str(path) for path in demo_images()]
    weights = options.weights or ("imagenet" if options.images else "demo")
    class_name = options.class_name
    if not options.images and weights == "demo" and class_name is None:
        class_name = "goose"
    wanted = Options(
        weights=weights, class_name=class_name, layer=options.layer,
        labels=options.labels and labels.read_labels(options.labels), precision=options.precision,
        resample=options.resample,
        colormap=options.colormap, alpha=options.alpha,
        boxes=options.boxes, evaluate=not options.no_evaluation,
    )  # fmt: skip
    with Progress(options.quiet or options.json) as step:
        done = write_report(images, options.out, wanted, step=step)
    if options.json:
        print(json.dumps(done, indent=2))
    elif not options.quiet:
        for image in done["images"]:
            best = image["top"][0]
            print(
                f"{image['file']}: {best['name']} {100 * best['probability']:.1f} %, "
                f"explained for {image['class']['name']} ({image['class']['index']})"
            )
        if done["conclusion"]:
            print(done["conclusion"][0])
        print(f"{len(done['figures'])} figures and {done['maps']}")
        print(f"report: {done['report']}")
    return DONE


def _fetch(options: argparse.Namespace) -> int:
    from jaxvis.weights.fetch import fetch

    path = fetch(options.name, file=options.file, progress=sys.stderr.isatty())
    print(f"{options.name}: verified, at {path}")
    return DONE


def _weights(options: argparse.Namespace) -> int:
    from jaxvis.folders import cache_folder, keras_folder
    from jaxvis.weights.fetch import SOURCES, inventory
    from jaxvis.weights.load import weights_file

    demo = weights_file("demo")
    print(f"demo: {demo}, {demo.stat().st_size:,} bytes, part of jaxvis")
    entries = inventory()
    for entry in entries:
        name = f"{entry.name}: " if entry.name else ""
        print(f"{name}{entry.path}, {entry.size:,} bytes, {entry.state}")
        owner = (
            "belongs to Keras" if entry.path.parent == keras_folder() else "to remove: delete it"
        )
        print(f"    {owner}")
    for name in sorted(SOURCES.keys() - {entry.name for entry in entries}):
        print(f"{name}: not here; jaxvis fetch {name} fetches {SOURCES[name].size:,} bytes")
    print(f"cache: {cache_folder()}")
    return DONE


def _summary(options: argparse.Namespace) -> int:
    if options.weights is None:
        print(summary_table())
    else:
        from jaxvis.weights.load import load_vgg16

        load_vgg16(options.weights).summary()
    return DONE


def _classes(options: argparse.Namespace) -> int:
    names = None
    if options.weights is not None:
        from jaxvis.weights.load import load_vgg16

        names = load_vgg16(options.weights).labels
        if names is None:
            raise ValueError(f"{options.weights} has no class names")
    found = labels.search(options.text, names)
    if not found:
        raise ValueError(f"no class has a name like {options.text!r}; try a part of it")
    for index, wordnet_id, name in found:
        print(f"{index:>4}  {wordnet_id:<9}  {name}" if wordnet_id else f"{index:>4}  {name}")
    return DONE


if __name__ == "__main__":
    sys.exit(main())
