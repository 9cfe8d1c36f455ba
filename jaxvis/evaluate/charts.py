"""One chart per question: means with their intervals, and likeness layer by layer."""

import math
from typing import TYPE_CHECKING

import numpy as np

from jaxvis.evaluate.maps import named
from jaxvis.evaluate.metrics.baselines import BASELINES
from jaxvis.evaluate.questions.depends import Course
from jaxvis.evaluate.questions.question import Metric, Question
from jaxvis.pictures.render import DPI
from jaxvis.pictures.style import plain_style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Okabe and Ito's colours, which people with any colour vision tell apart; one for each rule.
RULE_COLOURS = {"vanilla": "#0072B2", "rectified": "#E69F00", "guided": "#009E73"}
CONTROL, OTHER = "#777777", "#CC79A7"
MOST_PANELS = 5  # in a line
TITLE, LABEL = 12, 9  # points


@plain_style()
def chart(question: Question) -> "Figure":
    """Return a panel for every metric: the mean of every map, and its 95 % interval as a line.

    Controls are grey; a dashed line marks the best of them, or what the metric is compared with.
    """
    from jaxvis.pictures.plain_figure import PlainFigure

    names, metrics = list(question.values), question.metrics
    lines = math.ceil(len(metrics) / MOST_PANELS)
    columns = math.ceil(len(metrics) / lines)
    figure = PlainFigure(
        (1.5 + 2.3 * columns, (0.26 * len(names) + 0.8) * lines + 0.4), DPI, layout="constrained"
    )
    figure.suptitle(f"{question.title} ({question.images} images)", fontsize=TITLE)
    axes = figure.subplots(lines, columns, squeeze=False, sharey=True)
    for axis, metric in zip(axes.flat, metrics, strict=False):
        found = {name: question.estimate(name, metric.name) for name in names}
        for row, (name, value) in enumerate(found.items()):
            if math.isnan(value.mean):
                continue
            colour, filled = _colour(name), _is_of_layer(name) or name in BASELINES
            if not math.isnan(value.low):
                axis.plot([value.low, value.high], [row, row], color=colour, linewidth=2)
            axis.plot(value.mean, row, "o", color=colour, mfc=colour if filled else "white")
        mark = _mark(question, metric, [found[name].mean for name in BASELINES if name in found])
        if mark is not None:
            axis.axvline(mark, color=CONTROL, linewidth=1, linestyle="--")
        better = {"high": "higher is better", "low": "lower is better"}.get(metric.better, "")
        axis.set_title(f"{metric.name}\n{better}", fontsize=LABEL)
        axis.tick_params(labelsize=LABEL - 1)
        axis.grid(axis="x", color="#dddddd", linewidth=0.6)
        axis.spines[["top", "right"]].set_visible(False)
    axes[0, 0].set_yticks(range(len(names)), names, fontsize=LABEL)
    axes[0, 0].set_ylim(len(names) - 0.5, -0.5)
    for axis in list(axes.flat)[len(metrics) :]:
        axis.remove()
    return figure


def _mark(question: Question, metric: Metric, controls: list[float]) -> float | None:
    """Where the dashed line stands: what a map has to lie beyond."""
    if metric.name in question.decide and question.line is not None:
        return question.line
    known = [value for value in controls if not math.isnan(value)]
    if not known or not metric.better:
        return None
    return max(known) if metric.better == "high" else min(known)


@plain_style()
def course_chart(course: Course) -> "Figure":
    """Return likeness to the first map, layer by layer: a row for all layers from the last on
    downwards re-initialised, and one for each layer alone."""
    from jaxvis.pictures.plain_figure import PlainFigure

    rows = (
        ("from the last layer downwards", course.cascading),
        ("one layer alone", course.independent),
    )
    kinds = (("rank", "rank correlation"), ("strongest", "strongest 1 %"), ("ssim", "SSIM"))
    figure = PlainFigure((11.5, 6.4), DPI, layout="constrained")
    figure.suptitle("How like itself a map stays when layers are re-initialised", fontsize=TITLE)
    axes = figure.subplots(2, 3, sharex="row", sharey=True)
    for line, (title, stages) in zip(axes, rows, strict=True):
        layers = list(stages)
        for axis, (kind, heading) in zip(line, kinds, strict=True):
            for name in stages[layers[0]]:
                middle = [_mean(getattr(stages[layer][name], kind)) for layer in layers]
                dashes = "-" if _is_of_layer(name) else "--"
                axis.plot(
                    range(len(layers)), middle, dashes, marker=".", color=_colour(name), label=name
                )
            axis.set_title(f"{heading}: {title}", fontsize=LABEL)
            axis.set_xticks(
                range(len(layers)), layers, rotation=60, ha="right", rotation_mode="anchor",
                fontsize=LABEL - 2,
            )  # fmt: skip
            axis.tick_params(axis="y", labelsize=LABEL - 1)
            axis.grid(color="#dddddd", linewidth=0.6)
            axis.spines[["top", "right"]].set_visible(False)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside lower center", ncols=7, fontsize=LABEL, frameon=False
    )
    return figure


def _mean(values: np.ndarray) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")


def _colour(name: str) -> str:
    found = named(name)
    return CONTROL if found is None else RULE_COLOURS.get(found.rule, OTHER)


def _is_of_layer(name: str) -> bool:
    """Whether a map has a layer's size: drawn filled, and as an unbroken line."""
    found = named(name)
    return found is not None and found.method.at == "layer"
