"""The verdict: marks by hand, and how often a whole page errs or finds what is there."""

import numpy as np
import pytest
import scipy.stats
from conftest import SIX, long

from jaxvis.evaluate.metrics.baselines import BASELINES
from jaxvis.evaluate.metrics.sign_flip import images_needed
from jaxvis.evaluate.questions import depends, matters, where, which
from jaxvis.evaluate.questions.question import Metric, Question
from jaxvis.evaluate.verdict import FAILED, LEVEL, NOT_SETTLED, PASSED, verdict

PAIR = (Metric("good", "high", "more is better"), Metric("bad", "low", "less is better"))
COMPARISONS = 6 * 3 * 2 * 2 + 6 + 6 * 2 * 2  # of `page`


def page(draw, n, draws=depends.DRAWS):
    """All questions of a page, whose every value is `draw(shape)`: no map differs from a control,
    none prefers an object, and likenesses lie evenly about the line."""

    def rows(question, names, shape):
        return {name: {m.name: draw(shape) for m in question.METRICS} for name in names}

    everyone = (*SIX, *BASELINES)
    asked = [
        Question("where", "", where.METRICS, rows(where, everyone, n), where.DECIDE),
        Question("which", "", which.METRICS, rows(which, everyone, n), (which.FOLLOWS.name,), 0.0),
        Question("matters", "", matters.METRICS, rows(matters, everyone, n),
                 (matters.DELETION.name, matters.ROAD.name)),
    ]  # fmt: skip
    for key in (depends.NETWORK, depends.LAST):
        # what differs from image to image is most of it, and the networks agree on it
        drawn = {
            name: {m.name: depends.LINE + draw(n) + 0.1 * draw((draws, n)) for m in depends.METRICS}
            for name in SIX
        }
        values = {
            name: {metric: array.mean(axis=0) for metric, array in row.items()}
            for name, row in drawn.items()
        }
        asked.append(
            Question(key, "", depends.METRICS, values,
                     (depends.RANK.name, depends.STRONGEST.name), depends.LINE, drawn)
        )  # fmt: skip
    return asked


DRAWS = {
    "normal": lambda rng: lambda shape: rng.normal(size=shape),
    "heavy": lambda rng: lambda shape: rng.standard_t(2, size=shape),
    "hits": lambda rng: lambda shape: rng.integers(0, 2, shape) - 0.5,
}


def errors(kind, n, pages, seed):
    draw = DRAWS[kind](np.random.Generator(np.random.PCG64([seed, n])))
    found = [verdict(page(draw, n)) for _ in range(pages)]
    assert {len(one.comparisons) for one in found} == {COMPARISONS}
    return sum(any(comparison.clear for comparison in one.comparisons) for one in found)


@pytest.mark.parametrize("kind", DRAWS)
@pytest.mark.parametrize("n", [4, 24])
def test_pages_without_a_difference_call_next_to_nothing_clear(kind, n):
    """At most 1 % of pages may. Without Holm it would be about half of the pages."""
    pages = 100
    found = errors(kind, n, pages, seed=1)
    assert (
        found == 0
        if n == 4
        else scipy.stats.binomtest(found, pages, LEVEL, "greater").pvalue > 1e-3
    )
    without = sum(
        min(c.p for c in verdict(page(DRAWS[kind](np.random.default_rng(i)), 24)).comparisons)
        <= LEVEL
        for i in range(10)
    )
    assert without >= 1


@pytest.mark.slow
@pytest.mark.parametrize("kind", DRAWS)
@pytest.mark.parametrize("n", [12, 20, pytest.param(60, marks=long)])
def test_the_error_rate_of_a_whole_page(kind, n):
    pages = 400
    found = errors(kind, n, pages, seed=2)
    assert scipy.stats.binomtest(found, pages, LEVEL, "greater").pvalue > 1e-3, found


@pytest.mark.parametrize("effect", [1, 0.5])
def test_as_many_images_as_the_page_says_find_a_difference(effect, rng):
    """One map is better than one control by `effect` of the spread of the difference.

    All that the other comparisons do here is to be many; so they have values of few images.
    """
    n, found, pages = images_needed(COMPARISONS, LEVEL, effect), 0, 60
    few = 12
    assert few < n

    def draw(shape):
        drawn = rng.normal(size=shape)
        drawn[..., few:] = np.nan
        return drawn

    for _ in range(pages):
        asked = page(draw, n)
        values = asked[0].values
        control = values["random"]["points at it"] = rng.normal(size=n)
        values["Grad-CAM guided"]["points at it"] = control + rng.normal(effect, 1, n)
        found += any(
            (c.map, c.metric, c.control) == ("Grad-CAM guided", "points at it", "random")
            and c.clear
            and c.ahead == 1
            for c in verdict(asked).comparisons
        )
    assert scipy.stats.binomtest(found, pages, 0.8).pvalue > 1e-3, found


def steady(mean, n=30):
    """Values about a mean, the same for whoever has that mean."""
    return mean + np.linspace(-0.01, 0.01, n)


def against_controls(good, bad, controls=(0.5, 0.5, 0.5)):
    values = {"Grad-CAM vanilla": {"good": good, "bad": bad}}
    values |= {
        name: {"good": steady(mean), "bad": steady(mean)}
        for name, mean in zip(BASELINES, controls, strict=True)
    }
    return Question("is", "Is it?", PAIR, values, ("good", "bad"))


def mark(question):
    return verdict([question]).marks["Grad-CAM vanilla"][question.key]


def test_marks_against_controls():
    assert mark(against_controls(steady(0.6), steady(0.4))) == PASSED
    assert mark(against_controls(steady(0.6), steady(0.5))) == PASSED  # by one, worse by none
    assert mark(against_controls(steady(0.6), steady(0.6))) == FAILED  # worse by the other
    assert mark(against_controls(steady(0.5), steady(0.5))) == NOT_SETTLED
    assert mark(against_controls(steady(0.6), steady(0.5), (0.5, 0.5, 0.6))) == NOT_SETTLED
    assert mark(against_controls(steady(0.55), steady(0.5), (0.5, 0.5, 0.6))) == FAILED
    # twelve images that all agree are not enough for six comparisons at 1 %... nine are too few
    few = [steady(mean, 9) for mean in (0.6, 0.4)]
    question = against_controls(*few)
    question.values.update(
        {name: {"good": steady(0.5, 9), "bad": steady(0.5, 9)} for name in BASELINES}
    )
    assert verdict([question]).fewest_images == 11
    assert mark(question) == NOT_SETTLED


def test_what_only_describes_decides_nothing():
    question = against_controls(steady(0.6), steady(0.9))._replace(decide=("good",))
    assert mark(question) == PASSED
    assert {c.metric for c in verdict([question]).comparisons} == {"good"}


def on_a_line(*draws, better="", line=0.8):
    """A question of one metric, whose draws have these means."""
    rows = {"Grad-CAM vanilla": {"like": np.stack([steady(mean) for mean in draws])}}
    values = {name: {"like": row["like"].mean(axis=0)} for name, row in rows.items()}
    return Question("last", "", (Metric("like", better, ""),), values, ("like",), line, rows)


def test_marks_on_a_line_ask_every_draw():
    assert mark(on_a_line(0.2, 0.3, 0.1)) == PASSED
    assert mark(on_a_line(0.9, 0.95, 0.99)) == FAILED
    assert mark(on_a_line(0.2, 0.3, 0.9)) == NOT_SETTLED  # one draw is another network
    assert mark(on_a_line(0.2, 0.3, 0.8)) == NOT_SETTLED  # and one says nothing
    assert mark(on_a_line(0.2, line=0.0, better="high")) == PASSED
    assert mark(on_a_line(-0.2, line=0.0, better="high")) == FAILED
    assert mark(on_a_line(0.2, line=0.0, better="low")) == FAILED


def test_two_likenesses_that_disagree_settle_nothing():
    question = on_a_line(0.9)
    rows = {"like": np.stack([steady(0.9)]), "top": np.stack([steady(0.5)])}
    question = question._replace(
        metrics=(*question.metrics, Metric("top", "", "")), decide=("like", "top"),
        draws={"Grad-CAM vanilla": rows},
    )  # fmt: skip
    found = verdict([question])
    assert found.marks["Grad-CAM vanilla"]["last"] == NOT_SETTLED
    assert found.outcomes("Grad-CAM vanilla", "last", "like") == [-1]
    assert found.outcomes("Grad-CAM vanilla", "last", "top") == [1]


def test_one_question_can_spoil_another():
    """All comparisons of a page are corrected together: more of them ask for more."""
    alone = against_controls(steady(0.6, 12), steady(0.4, 12))
    for name in BASELINES:
        alone.values[name] = {"good": steady(0.5, 12), "bad": steady(0.5, 12)}
    assert mark(alone) == PASSED
    others = [on_a_line(0.8)._replace(key=str(i)) for i in range(40)]
    assert verdict([alone, *others]).marks["Grad-CAM vanilla"]["is"] == NOT_SETTLED


def test_images_without_a_value_count_for_nothing():
    good = steady(0.6)
    good[5:] = np.nan
    assert mark(against_controls(good, np.full(30, np.nan))) == NOT_SETTLED
