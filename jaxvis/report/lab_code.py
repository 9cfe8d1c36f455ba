"""The lines of code of the hand-in: they make its figures again, as they stand, in its folder."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jaxvis.demo.images import demo_images
from jaxvis.errors import InputError
from jaxvis.models.network import Network
from jaxvis.pictures.errors import ImageError
from jaxvis.pictures.photographs import photographs
from jaxvis.report.lab_words import Words
from jaxvis.report.result import Options, Result
from jaxvis.weights.efficientnet_lite import NAME as EFFICIENTNET_LITE0
from jaxvis.weights.fetch import SOURCES
from jaxvis.weights.load import DEMO, names_function

WIDTH = 88  # characters of a line
MOST_LABELS = 40  # names that stand in the code


def load_lines(result: Result, folder: Path, words: Words) -> list[str]:
    """Load network and images, and show the images; `folder` is where the code will run."""
    options, titles = result.options, result.class_titles()
    lines = ["import jaxvis as jv", ""]
    if names_function(options.network):  # it is looked for in the working directory
        above = literal(_from(Path.cwd(), folder))
        lines = ["import sys", "", *lines[:1], "", f"sys.path.insert(0, {above})"]
    return [
        *lines,
        *_load(options, folder, words),
        *_assigned("files", _files(result.files, folder)),
        f"images = jv.load_images(files, network.size, resample={literal(options.resample)})",
        "",
        *_listed("titles", titles, comment=words.text("comment_titles")),
        'figure = jv.figure_images(images, titles, title="Input images", axes=False)',
        'figure.savefig("task_1.png")',
    ]


def class_lines(result: Result, words: Words) -> list[str]:
    """Prepare the images and name the class, by the lab's name for it."""
    classes = [int(index) for index in result.classes]
    lines = ["x = network.preprocess(images)"]
    if len(set(classes)) > 1:
        each = words.text("comment_each")
        return [*lines, *_listed("filter_indices", classes, comment=each)]
    name = class_call(result.network, classes[0], result.options)
    in_imagenet = words.text("comment_index")
    if name is None:
        return [*lines, f"filter_indices = {classes[0]}"]
    comment = f"{classes[0]}; {in_imagenet}" if name == "goose" else str(classes[0])
    return [*lines, f"filter_indices = network.class_index({literal(name)})  # {comment}"]


def map_lines(result: Result, method: str, rule: str, title: str, file: str) -> list[str]:
    """Make the maps of one of the lab's methods under one rule, and their figure."""
    options, name = result.options, f"{method}_{rule}"
    at = f", layer={literal(result.network.layer)}" if method == "grad_cam" else ""
    looks = ""
    if options.colormap is not None:
        looks += f", colormap={literal(options.colormap)}"
    if options.alpha is not None and method == "grad_cam":
        looks += f", alpha={options.alpha!r}"
    of = f"network.model, x, filter_indices{at}, rule=jv.{rule.upper()}"
    return [
        *_call(f"{name} = jv.{method}", of),
        *_call(
            f"figure = jv.figure_{method}",
            f"images, {name}, titles, title={literal(title)}{looks}, axes=False",
        ),
        f'figure.savefig("{file}")',
    ]


def summary_lines(words: Words) -> list[str]:
    """Print both tables."""
    return [
        "from jaxvis.models.layers import summary_table",
        "",
        f"print(summary_table())  # {words.text('comment_full')}",
        f"print(network.summary())  # {words.text('comment_used')}",
    ]


def class_call(network: Network, index: int, options: Options) -> str | None:
    """Return the name by which `network.class_index` finds a class in the code; None if none."""
    if network.labels is None or _labels_left_out(options):
        return None
    name = network.class_name(index)
    try:
        return name if network.class_index(name) == index else None
    except InputError:  # two classes of one name
        return None


def literal(value: Any) -> str:
    """Return a value as Python reads it, text in double quotes if it holds none of either."""
    if isinstance(value, list):
        return f"[{', '.join(map(literal, value))}]"
    text = repr(value)
    plain = isinstance(value, str) and "'" not in value and '"' not in value
    return f'"{text[1:-1]}"' if plain else text


def _call(function: str, arguments: str) -> list[str]:
    line = f"{function}({arguments})"
    return [line] if len(line) <= WIDTH else [f"{function}(", f"    {arguments}", ")"]


def _labels_left_out(options: Options) -> bool:
    return options.labels is not None and len(options.labels) > MOST_LABELS


def _load(options: Options, folder: Path, words: Words) -> list[str]:
    name: str = options.network
    if not (name in (DEMO, EFFICIENTNET_LITE0, *SOURCES) or names_function(name)):
        name = _from(Path(os.path.expanduser(name)), folder)
    given: dict[str, Any] = {}
    if options.precision is not None:
        given["precision"] = options.precision
    if options.labels is not None and not _labels_left_out(options):
        given["labels"] = list(options.labels)
    given |= options.told
    arguments, comment = [literal(name)], ""
    for key, value in given.items():
        if callable(value):
            value, comment = getattr(value, "__name__", key), f"  # {words.text('comment_yours')}"
            arguments.append(f"{key}={value}")
        else:
            arguments.append(f"{key}={literal(value)}")
    line = f"network = jv.load({', '.join(arguments)}){comment}"
    if len(line) <= WIDTH:
        return [line]
    return ["network = jv.load(", *(f"    {argument}," for argument in arguments), f"){comment}"]


def _files(files: Sequence[Path], folder: Path) -> str | list[str]:
    """Return the expression for the images, or the paths that a list of them holds."""
    for call, known in (("jv.demo_images()", demo_images()), ("jv.photographs()", _photographs())):
        places = [known.index(file) for file in files if file in known]
        if len(places) == len(files):
            if places == list(range(len(known))):
                return call
            if places == list(range(places[0], places[0] + len(places))):
                return f"{call}[{places[0]}:{places[-1] + 1}]"
            return f"[{call}[i] for i in {places}]"
    return [_from(file, folder) for file in files]


def _photographs() -> list[Path]:
    try:
        return photographs()
    except ImageError:  # not installed
        return []


def _from(path: Path, folder: Path) -> str:
    """Return a path as seen from the folder; forward slashes, so that it holds elsewhere too."""
    place = path.parent.resolve() / path.name
    try:
        found = os.path.relpath(place, folder.resolve())
    except ValueError:  # another drive
        return str(place)
    found = found.replace(os.sep, "/")
    return f"./{found}" if found.startswith("~") else found  # not somebody's home


def _assigned(name: str, value: str | list[str]) -> list[str]:
    return [f"{name} = {value}"] if isinstance(value, str) else _listed(name, value)


def _listed(name: str, values: Sequence[Any], *, comment: str = "") -> list[str]:
    """A list in one line if it fits, else one value a line."""
    behind = f"  # {comment}" if comment else ""
    line = f"{name} = {literal(list(values))}"
    if len(line) <= WIDTH:
        return [line + behind]
    return [f"{name} = [{behind}", *(f"    {literal(value)}," for value in values), "]"]
