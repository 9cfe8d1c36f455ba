"""Does a map point at the object?"""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Bool, Float32

from jaxvis.evaluate.metrics.location import (
    component_iou,
    energy_inside,
    pointing_game,
    precision_recall_area,
)
from jaxvis.evaluate.questions.question import Metric, Question

METRICS = (
    Metric("points at it", "high", "the maximum lies within 15 px of the object"),
    Metric("energy inside", "high", "share of the map's sum that lies on the object"),
    Metric(
        "IoU at 15 %",
        "high",
        "largest component above 15 % of the maximum, against the object; "
        "scattered points, as of a saliency map, have no large one",
    ),
    Metric("PR area", "high", "area under precision and recall, pixels ranked by the map"),
)
DECIDE = (METRICS[0].name, METRICS[1].name)
TITLE = "Where is it?"


def where_is_it(
    maps: Mapping[str, Float32[np.ndarray, "n height width"]],
    masks: Bool[np.ndarray, "n height width"],
) -> Question:
    """Measure every map against the masks; raises what the metrics in `location` raise."""
    functions = (pointing_game, energy_inside, component_iou, precision_recall_area)
    values = {
        name: {
            metric.name: np.asarray(function(a, masks), np.float32)
            for metric, function in zip(METRICS, functions, strict=True)
        }
        for name, a in maps.items()
    }
    return Question("where", TITLE, METRICS, values, decide=DECIDE)
