"""Conclusions: figures in, words out."""

import numpy as np
from conftest import SIX

from jaxvis.evaluate.conclusion import conclusion
from jaxvis.evaluate.metrics.baselines import BASELINES
from jaxvis.evaluate.questions import depends, matters, where
from jaxvis.evaluate.questions.question import Question


def measured(rng, change=0.2, count=100, **means):
    """Three questions in which every map does as well as `means` say, the controls 0.5."""

    def values(mean):
        return mean + rng.normal(0, 0.05, count)

    def rows(metrics, mean_of):
        return {
            name: {metric.name: values(mean_of(name, metric)) for metric in metrics}
            for name in (*SIX, *BASELINES)
        }

    def goodness(name, metric):
        mean = means.get(name.replace(" ", "_").replace("-", "_"), 0.5)
        return mean if metric.better == "high" else 1 - mean

    changes = {name: change if name in SIX else 1.0 for name in (*SIX, *BASELINES)}
    if isinstance(change, dict):
        changes = {name: change.get(name, 0.2) for name in (*SIX, *BASELINES)}
    return [
        Question("where", "Where is it?", where.METRICS, rows(where.METRICS, goodness)),
        Question("matters", matters.TITLE, matters.METRICS, rows(matters.METRICS, goodness)),
        Question(
            "depends",
            depends.TITLE,
            depends.METRICS,
            rows(depends.METRICS, lambda name, _: changes[name]),
        ),
    ]


def test_conclusion_follows_from_the_figures(rng):
    text = conclusion(measured(rng, Grad_CAM_vanilla=0.9, saliency_vanilla=0.1))
    assert text[0] == (
        "On these 100 images Grad-CAM vanilla passes all three questions. saliency vanilla fails "
        "at least one. For saliency rectified, saliency guided, Grad-CAM rectified and Grad-CAM "
        "guided the images do not settle every question: the intervals of map and control overlap."
    )
    rows = text[1].splitlines()
    assert [row.split("**")[1] for row in rows] == list(SIX)
    (row,) = [row for row in rows if "Grad-CAM vanilla" in row]
    assert "points at it 0.90 (controls 0.49 to 0.51), energy inside 0.9" in row
    assert row.count(": clearly better than every control;") == 2
    (row,) = [row for row in rows if "saliency vanilla" in row]
    assert row.count(": clearly worse than a control;") == 2
    assert row.endswith("0.20 with all layers: changes with the network.")
    assert len(text) == 2  # nothing to warn of


def test_conclusion_warns_of_a_map_that_does_not_change(rng):
    good = {name.replace(" ", "_").replace("-", "_"): 0.9 for name in SIX}
    text = conclusion(measured(rng, change={"saliency guided": 0.95}, **good))
    assert "saliency guided fails at least one" in text[0]
    (warning, other) = text[2:]
    assert warning.startswith("**Warning.** saliency guided did not change")
    assert "the last layer, which alone tells the classes apart" in warning
    assert "all layers were re-initialised" in other
    assert "saliency vanilla" not in warning


def test_a_map_is_stuck_only_beyond_the_interval(rng):
    asked = measured(rng, change={"saliency guided": 0.81}, count=5)
    asked[2].values["saliency guided"][depends.LAST.name] = np.array([0.5, 0.7, 0.9, 1, 1])
    asked[2].values["saliency guided"][depends.ALL.name] = np.full(5, 0.1)
    text = conclusion(asked)
    (row,) = [row for row in text[1].splitlines() if "saliency guided" in row]
    assert row.endswith("may change with the network, or hardly.")
    assert not any(line.startswith("**Warning.** saliency guided") for line in text)


def test_conclusion_without_a_winner_and_of_few_images(rng):
    text = conclusion(measured(rng, count=4)[1:])
    assert text[0].startswith("On these 4 images none of the six maps passes both questions.")
    assert "These are 4 images" in text[-1]


def test_conclusion_of_few_maps_and_one_question(rng):
    asked = measured(rng)
    for count, words in ((1, "the map does not pass"), (2, "none of the two maps passes")):
        names = (*SIX[:count], *BASELINES)
        fewer = [q._replace(values={name: q.values[name] for name in names}) for q in asked]
        text = conclusion(fewer)
        assert text[0].startswith(f"On these 100 images {words} all three questions.")
        assert text[1].count("\n") == count - 1
    assert conclusion(asked[:1])[0].startswith(
        "On these 100 images none of the six maps passes the question. For saliency vanilla, "
    )


def test_a_map_that_is_zero_everywhere_is_said_to_be(rng):
    asked = measured(rng)[2:]
    for metric in depends.METRICS:
        asked[0].values["Grad-CAM rectified"][metric.name] = np.full(100, np.nan)
    (row,) = [r for r in conclusion(asked)[1].splitlines() if "Grad-CAM rectified" in r]
    assert "zero everywhere or constant" in row
