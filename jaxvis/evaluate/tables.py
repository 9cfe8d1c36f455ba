"""Questions as text, Markdown and data: what was measured, with 95 % intervals."""

import math
from typing import Any

from jaxvis.evaluate.metrics.bootstrap import Estimate
from jaxvis.evaluate.questions.question import Question

NOTHING = "-"


def markdown(question: Question) -> str:
    """Return the table, with a line on every column under it."""
    rows = _cells(question)
    lines = ["| " + " | ".join(rows[0]) + " |", "|---" * len(rows[0]) + "|"]
    lines += ["| " + " | ".join(row) + " |" for row in rows[1:]]
    return "\n".join([*lines, "", *(f"- {line}" for line in _meanings(question))])


def text(question: Question) -> str:
    """Return the table in columns of even width, with a line on every column under it."""
    rows = _cells(question)
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [question.title]
    for number, row in enumerate(rows):
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        lines.append("  ".join(cells).rstrip())
        if number == 0:
            lines.append("  ".join("-" * width for width in widths))
    return "\n".join([*lines, *(f"  {line}" for line in _meanings(question))])


def data(question: Question) -> dict[str, Any]:
    """Return means and intervals as JSON can hold them; None where a value does not exist."""
    return {
        "key": question.key,
        "question": question.title,
        "metrics": [metric._asdict() for metric in question.metrics],
        "maps": {
            name: {
                metric.name: _numbers(question.estimate(name, metric.name))
                for metric in question.metrics
            }
            for name in question.values
        },
    }


def _cells(question: Question) -> list[list[str]]:
    """The heading and a row for every map; an arrow says which way is better."""
    arrows = {"high": " \N{UPWARDS ARROW}", "low": " \N{DOWNWARDS ARROW}", "": ""}
    heading = [f"map, {question.images} images"]
    heading += [metric.name + arrows[metric.better] for metric in question.metrics]
    rows = [heading]
    for name in question.values:
        estimates = [question.estimate(name, metric.name) for metric in question.metrics]
        rows.append([name, *(_shown(found, question.images) for found in estimates)])
    return rows


def _shown(found: Estimate, images: int) -> str:
    if math.isnan(found.mean):
        return NOTHING
    text = f"{found.mean:.2f}"
    if not math.isnan(found.low):
        text += f" [{found.low:.2f}, {found.high:.2f}]"
    return text if found.images == images else f"{text} of {found.images}"


def _meanings(question: Question) -> list[str]:
    lines = [f"{metric.name}: {metric.meaning}." for metric in question.metrics]
    lines.append("In brackets: 95 % interval of the mean over images, by bootstrap.")
    counts = [
        question.estimate(name, metric.name).images
        for name in question.values
        for metric in question.metrics
    ]
    if any(0 < count < question.images for count in counts):
        lines.append(
            '"of 5": the value exists for 5 images only, as where a map is zero everywhere.'
        )
    return lines


def _numbers(found: Estimate) -> dict[str, Any]:
    return {
        name: None if isinstance(value, float) and math.isnan(value) else value
        for name, value in found._asdict().items()
    }
