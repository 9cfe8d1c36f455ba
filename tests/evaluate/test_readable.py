"""In brief: no sentence and no mark says more than the verdict, whatever was measured."""

import re

import numpy as np
import pytest
from conftest import SIX

from jaxvis.evaluate.evaluation import Evaluation
from jaxvis.evaluate.metrics.baselines import BASELINES
from jaxvis.evaluate.questions import depends, matters, where, which
from jaxvis.evaluate.questions.question import Question
from jaxvis.evaluate.readable import in_brief, in_columns
from jaxvis.evaluate.verdict import Verdict, verdict


def random_questions(rng, names):
    """Some of the five questions, of any number of images; maps good, bad or zero everywhere."""
    count = int(rng.choice([1, 4, 30, 60]))
    few = int(rng.choice([count, max(1, count // 4)]))

    def values(mean, *shape):
        return (mean + rng.normal(0, rng.choice([0.01, 0.3]), shape)).astype(np.float32)

    def rows(metrics, images):
        return {
            name: {metric.name: values(rng.choice([0.1, 0.5, 0.9]), images) for metric in metrics}
            for name in (*names, *BASELINES)
        }

    asked = [
        Question("where", where.TITLE, where.METRICS, rows(where.METRICS, count), where.DECIDE),
        Question("which", which.TITLE, which.METRICS, rows(which.METRICS, few),
                 (which.FOLLOWS.name,), 0.5),
        Question("matters", matters.TITLE, matters.METRICS, rows(matters.METRICS, few),
                 (matters.DELETION.name, matters.ROAD.name)),
    ]  # fmt: skip
    asked = [question for question in asked if rng.random() < 0.7] or asked[2:]
    if rng.random() < 0.7:
        for key in (depends.NETWORK, depends.LAST):
            draws = {
                name: {m.name: values(rng.choice([0.2, 0.95, np.nan]), 3, few)
                       for m in depends.METRICS}
                for name in names
            }  # fmt: skip
            means = {n: {m: a.mean(axis=0) for m, a in row.items()} for n, row in draws.items()}
            decide = (depends.RANK.name, depends.STRONGEST.name)
            asked.append(
                Question(key, depends.TITLES[key], depends.METRICS, means, decide, depends.LINE,
                         draws)
            )  # fmt: skip
    return asked


def brief_of(questions, found):
    return in_brief(Evaluation(questions, None, found, [], {}))


def named_in(sentence, names):
    """The maps that a sentence names, also those behind "all six maps"."""
    if re.search(r"\ball (three|four|five|six) maps\b", sentence):
        return list(names)
    return [name for name in names for _ in re.findall(re.escape(name), sentence, re.IGNORECASE)]


@pytest.mark.parametrize("seed", range(40))
def test_sentences_say_what_the_verdict_says(seed):
    rng = np.random.Generator(np.random.PCG64(seed))
    names = SIX[: rng.choice([1, 2, 6])]
    questions = random_questions(rng, names)
    found = verdict(questions)
    if seed % 2:  # marks as they come, also those that no figure here would give
        marks = {n: {q.key: int(rng.integers(-1, 2)) for q in questions} for n in names}
        found = Verdict(found.comparisons, marks)
    brief = brief_of(questions, found)
    assert len(brief.sentences) == 3
    assert all(
        one.endswith(".") and one.count(". ") <= one.count("corr. ") for one in brief.sentences
    )
    first, second, third = brief.sentences
    images = max(question.images for question in questions)
    assert ("was not asked" in third) == (len(questions[-1].draws) == 0)
    if images < found.fewest_images:
        assert f"nothing is settled: at least {found.fewest_images} are needed." in first
        assert not re.search("pass|fail|clear", " ".join(brief.sentences))
        return
    lowest = {name: min(found.marks[name].values()) for name in names}
    assert named_in(first, names) == [n for n in names if lowest[n] == 1]
    assert sorted(named_in(second, names)) == sorted(n for n in names if lowest[n] == -1)
    assert named_in(third, names) == [n for n in names if lowest[n] == 0]
    assert "clear" not in first + third
    # Each reason is one that some map failed for, and every one is there.
    reasons = {"where": "pointing at", "which": "of two objects", "matters": "less of what matters"}
    for key, words in reasons.items():
        stuck = any(found.marks[name].get(key) == -1 for name in names)
        assert (words in second) == stuck
    drawn = any(found.marks[n].get(k) == -1 for n in names for k in ("network", "last"))
    assert ("staying nearly the same" in second) == drawn


@pytest.mark.parametrize("seed", range(12))
def test_the_table_holds_the_means_and_the_marks_of_the_questions(seed):
    rng = np.random.Generator(np.random.PCG64(100 + seed))
    questions = random_questions(rng, SIX)
    found = verdict(questions)
    brief = brief_of(questions, found)
    assert len(brief.heading) <= 5
    assert [row[0] for row in brief.rows][:6] == list(SIX)
    for name, *cells in brief.rows:
        parts = [part for cell in cells for part in cell.split(" / ")]
        asked = [question for question in questions if name in question.values]
        assert len(list(filter(None, parts))) == len(asked)
        for question, part in zip(asked, parts, strict=False):
            means = [
                question.values[name][metric].mean(dtype=np.float64) for metric in question.decide
            ]
            *numbers, mark = re.split(r",? ", part + " " * (name in BASELINES))
            for number, mean in zip(numbers, means, strict=True):
                assert number == "none" if np.isnan(mean) else abs(float(number) - mean) < 0.0051
            wanted = "" if name in BASELINES else "-?+"[1 + found.marks[name][question.key]]
            assert mark == wanted


def test_the_rule_stands_under_it_in_one_line():
    rng = np.random.Generator(np.random.PCG64(3))
    questions = []
    while len(questions) < 5:
        questions = random_questions(rng, SIX)
    brief = brief_of(questions, verdict(questions))
    assert brief.heading[1].startswith("Where? points at it, energy inside (")
    assert brief.heading[4].startswith("All layers / the last re-initialised: rank corr., top 1 %")
    assert "\n" not in brief.rule
    assert "all 102 comparisons (Holm)" in brief.rule
    assert "both likenesses below 0.8 (ours)" in brief.rule
    alone = brief_of(questions[:1], verdict(questions[:1]))
    assert "re-initialised" not in alone.rule
    assert "two objects" not in alone.rule


def test_what_the_demo_owes_to_its_training_is_said_of_the_demo_alone():
    questions = random_questions(np.random.Generator(np.random.PCG64(0)), SIX)
    found = Evaluation(questions, None, verdict(questions), [], {})
    (note,) = in_brief(found, "demo").notes
    assert note.startswith("Grad-CAM rectified of the demo")
    assert "fc1 was centred in training" in note
    assert in_brief(found, "imagenet").notes == []


def test_columns_are_even_and_no_number_loses_its_unit():
    text = in_columns(["map", "how like: top 1 % of it"], [["a", "0.10 +"], ["bbbb", "0.20"]], 16)
    assert text.splitlines() == [
        "map   how like: top",
        "      1 % of it",
        "----  -------------",
        "a     0.10 +",
        "bbbb  0.20",
    ]
