"""Does what a map marks matter to the network?"""

from collections.abc import Callable, Mapping
from typing import Any, Unpack

import numpy as np
from jaxtyping import Float32

from jaxvis.evaluate.maps import by_name, explained
from jaxvis.evaluate.metrics.average_drop import drop_and_increase
from jaxvis.evaluate.metrics.fidelity import (
    RADIUS,
    logit_changes,
    max_sensitivity,
    square_perturbations,
    unexplained,
    uniform_offsets,
)
from jaxvis.evaluate.metrics.rise import deleted, deletion, insertion
from jaxvis.evaluate.metrics.road import NOISE, road
from jaxvis.evaluate.questions.question import Metric, Question
from jaxvis.evaluate.subjects import Subjects
from jaxvis.methods.options import Options
from jaxvis.models.network import Network, as_network, grey_level

TITLE = "Does it matter to the network?"
DELETION = Metric("deletion", "low", "area under the class's probability while the pixels marked "
                  "most go first (RISE); what is left looks like no image of training")  # fmt: skip
INSERTION = Metric(
    "insertion",
    "high",
    "the same while they come first into a blurred image (RISE), which may "
    "show the class by itself",
)
DROP = Metric("drop", "low", "share of the probability lost when the image is dimmed by the map "
              "(Grad-CAM++)")  # fmt: skip
INCREASE = Metric("increase", "high", "share of images whose probability that raises (Grad-CAM++)")
ROAD_SHARES = (0.1, 0.3, 0.5)  # imputing more takes long, and little of the image is left
ROAD = Metric("ROAD", "low", "mean probability with 10, 30 and 50 % of the pixels, those marked "
              "most first, filled in from their neighbours (Rong et al.)")  # fmt: skip
INFIDELITY = Metric("infidelity", "low", "share of the logit's changes, when squares are taken "
                    "away, that the map does not tell (Yeh et al.), 0 to 1")  # fmt: skip
SENSITIVITY = Metric("max-sensitivity", "low", "largest relative change of the map under noise of "
                     "5 grey levels (Yeh et al.)")  # fmt: skip
METRICS = (DELETION, INSERTION, DROP, INCREASE, ROAD, INFIDELITY, SENSITIVITY)
DELETED = Metric("deleted 20 %", "low", "probability of the class when the fifth of the pixels "
                 "that is marked most is gone (a point of RISE's deletion)")  # fmt: skip
QUICK = (DELETED,)

MapsByName = Mapping[str, Float32[np.ndarray, "n height width"]]


def does_it_matter(
    network: Network | Any,
    subjects: Subjects,
    maps: MapsByName,
    *,
    progress: Callable[[], None] = lambda: None,
    **options: Unpack[Options],
) -> Question:
    """Measure every map by all metrics of this question; `progress` is called once per map.

    The options are those that the maps were made with.
    """
    network = as_network(network)
    model, unit, output = network.forward, grey_level(network), network.output
    x, classes = network.preprocess(subjects.images), subjects.classes
    squares = square_perturbations(x, samples=20, seed=subjects.seeds)
    changes = logit_changes(model, x, classes, squares)
    power = np.mean(np.square(np.asarray(changes)), axis=0)
    values: dict[str, dict[str, np.ndarray]] = {}
    for name, a in maps.items():
        dimmed = drop_and_increase(model, x, classes, a, output=output)
        values[name] = {
            DROP.name: dimmed.drop,
            INCREASE.name: dimmed.increase.astype(np.float32),
            DELETION.name: deletion(model, x, classes, a, output=output).area,
            INSERTION.name: insertion(model, x, classes, a, output=output).area,
            ROAD.name: road(
                model,
                x,
                classes,
                a,
                shares=ROAD_SHARES,
                noise=NOISE * unit,
                seed=subjects.seeds,
                output=output,
            ).area,
            INFIDELITY.name: unexplained(changes, a, squares, normalize=True) / power,
        }
        progress()
    # The baselines would have to be drawn anew for every noisy image: only explanations.
    worst = max_sensitivity(
        lambda x: explained(network, x, classes, **options),
        x,
        uniform_offsets(x, samples=5, radius=RADIUS * unit, seed=subjects.seeds),
    )
    for name, value in by_name(worst).items():
        values[name][SENSITIVITY.name] = value
    return Question("matters", TITLE, METRICS, values, decide=(DELETION.name, ROAD.name))


def does_it_matter_quickly(
    network: Network | Any, subjects: Subjects, maps: MapsByName
) -> Question:
    """Measure what takes one forward pass per map."""
    network = as_network(network)
    model, x = network.forward, network.preprocess(subjects.images)
    values = {
        name: {DELETED.name: deleted(model, x, subjects.classes, a, output=network.output)}
        for name, a in maps.items()
    }
    return Question("matters", TITLE, QUICK, values, decide=(DELETED.name,))
