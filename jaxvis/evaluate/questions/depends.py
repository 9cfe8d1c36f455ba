"""The third question: does a map depend on the network, or would another one draw the same?

Adebayo et al., "Sanity Checks for Saliency Maps" (arXiv 1810.03292, 2018), section 3; Sixt, Granz
& Landgraf, "When Explanations Lie" (arXiv 1912.09818, 2020), section 4, on `predictions` alone.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from jaxvis.evaluate.maps import SIX, Subjects, by_name, enlarged, unsigned
from jaxvis.evaluate.metrics.baselines import BASELINES
from jaxvis.evaluate.metrics.randomization import CASCADE, cascading, independent, randomized
from jaxvis.evaluate.metrics.similarity import spearman, ssim
from jaxvis.evaluate.questions.question import Metric, Question
from jaxvis.methods.one_pass import explain
from jaxvis.models.preprocessing import preprocess

TITLE = "Does it depend on the network?"
PREDICTIONS = Metric("rank corr., predictions", "low", "Spearman's rank correlation with the map "
                     "of the network whose last layer alone was drawn anew")  # fmt: skip
PREDICTIONS_SSIM = Metric("SSIM, predictions", "low", "structural similarity, likewise")
ALL = Metric("rank corr., all", "low", "the same with all layers drawn anew")
ALL_SIGNED = Metric("signed, all", "low", "the same, of the values with their signs")
ALL_SSIM = Metric("SSIM, all", "low", "structural similarity with all layers drawn anew")
METRICS = (PREDICTIONS, PREDICTIONS_SSIM, ALL, ALL_SIGNED, ALL_SSIM)


class Likeness(NamedTuple):
    """How like its first map each map stays: rank correlation, that with signs, SSIM, each (n,)."""

    rank: Float[np.ndarray, " n"]
    signed: Float[np.ndarray, " n"]
    ssim: Float[np.ndarray, " n"]


class Course(NamedTuple):
    """Likeness after each stage: `cascading[layer][map]`, from predictions down, and one by one."""

    cascading: dict[str, dict[str, Likeness]]
    independent: dict[str, dict[str, Likeness]]


def does_it_depend(
    model: Any,
    subjects: Subjects,
    *,
    layer: str | int = "block5_conv3",
    seed: int = 0,
    step: Callable[[], None] = lambda: None,
) -> tuple[Question, Course]:
    """Compare every map with those of ever more random networks; `step` is called per network.

    One compiled function serves all networks: only their weights differ.
    """
    compare = _comparison(model, subjects, layer)

    def measured(network: Any) -> dict[str, Likeness]:
        step()
        return compare(network)

    cascade = {name: measured(network) for name, network in cascading(model, seed)}
    alone = {
        name: cascade[name] if name == CASCADE[0] else measured(network)
        for name, network in independent(model, seed)
    }
    return _question(cascade[CASCADE[0]], cascade[CASCADE[-1]]), Course(cascade, alone)


def does_it_depend_quickly(
    model: Any, subjects: Subjects, *, layer: str | int = "block5_conv3", seed: int = 0
) -> Question:
    """Compare with two networks only: `predictions` drawn anew, and all layers."""
    compare = _comparison(model, subjects, layer)
    first, last = (randomized(model, names, seed=seed) for names in (CASCADE[:1], CASCADE))
    return _question(compare(first), compare(last))


def _comparison(
    model: Any, subjects: Subjects, layer: str | int
) -> Callable[[Any], dict[str, Likeness]]:
    x = preprocess(subjects.images)

    def maps_of(network: Any) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        maps = explain(network, x, subjects.classes, layer=layer, signed=True)
        signed = by_name(maps)
        return unsigned(signed), signed

    plain, plain_signed = maps_of(model)
    shown = enlarged(plain, subjects)  # SSIM compares pictures

    def compare(network: Any) -> dict[str, Likeness]:
        other, other_signed = maps_of(network)
        other_shown = enlarged(other, subjects)
        return {
            name: Likeness(
                np.asarray(spearman(plain[name], other[name])),
                np.asarray(spearman(plain_signed[name], other_signed[name])),
                np.asarray(ssim(shown[name], other_shown[name])),
            )
            for name in SIX
        }

    return compare


def _question(last_layer: dict[str, Likeness], all_layers: dict[str, Likeness]) -> Question:
    values = {
        name: {
            PREDICTIONS.name: last_layer[name].rank,
            PREDICTIONS_SSIM.name: last_layer[name].ssim,
            ALL.name: all_layers[name].rank,
            ALL_SIGNED.name: all_layers[name].signed,
            ALL_SSIM.name: all_layers[name].ssim,
        }
        for name in SIX
    }
    # The controls do not ask the network, so that they cannot change.
    one = np.ones_like(next(iter(last_layer.values())).rank)
    values |= {name: {metric.name: one for metric in METRICS} for name in BASELINES}
    return Question("depends", TITLE, METRICS, values)
