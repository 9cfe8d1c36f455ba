"""Of two objects: hits, misses and energy by hand, one value per image."""

import numpy as np

from jaxvis.evaluate.questions.which import which_is_it


def test_values_are_means_over_both_objects_of_an_image():
    left, right = np.zeros((2, 3, 60, 60), bool)
    left[:, 20:40, 2:12] = True
    right[:, 20:40, 48:58] = True  # 36 px away: beyond the tolerance of 15

    def spot(weights):
        """Maps with so much on the left and on the right object."""
        maps = np.zeros((3, 60, 60), np.float32)
        for a, (one, other) in zip(maps, weights, strict=True):
            a[30, 7], a[30, 53] = one, other
        return maps

    follows = (spot([(3, 1)] * 3), spot([(1, 3)] * 3))
    stuck = (spot([(3, 1)] * 3), spot([(3, 1)] * 3))
    mixed = (spot([(3, 1), (1, 3), (0, 0)]), spot([(1, 3), (3, 1), (0, 0)]))
    maps = [
        {"follows": one, "stuck": two, "mixed": three}
        for one, two, three in zip(follows, stuck, mixed, strict=True)
    ]
    found = which_is_it([(maps[0], left, right), (maps[1], right, left)])
    wanted = {
        "follows": ([1] * 3, [1] * 3, [0] * 3, [0.75] * 3),
        "stuck": ([0] * 3, [0.5] * 3, [0.5] * 3, [0.5] * 3),
        "mixed": ([1, -1, 0], [1, 0, 0], [0, 1, 0], [0.75, 0.25, np.nan]),
    }
    for name, columns in wanted.items():
        for metric, values in zip(found.metrics, columns, strict=True):
            np.testing.assert_allclose(found.values[name][metric.name], values, err_msg=name)
    assert (found.key, found.decide, found.line) == ("which", ("asked less other",), 0.0)
