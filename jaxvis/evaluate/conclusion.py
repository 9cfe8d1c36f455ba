"""Sentences on what was measured: which maps deserve trust, on what evidence, and which do not."""

import math
from collections.abc import Sequence

from jaxvis.evaluate.maps import explanations
from jaxvis.evaluate.metrics.baselines import BASELINES
from jaxvis.evaluate.metrics.sign_flip import images_needed
from jaxvis.evaluate.questions import depends
from jaxvis.evaluate.questions.question import Question, shown
from jaxvis.evaluate.sentences import listed, sentences
from jaxvis.evaluate.verdict import FAILED, LEVEL, NOT_SETTLED, PASSED, Verdict


def conclusion(questions: Sequence[Question], found: Verdict) -> list[str]:
    """Return paragraphs in Markdown: three sentences, a line for each map, warnings, the rule."""
    told = findings(questions, found)
    return [
        " ".join(sentences(questions, found)),
        "\n".join(f"- **{name}**: {text}" for name, text in told.items()),
        *(f"**Warning.** {line}" for line in warnings(questions, found)),
        f"**The rule.** {rule(questions, found)}",
    ]


def findings(questions: Sequence[Question], found: Verdict) -> dict[str, str]:
    """Return what was found of every map, in one sentence each."""
    return {
        name: "; ".join(_finding(one, found, name) for one in questions) + "."
        for name in explanations(questions[0].values)
    }


def rule(questions: Sequence[Question], found: Verdict) -> str:
    """Return the rule that the verdict follows, as it stands under it."""
    parts = [
        f"Each map is compared with each control ({listed(BASELINES)}), image by "
        "image, in an exact sign-flip test (were there no difference, each image's would as soon "
        f"have the other sign). All {len(found.comparisons)} comparisons are corrected together "
        f"(Holm): of pages on which nothing differs at most {100 * LEVEL:.0f} % call anything "
        "clear. What is not clear is not settled. A map passes a question if it is clearly better "
        "than every control by one of its figures and clearly worse than none by any, and fails if "
        "it is clearly worse than one."
    ]
    keys = [question.key for question in questions]
    if "which" in keys:
        parts.append(
            "Of two objects it has to mark the one asked for more often than the other: above 0."
        )
    drawn = next((question for question in questions if question.draws), None)
    if drawn is not None:
        draws = len(next(iter(next(iter(drawn.draws.values())).values())))
        parts.append(
            f"It depends on what was re-initialised if both likenesses lie clearly below "
            f"{depends.LINE}, in each of {draws} random draws, and not if both lie above; "
            f"{depends.LINE} is our line, the papers draw none."
        )
    tests = max(1, len(found.comparisons))
    large, half = (images_needed(tests, LEVEL, effect) for effect in (1, 0.5))
    parts.append(
        f"So many comparisons leave nothing clear on fewer than {found.fewest_images} images, "
        "however they come out. A difference as large as its own spread over the images is found "
        f"in four cases of five on {large} images, one half as large on {half}."
    )
    return " ".join(parts)


def _finding(question: Question, found: Verdict, name: str) -> str:
    """A clause: the figures that decide a question, and what is clear of them."""
    if question.draws:
        return _dependence(question, found, name)
    if question.line is not None:
        return _following(question, found, name)
    mark = found.marks[name][question.key]
    figures = ", ".join(
        f"{metric} {_mean(question, name, metric)} (controls {_controls(question, metric)})"
        for metric in question.decide
    )
    return f"{figures}: {_against_controls(question, found, name, mark)}"


def _against_controls(question: Question, found: Verdict, name: str, mark: int) -> str:
    if mark == NOT_SETTLED:
        return "not settled"
    outcomes = {metric: found.outcomes(name, question.key, metric) for metric in question.decide}
    if mark == PASSED:
        better = [metric for metric, one in outcomes.items() if min(one) == 1]
        return "clearly better than every control" + (
            "" if len(better) == len(outcomes) else f" by {listed(better)}"
        )
    worse = sorted(
        {
            str(one.control)
            for one in found.comparisons
            if (one.map, one.question) == (name, question.key) and one.clear and one.ahead < 0
        },
        key=BASELINES.index,
    )
    return f"clearly worse than {listed(worse)}"


def _following(question: Question, found: Verdict, name: str) -> str:
    words = {PASSED: "follows the class", NOT_SETTLED: "not settled whether it follows the class",
             FAILED: "points at the wrong one"}  # fmt: skip
    shares = [_mean(question, name, metric.name) for metric in question.metrics[1:3]]
    return (
        f"of two objects at the one asked for {shares[0]}, at the other {shares[1]}: "
        f"{words[found.marks[name][question.key]]}"
    )


def _dependence(question: Question, found: Verdict, name: str) -> str:
    what = "all layers" if question.key == depends.NETWORK else "the last layer"
    means = [question.estimate(name, metric).mean for metric in question.decide]
    if any(map(math.isnan, means)):
        return f"with {what} re-initialised zero everywhere or constant: no change can be measured"
    figures = f"rank correlation {shown(means[0])} and strongest pixels {shown(means[1])}"
    outcomes = [found.outcomes(name, question.key, metric)[0] for metric in question.decide]
    if set(outcomes) == {1, -1}:
        words = "one changes, the other does not"
    else:
        words = {PASSED: "it changes", NOT_SETTLED: "not settled whether it changes",
                 FAILED: "it does not change"}[found.marks[name][question.key]]  # fmt: skip
    return f"with {what} re-initialised {figures}: {words}"


def warnings(questions: Sequence[Question], found: Verdict) -> list[str]:
    """Return a sentence for each part of the network that a map does not depend on."""
    names, lines = explanations(questions[0].values), []
    for question in questions:
        stuck = [name for name in names if found.marks[name][question.key] == FAILED]
        if not question.draws or not stuck:
            continue
        what = "any layer" if question.key == depends.NETWORK else "the last layer, which alone " \
            "tells the classes apart,"  # fmt: skip
        shows = "it shows" if len(stuck) == 1 else "they show"
        lines.append(
            f"{listed(stuck)} did not change when {what} was re-initialised: what "
            f"{shows} is not what that part of the network learned."
        )
    return lines


def _controls(question: Question, metric: str) -> str:
    means = [question.estimate(name, metric).mean for name in BASELINES]
    return f"{min(means):.2f} to {max(means):.2f}"


def _mean(question: Question, name: str, metric: str) -> str:
    return shown(question.estimate(name, metric).mean)
