"""Questions as Markdown and data: every figure that decides, and all that was measured.

What a reader sees first is in `readable.py`.
"""

import math
from collections.abc import Sequence
from typing import Any

from jaxvis.evaluate.evaluation import Evaluation
from jaxvis.evaluate.metrics.bootstrap import Estimate
from jaxvis.evaluate.questions import depends
from jaxvis.evaluate.questions.question import Question, shown
from jaxvis.evaluate.readable import in_brief
from jaxvis.evaluate.verdict import LEVEL, MARKS, Verdict

NOTHING = "-"


def deciding(questions: Sequence[Question], found: Verdict) -> str:
    """Return every figure that decides, with what is clear of it, in Markdown; and the legend."""
    rows = _decisive(questions, found)
    return "\n\n".join([in_markdown(rows), "\n".join(f"- {line}" for line in _legend(questions))])


def markdown(question: Question) -> str:
    """Return all figures of a question, with their intervals and a line on every column."""
    rows = _cells(question)
    return "\n\n".join([in_markdown(rows), "\n".join(f"- {line}" for line in _meanings(question))])


def in_markdown(rows: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown; the first row is its heading."""
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([lines[0], "|---" * len(rows[0]) + "|", *lines[1:]])


def _decisive(questions: Sequence[Question], found: Verdict) -> list[list[str]]:
    """A row for every map: the means that decide, each with what is clear of it."""
    columns = [(question, metric) for question in questions for metric in question.decide]
    rows = [["map", *(_heading(question, metric) for question, metric in columns), "passes"]]
    for name in {name: None for question in questions for name in question.values}:
        marks = found.marks.get(name, {})
        cells = [_decided(found, question, metric, name) for question, metric in columns]
        passes = f"{sum(mark > 0 for mark in marks.values())} of {len(questions)}"
        rows.append([name, *cells, passes if marks else ""])
    return rows


def _heading(question: Question, metric: str) -> str:
    """The metric, and of which of two questions it is where they share it."""
    return f"{question.key}: {metric}" if question.draws else metric


def _decided(found: Verdict, question: Question, metric: str, name: str) -> str:
    if name not in question.values:
        return ""
    mean = question.estimate(name, metric).mean
    if math.isnan(mean):
        return NOTHING
    outcomes = found.outcomes(name, question.key, metric)
    if not outcomes:
        return shown(mean)
    # Worse than one control is worse; better is better than all of them.
    return f"{shown(mean)} {MARKS[-1 if min(outcomes) < 0 else min(outcomes)]}"


def _legend(questions: Sequence[Question]) -> list[str]:
    lines = ["`+` clearly better than every control, `-` clearly worse than one, `?` not settled."]
    if any(question.draws for question in questions):
        lines.append(
            "last, network: likeness of the map when the last layer, or all layers, are "
            f"re-initialised; `+` clearly below {depends.LINE} (ours), `-` clearly above."
        )
    meanings = {m.name: m.meaning for q in questions for m in q.metrics if m.name in q.decide}
    sizes = ", ".join(f"{question.key} {question.images}" for question in questions)
    return [*lines, *(f"{name}: {text}." for name, text in meanings.items()), f"Images: {sizes}."]


def evaluation_data(evaluation: Evaluation | None) -> dict[str, Any]:
    """Return questions, comparisons and conclusion as JSON can hold them; none of no evaluation."""
    if evaluation is None:
        return {
            "questions": [], "verdict": None, "conclusion": [], "sentences": [], "table": None
        }  # fmt: skip
    found, brief = evaluation.verdict, in_brief(evaluation)
    return {
        "questions": [data(question) for question in evaluation.questions],
        "verdict": {
            "level": LEVEL,
            "fewest_images": found.fewest_images,
            "marks": found.marks,
            "comparisons": [one._asdict() for one in found.comparisons],
        },
        "conclusion": evaluation.conclusion,
        "sentences": brief.sentences,
        "table": {"heading": brief.heading, "rows": brief.rows, "rule": brief.rule},
    }


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
    """The heading, which says which way is better, and a row for every map."""
    better = {"high": " (high)", "low": " (low)", "": ""}
    heading = [f"map, {question.images} images"]
    heading += [metric.name + better[metric.better] for metric in question.metrics]
    rows = [heading]
    for name in question.values:
        estimates = [question.estimate(name, metric.name) for metric in question.metrics]
        rows.append([name, *(_shown(found, question.images) for found in estimates)])
    return rows


def _shown(found: Estimate, images: int) -> str:
    if math.isnan(found.mean):
        return NOTHING
    text = shown(found.mean)
    if not math.isnan(found.low):
        text += f" [{shown(found.low)}, {shown(found.high)}]"
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
