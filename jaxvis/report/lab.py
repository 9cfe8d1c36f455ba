"""The lab report: the maps of every image as figures, raw values and a page of Markdown."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from jaxvis.errors import InputError
from jaxvis.evaluate.evaluation import evaluate_quickly
from jaxvis.evaluate.subjects import Subjects, masks_of, seeds_of
from jaxvis.evaluate.tables import evaluation_data
from jaxvis.folders import expanded
from jaxvis.methods.catalogue import METHODS, at_hand
from jaxvis.methods.method import ANY
from jaxvis.methods.options import Options as Asked
from jaxvis.models.labels import top_k
from jaxvis.models.network import with_layer
from jaxvis.pictures import figures, render
from jaxvis.pictures.files import find_images, load_images
from jaxvis.pictures.kinds import ASKED_FOR, SAVED, figure_name
from jaxvis.pictures.presets import preset_named
from jaxvis.report.markdown import page
from jaxvis.report.output import OutputError as OutputError
from jaxvis.report.output import environment, refuse_inputs, staging
from jaxvis.report.page import pages_html
from jaxvis.report.result import Options as Options
from jaxvis.report.result import Result, capitalised, check_layer
from jaxvis.streaming.batches import explain_batches
from jaxvis.types import AnyArray
from jaxvis.weights.load import load

BATCH = 8  # images in one compiled call: enough to keep the cores busy, and memory bounded

Progress = Callable[[str], None]


def write_report(
    images: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    out: str | os.PathLike[str],
    options: Options = Options(),  # noqa: B008 - a NamedTuple does not change
    *,
    progress: Progress = lambda _: None,
) -> dict[str, Any]:
    """Make the lab report of some images in the folder `out`, and say what is in it.

    Writes inputs.jpg, a figure for every method and rule, comparison.jpg, maps.npz (raw values),
    report.html, which one explores in a browser, and report.md, which ends with a conclusion drawn
    from what was measured; all of it or nothing. Figures are JPEG where photographs show in full
    and PNG where not, or as `options.figures` says.
    Other files in the folder are left alone.

    Args:
        images: a file, a folder, a glob or a list of them, as in `load_images`.
        out: the folder; it is made if it is not there.
        options: network, class, methods and looks.
        progress: called with a line on what is being done.

    Returns:
        Paths, predictions, seconds, versions and device, as JSON can hold them.

    Raises:
        ImageError, WeightsError: of the files.
        InputError: no such class, layer, colour map or preset, another option out of range, or the
            images are in `out`.
        OutputError: the folder cannot be written to, or holds a file of yours of the same name.
    """
    folder = expanded(out)
    if options.colormap is not None:
        render.colormap_named(options.colormap)
    if options.preset is not None:
        preset_named(options.preset)
    if options.figures not in ASKED_FOR:
        raise InputError(f"figures is {options.figures!r}; wanted one of {', '.join(ASKED_FOR)}")
    files = find_images(images)
    refuse_inputs(out, files)
    with staging(out, "report", _names(options)) as place:
        result = compute(files, options, progress=progress)
        # Drawing holds one core, measuring mostly waits for XLA: side by side they take as long
        # as the longer of the two.
        with ThreadPoolExecutor(1) as beside:
            drawing = beside.submit(_draw, result, place)
            result = measured(result, progress=progress)
            progress("drawing")
            drawn = drawing.result()
        np.savez_compressed(place / "maps.npz", **_arrays(result))  # type: ignore[arg-type]
        for name, text in pages_html(result).items():
            (place / name).write_text(text, encoding="utf-8")
        (place / "report.md").write_text(page(result, drawn, environment()), encoding="utf-8")
        names = sorted(file.name for file in place.iterdir())
    return _described(result, folder, names)


def compute(
    images: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    options: Options,
    *,
    progress: Progress = lambda _: None,
) -> Result:
    """Load images and weights, and explain every image; arguments and errors of `write_report`.

    Nothing is measured yet: see `measured`.
    """
    files = find_images(images)
    seconds: dict[str, float] = {}
    with _timed(seconds, "load weights"):
        progress("loading weights")
        network = load(
            options.network, labels=options.labels, precision=options.precision, **options.told
        )  # fmt: skip
        network = with_layer(network, options.layer)
    with _timed(seconds, "load images"):
        progress("loading images")
        resample = options.resample or network.resample
        pictures = load_images(files, network.size, resample=resample)
    masks = masks_of(files, network.size, options.boxes)  # read here, so that errors come early
    wanted = None if options.class_name is None else network.class_index(options.class_name)
    methods = at_hand(options.methods, network.model)
    check_layer(network, methods)
    # With their signs, as `measured` compares them too: what is compiled serves both.
    asked: Asked = {
        "layer": network.layer, "methods": methods, "rules": options.rules, "signed": True
    }  # fmt: skip
    progress("compiling")
    start, compiled = time.perf_counter(), 0.0

    def batch_done(done: int, total: int) -> None:
        nonlocal compiled
        if done == 0:
            compiled = time.perf_counter()
        if done < total:
            progress(f"maps, {done + 1} of {total}" if total > 1 else "maps")

    signed = explain_batches(
        network.model, network.preprocess(pictures), wanted,
        batch_size=min(BATCH, len(files)), progress=batch_done, **asked,
    )  # fmt: skip
    seconds["compile"] = compiled - start
    seconds["maps"] = time.perf_counter() - compiled
    classes = np.argmax(signed.logits, axis=1) if wanted is None else np.full(len(files), wanted)
    predictions = top_k(signed.logits, labels=network.labels, output=network.output)
    return Result(
        files, pictures, masks, network, classes, predictions, signed.shown(), signed, seconds,
        options._replace(resample=resample), None,
    )  # fmt: skip


def measured(result: Result, *, progress: Progress = lambda _: None) -> Result:
    """Return the result with its evaluation, unless its options leave that out."""
    options = result.options
    if not options.evaluate:
        return result
    with _timed(result.seconds, "evaluate"):
        progress("measuring the maps")
        subjects = Subjects(
            [file.name for file in result.files], result.images, result.classes, result.masks,
            seeds_of(result.images),
        )  # fmt: skip
        asked: Asked = {
            "layer": result.network.layer, "methods": result.maps.methods, "rules": options.rules
        }  # fmt: skip
        evaluation = evaluate_quickly(result.network, subjects, result.signed, **asked)
    return result._replace(evaluation=evaluation)


def _names(options: Options) -> set[str]:
    """The files that there will be in any case."""
    maps = {
        figure_name(f"{name}_{rule}", options.figures, METHODS[name].at == "layer")
        for name in options.methods
        for rule in METHODS[name].under(options.rules)
    }
    fixed = {figure_name(name, options.figures, True) for name in ("inputs", "comparison")}
    return maps | fixed | {"maps.npz", "report.md", "report.html"}


def _draw(result: Result, folder: Path) -> dict[str, list[str]]:
    """Save every figure; return the names of the files by what they show."""
    start = time.perf_counter()
    titles, images, options = result.class_titles(), result.images, result.options

    def save(figure: Any, name: str, photographs: bool = True) -> str:
        path = folder / figure_name(name, options.figures, photographs)
        return render.save(figure, path, few_colours=not photographs).name

    drawn = {"inputs": [save(figures.figure_images(images, titles, title="Input images"),
                             "inputs")]}  # fmt: skip
    rows = result.drawn().rows()
    for (name, rule), row, own in zip(result.maps, rows, result.colormaps(), strict=True):
        method = METHODS[name]
        under = "" if rule == ANY else f", {rule}"
        colormap = own if options.preset is None else options.colormap
        if method.at == "layer":
            of = result.network.layer_name
            figure = figures.figure_grad_cam(
                images, row.maps, titles, title=f"{method.title} of {of}{under}",
                alpha=options.alpha, colormap=colormap, signed=row.signed, preset=options.preset,
            )  # fmt: skip
        else:
            figure = figures.figure_saliency(
                images, row.maps, titles, title=f"{capitalised(method.title)}{under}",
                colormap=colormap, signed=row.signed, preset=options.preset,
            )  # fmt: skip
        drawn[f"{name} {rule}"] = [save(figure, f"{name}_{rule}", method.at == "layer")]
    drawn["comparison"] = []
    scale = "one scale per row" if options.preset is None else f"as '{options.preset}' shows them"
    for first in range(0, len(images), figures.MOST_COMPARED):
        shown = slice(first, first + figures.MOST_COMPARED)
        number = "" if first == 0 else f"_{first // figures.MOST_COMPARED + 1}"
        figure = figures.figure_comparison(
            images[shown], titles[shown],
            [row._replace(maps=row.maps[shown]) for row in rows],
            title=f"All maps, {scale}", alpha=options.alpha, colormap=options.colormap,
            preset=options.preset,
        )  # fmt: skip
        drawn["comparison"].append(save(figure, f"comparison{number}"))
    result.seconds["draw"] = time.perf_counter() - start
    return drawn


def _arrays(result: Result) -> dict[str, AnyArray]:
    """The raw values, by the name that they have in maps.npz."""
    arrays: dict[str, AnyArray] = {
        "files": np.array([str(file) for file in result.files]),
        "images": result.images,
        "classes": result.classes,
        "logits": result.maps.logits,
        "layer": np.array(result.network.layer),
    }
    return arrays | {f"{name}_{rule}": maps for (name, rule), maps in result.maps.items()}


def _described(result: Result, folder: Path, names: list[str]) -> dict[str, Any]:
    return {
        "report": str(folder / "report.md"),
        "page": str(folder / "report.html"),
        "maps": str(folder / "maps.npz"),
        "figures": [str(folder / name) for name in names if name.endswith(SAVED)],
        "images": [
            {
                "file": str(file),
                "class": {"index": int(index), "name": result.network.class_name(int(index))},
                "top": [prediction._asdict() for prediction in row],
            }
            for file, index, row in zip(
                result.files, result.classes, result.predictions, strict=True
            )
        ],
        **evaluation_data(result.evaluation),
        "seconds": {name: round(value, 3) for name, value in result.seconds.items()},
        **environment(),
    }


@contextmanager
def _timed(seconds: dict[str, float], name: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    seconds[name] = time.perf_counter() - start
