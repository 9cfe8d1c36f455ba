"""Against maps recorded from tf-keras-vis by record_tf_keras_vis.py, run as the lab ran it."""

from pathlib import Path

import numpy as np
import pytest
from conftest import relative_error

import jaxvis as jv
from jaxvis.gradients.relu import RULES

RECORDED = Path(__file__).parents[1] / "recorded"


@pytest.fixture(scope="module")
def lab():
    with np.load(RECORDED / "tf_keras_vis.npz") as file:
        return dict(file)


@pytest.fixture(scope="module")
def maps(lab):
    model = jv.load_vgg16(RECORDED / "narrow_vgg16.h5")
    return jv.explain(model, lab["x"], lab["classes"])


def test_logits(lab, maps):
    assert relative_error(maps.logits, lab["logits"]) < 1e-4


@pytest.mark.parametrize("rule", RULES)
def test_grad_cam(lab, maps, rule):
    assert relative_error(maps.grad_cam[rule], lab[f"grad_cam_{rule}"]) < 1e-4


@pytest.mark.parametrize("rule", RULES)
def test_saliency(lab, maps, rule):
    theirs, ours = lab[f"saliency_{rule}"], np.asarray(maps.saliency[rule])
    for one, other in zip(ours, theirs, strict=True):
        assert np.corrcoef(one.ravel(), other.ravel())[0, 1] > 0.9999
    assert relative_error(ours, theirs) < 1e-3


def test_the_rules_give_different_maps(lab):
    """Or the recording would prove nothing about them."""
    names = list(RULES)
    for kind in ("saliency", "grad_cam"):
        for first, second in zip(names, names[1:] + names[:1], strict=True):
            one, other = lab[f"{kind}_{first}"], lab[f"{kind}_{second}"]
            assert np.abs(one - other).max() > 0.05 * np.abs(one).max()
