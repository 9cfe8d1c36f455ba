"""Conclusions: figures in, words out."""

import numpy as np
import pytest
from conftest import SIX

from jaxvis.evaluate.conclusion import conclusion
from jaxvis.evaluate.metrics.baselines import BASELINES
from jaxvis.evaluate.questions import depends, matters, where, which
from jaxvis.evaluate.questions.question import Question
from jaxvis.evaluate.verdict import verdict


def said(questions):
    return conclusion(questions, verdict(questions))


def measured(rng, *, like=0.2, count=100, few=None, which_of_two=True, **means):
    """All questions, in which every map does as well as `means` say, the controls 0.5.

    `like`: how like themselves maps stay, by name; with both likenesses, or (rank, strongest).
    """
    few = few or count

    def values(mean, count, *more):
        return mean + rng.choice([-0.05, 0.05], (*more, count)) * (np.arange(count) % 7 < 2)

    def goodness(name, metric):
        mean = means.get(name.replace(" ", "_").replace("-", "_"), 0.5)
        return 1 - mean if metric.better == "low" else mean

    def rows(metrics, count):
        return {
            name: {metric.name: values(goodness(name, metric), count) for metric in metrics}
            for name in (*SIX, *BASELINES)
        }

    asked = [
        Question("where", where.TITLE, where.METRICS, rows(where.METRICS, count), where.DECIDE)
    ]
    if which_of_two:
        of_two = rows(which.METRICS, few)
        for name, row in of_two.items():
            row["asked less other"] = values(goodness(name, which.METRICS[0]) - 0.5, few)
        asked.append(
            Question("which", which.TITLE, which.METRICS, of_two, ("asked less other",), 0.0)
        )
    asked.append(
        Question("matters", matters.TITLE, matters.METRICS, rows(matters.METRICS, few),
                 (matters.DELETION.name, matters.ROAD.name))
    )  # fmt: skip
    for key in (depends.NETWORK, depends.LAST):
        draws = {}
        for name in SIX:
            pair = like.get(name, 0.2) if isinstance(like, dict) else like
            if isinstance(pair, dict):
                pair = pair.get(key, 0.2)
            pair = pair if isinstance(pair, tuple) else (pair, pair)
            draws[name] = {
                metric.name: values(mean, few, 3)
                for metric, mean in zip(depends.METRICS, (*pair, 0.2, 0.2), strict=True)
            }
        means_of = {n: {m: a.mean(axis=0) for m, a in row.items()} for n, row in draws.items()}
        decide = (depends.RANK.name, depends.STRONGEST.name)
        asked.append(Question(key, depends.TITLES[key], depends.METRICS, means_of, decide,
                              depends.LINE, draws))  # fmt: skip
    return asked


def row_of(text, name):
    (row,) = [row for row in text[1].splitlines() if f"**{name}**" in row]
    return row


def test_conclusion_follows_from_the_figures(rng):
    text = said(measured(rng, few=40, Grad_CAM_vanilla=0.9, saliency_vanilla=0.1))
    every = "a random map, the image centre and an edge detector"
    assert text[0] == (
        "On these 100 images (for some questions only 40) Grad-CAM vanilla passes all five "
        "questions, pointing at the object, marking of two objects the one asked for, marking what "
        "matters to the network and changing when all layers, or the last alone, are "
        "re-initialised. "
        f"Saliency vanilla fails by pointing at the object clearly worse than {every}, and by "
        "marking of two objects more often the other one, and by marking clearly less of what "
        f"matters to the network than {every}. "
        "Not settled are saliency rectified, saliency guided, Grad-CAM rectified and Grad-CAM "
        "guided, which fail no question and do not pass every one: to find a difference as large "
        "as its own spread over the images takes about 31 images, one half as large 98."
    )
    assert [row.split("**")[1] for row in text[1].splitlines()] == list(SIX)
    row = row_of(text, "Grad-CAM vanilla")
    assert "points at it 0.90 (controls 0.50 to 0.50), energy inside 0.89 (controls" in row
    assert row.count(": clearly better than every control;") == 2
    assert ": follows the class;" in row
    assert "with all layers re-initialised rank correlation 0.20 and strongest pixels 0.20" in row
    assert row.endswith("with the last layer re-initialised rank correlation 0.20 and strongest "
                        "pixels 0.20: it changes.")  # fmt: skip
    row = row_of(text, "saliency vanilla")
    assert row.count(": clearly worse than random, image centre and edge detector;") == 2
    assert ": points at the wrong one;" in row
    row = row_of(text, "saliency guided")
    assert row.count(": not settled;") == 2
    assert ": not settled whether it follows the class;" in row
    assert len(text) == 3  # nothing to warn of, and the rule
    assert text[2].startswith("**The rule.** ")


def test_the_rule_says_what_was_done(rng):
    rule = said(measured(rng))[-1]
    assert "All 102 comparisons are corrected together (Holm)" in rule
    assert "at most 1 % call anything clear" in rule
    assert "0.8, in each of 3 random draws" in rule
    assert "0.8 is our line, the papers draw none" in rule
    assert "on fewer than 15 images" in rule
    assert "on 31 images, one half as large on 98" in rule
    assert "above 0." in rule
    rule = said(measured(rng, which_of_two=False)[:2])[-1]
    assert "All 72 comparisons" in rule
    assert "Of two objects" not in rule
    assert "re-initialised" not in rule


def test_conclusion_warns_of_a_map_that_does_not_change(rng):
    good = {name.replace(" ", "_").replace("-", "_"): 0.9 for name in SIX}
    text = said(measured(rng, like={"saliency guided": {"last": 0.95}}, **good))
    assert (
        "Saliency guided fails by staying nearly the same when the last layer, which tells the "
        "classes apart, is re-initialised, so that what one sees is not what that layer learned. "
        "No question is left open."
    ) in text[0]
    (warning,) = text[2:-1]
    assert warning == (
        "**Warning.** saliency guided did not change when the last layer, which alone tells the "
        "classes apart, was re-initialised: what it shows is not what that part of the network "
        "learned."
    )
    both = {"saliency guided": 0.95, "Grad-CAM guided": 0.95}
    text = said(measured(rng, like=both, **good))
    assert len(text[2:-1]) == 2
    assert text[2].startswith("**Warning.** saliency guided and Grad-CAM guided did not change")
    assert "when any layer was re-initialised" in text[2]


def test_order_and_strongest_pixels_may_disagree(rng):
    """Rank correlation alone would call this unchanged; the pixels that one sees are others."""
    good = {name.replace(" ", "_").replace("-", "_"): 0.9 for name in SIX}
    text = said(measured(rng, like={"saliency rectified": {"last": (0.95, 0.5)}}, **good))
    assert row_of(text, "saliency rectified").endswith(
        "rank correlation 0.95 and strongest pixels 0.50: one changes, the other does not."
    )
    assert "No map fails a question. Not settled is saliency rectified, which fails no" in text[0]
    assert len(text) == 3  # no warning


def test_few_images_settle_nothing_however_the_figures_look(rng):
    asked = measured(rng, count=4, Grad_CAM_vanilla=5, saliency_vanilla=-5)[2:]
    text = said(asked)
    deletion = asked[0].values["Grad-CAM vanilla"]["deletion"].mean()
    assert text[0].startswith(
        "On these 4 images nothing is settled: at least 14 are needed. The figures describe these "
        "images and no others: the network loses most without what is marked by Grad-CAM vanilla "
        f"(deletion {deletion:.2f}), a re-initialised last layer changes "
    )
    assert text[0].endswith(
        ". Of others that says nothing yet: to find a difference as large as its own spread over "
        "the images takes about 29 of them."
    )
    assert row_of(text, "Grad-CAM vanilla").count("not settled") == 3


def test_conclusion_of_few_maps_and_one_question(rng):
    asked = measured(rng, which_of_two=False)
    for count, words in ((1, "the map does not pass"), (2, "none of the two maps passes")):
        names = (*SIX[:count], *BASELINES)
        fewer = [
            q._replace(values={name: q.values[name] for name in names if name in q.values})
            for q in asked
        ]
        text = said(fewer)
        assert text[0].startswith(f"On these 100 images {words} all four questions.")
        assert text[1].count("\n") == count - 1
    assert said(asked[:1])[0].startswith(
        "On these 100 images none of the six maps passes the question. No map fails a question. "
        "Not settled are all six maps, which "
    )
    assert "whether the maps depend on the network was not asked." in said(asked[:1])[0]


def test_better_by_one_figure_is_said_to_be_by_that(rng):
    asked = measured(rng)
    asked[0].values["Grad-CAM guided"]["points at it"] += 0.4
    row = row_of(said(asked), "Grad-CAM guided")
    assert ": clearly better than every control by points at it;" in row


def test_a_map_that_is_zero_everywhere_is_said_to_be(rng):
    asked = measured(rng)
    for question in asked[3:]:
        for metric in depends.METRICS:
            question.values["Grad-CAM rectified"][metric.name] = np.full(100, np.nan)
            question.draws["Grad-CAM rectified"][metric.name] = np.full((3, 100), np.nan)
    assert "zero everywhere or constant" in row_of(said(asked), "Grad-CAM rectified")


@pytest.mark.parametrize("count", [1, 30])
def test_no_figure_is_read_without_its_rule(rng, count):
    assert said(measured(rng, count=count))[-1].startswith("**The rule.**")


def test_only_the_controls_that_are_clearly_better_are_named(rng):
    asked = measured(rng, saliency_vanilla=0.4)
    for metric in asked[0].decide:
        asked[0].values["random"][metric] = np.full(100, 0.2)
        # On the whole ahead of the map, on too few images to be clear.
        asked[0].values["edge detector"][metric] = np.where(np.arange(100) < 3, 0.99, 0.4)
        asked[0].values["saliency vanilla"][metric] = np.full(100, 0.4)
    text = said(asked)[0]
    assert "pointing at the object clearly worse than the image centre, and by marking" in text
