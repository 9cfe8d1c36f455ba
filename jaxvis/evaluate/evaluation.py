"""All questions asked of a model and its images: the tables, charts and files of an evaluation."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from jaxvis.evaluate import tables
from jaxvis.evaluate.charts import chart, course_chart
from jaxvis.evaluate.conclusion import conclusion
from jaxvis.evaluate.maps import Subjects, all_maps, baseline_maps, by_name, enlarged
from jaxvis.evaluate.metrics.randomization import CASCADE
from jaxvis.evaluate.questions.depends import Course, does_it_depend, does_it_depend_quickly
from jaxvis.evaluate.questions.matters import does_it_matter, does_it_matter_quickly
from jaxvis.evaluate.questions.question import Question, joined
from jaxvis.evaluate.questions.where import where_is_it
from jaxvis.methods.one_pass import Maps
from jaxvis.pictures import render

BATCH = 20  # images whose maps are held at once
CLOSELY = 12  # images asked the questions that take hundreds of forward passes each

Step = Callable[[str], None]


class Evaluation(NamedTuple):
    """What was found out.

    Attributes:
        questions: those that could be asked: without masks, not the first.
        course: likeness layer by layer, as the third question saw it.
        conclusion: sentences in Markdown, drawn from the questions.
        seconds: that each question took.
    """

    questions: list[Question]
    course: Course
    conclusion: list[str]
    seconds: dict[str, float]


def evaluate(
    model: Any,
    subjects: Subjects,
    *,
    layer: str | int = "block5_conv3",
    closely: int = CLOSELY,
    step: Step = lambda _: None,
) -> Evaluation:
    """Ask all three questions of the six maps and the controls.

    Where the object is, is asked of every image, if there are masks; the other two of the first
    `closely` images, since they take about 600 forward passes and 40 explanations per image.
    """
    seconds: dict[str, float] = {}
    questions = []
    if subjects.masks is not None:
        start = time.perf_counter()
        questions.append(_where(model, subjects, layer, step))
        seconds[questions[-1].title] = time.perf_counter() - start
    few = subjects.first(closely)
    start = time.perf_counter()
    questions.append(_matters(model, few, layer, step))
    seconds[questions[-1].title] = time.perf_counter() - start
    start = time.perf_counter()
    count = _Counter(step, "random network", 2 * len(CASCADE) - 1)
    question, course = does_it_depend(model, few, layer=layer, step=count)
    questions.append(question)
    seconds[question.title] = time.perf_counter() - start
    return Evaluation(questions, course, conclusion(questions), seconds)


def evaluate_quickly(
    model: Any, subjects: Subjects, maps: Maps, *, layer: str | int = "block5_conv3"
) -> tuple[list[Question], list[str]]:
    """Ask what a report has time for, of maps that are there: questions and conclusion."""
    large = enlarged(by_name(maps), subjects) | baseline_maps(subjects)
    questions = [] if subjects.masks is None else [where_is_it(large, subjects.masks)]
    questions.append(does_it_matter_quickly(model, subjects, large))
    questions.append(does_it_depend_quickly(model, subjects, layer=layer))
    return questions, conclusion(questions)


def write(
    evaluation: Evaluation, place: Path, folder: Path, about: dict[str, Any], made: list[str]
) -> dict[str, Any]:
    """Write evaluation.md, evaluation.json and a chart per question, and layers.png.

    Args:
        evaluation: what `evaluate` returned.
        place: where to write; the files will move to `folder`.
        folder: where they will be.
        about: what else the JSON file shall hold.
        made: lines on how it was made, for the end of the page.

    Returns:
        What evaluation.json holds.
    """
    page = ["# Which map tells the truth?"]
    for question in evaluation.questions:
        name = f"{question.key}.png"
        render.save(chart(question), place / name)
        page += [f"## {question.title}", tables.markdown(question), f"![{name}]({name})"]
    render.save(course_chart(evaluation.course), place / "layers.png")
    page += ["![layers.png](layers.png)", "## Conclusion", *evaluation.conclusion]
    page += ["## How it was made", "\n".join(f"- {line}" for line in made)]
    (place / "evaluation.md").write_text("\n\n".join(page) + "\n", encoding="utf-8")
    found = {
        **about,
        "questions": [tables.data(question) for question in evaluation.questions],
        "conclusion": evaluation.conclusion,
        "seconds": {name: round(value, 1) for name, value in evaluation.seconds.items()},
        "page": str(folder / "evaluation.md"),
        "charts": [str(folder / chart.name) for chart in sorted(place.glob("*.png"))],
    }
    (place / "evaluation.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return found


def _where(model: Any, subjects: Subjects, layer: str | int, step: Step) -> Question:
    parts = []
    total = len(subjects.images)
    for start in range(0, total, BATCH):
        step(f"where is it: image {start + 1} of {total}")
        part = subjects.slice(start, start + BATCH)
        assert part.masks is not None
        parts.append(where_is_it(all_maps(model, part, layer=layer), part.masks))
    return joined(parts)


def _matters(model: Any, subjects: Subjects, layer: str | int, step: Step) -> Question:
    maps = all_maps(model, subjects, layer=layer)
    count = _Counter(step, "does it matter: map", len(maps))
    return does_it_matter(model, subjects, maps, layer=layer, step=count)


class _Counter:
    """Says how far a loop is, whenever it is called."""

    def __init__(self, step: Step, what: str, total: int) -> None:
        self._step, self._what, self._total, self._done = step, what, total, 0

    def __call__(self) -> None:
        self._done += 1
        self._step(f"{self._what} {self._done} of {self._total}")
