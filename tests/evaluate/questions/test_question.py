"""A question: figures by map and metric, compared image by image."""

import numpy as np

from jaxvis.evaluate.questions import depends, matters, where, which
from jaxvis.evaluate.questions.question import Metric, Question, joined

METRICS = (Metric("good", "high", "more is better"), Metric("bad", "low", "less is better"))


def question(**rows):
    return Question("is", "Is it?", METRICS, {name: dict(row) for name, row in rows.items()})


def test_joined_keeps_the_order():
    parts = [question(a={"good": np.array([v]), "bad": np.array([-v])}) for v in (1.0, 2.0, 3.0)]
    np.testing.assert_array_equal(joined(parts).values["a"]["good"], [1, 2, 3])
    assert joined(parts).images == 3


# Which way speaks for a map, as the papers have it; likenesses are compared with a line instead.
BETTER = {
    "points at it": "high", "energy inside": "high", "IoU at 15 %": "high", "PR area": "high",
    "asked less other": "high", "at the one asked for": "high", "at the other": "low",
    "energy on it": "high",
    "deletion": "low", "insertion": "high", "drop": "low", "increase": "high", "ROAD": "low",
    "infidelity": "low", "max-sensitivity": "low", "deleted 20 %": "low",
    "rank corr.": "", "top 1 %": "", "signed": "", "SSIM": "",
}  # fmt: skip


def test_every_metric_says_which_way_is_better():
    every = [*where.METRICS, *which.METRICS, *matters.METRICS, *matters.QUICK, *depends.METRICS]
    assert {metric.name: metric.better for metric in every} == BETTER
    assert len(every) == len(BETTER)
    assert all(len(metric.meaning) > 20 for metric in every)
