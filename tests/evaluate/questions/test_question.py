"""A question: figures by map and metric, compared image by image."""

import numpy as np

from jaxvis.evaluate.questions.question import Metric, Question, joined

METRICS = (Metric("good", "high", "more is better"), Metric("bad", "low", "less is better"))


def question(**rows):
    return Question("is", "Is it?", METRICS, {name: dict(row) for name, row in rows.items()})


def test_clearly_compares_image_by_image(rng):
    """A small, steady difference that the separate intervals would hide."""
    base = rng.normal(size=200)
    ahead = question(
        a={"good": base + 0.1 + rng.normal(0, 0.1, 200), "bad": base},
        b={"good": base, "bad": base + 0.1 + rng.normal(0, 0.1, 200)},
    )
    a, b = ahead.estimate("a", "good"), ahead.estimate("b", "good")
    assert a.low < b.high  # they overlap
    assert ahead.clearly("a", "b", "good") == 1
    assert ahead.clearly("b", "a", "good") == -1
    assert ahead.clearly("a", "b", "bad") == 1
    assert ahead.clearly("a", "a", "good") == 0


def test_joined_keeps_the_order():
    parts = [question(a={"good": np.array([v]), "bad": np.array([-v])}) for v in (1.0, 2.0, 3.0)]
    np.testing.assert_array_equal(joined(parts).values["a"]["good"], [1, 2, 3])
    assert joined(parts).images == 3
