"""The lab report: the maps of every image as figures, raw values and a page of Markdown."""

import gc
import math
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
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
from jaxvis.pictures.figures import MapRow
from jaxvis.pictures.files import find_images, load_images
from jaxvis.pictures.kinds import ASKED_FOR, SAVED, figure_name
from jaxvis.pictures.presets import preset_named
from jaxvis.report.hand_in import check_options, hand_in
from jaxvis.report.lab_markdown import lab_markdown
from jaxvis.report.lab_page import lab_html
from jaxvis.report.markdown import page
from jaxvis.report.other_classes import check_methods, other_classes
from jaxvis.report.output import OutputError as OutputError
from jaxvis.report.output import environment, refuse_inputs, staging
from jaxvis.report.page import names_of_page, write_page
from jaxvis.report.relus import seen_at_relus
from jaxvis.report.result import LabOptions as LabOptions
from jaxvis.report.result import Options as Options
from jaxvis.report.result import Result, capitalised, check_layer
from jaxvis.report.what_if import what_if
from jaxvis.streaming.batches import explain_batches
from jaxvis.types import AnyArray
from jaxvis.weights.load import load

if TYPE_CHECKING:
    from matplotlib.figure import Figure

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
    Other files in the folder are left alone. With `options.lab` also lab.html and lab.md, to be
    handed in: the lab's own tasks in their order.

    Args:
        images: a file, a folder, a glob or a list of them, as in `load_images`.
        out: the folder; it is made if it is not there.
        options: network, class, methods and looks.
        progress: called with a line on what is being done.

    Returns:
        Paths, predictions, seconds, versions and device, as JSON can hold them.

    Raises:
        ImageError, WeightsError: of the files.
        InputError: no such class, layer, colour map or preset, another option out of range, options
            that `lab` cannot have, or the images are in `out`.
        OutputError: the folder cannot be written to, or holds a file of yours of the same name.
    """
    folder = expanded(out)
    if options.colormap is not None:
        render.colormap_named(options.colormap)
    if options.preset is not None:
        preset_named(options.preset)
    if options.figures not in ASKED_FOR:
        raise InputError(f"figures is {options.figures!r}; wanted one of {', '.join(ASKED_FOR)}")
    check_options(options)
    files = find_images(images)
    refuse_inputs(out, files)
    with staging(out, "report", _names(options, len(files))) as place:
        # Drawing holds one core, all else mostly waits for XLA: side by side they take as long as
        # the longer of the two. What drawing and measuring import takes most of a second of it.
        with ThreadPoolExecutor(1) as beside:
            for name in ("jaxvis.pictures.plain_figure", "scipy.ndimage"):
                beside.submit(import_module, name)
            result = compute(files, options, progress=progress)
            drawing = beside.submit(_draw, result, place)
            result = measured(explored(result, progress=progress), progress=progress)
            with _timed(result.seconds, "page"):
                progress("writing the page")
                write_page(result.for_page(), place)
            with _timed(result.seconds, "maps.npz"):
                # Not compressed: of maps that saves a tenth, and takes longer than to make them.
                np.savez(place / "maps.npz", **_arrays(result))  # type: ignore[arg-type]
            progress("drawing")
            drawn = drawing.result()
        (place / "report.md").write_text(page(result, drawn, environment()), encoding="utf-8")
        if options.lab is not None:
            hand = hand_in(result, drawn, environment(), folder)
            (place / "lab.html").write_text(lab_html(hand, place), encoding="utf-8")
            (place / "lab.md").write_text(lab_markdown(hand), encoding="utf-8")
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
    check_methods(methods, options.classes)
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
        files, pictures, masks, network, classes, predictions,
        # In NumPy: JAX would dispatch, and copy, at every look at one image.
        jax.tree.map(np.asarray, signed.shown()), signed, seconds,
        options._replace(resample=resample), None,
    )  # fmt: skip


def explored(result: Result, *, progress: Progress = lambda _: None) -> Result:
    """Return the result with what its options ask for beside the maps, to be explored on a page."""
    options, network = result.options, result.network
    if options.classes == 1 and not (options.what_if or options.microscope):
        return result
    with _timed(result.seconds, "explore"):
        if options.classes > 1:
            probable = np.argsort(-result.maps.logits, axis=1, kind="stable")
            result = result._replace(
                others=other_classes(
                    network, result.images, result.classes, probable[:, : options.classes].tolist(),
                    options.classes, batch_size=BATCH, progress=progress, **_asked(result),
                )
            )  # fmt: skip
        if options.what_if:
            found = what_if(network, _subjects(result), result.maps, progress=progress)
            result = result._replace(what_if=found)
        if options.microscope:
            seen = seen_at_relus(
                network, result.images, result.classes, options.rules, progress=progress
            )
            result = result._replace(relus=seen)
    return result


def _asked(result: Result) -> Asked:
    """What the maps were asked for, but for their signs."""
    return {
        "layer": result.network.layer, "methods": result.maps.methods,
        "rules": result.options.rules,
    }  # fmt: skip


def _subjects(result: Result) -> Subjects:
    return Subjects(
        [file.name for file in result.files], result.images, result.classes, result.masks,
        seeds_of(result.images),
    )  # fmt: skip


def measured(result: Result, *, progress: Progress = lambda _: None) -> Result:
    """Return the result with its evaluation, unless its options leave that out."""
    options = result.options
    if not options.evaluate:
        return result
    with _timed(result.seconds, "evaluate"):
        progress("measuring the maps")
        subjects = _subjects(result)
        evaluation = evaluate_quickly(result.network, subjects, result.signed, **_asked(result))
    return result._replace(evaluation=evaluation)


def _names(options: Options, count: int) -> set[str]:
    """The files that there will be in any case, of so many images."""
    drawn = {"inputs": True, "comparison": True} | {
        f"{name}_{rule}": METHODS[name].at == "layer"
        for name in options.methods
        for rule in METHODS[name].under(options.rules)
    }
    figures = {
        figure_name(f"{name}{number}", options.figures, photographs)
        for name, photographs in drawn.items()
        for number, _ in _pages(count)
    }
    lab = set() if options.lab is None else {"lab.html", "lab.md"}
    return figures | lab | {"maps.npz", "report.md", *names_of_page(count)}


def _pages(count: int) -> list[tuple[str, slice]]:
    """Return what is added to a figure's name, and which of so many images are on it, by page."""
    pages = math.ceil(count / figures.MOST_COMPARED)
    size = math.ceil(count / pages)
    return [
        ("" if page == 0 else f"_{page + 1}", slice(page * size, min((page + 1) * size, count)))
        for page in range(pages)
    ]


def _draw(result: Result, folder: Path) -> dict[str, list[str]]:
    """Save every figure, page by page; return the names of the files by what they show."""
    start = time.perf_counter()
    drawn: dict[str, list[str]] = {}
    pages, rows = _pages(len(result.files)), result.drawn().rows()
    with ThreadPoolExecutor(1) as writer:
        for number, which in pages:
            of = "" if len(pages) == 1 else f", images {which.start + 1} to {which.stop}"
            shown = [row._replace(maps=row.maps[which]) for row in rows]
            written: list[Future[Path]] = []
            for key, name, photographs, figure in _figures(result, which, shown, of):
                path = folder / figure_name(f"{name}{number}", result.options.figures, photographs)
                write = render.rendered(figure, path, few_colours=not photographs)
                written.append(writer.submit(write))
                drawn.setdefault(key, []).append(path.name)
                figure.clear()  # figure and canvas keep each other, and each its pixels
                vars(figure.canvas).clear()
            for one in written:  # page by page, so that memory holds the pixels of one
                one.result()
            if len(pages) > 1:
                gc.collect()  # what is left of a page's figures, in circles as well
    result.seconds["draw"] = time.perf_counter() - start
    return drawn


def _figures(
    result: Result, which: slice, rows: Sequence[MapRow], of: str
) -> Iterator[tuple[str, str, bool, "Figure"]]:
    """Yield the figures of some images: what each shows, the start of its name, whether photographs
    show in it in full, and itself."""
    options, images = result.options, result.images[which]
    titles = result.class_titles(which)
    yield (
        "inputs",
        "inputs",
        True,
        figures.figure_images(images, titles, title=f"Input images{of}", axes=False),
    )
    for (name, rule), row, own in zip(result.maps, rows, result.colormaps(), strict=True):
        method = METHODS[name]
        under = "" if rule == ANY else f", {rule}"
        colormap = own if options.preset is None else options.colormap
        if method.at == "layer":
            layer = result.network.layer_name
            figure = figures.figure_grad_cam(
                images, row.maps, titles, title=f"{method.title} of {layer}{under}{of}",
                alpha=options.alpha, colormap=colormap, signed=row.signed, preset=options.preset,
                axes=False,
            )  # fmt: skip
        else:
            figure = figures.figure_saliency(
                images, row.maps, titles, title=f"{capitalised(method.title)}{under}{of}",
                colormap=colormap, signed=row.signed, preset=options.preset,
                axes=False,
            )  # fmt: skip
        yield f"{name} {rule}", f"{name}_{rule}", method.at == "layer", figure
    scale = "one scale per row" if options.preset is None else f"as '{options.preset}' shows them"
    figure = figures.figure_comparison(
        images, titles, rows, title=f"All maps, {scale}{of}", alpha=options.alpha,
        colormap=options.colormap, preset=options.preset, axes=False,
    )  # fmt: skip
    yield "comparison", "comparison", True, figure


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
        **({"lab": str(folder / "lab.html")} if "lab.html" in names else {}),
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
