"""Options that several commands have, each said once, and what becomes of their text."""

import argparse
import os
from collections.abc import Callable
from typing import Any

from jaxvis.cli.exits import TEXT
from jaxvis.errors import InputError
from jaxvis.gradients.relu import RULES
from jaxvis.methods.catalogue import LAB, METHODS
from jaxvis.models.heads import ACTIVATIONS, OUTPUTS, POOLINGS
from jaxvis.models.labels import read_labels
from jaxvis.models.preprocessing import MODES
from jaxvis.models.vgg16 import PRECISIONS
from jaxvis.pictures.files import RESAMPLING
from jaxvis.pictures.photographs import photographs as find_photographs
from jaxvis.report.output import OutputError
from jaxvis.weights.efficientnet_lite import NAME as EFFICIENTNET_LITE0

Add = Callable[..., Any]


def command(
    commands: Any, name: str, run: Callable[[argparse.Namespace], int], *, help: str, **more: Any
) -> Add:
    """Add a command to the parser and return the function that adds its options."""
    parser = commands.add_parser(name, epilog=TEXT, help=help, **more)
    parser.set_defaults(run=run)
    return parser.add_argument


def network(add: Add, default: str) -> None:
    """`--network`, which was `--weights` when there was only VGG16."""
    add("--network", "--weights", metavar="NAME|FILE|MODULE:FUNCTION",
        help=f"'demo', 'imagenet', '{EFFICIENTNET_LITE0}', a VGG16 that Keras saved, with a head "
        "of yours or its own (.keras, .h5, .weights.h5), or a function of yours that returns a "
        "jv.Network; "
        f"{default}")  # fmt: skip
    told = "where the file does not tell"
    add("--preprocess", choices=sorted(MODES), help="how images become what a network from a file "
        "reads, which its weights do not tell: "
        + "; ".join(f"{name}: {what}" for name, what in MODES.items())
        + "; default caffe, or raw for one that scales them itself")  # fmt: skip
    add("--size", type=size, metavar="HEIGHTxWIDTH", help=f"of the input in pixels, {told}")
    add("--pool", choices=sorted(POOLINGS), help="the global pooling before the first dense "
        f"layer, {told}")  # fmt: skip
    add("--activation", choices=ACTIVATIONS, help=f"of the hidden dense layers, {told}")
    add("--last", choices=OUTPUTS, help=f"what follows the last dense layer, {told}; default "
        "softmax, or sigmoid of one unit")  # fmt: skip


def photographs(add: Add, which: str) -> None:
    """`--photographs`."""
    add("--photographs", action="store_true",
        help=f"{which}, and --network {EFFICIENTNET_LITE0} unless given; both are installed with "
        "jaxvis[photos]")  # fmt: skip


def images_and_network(
    chosen: argparse.Namespace, count: int | None, option: str
) -> tuple[list[str] | None, str]:
    """Return the images that were asked for, None for the demo's, and the network's name.

    Args:
        chosen: the arguments; `images`, `photographs` and `network` of them.
        count: how many of the photographs; None for all.
        option: what the command calls its images, for the message.

    Raises:
        InputError: images and the photographs.
        ImageError: photographs that are not installed.
    """
    if not chosen.photographs:
        name = chosen.network or (default_network() if chosen.images else "demo")
        return chosen.images or None, name
    if chosen.images:
        raise InputError(
            f"--photographs are images already, and {option} gives others: {chosen.images[0]}; "
            "leave out one of the two"
        )
    found = [str(path) for path in find_photographs()[:count]]
    return found, chosen.network or EFFICIENTNET_LITE0


def default_network() -> str:
    """Return the network for one's own images where none is named: ImageNet's VGG16, if it is here.

    Raises:
        WeightsFetchError: it is not; half a gigabyte is not fetched without being asked for.
    """
    from jaxvis.weights.errors import WeightsFetchError
    from jaxvis.weights.fetch import SOURCES, find

    if find("imagenet") is None:
        raise WeightsFetchError(
            "no --network is named, and the weights of the usual one, Keras's VGG16, are not here: "
            f"{SOURCES['imagenet'].size / 1e6:.0f} MB",
            do="`jaxvis fetch imagenet` fetches them, and so does --network imagenet; --network "
            f"{EFFICIENTNET_LITE0} is smaller, also of ImageNet's classes, and comes with "
            "jaxvis[photos]; --network demo knows drawn scenes alone",
        )
    return "imagenet"


def what_is_explained(add: Add, default: str) -> None:
    """`--class`, `--labels`, `--layer`, `--methods` and `--rules`."""
    add("--class", dest="class_name", metavar="NAME",
        help=f"class to explain, by name or index; default {default}")  # fmt: skip
    add("--labels", metavar="FILE", help="class names, one a line, for weights of other classes")
    add("--layer", type=layer, help="where class activation maps are taken; default the network's: "
        "block5_conv3 of VGG16, block7a of EfficientNet-Lite0")  # fmt: skip
    add("--methods", type=methods, default=LAB, metavar="lab|all|NAME,...",
        help=f"of {', '.join(METHODS)}; default lab: {', '.join(LAB)}")  # fmt: skip
    add("--rules", type=rules, default=tuple(RULES), metavar="NAME,...",
        help=f"of {', '.join(RULES)}; default all")  # fmt: skip


def how_it_is_computed(add: Add) -> None:
    """`--precision`, `--cache` and `--resample`."""
    add("--precision", choices=PRECISIONS,
        help="of all products; default highest, at which all devices agree; others are "
        "faster on GPU and TPU")  # fmt: skip
    add("--cache", action="store_true", help="keep compiled code for the next run; also with "
        "JAXVIS_COMPILE_CACHE=1, or =FOLDER")  # fmt: skip
    add("--resample", choices=sorted(RESAMPLING),
        help="how images are resized; default the network's: nearest of a VGG16, as Keras does, "
        "bicubic of EfficientNet-Lite0")  # fmt: skip


def boxes(add: Add, without: str) -> None:
    """`--boxes`."""
    add("--boxes", metavar="FILE", help="where the objects are: CSV with the columns file, xmin, "
        f"ymin, xmax, ymax, in pixels of each image; {without}")  # fmt: skip


def output(add: Add, folder: str) -> None:
    """`--out`, `--quiet` and `--json`."""
    add("--out", default=folder, metavar="FOLDER", help="where to write; default %(default)s")
    add("--quiet", action="store_true", help="print nothing but errors")
    add("--json", action="store_true", help="print what was done as JSON")


def precision(chosen: argparse.Namespace, name: str) -> str | None:
    """Return the precision asked for: "highest" by default, of a network that jaxvis builds."""
    from jaxvis.weights.load import names_function

    return chosen.precision or (None if names_function(name) else "highest")


def told(chosen: argparse.Namespace) -> dict[str, Any]:
    """Return what was told of a network from a file, as `load` takes it."""
    names = ("preprocess", "size", "pool", "activation", "last")
    given = {name: getattr(chosen, name) for name in names}
    return {name: value for name, value in given.items() if value is not None}


def labels(chosen: argparse.Namespace) -> list[str] | None:
    """Return the names in the file of `--labels`, if it was given."""
    return None if chosen.labels is None else read_labels(chosen.labels)


def use_cache(chosen: argparse.Namespace) -> None:
    """Turn the compilation cache on if that was asked for."""
    from jaxvis.gradients.compile_cache import (
        VARIABLE,
        use_compile_cache,
        use_compile_cache_if_asked,
    )

    try:
        use_compile_cache() if chosen.cache else use_compile_cache_if_asked()
    except OSError as error:
        where = "--cache" if chosen.cache else f"{VARIABLE}={os.environ[VARIABLE]}"
        raise OutputError(
            f"{where}: compiled code cannot be kept: {error}; leave it out, or set {VARIABLE} to "
            "a folder of your own"
        ) from error


def size(text: str) -> tuple[int, int]:
    """Height and width, as "150x200", or one number for both."""
    sides = text.lower().split("x")
    if len(sides) > 2 or not all(side.isdecimal() and int(side) >= 32 for side in sides):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a size; wanted HEIGHTxWIDTH in pixels, each at least 32, as 150x200"
        )
    return int(sides[0]), int(sides[-1])


def layer(text: str) -> str | int:
    """A layer's name, or the number of a convolution, counted from the end if negative."""
    return int(text) if text.lstrip("-").isdecimal() else text


def methods(text: str) -> tuple[str, ...]:
    """Names of methods, or "lab" or "all"."""
    if text in ("lab", "all"):
        return LAB if text == "lab" else tuple(METHODS)
    return _names(text, METHODS)


def rules(text: str) -> tuple[str, ...]:
    """Names of rules."""
    return _names(text, RULES)


def _names(text: str, known: Any) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        raise argparse.ArgumentTypeError(
            f"{(unknown or [text])[0]!r} is not known; wanted some of {', '.join(known)}"
        )
    return names


def share(text: str) -> float:
    """A number from 0 to 1."""
    try:
        value = float(text)
    except ValueError:
        value = -1
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 0 to 1")
    return value


def count(text: str) -> int:
    """A number of images."""
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of images from 1")
    return value
