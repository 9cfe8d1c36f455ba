"""The first question: each metric under its own name, against a count by hand."""

import numpy as np

from jaxvis.evaluate.questions.where import METRICS, where_is_it


def test_every_metric_is_the_one_it_is_named_after():
    """One map whose metrics all differ, and one that never points at the object."""
    masks = np.zeros((2, 40, 40), bool)
    masks[:, 0:10, 0:10] = True
    a = np.zeros((2, 40, 40), np.float32)
    a[0, 0:10, 0:5] = 3.0  # half of the object
    a[0, 0, 0] = 4.0
    a[0, 30:40, 30:40] = 0.5  # a larger square elsewhere, below 15 % of the maximum
    a[1, 35:, 35:] = 1.0
    found = where_is_it({"mine": a}, masks)
    assert (found.key, found.title, found.images) == ("where", "Where is it?", 2)
    assert list(found.values["mine"]) == [metric.name for metric in METRICS]
    assert {metric.better for metric in METRICS} == {"high"}

    # Ranked: 1 and 49 pixels inside, then 100 outside, then the rest, 50 of them inside.
    rest = 40 * 40 - 150
    area = 1 / 100 + 49 / 100 + (50 / 100) * (100 / (150 + rest))
    energy = (4 + 49 * 3) / (4 + 49 * 3 + 50)
    wanted = {"points at it": [1, 0], "energy inside": [energy, 0], "IoU at 15 %": [0.5, 0]}
    for name, values in wanted.items():
        np.testing.assert_allclose(found.values["mine"][name], values, rtol=1e-5)
    area_below = 100 / (40 * 40)  # nothing inside is marked: all of it comes with the last value
    np.testing.assert_allclose(found.values["mine"]["PR area"], [area, area_below], rtol=1e-5)
