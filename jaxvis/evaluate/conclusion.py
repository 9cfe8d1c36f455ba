"""Sentences on what was measured: which maps deserve trust, on what evidence, and which do not."""

import math
from collections.abc import Sequence

from jaxvis.evaluate.maps import explanations
from jaxvis.evaluate.metrics.baselines import BASELINES
from jaxvis.evaluate.questions import depends, matters, where
from jaxvis.evaluate.questions.question import Metric, Question

# Adebayo et al. and Sixt et al. show curves and draw no line; this one is ours. A map that keeps a
# larger rank correlation, when the layer that tells the classes apart is re-initialised, says
# little of the class.
UNCHANGED = 0.8
POINTS, ENERGY = where.METRICS[0].name, where.METRICS[1].name
# What decides a question: the metrics of one list that were measured.
DECISIVE = {
    where.METRICS[0].name: (POINTS, ENERGY),
    matters.DELETION.name: (matters.DELETION.name, matters.INSERTION.name),
    matters.DELETED.name: (matters.DELETED.name,),
}


_WORDS = {2: "two", 3: "three", 4: "four", 5: "five", 6: "six", 7: "seven", 8: "eight", 9: "nine"}


def conclusion(questions: Sequence[Question]) -> list[str]:
    """Return paragraphs in Markdown: a verdict, a line for each map, and warnings.

    A map passes a question if it is better than every control by one of its metrics, image by
    image, beyond a 99 % interval, and worse than none by the other; it fails if it is worse than
    one. 99 %, since each map is compared with three controls, by two metrics.
    """
    names = explanations(questions[0].values)
    findings = {name: [_finding(question, name) for question in questions] for name in names}
    trusted = [name for name in names if all(mark > 0 for mark, _ in findings[name])]
    failed = [name for name in names if any(mark < 0 for mark, _ in findings[name])]
    images = [question.images for question in questions]
    undecided = [name for name in names if name not in trusted and name not in failed]
    lines = [_verdict(trusted, failed, undecided, len(questions), max(images), min(images))]
    lines.append(
        "\n".join(
            f"- **{name}**: " + "; ".join(text for _, text in findings[name]) + "."
            for name in names
        )
    )
    lines += _warnings(questions)
    return lines


def _verdict(
    trusted: list[str], failed: list[str], rest: list[str], count: int, images: int, few: int
) -> str:
    asked = {2: "both questions", 3: "all three questions"}.get(count, "the question")
    where_asked = "On this image" if images == 1 else f"On these {images} images"
    if few < images:
        where_asked += f" ({few} of them for the questions that take long)"
    if trusted:
        first = f"{where_asked} {_listed(trusted)} pass{'es' * (len(trusted) == 1)} {asked}."
    else:
        total = len(failed) + len(rest)
        none = f"none of the {_WORDS.get(total, total)} maps passes"
        first = f"{where_asked} {'the map does not pass' if total == 1 else none} {asked}."
    if failed:
        first += f" {_listed(failed)} fail{'s' * (len(failed) == 1)} at least one."
    if rest:
        first += (
            f" For {_listed(rest)} the images do not settle every question: the intervals of map "
            "and control overlap."
        )
    return first


def _finding(question: Question, name: str) -> tuple[int, str]:
    """Mark (1 passed, 0 undecided, -1 failed) and a clause with the figures."""
    if question.key == "depends":
        return _dependence(question, name)
    measured = [metric.name for metric in question.metrics]
    metrics = next(metrics for key, metrics in DECISIVE.items() if key in measured)
    marks = [_against_controls(question, name, metric) for metric in metrics]
    mark = -1 if min(marks) < 0 else max(marks)
    words = {1: "clearly better than every control", 0: "not clearly better than every control",
             -1: "clearly worse than a control"}  # fmt: skip
    if mark > 0 and min(marks) == 0:
        words[1] += f" by {metrics[marks.index(1)]}, worse than none"
    figures = ", ".join(
        f"{metric} {question.estimate(name, metric).mean:.2f} "
        f"(controls {_controls(question, metric)})"
        for metric in metrics
    )
    return mark, f"{figures}: {words[mark]}"


def _against_controls(question: Question, name: str, metric: str) -> int:
    return min(question.clearly(name, control, metric) for control in BASELINES)


def _controls(question: Question, metric: str) -> str:
    means = [question.estimate(name, metric).mean for name in BASELINES]
    return f"{min(means):.2f} to {max(means):.2f}"


def _dependence(question: Question, name: str) -> tuple[int, str]:
    last = question.estimate(name, depends.LAST.name).mean
    every = question.estimate(name, depends.ALL.name).mean
    if math.isnan(last):
        return 0, "zero everywhere or constant, so that no change can be measured"
    figures = (
        f"rank correlation {last:.2f} with the last layer re-initialised, {every:.2f} with all "
        "layers"
    )
    stuck = [_stuck(question, name, metric) for metric in (depends.LAST, depends.ALL)]
    if max(stuck) > 0:
        return -1, f"{figures}: hardly changes with the network"
    if stuck[0] < 0:
        return 1, f"{figures}: changes with the network"
    return 0, f"{figures}: may change with the network, or hardly"


def _stuck(question: Question, name: str, metric: Metric) -> int:
    """Return 1 if the whole interval lies above UNCHANGED, -1 if below, else 0."""
    found = question.estimate(name, metric.name)
    ends = [found.mean if math.isnan(end) else end for end in (found.low, found.high)]
    return int(ends[0] > UNCHANGED) - int(ends[1] <= UNCHANGED)


def _warnings(questions: Sequence[Question]) -> list[str]:
    lines = []
    names = explanations(questions[0].values)
    for question in questions:
        if question.key != "depends":
            continue
        for metric, what in (
            (depends.LAST, "the last layer, which alone tells the classes apart, was"),
            (depends.ALL, "all layers were"),
        ):
            stuck = [name for name in names if _stuck(question, name, metric) > 0]
            if stuck:
                lines.append(
                    f"**Warning.** {_listed(stuck)} did not change (rank correlation above "
                    f"{UNCHANGED}) when {what} re-initialised: whatever "
                    f"{'it shows' if len(stuck) == 1 else 'they show'}, it is not what the network "
                    "learned about the class."
                )
    few = min(question.images for question in questions)
    if few < 10:
        lines.append(
            f"These are {few} image{'s' * (few != 1)}: enough to warn, not enough to rank maps. "
            "`jaxvis evaluate` asks more of more images."
        )
    return lines


def _listed(names: Sequence[str]) -> str:
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"
