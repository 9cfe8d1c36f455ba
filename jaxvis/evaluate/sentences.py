"""Three sentences that a verdict comes to: what passed, what failed and means, what is open.

Every map is named in one of them: it passed all questions, it failed one, or neither is settled.
"""

import math
from collections.abc import Callable, Sequence

from jaxvis.evaluate.maps import explanations
from jaxvis.evaluate.metrics.baselines import BASELINES
from jaxvis.evaluate.metrics.sign_flip import images_needed
from jaxvis.evaluate.questions import depends
from jaxvis.evaluate.questions.question import Question, shown
from jaxvis.evaluate.verdict import FAILED, LEVEL, NOT_SETTLED, PASSED, Verdict

_WORDS = {2: "two", 3: "three", 4: "four", 5: "five", 6: "six", 7: "seven", 8: "eight", 9: "nine"}
# All three in a form that is the same for one map and for many.
_PASSING = {
    "where": "pointing at the object",
    "which": "marking of two objects the one asked for",
    "matters": "marking what matters to the network",
    depends.NETWORK: "changing when all layers are re-initialised",
    depends.LAST: "changing when the last layer is re-initialised",
    "both": "changing when all layers, or the last alone, are re-initialised",
}
_FAILING = {
    "where": "by pointing at the object clearly worse than {controls}",
    "which": "by marking of two objects more often the other one",
    "matters": "by marking clearly less of what matters to the network than {controls}",
    depends.NETWORK: "by staying nearly the same when all layers are re-initialised, so that what "
    "one sees is not what the network learned",
    depends.LAST: "by staying nearly the same when the last layer, which tells the classes apart, "
    "is re-initialised, so that what one sees is not what that layer learned",
    "both": "by staying nearly the same when all layers, or the last alone, are re-initialised, so "
    "that what one sees is not what the network learned",
}
# Which map has most, or least, of a figure, where nothing is settled.
_DESCRIBES: dict[str, tuple[Callable[..., float], str]] = {
    "where": (max, "the share on the object is largest for {maps}"),
    "which": (max, "the object asked for is preferred most by {maps}"),
    "matters": (min, "the network loses most without what is marked by {maps}"),
    depends.LAST: (max, "a re-initialised last layer changes {maps} least"),
}


def sentences(questions: Sequence[Question], found: Verdict) -> list[str]:
    """Return the three sentences; of too few images what their figures describe all the same."""
    names = explanations(questions[0].values)
    if max(question.images for question in questions) < found.fewest_images:
        said = _nothing_settled(questions, found, names)
    else:
        marks = {name: found.marks[name].values() for name in names}
        trusted = [name for name in names if min(marks[name]) == PASSED]
        failed = [name for name in names if min(marks[name]) == FAILED]
        rest = [name for name in names if name not in trusted and name not in failed]
        said = [
            _passed(questions, trusted, names),
            _failed(questions, found, failed),
            _open(questions, found, rest, names),
        ]
    if not any(question.draws for question in questions):
        said[-1] += "; whether the maps depend on the network was not asked"
    return [f"{sentence[0].upper()}{sentence[1:]}." for sentence in said]


def listed(names: Sequence[str]) -> str:
    """Return "a", "a and b", "a, b and c"."""
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"


def _passed(questions: Sequence[Question], trusted: Sequence[str], names: Sequence[str]) -> str:
    every = {1: "the question", 2: "both questions"}.get(
        len(questions), f"all {_WORDS.get(len(questions), len(questions))} questions"
    )
    if not trusted:
        none = f"none of the {_WORDS.get(len(names), len(names))} maps passes"
        return f"{_on(questions)} {'the map does not pass' if len(names) == 1 else none} {every}"
    how = [_PASSING[key] for key in _kinds(questions) if key in _PASSING]
    passes = f"pass{'es' * (len(trusted) == 1)} {every}"
    return f"{_on(questions)} {_maps(trusted, names)} {passes}{', ' * bool(how)}{listed(how)}"


def _kinds(questions: Sequence[Question]) -> list[str]:
    """The keys of questions, those on re-initialised layers as one."""
    keys = [question.key for question in questions]
    if depends.NETWORK in keys and depends.LAST in keys:
        keys = [key for key in keys if key not in (depends.NETWORK, depends.LAST)] + ["both"]
    return keys


def _maps(some: Sequence[str], names: Sequence[str]) -> str:
    """The names of some maps, or in a word that it is all of them."""
    return (
        listed(some) if len(some) < max(3, len(names)) else f"all {_WORDS.get(len(some), '')} maps"
    )


def _on(questions: Sequence[Question]) -> str:
    sizes = [question.images for question in questions]
    if max(sizes) == 1:
        return "On this image"
    few = f" (for some questions only {min(sizes)})" if min(sizes) < max(sizes) else ""
    return f"On these {max(sizes)} images{few}"


def _failed(questions: Sequence[Question], found: Verdict, failed: Sequence[str]) -> str:
    if not failed:
        return "no map fails a question"
    by_reason: dict[str, list[str]] = {}
    for name in failed:
        stuck = [question for question in questions if found.marks[name][question.key] == FAILED]
        reasons = [
            _FAILING[key].format(controls=_worse_than(found, name, key))
            if key in _FAILING
            else f"by the answer to '{key}'"
            for key in _kinds(stuck)
        ]
        by_reason.setdefault(", and ".join(reasons), []).append(name)
    return "; ".join(
        f"{listed(names)} fail{'s' * (len(names) == 1)} {reason}"
        for reason, names in by_reason.items()
    )


def _worse_than(found: Verdict, name: str, question: str) -> str:
    """The controls than which a map is clearly worse by any of a question's figures."""
    worse = {
        one.control
        for one in found.comparisons
        if (one.map, one.question) == (name, question) and one.clear and one.ahead < 0
    }
    shown_as = {"random": "a random map", "image centre": "the image centre"}
    return listed([shown_as.get(one, f"an {one}") for one in BASELINES if one in worse])


def _open(
    questions: Sequence[Question], found: Verdict, rest: Sequence[str], names: Sequence[str]
) -> str:
    if rest:
        one = len(rest) == 1
        said = (
            f"not settled {'is' if one else 'are'} {_maps(rest, names)}, which fail{'s' * one} no "
            f"question and do{'es' * one} not pass every one"
        )
    elif any(NOT_SETTLED in marks.values() for marks in found.marks.values()):
        said = "of the others some questions are not settled"
    else:
        return "no question is left open"
    few = max((q.images for q in questions if q.images < found.fewest_images), default=0)
    if few:
        asked = "one image" if few == 1 else f"{few} images"
        return f"{said}: what was asked of {asked} only takes at least {found.fewest_images}"
    tests = len(found.comparisons)
    large, half = (images_needed(tests, LEVEL, effect) for effect in (1, 0.5))
    return (
        f"{said}: to find a difference as large as its own spread over the images takes about "
        f"{large} images, one half as large {half}"
    )


def _nothing_settled(
    questions: Sequence[Question], found: Verdict, names: Sequence[str]
) -> list[str]:
    described = ", ".join(filter(None, (_described(question, names) for question in questions)))
    large = images_needed(max(1, len(found.comparisons)), LEVEL, 1)
    these = "this image" if max(q.images for q in questions) == 1 else "these images"
    return [
        f"{_on(questions)} nothing is settled: at least {found.fewest_images} are needed",
        f"the figures describe {these} and no others{': ' * bool(described)}{described}",
        "of others that says nothing yet: to find a difference as large as its own spread over "
        f"the images takes about {large} of them",
    ]


def _described(question: Question, names: Sequence[str]) -> str:
    if question.key not in _DESCRIBES:
        return ""
    best, words = _DESCRIBES[question.key]
    metric = question.decide[-1 if question.key == "where" else 0]
    means = {name: question.estimate(name, metric).mean for name in names}
    means = {name: mean for name, mean in means.items() if not math.isnan(mean)}
    if not means:
        return ""
    most = shown(best(means.values()))
    if len(names) == 1:
        after = " with the last layer re-initialised" * (question.key == depends.LAST)
        return f"{metric} {most}{after}"
    alike = [name for name, mean in means.items() if shown(mean) == most]
    return (
        f"{words.format(maps=listed(alike))} ({metric} {most})" if len(alike) < len(names) else ""
    )
