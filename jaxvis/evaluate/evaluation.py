"""All questions asked of a network and its images, and what follows from the answers."""

import time
from collections.abc import Callable
from typing import Any, NamedTuple, Unpack

import jax

from jaxvis.errors import InputError
from jaxvis.evaluate.conclusion import conclusion
from jaxvis.evaluate.maps import BATCH, all_maps, baseline_maps, by_name, enlarged
from jaxvis.evaluate.questions.depends import (
    Course,
    does_it_depend,
    does_it_depend_quickly,
    layers_from_the_top,
    networks_compared,
)
from jaxvis.evaluate.questions.matters import does_it_matter, does_it_matter_quickly
from jaxvis.evaluate.questions.question import Question, joined
from jaxvis.evaluate.questions.where import where_is_it
from jaxvis.evaluate.questions.which import which_is_it
from jaxvis.evaluate.subjects import Subjects
from jaxvis.evaluate.verdict import Verdict, verdict
from jaxvis.methods.maps import Maps
from jaxvis.methods.options import Options
from jaxvis.models.network import Network, as_network

# Asked the questions that take hundreds of forward passes each. With half of them nothing could be
# clear at all (see verdict.py).
CLOSELY = 24

Progress = Callable[[str], None]


class Evaluation(NamedTuple):
    """What was found out.

    Attributes:
        questions: those that could be asked: without masks, not where; without pairs, not which.
        course: likeness layer by layer, of the first random draw; None if it was not asked.
        verdict: all comparisons, and which map passes which question.
        conclusion: sentences in Markdown, drawn from these.
        seconds: that each question took.
        left_out: what was not asked, or of few images only, and why: sentences.
    """

    questions: list[Question]
    course: Course | None
    verdict: Verdict
    conclusion: list[str]
    seconds: dict[str, float]
    left_out: tuple[str, ...] = ()


def evaluate(
    network: Network | Any,
    subjects: Subjects,
    *,
    pairs: tuple[Subjects, Subjects] | None = None,
    closely: int = CLOSELY,
    progress: Progress = lambda _: None,
    **options: Unpack[Options],
) -> Evaluation:
    """Ask all questions of the maps asked for, by default the lab's six, and of the controls.

    Where the object is, is asked of every image, if there are masks, and which of two of every
    pair; whether it matters and depends, of the first `closely` images, since that takes about 600
    forward passes and 50 explanations per image.

    Args:
        network: a `Network`, or a `VGG16`, which describes itself.
        subjects: what is explained: `scene_subjects`, `file_subjects`.
        pairs: images of two objects, asked for the first and for the second: `pair_subjects`.
        closely: images for the questions that take long.
        progress: called with a line on what is being done.
        options: as in `explain`: methods, rules and layer.
    """
    network = as_network(network)
    seconds: dict[str, float] = {}
    questions = []
    if subjects.masks is not None:
        start = time.perf_counter()
        questions.append(ask_where(network, subjects, progress, options))
        seconds[questions[-1].title] = time.perf_counter() - start
    if pairs is not None:
        start = time.perf_counter()
        questions.append(ask_which(network, pairs, progress, options))
        seconds[questions[-1].title] = time.perf_counter() - start
    few = subjects.first(closely)
    start = time.perf_counter()
    questions.append(_matters(network, few, progress, options))
    seconds[questions[-1].title] = time.perf_counter() - start
    start = time.perf_counter()
    course, (order, left_out) = None, _layers(network, few)
    if order is not None:
        count = _Counter(progress, "random network", networks_compared(len(order)))
        asked, course = does_it_depend(network, few, order=order, progress=count, **options)
        questions += asked
        seconds["Does it depend?"] = time.perf_counter() - start
    found = verdict(questions)
    said = conclusion(questions, found) + left_out
    return Evaluation(questions, course, found, said, seconds, tuple(left_out))


def evaluate_quickly(
    network: Network | Any, subjects: Subjects, own: Maps, **options: Unpack[Options]
) -> Evaluation:
    """Ask what a report has time for, of its own maps, made with `signed=True`.

    Where the object is, is asked of every image, if there are masks; the rest, which takes a
    forward pass a map and six explanations an image, of the first 24. The options are the others
    that the maps were made with.
    """
    network = as_network(network)
    few = subjects.first(CLOSELY)
    # First what is mostly XLA's, which leaves the interpreter to a thread that draws.
    depends, (order, left_out) = [], _layers(network, few)
    if order is not None:
        depends = does_it_depend_quickly(
            network, few, own=_slice(own, 0, len(few.images)), order=order, **options
        )
    where, matters = [], []
    for start in range(0, len(subjects.images), BATCH):
        part = subjects.slice(start, start + BATCH)
        if part.masks is None and start >= len(few.images):
            break
        small = by_name(_slice(own, start, start + BATCH).shown())
        large = enlarged(small, part) | baseline_maps(part)
        if part.masks is not None:
            where.append(where_is_it(large, part.masks))
        if start < len(few.images):
            matters.append(does_it_matter_quickly(network, part, large))
    questions = [joined(parts) for parts in (where, matters) if parts] + depends
    if len(few.images) < len(subjects.images):
        left_out = [
            f"What takes long was asked of the first {len(few.images)} of the "
            f"{len(subjects.images)} images; `jaxvis evaluate` asks it of as many as you like.",
            *left_out,
        ]
    found = verdict(questions)
    said = conclusion(questions, found) + left_out
    return Evaluation(questions, None, found, said, {}, tuple(left_out))


def _slice(maps: Maps, start: int, stop: int) -> Maps:
    return jax.tree.map(lambda a: a[start:stop], maps)


def _layers(network: Network, subjects: Subjects) -> tuple[tuple[str, ...] | None, list[str]]:
    """Return the layers that can be re-initialised, or None and why there are none."""
    try:
        return layers_from_the_top(network, subjects), []
    except InputError as error:
        return None, [f"Whether the maps depend on the network was not asked: {error}."]


def ask_where(
    network: Network, subjects: Subjects, progress: Progress, options: Options
) -> Question:
    """Ask where the object is, `BATCH` images at a time; arguments as in `evaluate`."""
    parts = []
    total = len(subjects.images)
    for start in range(0, total, BATCH):
        progress(f"where is it: image {start + 1} of {total}")
        part = subjects.slice(start, start + BATCH)
        assert part.masks is not None
        parts.append(where_is_it(all_maps(network, part, **options), part.masks))
    return joined(parts)


def ask_which(
    network: Network,
    pairs: tuple[Subjects, Subjects],
    progress: Progress,
    options: Options,
) -> Question:
    """Ask which of two objects is marked, the same way."""
    parts = []
    total = len(pairs[0].images)
    for start in range(0, total, BATCH):
        progress(f"which of two objects: image {start + 1} of {total}")
        one, other = (asked.slice(start, start + BATCH) for asked in pairs)
        assert one.masks is not None
        assert other.masks is not None
        parts.append(
            which_is_it(
                [
                    (all_maps(network, one, **options), one.masks, other.masks),
                    (all_maps(network, other, **options), other.masks, one.masks),
                ]
            )
        )
    return joined(parts)


def _matters(
    network: Network, subjects: Subjects, progress: Progress, options: Options
) -> Question:
    parts = []
    total = len(subjects.images)
    for start in range(0, total, BATCH):
        part = subjects.slice(start, start + BATCH)
        maps = all_maps(network, part, **options)
        what = f"does it matter: images {start + 1} to {start + len(part.images)}, map"
        count = _Counter(progress, what, len(maps))
        parts.append(does_it_matter(network, part, maps, progress=count, **options))
    return joined(parts)


class _Counter:
    """Says how far a loop is, whenever it is called."""

    def __init__(self, progress: Progress, what: str, total: int) -> None:
        self._progress, self._what, self._total, self._done = progress, what, total, 0

    def __call__(self) -> None:
        self._done += 1
        self._progress(f"{self._what} {self._done} of {self._total}")
