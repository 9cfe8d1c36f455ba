"""The third question: does a map depend on the network, or would another one draw the same?

Adebayo et al., "Sanity Checks for Saliency Maps" (arXiv 1810.03292, 2018), section 3; Sixt, Granz
& Landgraf, "When Explanations Lie" (arXiv 1912.09818, 2020), section 4, on `predictions` alone.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Unpack

import numpy as np
from jaxtyping import Float

from jaxvis.evaluate.maps import by_name, enlarged, explained, shown
from jaxvis.evaluate.metrics.baselines import BASELINES
from jaxvis.evaluate.metrics.randomization import (
    cascading,
    independent,
    layer_order,
    randomized,
)
from jaxvis.evaluate.metrics.similarity import spearman, ssim
from jaxvis.evaluate.questions.question import Metric, Question
from jaxvis.evaluate.subjects import Subjects
from jaxvis.methods.options import Options
from jaxvis.models.network import Network, as_network

TITLE = "Does it depend on the network?"
LAST = Metric("rank corr., last layer", "low", "Spearman's rank correlation with the map of the "
              "network whose last layer alone was re-initialised")  # fmt: skip
LAST_SSIM = Metric("SSIM, last layer", "low", "structural similarity, likewise")
ALL = Metric("rank corr., all", "low", "the same with all layers re-initialised")
ALL_SIGNED = Metric("signed, all", "low", "the same, of the values with their signs")
ALL_SSIM = Metric("SSIM, all", "low", "structural similarity with all layers re-initialised")
METRICS = (LAST, LAST_SSIM, ALL, ALL_SIGNED, ALL_SSIM)


class Likeness(NamedTuple):
    """How like its first map each map stays: rank correlation, that with signs, SSIM, each (n,)."""

    rank: Float[np.ndarray, " n"]
    signed: Float[np.ndarray, " n"]
    ssim: Float[np.ndarray, " n"]


class Course(NamedTuple):
    """Likeness after each stage: `cascading[layer][map]`, from predictions down, and one by one."""

    cascading: dict[str, dict[str, Likeness]]
    independent: dict[str, dict[str, Likeness]]


def layers_from_the_top(network: Network, subjects: Subjects) -> tuple[str, ...]:
    """Return the layers of a network, from the logits down.

    Raises:
        ValueError: it holds no weights that could be re-initialised.
    """
    return layer_order(network.model, network.preprocess(subjects.images[:1]))


def does_it_depend(
    network: Network | Any,
    subjects: Subjects,
    *,
    seed: int = 0,
    order: Sequence[str] | None = None,
    progress: Callable[[], None] = lambda: None,
    **options: Unpack[Options],
) -> tuple[Question, Course]:
    """Compare every map with those of ever more random networks; `progress` is called per network.

    One compiled function serves all networks: only their weights differ. `order` is what
    `layers_from_the_top` returned, where that is known.

    Raises:
        ValueError: the network holds no weights that could be re-initialised.
    """
    network = as_network(network)
    order = layers_from_the_top(network, subjects) if order is None else order
    compare = _comparison(network, subjects, options)

    def measured(model: Any) -> dict[str, Likeness]:
        progress()
        return compare(model)

    cascade = {n: measured(m) for n, m in cascading(network.model, seed, order=order)}
    alone = {
        name: cascade[name] if name == order[0] else measured(model)
        for name, model in independent(network.model, seed, order=order)
    }
    return _question(cascade[order[0]], cascade[order[-1]]), Course(cascade, alone)


def does_it_depend_quickly(
    network: Network | Any,
    subjects: Subjects,
    *,
    seed: int = 0,
    order: Sequence[str] | None = None,
    **options: Unpack[Options],
) -> Question:
    """Compare with two networks only: the last layer re-initialised, and all layers."""
    network = as_network(network)
    order = layers_from_the_top(network, subjects) if order is None else order
    compare = _comparison(network, subjects, options)
    first, last = (
        compare(randomized(network.model, names, seed=seed, order=order))
        for names in (order[:1], order)
    )
    return _question(first, last)


def _comparison(
    network: Network, subjects: Subjects, options: Options
) -> Callable[[Any], dict[str, Likeness]]:
    x = network.preprocess(subjects.images)

    def maps_of(model: Any) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        asked: Options = {**options, "signed": True}
        signed = by_name(explained(network._replace(model=model), x, subjects.classes, **asked))
        return shown(signed), signed

    plain, plain_signed = maps_of(network.model)
    plain_shown = enlarged(plain, subjects)  # SSIM compares pictures

    def compare(model: Any) -> dict[str, Likeness]:
        other, other_signed = maps_of(model)
        other_shown = enlarged(other, subjects)
        return {
            name: Likeness(
                np.asarray(spearman(plain[name], other[name])),
                np.asarray(spearman(plain_signed[name], other_signed[name])),
                np.asarray(ssim(plain_shown[name], other_shown[name])),
            )
            for name in plain
        }

    return compare


def _question(last_layer: dict[str, Likeness], all_layers: dict[str, Likeness]) -> Question:
    values = {
        name: {
            LAST.name: last_layer[name].rank,
            LAST_SSIM.name: last_layer[name].ssim,
            ALL.name: all_layers[name].rank,
            ALL_SIGNED.name: all_layers[name].signed,
            ALL_SSIM.name: all_layers[name].ssim,
        }
        for name in last_layer
    }
    # The controls do not ask the network, so that they cannot change.
    one = np.ones_like(next(iter(last_layer.values())).rank)
    values |= {name: {metric.name: one for metric in METRICS} for name in BASELINES}
    return Question("depends", TITLE, METRICS, values)
