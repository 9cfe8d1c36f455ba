"""The second question: every metric, measured by the function that bears its name."""

import numpy as np

import jaxvis as jv
from jaxvis import evaluate as ev
from jaxvis.evaluate.maps import all_maps
from jaxvis.evaluate.questions import matters
from jaxvis.evaluate.questions.matters import does_it_matter


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
