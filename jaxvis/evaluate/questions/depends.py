"""Does a map depend on the network, and on its last layer, or would another one draw the same?

Adebayo et al., "Sanity Checks for Saliency Maps" (arXiv 1810.03292, 2018), section 3; Sixt, Granz
& Landgraf, "When Explanations Lie" (arXiv 1912.09818, 2020), section 4, on `predictions` alone.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Unpack

import numpy as np
from jaxtyping import Float

from jaxvis.evaluate.maps import by_name, enlarged, explained
from jaxvis.evaluate.metrics.randomization import (
    cascading,
    independent,
    layer_order,
    randomized,
)
from jaxvis.evaluate.metrics.ranks import centred_ranks, rank_correlation
from jaxvis.evaluate.metrics.similarity import ssim, strongest_overlap
from jaxvis.evaluate.questions.question import Metric, Question
from jaxvis.evaluate.subjects import Subjects
from jaxvis.methods.maps import Maps
from jaxvis.methods.options import Options
from jaxvis.models.network import Network, as_network

# Adebayo et al. and Sixt et al. show curves and draw no line; this one is ours: a map that stays
# more like itself than this does not show what was re-initialised.
LINE = 0.8
DRAWS = 3  # networks of random weights, of which one may be an odd one
RANK = Metric("rank corr.", "", "Spearman's rank correlation of all pixels with the map of the "
              "network re-initialised; 1 is the same order")  # fmt: skip
STRONGEST = Metric("top 1 %", "", "share of a map's strongest pixels, 1 % of all, that are "
                   "among the other's; 1 is all of them")  # fmt: skip
SIGNED = Metric("signed", "", "rank correlation of the values with their signs")
SSIM = Metric("SSIM", "", "structural similarity of the two pictures")
METRICS = (RANK, STRONGEST, SIGNED, SSIM)
NETWORK, LAST = "network", "last"
TITLES = {
    NETWORK: "Does it depend on the network?",
    LAST: "Does it depend on the last layer, which tells the classes apart?",
}


class Likeness(NamedTuple):
    """How like its first map each map stays: the values of `METRICS` in their order, each (n,)."""

    rank: Float[np.ndarray, " n"]
    strongest: Float[np.ndarray, " n"]
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
    draws: int = DRAWS,
    order: Sequence[str] | None = None,
    progress: Callable[[], None] = lambda: None,
    **options: Unpack[Options],
) -> tuple[list[Question], Course]:
    """Compare every map with those of ever more random networks; `progress` is called per network.

    Returns two questions, on all layers and on the last alone, and the course of the first of the
    `draws` layer by layer. One compiled function serves all networks: only their weights differ.
    `order` is what `layers_from_the_top` returned, where that is known.

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
    found = [(cascade[order[-1]], cascade[order[0]])]
    found += [_drawn(network, measured, seed + i, order) for i in range(1, draws)]
    return _questions(found), Course(cascade, alone)


def does_it_depend_quickly(
    network: Network | Any,
    subjects: Subjects,
    *,
    seed: int = 0,
    draws: int = DRAWS,
    order: Sequence[str] | None = None,
    own: Maps | None = None,
    **options: Unpack[Options],
) -> list[Question]:
    """Ask the same of two networks a draw: all layers re-initialised, and the last layer.

    `own` are the network's maps, made with `signed=True`, where they are there already.
    """
    network = as_network(network)
    order = layers_from_the_top(network, subjects) if order is None else order
    compare = _comparison(network, subjects, options, own)
    return _questions([_drawn(network, compare, seed + i, order) for i in range(draws)])


def networks_compared(layers: int, draws: int = DRAWS) -> int:
    """Return how often `does_it_depend` calls `progress`."""
    return 2 * layers - 1 + 2 * (draws - 1)


def _drawn(
    network: Network,
    compare: Callable[[Any], dict[str, Likeness]],
    seed: int,
    order: Sequence[str],
) -> tuple[dict[str, Likeness], dict[str, Likeness]]:
    """Likeness with all layers re-initialised, and with the last alone."""
    model = network.model
    every, last = (
        randomized(model, layers, seed=seed, order=order) for layers in (order, order[:1])
    )
    return compare(every), compare(last)


def _comparison(
    network: Network, subjects: Subjects, options: Options, own: Maps | None = None
) -> Callable[[Any], dict[str, Likeness]]:
    x = network.preprocess(subjects.images)

    def signed_maps(model: Any) -> Maps:
        asked: Options = {**options, "signed": True}
        return explained(network._replace(model=model), x, subjects.classes, **asked)

    own = signed_maps(network.model) if own is None else own
    plain, plain_signed = by_name(own.shown()), by_name(own)
    plain_shown = enlarged(plain, subjects)  # what is looked at
    ranked, ranked_signed = _ranked(plain), _ranked(plain_signed)

    def compare(model: Any) -> dict[str, Likeness]:
        found = signed_maps(model)
        other = by_name(found.shown())
        other_shown = enlarged(other, subjects)
        ranks, ranks_signed = _ranked(other), _ranked(by_name(found))
        return {
            name: Likeness(
                rank_correlation(ranked[name], ranks[name]),
                strongest_overlap(plain_shown[name], other_shown[name]),
                rank_correlation(ranked_signed[name], ranks_signed[name]),
                np.asarray(ssim(plain_shown[name], other_shown[name])),
            )
            for name in plain
        }

    return compare


def _ranked(maps: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: centred_ranks(array) for name, array in maps.items()}


def _questions(
    drawn: Sequence[tuple[dict[str, Likeness], dict[str, Likeness]]],
) -> list[Question]:
    """Both questions from all draws; controls do not ask the network, so they have no part."""
    made = []
    for number, key in enumerate((NETWORK, LAST)):
        draws = {
            name: {
                metric.name: np.stack([pair[number][name][place] for pair in drawn])
                for place, metric in enumerate(METRICS)
            }
            for name in drawn[0][number]
        }
        values = {
            name: {metric: array.mean(axis=0) for metric, array in row.items()}
            for name, row in draws.items()
        }
        made.append(
            Question(key, TITLES[key], METRICS, values, (RANK.name, STRONGEST.name), LINE, draws)
        )
    return made
