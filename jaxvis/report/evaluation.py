"""What `jaxvis evaluate` leaves on disk: a page, its figures, and all numbers as JSON."""

import json
import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from jaxvis.errors import InputError
from jaxvis.evaluate import tables
from jaxvis.evaluate.boxes import read_boxes
from jaxvis.evaluate.charts import chart, course_chart
from jaxvis.evaluate.evaluation import CLOSELY, Evaluation, evaluate
from jaxvis.evaluate.sentences import listed
from jaxvis.evaluate.subjects import file_subjects, pair_subjects, scene_subjects
from jaxvis.folders import expanded
from jaxvis.gradients.relu import RULES
from jaxvis.methods.catalogue import LAB, at_hand
from jaxvis.models.network import with_layer
from jaxvis.pictures import render
from jaxvis.pictures.find import find_images
from jaxvis.report.markdown import code, layer, measured, plain
from jaxvis.report.output import environment, refuse_inputs, staging
from jaxvis.report.result import check_layer, left_out_text
from jaxvis.weights.load import load

SCENES = 500
PAIRS = 4  # one in so many scenes more, with two objects, each asked for in turn

Progress = Callable[[str], None]


class Options(NamedTuple):
    """What is measured; the names are those of the command's options."""

    images: Sequence[str] | None = None  # None: drawn scenes
    maps: str | None = None  # in the place of images: stored maps, which are asked alone
    folder: str | None = None  # where the images of stored maps are, if they were moved
    boxes: str | None = None
    class_name: str | None = None
    network: str = "demo"
    labels: Sequence[str] | None = None
    scenes: int = SCENES
    closely: int = CLOSELY
    layer: str | int | None = None  # None: the network's own
    methods: Sequence[str] = LAB
    rules: Sequence[str] = tuple(RULES)
    precision: str | None = None
    resample: str | None = None  # None: the network's own
    told: Mapping[str, Any] = MappingProxyType({})  # of the network: more arguments of `load`


def write_evaluation(
    out: str | os.PathLike[str],
    options: Options = Options(),  # noqa: B008 - a NamedTuple does not change
    *,
    progress: Progress = lambda _: None,
) -> tuple[Evaluation, dict[str, Any]]:
    """Measure the maps of some images, and write evaluation.md, evaluation.json and charts.

    Args:
        out: the folder; it is made if it is not there. All files appear in it, or none.
        options: images, network and methods.
        progress: called with a line on what is being done.

    Returns:
        What was found out, and what evaluation.json holds.

    Raises:
        ImageError, WeightsError, ValueError: of the files and options.
        OutputError: the folder cannot be written to.
    """
    if options.maps is not None:
        return _write_of_stored(out, options, progress)
    if options.boxes is not None and options.images is None:
        raise InputError("--boxes belong to --images; without images scenes are drawn")
    start = time.perf_counter()
    folder = expanded(out)
    if options.images is not None:
        refuse_inputs(out, find_images(options.images))
    with staging(out, "evaluation", ("evaluation.md", "evaluation.json")) as place:
        progress("loading")
        network = load(
            options.network, labels=options.labels, precision=options.precision, **options.told
        )  # fmt: skip
        network = with_layer(network, options.layer)
        methods = at_hand(options.methods, network.model)
        check_layer(network, methods)
        pairs = None
        if options.images is None:
            drawn_of = {"class_name": options.class_name}
            subjects = scene_subjects(network, options.scenes, **drawn_of)
            pairs = pair_subjects(network, math.ceil(options.scenes / PAIRS), **drawn_of)
        else:
            subjects = file_subjects(
                network, options.images, boxes=options.boxes, class_name=options.class_name,
                resample=options.resample,
            )  # fmt: skip
        found = evaluate(
            network, subjects, pairs=pairs, closely=options.closely, methods=methods,
            rules=options.rules, progress=progress,
        )  # fmt: skip
        seconds = time.perf_counter() - start
        about = {
            "network": options.network, "layer": network.layer, "images": len(subjects.images),
            "closely": min(options.closely, len(subjects.images)), **environment(),
        }  # fmt: skip
        drawn = "drawn scenes that training never saw" if options.images is None else "files"
        made = [
            f"Network: {code(options.network)}; layer {layer(network.layer_name)}; {drawn}.",
            f"Device: {about['device']}.",
            f"Time: {seconds:.0f} s.",
            "Versions: " + ", ".join(f"{k} {v}" for k, v in about["versions"].items()) + ".",
            *left_out_text(options.methods, methods),
        ]
        return found, _write(found, place, folder, about, made)


def _write_of_stored(
    out: str | os.PathLike[str], options: Options, progress: Progress
) -> tuple[Evaluation, dict[str, Any]]:
    """Measure stored maps; arguments and errors are those of `write_evaluation`."""
    if options.images is not None:
        raise InputError("--images and --maps are both given; stored maps have their images")
    if options.boxes is None:
        raise InputError(
            "--maps wants --boxes: of stored maps all that can be asked without the network is "
            "whether they point at the object"
        )
    from jaxvis.evaluate.stored import evaluate_stored
    from jaxvis.streaming.stored import open_maps

    assert options.maps is not None
    start = time.perf_counter()
    stored, boxes = open_maps(options.maps), read_boxes(options.boxes)
    if stored.folder is not None:
        refuse_inputs(out, [stored.folder / "image"])
    with staging(out, "evaluation", ("evaluation.md", "evaluation.json")) as place:
        found = evaluate_stored(stored, boxes, folder=options.folder, progress=progress)
        kept, count = stored.settings, len(stored.done)
        about = {
            "network": kept["network"], "layer": kept["layer"], "images": count,
            "maps": options.maps, **environment(),
        }  # fmt: skip
        made = [
            f"Maps: {code(options.maps)}, of {count} images; nothing was computed again.",
            f"Network: {code(kept['network'])}; layer {layer(stored.layer_name)}.",
            f"Time: {time.perf_counter() - start:.0f} s.",
            "Versions: " + ", ".join(f"{k} {v}" for k, v in about["versions"].items()) + ".",
        ]
        return found, _write(found, place, expanded(out), about, made)


def _write(
    evaluation: Evaluation, place: Path, folder: Path, about: dict[str, Any], made: list[str]
) -> dict[str, Any]:
    """Write all files into `place`, from which they will move to `folder`."""
    charts = {}
    for question in evaluation.questions:
        charts[f"{question.key}.png"] = (
            f"Chart: {question.title} Each map's and control's mean, and its 95 % interval, by "
            f"{listed([metric.name for metric in question.metrics])}"
        )
        render.save(chart(question), place / f"{question.key}.png")
    if evaluation.course is not None:
        charts["layers.png"] = "Chart: how like itself each map stays, layer by layer"
        render.save(course_chart(evaluation.course), place / "layers.png")
    page = ["# An evaluation of maps", *measured(evaluation, about["network"])]
    page += ["## Charts", *(f"![{plain(words)}]({name})" for name, words in charts.items())]
    page += ["## How it was made", "\n".join(f"- {line}" for line in made)]
    (place / "evaluation.md").write_text("\n\n".join(page) + "\n", encoding="utf-8")
    found = {
        **about,
        **tables.evaluation_data(evaluation),
        "seconds": {name: round(value, 1) for name, value in evaluation.seconds.items()},
        "page": str(folder / "evaluation.md"),
        "charts": [str(folder / chart.name) for chart in sorted(place.glob("*.png"))],
    }
    (place / "evaluation.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return found
