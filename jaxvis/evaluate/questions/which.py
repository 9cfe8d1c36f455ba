"""With two objects in the image: does a map mark the one that was asked for?

The most direct question to a map that is said to explain a class: whatever marks both alike shows
objects, and not why the network calls one of them by its name.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Bool, Float32

from jaxvis.evaluate.metrics.location import energy_inside, pointing_game
from jaxvis.evaluate.questions.question import Metric, Question

Maps = Mapping[str, Float32[np.ndarray, "n height width"]]
Masks = Bool[np.ndarray, "n height width"]

TITLE = "Which of two objects?"
ASKED = Metric("at the one asked for", "high", "of two objects, the maximum lies within 15 px of "
               "the one whose class was asked for")  # fmt: skip
OTHER = Metric("at the other", "low", "within 15 px of the other one")
ENERGY = Metric("energy on it", "high", "share of the map's sum on both objects that lies on the "
                "one asked for")  # fmt: skip
FOLLOWS = Metric(
    "asked less other", "high", "of two objects, how much more often the maximum lies within 15 px "
    "of the one asked for than of the other; 0 does not care",
)  # fmt: skip
METRICS = (FOLLOWS, ASKED, OTHER, ENERGY)


def which_is_it(asked: Sequence[tuple[Maps, Masks, Masks]]) -> Question:
    """Measure maps of images with two objects, each asked for in turn.

    Args:
        asked: for the first object, and for the second: maps (n, height, width) by name, the masks
            of the object asked for, and those of the other.

    Returns:
        Values per image, which are means over its two objects: answers about one image are no two
        independent witnesses.
    """
    values: dict[str, dict[str, np.ndarray]] = {}
    for name in asked[0][0]:
        rows = [_of(maps[name], wanted, other) for maps, wanted, other in asked]
        values[name] = {
            metric.name: np.stack([row[place] for row in rows]).mean(axis=0)
            for place, metric in enumerate(METRICS)
        }
    return Question("which", TITLE, METRICS, values, decide=(FOLLOWS.name,), line=0.0)


def _of(maps: np.ndarray, wanted: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, ...]:
    on_it, elsewhere = (np.asarray(energy_inside(maps, masks)) for masks in (wanted, other))
    both = on_it + elsewhere
    share = np.divide(on_it, both, out=np.full_like(both, np.nan), where=both > 0)
    hit, missed = (np.asarray(pointing_game(maps, masks), np.float32) for masks in (wanted, other))
    return hit - missed, hit, missed, share
