"""weights/measure_methods.py asks of all scenes, and of both objects of every pair."""

import sys
from pathlib import Path

import jax
import numpy as np
import pytest

import jaxvis as jv
from jaxvis import evaluate as ev
from jaxvis.demo.scenes import CLASSES
from jaxvis.evaluate.maps import BATCH
from jaxvis.evaluate.questions.which import ENERGY

sys.path.append(str(Path(__file__).parents[2] / "weights"))
import measure_methods

SCENES = BATCH + 1  # so that there is a second batch, of one


@pytest.fixture(scope="module")
def network():
    """One convolution, a ReLU and a mean, for the scenes' classes."""
    rng = np.random.Generator(np.random.PCG64(0))
    kernel = rng.normal(0, 0.1, (8, 8, 3, len(CLASSES))).astype(np.float32)

    def model(kernel, x):
        order = ("NHWC", "HWIO", "NHWC")
        y = jax.lax.conv_general_dilated(x, kernel, (8, 8), "SAME", dimension_numbers=order)
        return jax.nn.relu(y).mean(axis=(1, 2)) / 30

    exposed = jv.expose_relu(jax.tree_util.Partial(model, kernel))
    return jv.describe(exposed, size=(224, 224), preprocess=jv.preprocess, labels=CLASSES)


def test_every_scene_and_every_pair_is_asked(network, capsys):
    where, which, *depends = measure_methods.ask(network, ["saliency"], SCENES, 2)

    def saliency(some):
        return np.asarray(jv.saliency(network.model, jv.preprocess(some.images), some.classes))

    scenes = ev.scene_subjects(network, SCENES)
    found = where.values["saliency vanilla"]["energy inside"]
    np.testing.assert_allclose(found, ev.energy_inside(saliency(scenes), scenes.masks), rtol=1e-4)
    pairs = ev.pair_subjects(network, SCENES // 4)
    shares = []
    for asked, other in (pairs, pairs[::-1]):
        maps = saliency(asked)
        on_it, missed = (ev.energy_inside(maps, some.masks) for some in (asked, other))
        shares.append(on_it / (on_it + missed))
    found = which.values["saliency vanilla"][ENERGY.name]
    np.testing.assert_allclose(found, np.mean(shares, axis=0), rtol=1e-4)
    assert np.abs(np.subtract(*shares)).min() > 0.01  # the two objects are told apart
    assert [question.key for question in depends] == ["network", "last"]
    assert capsys.readouterr().out.count(" s\n") == 3
