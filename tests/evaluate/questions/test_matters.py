"""The second question: every metric, measured by the function that bears its name."""

import numpy as np

import jaxvis as jv
from jaxvis import evaluate as ev
from jaxvis.evaluate.maps import all_maps
from jaxvis.evaluate.questions import matters
from jaxvis.evaluate.questions.matters import does_it_matter, does_it_matter_quickly


def test_every_metric_of_the_second_question_is_the_functions(narrow, subjects):
    maps = all_maps(narrow, subjects)
    asked = does_it_matter(narrow, subjects, maps)
    x, classes = jv.preprocess(subjects.images), subjects.classes
    name = "saliency guided"
    squares = ev.square_perturbations(x, samples=20, seed=subjects.seeds)
    best = ev.infidelity(narrow, x, classes, 0 * maps[name], squares)  # tells nothing
    wanted = {
        "deletion": ev.deletion(narrow, x, classes, maps[name]).area,
        "insertion": ev.insertion(narrow, x, classes, maps[name]).area,
        "drop": ev.drop_and_increase(narrow, x, classes, maps[name]).drop,
        "increase": ev.drop_and_increase(narrow, x, classes, maps[name]).increase,
        "ROAD": ev.road(
            narrow, x, classes, maps[name], shares=(0.1, 0.3, 0.5), seed=subjects.seeds
        ).area,
        "infidelity": ev.infidelity(narrow, x, classes, maps[name], squares, normalize=True) / best,
        "max-sensitivity": ev.max_sensitivity(
            lambda x: jv.saliency(narrow, x, classes, rule=jv.GUIDED), x,
            ev.uniform_offsets(x, samples=5, seed=subjects.seeds),
        ),
    }  # fmt: skip
    for metric in matters.METRICS:
        found = asked.values[name][metric.name]
        np.testing.assert_allclose(found, wanted[metric.name], rtol=2e-3, atol=1e-5)
    assert "max-sensitivity" not in asked.values["random"]


def test_probabilities_are_those_of_the_networks_output(subjects):
    """Of a row of sigmoids each class has its own; a softmax would make others of them."""
    unsure = jv.VGG16(width=1 / 16, classes=7, size=64)
    unsure.predictions.kernel[...] *= 0.003
    chosen = {"methods": ["saliency"], "rules": ["vanilla"]}
    maps = all_maps(unsure, subjects, **chosen)
    network = jv.describe(unsure, output="sigmoid")
    x, classes = jv.preprocess(subjects.images), subjects.classes
    one = maps["random"]
    gone = one >= np.sort(one.reshape(3, -1), axis=1)[:, -round(0.2 * 64 * 64), None, None]
    z = np.asarray(unsure(np.where(gone[..., None], 0, x).astype("f4")), np.float64)
    wanted = 1 / (1 + np.exp(-z[range(3), classes]))
    found = does_it_matter_quickly(network, subjects, maps).values["random"]["deleted 20 %"]
    np.testing.assert_allclose(found, wanted, rtol=1e-4)
    other = does_it_matter_quickly(unsure, subjects, maps).values["random"]["deleted 20 %"]
    assert not np.allclose(found, other, rtol=1e-2)
    asked = does_it_matter(network, subjects, maps, **chosen).values["random"]
    options = {"output": "sigmoid"}
    for metric, function in (("deletion", ev.deletion), ("insertion", ev.insertion)):
        expected = function(unsure, x, classes, one, **options).area
        np.testing.assert_allclose(asked[metric], expected, rtol=2e-3)
    expected = ev.road(unsure, x, classes, one, shares=(0.1, 0.3, 0.5), seed=subjects.seeds,
                       **options).area  # fmt: skip
    np.testing.assert_allclose(asked["ROAD"], expected, rtol=2e-3)
    expected = ev.drop_and_increase(unsure, x, classes, one, **options).drop
    np.testing.assert_allclose(asked["drop"], expected, rtol=2e-3, atol=1e-6)
