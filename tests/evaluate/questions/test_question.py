"""A question: figures by map and metric, compared image by image."""

import numpy as np

from jaxvis.evaluate.questions.question import Metric, Question, joined

METRICS = (Metric("good", "high", "more is better"), Metric("bad", "low", "less is better"))


def question(**rows):
    return Question("is", "Is it?", METRICS, {name: dict(row) for name, row in rows.items()})


def test_joined_keeps_the_order():
    parts = [question(a={"good": np.array([v]), "bad": np.array([-v])}) for v in (1.0, 2.0, 3.0)]
    np.testing.assert_array_equal(joined(parts).values["a"]["good"], [1, 2, 3])
    assert joined(parts).images == 3
