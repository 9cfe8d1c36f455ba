"""The third question: likeness to the maps of a network that has forgotten what it learned."""

import numpy as np
from conftest import SIX
from scipy import stats

import jaxvis as jv
from jaxvis.evaluate.metrics.randomization import CASCADE, randomized
from jaxvis.evaluate.questions import depends
from jaxvis.evaluate.questions.depends import does_it_depend, does_it_depend_quickly


def test_likeness_is_scipys_of_the_maps_of_a_randomised_network(narrow, subjects):
    asked, course = does_it_depend(narrow, subjects, seed=3)
    assert list(course.cascading) == list(course.independent) == list(CASCADE)
    x = jv.preprocess(subjects.images)
    plain = jv.explain(narrow, x, subjects.classes)
    cases = {
        "fc1": (course.independent["fc1"], ["fc1"]),
        "fc2": (course.cascading["fc2"], ["predictions", "fc2"]),
    }
    for likeness, layers in cases.values():
        other = jv.explain(randomized(narrow, layers, seed=3), x, subjects.classes)
        for rule in jv.RULES:
            for i in range(3):
                for kind in ("saliency", "grad_cam"):
                    name = f"{'saliency' if kind == 'saliency' else 'Grad-CAM'} {rule}"
                    pair = [np.ravel(getattr(m, kind)[rule][i]) for m in (plain, other)]
                    constant = any(np.ptp(one) == 0 for one in pair)
                    wanted = np.nan if constant else stats.spearmanr(*pair).statistic
                    np.testing.assert_allclose(likeness[name].rank[i], wanted, atol=1e-4)
    quick = does_it_depend_quickly(narrow, subjects, seed=3)
    for name in SIX:
        for metric in depends.METRICS:
            np.testing.assert_allclose(
                quick.values[name][metric.name], asked.values[name][metric.name], atol=1e-5
            )
