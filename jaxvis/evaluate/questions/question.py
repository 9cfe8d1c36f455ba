"""What an evaluation finds out: for each question, metrics of every map and image."""

from collections.abc import Sequence
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
        key: "where", "matters" or "depends", as files are named.
        title: the question.
        metrics: the columns.
        values: `values[map][metric name]`, (n,), NaN where a value does not exist.
    """

    key: str
    title: str
    metrics: tuple[Metric, ...]
    values: dict[str, dict[str, Float[np.ndarray, " n"]]]

    def estimate(self, name: str, metric: str) -> Estimate:
        """Return mean and interval of one metric of one map; NaN where there is none."""
        return estimate(self.values[name].get(metric, np.array([])))

    def clearly(self, name: str, other: str, metric: str) -> int:
        """Return 1 if the first map is better beyond a 99 % interval, -1 if worse, else 0."""
        values = self.values[name][metric] - self.values[other][metric]
        difference = estimate(values, confidence=0.99)
        sign = {metric.name: metric.better for metric in self.metrics}[metric]
        ahead = int(difference.low > 0) - int(difference.high < 0)
        return ahead if sign == "high" else -ahead

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
