"""Which maps pass which question, and how sure that is: the rule of every verdict.

A map is compared with each control, image by image, by the metrics that decide a question; where a
question has a line of its own, with that. Every comparison is an exact sign-flip test, all of them
together are corrected by Holm, and what is not significant is "not settled". So a page on which
nothing differs calls anything clear in at most 1 case of 100: LEVEL, which tests/evaluate/
test_verdict.py simulates, beside how many images it takes to find what is there.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from jaxvis.evaluate.maps import explanations
from jaxvis.evaluate.metrics.baselines import BASELINES
from jaxvis.evaluate.metrics.sign_flip import fewest_images, holm, sign_flip
from jaxvis.evaluate.questions.question import Question

LEVEL = 0.01
PASSED, NOT_SETTLED, FAILED = 1, 0, -1
MARKS = {PASSED: "+", NOT_SETTLED: "?", FAILED: "-"}


class Comparison(NamedTuple):
    """One test.

    Attributes:
        map, question, metric: what was compared; the question by its key.
        control: the control it was compared with, or None for the question's line.
        ahead: 1 if the map does better, -1 if worse, 0 if neither, whether or not that is clear.
        p: of the exact two-sided test.
        clear: whether it is significant among all comparisons.
    """

    map: str
    question: str
    metric: str
    control: str | None
    ahead: int
    p: float
    clear: bool = False


class Verdict(NamedTuple):
    """All comparisons of a page, and what follows from them.

    Attributes:
        comparisons: every test.
        marks: `marks[map][question key]`: PASSED, NOT_SETTLED or FAILED.
    """

    comparisons: list[Comparison]
    marks: dict[str, dict[str, int]]

    @property
    def fewest_images(self) -> int:
        """The number of images below which none of the tests could be significant."""
        return fewest_images(max(1, len(self.comparisons)), LEVEL)

    def outcomes(self, name: str, question: str, metric: str) -> list[int]:
        """Return what is clear of one metric of a map: 1 ahead, -1 behind, 0 not settled; one for
        each control, or one for the line."""
        return [
            one.ahead * one.clear
            for one in self.comparisons
            if (one.map, one.question, one.metric) == (name, question, metric)
        ]


def verdict(questions: Sequence[Question]) -> Verdict:
    """Make all comparisons of these questions, correct them together, and mark the maps."""
    found = [
        comparison
        for question in questions
        for name in explanations(question.values)
        for metric in question.decide
        for comparison in _comparisons(question, name, metric)
    ]
    clear = holm([one.p for one in found], LEVEL)
    made = Verdict([c._replace(clear=ok) for c, ok in zip(found, clear, strict=True)], {})
    for question in questions:
        for name in explanations(question.values):
            outcomes = [made.outcomes(name, question.key, metric) for metric in question.decide]
            made.marks.setdefault(name, {})[question.key] = _mark(question, outcomes)
    return made


def _mark(question: Question, outcomes: list[list[int]]) -> int:
    """The mark from what is clear, by metric and control.

    Against controls: passed if better than all of them by one metric and worse than none by any;
    failed if worse than one. Against a line: passed, or failed, if all metrics are on one side.
    """
    every = [outcome for by_metric in outcomes for outcome in by_metric]
    if question.line is not None:
        return int(min(every) == 1) - int(max(every) == -1)
    if min(every) < 0:
        return FAILED
    return PASSED if any(min(by_metric) == 1 for by_metric in outcomes) else NOT_SETTLED


def _comparisons(question: Question, name: str, metric: str) -> list[Comparison]:
    high = {one.name: one.better for one in question.metrics}[metric] == "high"

    def compared(differences: list[Any], control: str | None) -> Comparison:
        """Of several draws the least sure, and nothing if they disagree."""
        signs = {int(np.sign(_mean(one))) * (1 if high else -1) for one in differences}
        agree = len(signs) == 1
        p = max(sign_flip(one) for one in differences) if agree else 1.0
        return Comparison(name, question.key, metric, control, signs.pop() if agree else 0, p)

    if question.line is not None:
        values = question.draws.get(name, question.values[name])[metric]
        rows = np.atleast_2d(values) - question.line
        return [compared(list(rows), None)]
    return [
        compared([question.values[name][metric] - question.values[control][metric]], control)
        for control in BASELINES
        if control in question.values
    ]


def _mean(values: np.ndarray) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else 0.0
