"""Against relevance maps recorded from zennit by record_zennit.py, in double precision."""

from pathlib import Path

import numpy as np
import pytest
from conftest import relative_error

import jaxvis as jv
from jaxvis.gradients.relevance import AlphaBeta, Epsilon, Gamma, ZPlus
from jaxvis.methods.composites import Composite
from jaxvis.models.heads import HeadLayer, dense

RECORDED = Path(__file__).parents[1] / "recorded"
EVERYWHERE = {
    "epsilon": Epsilon(), "epsilon_25": Epsilon(25.0), "gamma": Gamma(), "z_plus": ZPlus(),
    "alpha2_beta1": AlphaBeta(),
}  # fmt: skip
NAMED = ["epsilon_plus_flat", "epsilon_plus_box", "epsilon_gamma_box", "epsilon_alpha2_beta1_flat"]


@pytest.fixture(scope="module")
def zennit():
    with np.load(RECORDED / "zennit.npz") as file:
        return dict(file)


@pytest.fixture(scope="module")
def lab(zennit):
    with np.load(RECORDED / "tf_keras_vis.npz") as file:
        n = len(zennit["epsilon"])
        return file["x"][:n], file["classes"][:n]


@pytest.fixture(scope="module")
def model():
    return jv.load_vgg16(RECORDED / "narrow_vgg16.h5")


@pytest.mark.parametrize("name", [*EVERYWHERE, *NAMED])
def test_maps(zennit, lab, model, name):
    rule = EVERYWHERE.get(name)
    composite = name if rule is None else Composite(kinds={"Conv2D": rule, "Dense": rule})
    maps = jv.lrp(model, *lab, composite=composite, low=zennit["low"], high=zennit["high"])
    assert relative_error(maps, zennit[name]) < 1e-5  # found: 5e-7 to 2e-6


def test_average_pooling(zennit, lab, model):
    """A mean over all places shares relevance out as zennit's rule `Norm` does."""
    head = [HeadLayer("pool", "GlobalAveragePooling2D"), dense("predictions", 7)]
    weights = {
        row.name: tuple(np.asarray(getattr(getattr(model, row.name), role)[...])
                        for role, _ in row.arrays)
        for row in model.rows if row.kind == "Conv2D" or row.name == "predictions"
    }  # fmt: skip
    kernel, bias = weights["predictions"]
    weights["predictions"] = kernel[:32], bias
    pooled = jv.VGG16(width=1 / 16, size=64, head=head, weights=weights)
    wanted = zennit["epsilon_plus_flat, average pooling"]
    assert relative_error(jv.lrp(pooled, *lab), wanted) < 1e-5


def test_the_rules_give_different_maps(zennit):
    """Or the recording would prove nothing about them."""
    maps = {name: zennit[name] for name in [*EVERYWHERE, *NAMED]}
    for first in maps:
        for second in maps:
            if first < second:
                assert relative_error(maps[first], maps[second]) > 0.05, (first, second)
