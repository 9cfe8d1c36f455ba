"""What an evaluation finds out: for each question, metrics of every map and image."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from jaxvis.evaluate.metrics.bootstrap import Estimate, estimate


class Metric(NamedTuple):
    """One column of a table.

    Attributes:
        name: as a heading.
        better: "high" or "low", whichever speaks for a map; "" where neither does.
        meaning: one sentence for whoever reads the table.
    """

    name: str
    better: str
    meaning: str


class Question(NamedTuple):
    """The values of some metrics, one per image, for every map.

    Attributes:
        key: one word, as files are named: "where", "which", "matters", "network", "last".
        title: the question.
        metrics: the columns.
        values: `values[map][metric name]`, (n,), NaN where a value does not exist.
        decide: the names of the metrics that answer it; the others only describe.
        line: what those are compared with, where that is a number and not the controls.
        draws: where values are means over random draws, each of them: (draws, n).
    """

    key: str
    title: str
    metrics: tuple[Metric, ...]
    values: dict[str, dict[str, Float[np.ndarray, " n"]]]
    decide: tuple[str, ...] = ()
    line: float | None = None
    draws: Mapping[str, dict[str, Float[np.ndarray, "draws n"]]] = MappingProxyType({})

    def estimate(self, name: str, metric: str) -> Estimate:
        """Return mean and interval of one metric of one map; NaN where there is none."""
        return estimate(self.values[name].get(metric, np.array([])))

    @property
    def images(self) -> int:
        """The number of images."""
        return max(len(v) for row in self.values.values() for v in row.values())


def joined(parts: Sequence[Question]) -> Question:
    """Return one question from batches of images."""
    first = parts[0]
    values = {
        name: {
            metric: np.concatenate([part.values[name][metric] for part in parts]) for metric in row
        }
        for name, row in first.values.items()
    }
    return first._replace(values=values)


def shown(value: float) -> str:
    """Return a figure as pages show it, and no minus before a zero."""
    return f"{round(value, 2) + 0.0:.2f}"
