"""The maps that an evaluation compares: those of `explain`, and the controls."""

import numpy as np
from conftest import SIX

import jaxvis as jv
from jaxvis.evaluate.maps import all_maps
from jaxvis.evaluate.metrics.baselines import BASELINES


def test_maps_are_explains_and_the_controls(narrow, subjects):
    found = all_maps(narrow, subjects)
    maps = jv.explain(narrow, jv.preprocess(subjects.images), subjects.classes)
    assert list(found) == [*SIX, *BASELINES]
    for rule in jv.RULES:
        np.testing.assert_allclose(found[f"saliency {rule}"], maps.saliency[rule], rtol=1e-4)
        wanted = jv.upsample(maps.grad_cam[rule], (64, 64))
        np.testing.assert_allclose(found[f"Grad-CAM {rule}"], wanted, rtol=1e-3, atol=1e-6)


def test_every_image_has_its_own_random_map_of_its_seed(narrow, subjects):
    found = all_maps(narrow, subjects)["random"]
    wanted = [
        np.random.Generator(np.random.PCG64(seed)).random((64, 64), np.float32)
        for seed in subjects.seeds
    ]
    assert len(set(subjects.seeds)) == 3
    np.testing.assert_array_equal(found, wanted)
