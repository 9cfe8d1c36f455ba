"""Questions, tables and conclusions: figures in, words out."""

import numpy as np
import pytest
from scipy import stats

import jaxvis as jv
from jaxvis.evaluate import tables
from jaxvis.evaluate.conclusion import conclusion
from jaxvis.evaluate.maps import SIX, Subjects, all_maps
from jaxvis.evaluate.metrics.baselines import BASELINES
from jaxvis.evaluate.metrics.randomization import CASCADE, randomized
from jaxvis.evaluate.questions import depends, matters, where
from jaxvis.evaluate.questions.depends import does_it_depend, does_it_depend_quickly
from jaxvis.evaluate.questions.matters import does_it_matter
from jaxvis.evaluate.questions.question import Metric, Question, joined

GOOD = Metric("good", "high", "more is better")
BAD = Metric("bad", "low", "less is better")


def question(title="Is it?", metrics=(GOOD, BAD), **rows):
    return Question("is", title, metrics, {name: dict(row) for name, row in rows.items()})


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


def test_tables_show_mean_interval_and_what_is_missing():
    values = np.array([0.0, 1.0] * 50)
    table = question(a={"good": values, "bad": np.full(100, np.nan)}, bb={"good": values})
    lines = tables.text(table).splitlines()
    assert lines[0] == "Is it?"
    assert lines[1].split("  ") == ["map, 100 images", "good ↑", "           bad ↓"] or (
        lines[1].startswith("map, 100 images  good ↑")
    )
    assert lines[3].startswith("a                0.50 [0.4")
    assert lines[3].endswith("-")
    found = tables.markdown(table).splitlines()
    assert found[0] == "| map, 100 images | good ↑ | bad ↓ |"
    assert found[2].startswith("| a | 0.50 [0.4")
    table.values["a"]["good"][:40] = np.nan
    assert "0.50 [0.3" in tables.markdown(table) or "0.50 [0.4" in tables.markdown(table)
    assert " of 60 |" in tables.markdown(table)
    assert '"of 5"' in tables.text(table)
    table.values["a"]["good"] = values
    told = tables.data(table)["maps"]
    assert told["a"]["good"]["mean"] == 0.5
    assert told["a"]["bad"] == {"mean": None, "low": None, "high": None, "images": 0}
    assert told["bb"]["bad"]["images"] == 0


@pytest.fixture
def subjects(rng):
    images = rng.integers(0, 256, (3, 64, 64, 3), dtype=np.uint8)
    masks = np.zeros((3, 64, 64), bool)
    masks[:, 10:30, 20:50] = True
    return Subjects(["a", "b", "c"], images, np.array([1, 4, 0]), masks, [7, 8, 9])


def test_maps_are_explains_and_the_controls(narrow, subjects):
    found = all_maps(narrow, subjects)
    maps = jv.explain(narrow, jv.preprocess(subjects.images), subjects.classes)
    assert list(found) == [*SIX, *BASELINES]
    for rule in jv.RULES:
        np.testing.assert_allclose(found[f"saliency {rule}"], maps.saliency[rule], rtol=1e-4)
        wanted = jv.upsample(maps.grad_cam[rule], (64, 64))
        np.testing.assert_allclose(found[f"Grad-CAM {rule}"], wanted, rtol=1e-3, atol=1e-6)


def test_likeness_is_scipys_of_the_maps_of_a_randomised_network(narrow, subjects):
    asked, course = does_it_depend(narrow, subjects, seed=3)
    assert list(course.cascading) == list(course.independent) == list(CASCADE)
    x = jv.preprocess(subjects.images)
    plain = jv.explain(narrow, x, subjects.classes)
    cases = {
        "fc1": (course.independent["fc1"], ["fc1"]),
        "fc2": (course.cascading["fc2"], ["predictions", "fc2"]),
    }
    for likeness, layers in cases.values():
        other = jv.explain(randomized(narrow, layers, seed=3), x, subjects.classes)
        for rule in jv.RULES:
            for i in range(3):
                for kind in ("saliency", "grad_cam"):
                    name = f"{'saliency' if kind == 'saliency' else 'Grad-CAM'} {rule}"
                    pair = [np.ravel(getattr(m, kind)[rule][i]) for m in (plain, other)]
                    constant = any(np.ptp(one) == 0 for one in pair)
                    wanted = np.nan if constant else stats.spearmanr(*pair).statistic
                    np.testing.assert_allclose(likeness[name].rank[i], wanted, atol=1e-4)
    quick = does_it_depend_quickly(narrow, subjects, seed=3)
    for name in SIX:
        for metric in depends.METRICS:
            np.testing.assert_allclose(
                quick.values[name][metric.name], asked.values[name][metric.name], atol=1e-5
            )


def test_every_metric_of_the_second_question_is_the_functions(narrow, subjects):
    from jaxvis import evaluate as ev

    maps = all_maps(narrow, subjects)
    asked = does_it_matter(narrow, subjects, maps)
    x, classes = jv.preprocess(subjects.images), subjects.classes
    name = "saliency guided"
    squares = ev.square_perturbations(x, samples=20)
    best = ev.infidelity(narrow, x, classes, 0 * maps[name], squares)  # tells nothing
    wanted = {
        "deletion": ev.deletion(narrow, x, classes, maps[name]).area,
        "insertion": ev.insertion(narrow, x, classes, maps[name]).area,
        "drop": ev.drop_and_increase(narrow, x, classes, maps[name]).drop,
        "increase": ev.drop_and_increase(narrow, x, classes, maps[name]).increase,
        "ROAD": ev.road(narrow, x, classes, maps[name], shares=(0.1, 0.3, 0.5)).area,
        "infidelity": ev.infidelity(narrow, x, classes, maps[name], squares, normalize=True) / best,
        "max-sensitivity": ev.max_sensitivity(
            lambda x: jv.saliency(narrow, x, classes, rule=jv.GUIDED), x,
            ev.uniform_offsets(x, samples=5),
        ),
    }  # fmt: skip
    for metric in matters.METRICS:
        found = asked.values[name][metric.name]
        np.testing.assert_allclose(found, wanted[metric.name], rtol=2e-3, atol=1e-5)
    assert "max-sensitivity" not in asked.values["random"]


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
    assert "all layers were drawn anew" in other
    assert "saliency vanilla" not in warning


def test_a_map_is_stuck_only_beyond_the_interval(rng):
    asked = measured(rng, change={"saliency guided": 0.81}, count=5)
    asked[2].values["saliency guided"][depends.PREDICTIONS.name] = np.array([0.5, 0.7, 0.9, 1, 1])
    asked[2].values["saliency guided"][depends.ALL.name] = np.full(5, 0.1)
    text = conclusion(asked)
    (row,) = [row for row in text[1].splitlines() if "saliency guided" in row]
    assert row.endswith("may change with the network, or hardly.")
    assert not any(line.startswith("**Warning.** saliency guided") for line in text)


def test_conclusion_without_a_winner_and_of_few_images(rng):
    text = conclusion(measured(rng, count=4)[1:])
    assert text[0].startswith("On these 4 images none of the six maps passes both questions.")
    assert "These are 4 images" in text[-1]


def test_a_map_that_is_zero_everywhere_is_said_to_be(rng):
    asked = measured(rng)[2:]
    for metric in depends.METRICS:
        asked[0].values["Grad-CAM rectified"][metric.name] = np.full(100, np.nan)
    (row,) = [r for r in conclusion(asked)[1].splitlines() if "Grad-CAM rectified" in r]
    assert "zero everywhere or constant" in row
