"""Against tf-keras-vis's own ActivationMaximization, recorded by record_maximize.py."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from conftest import relative_error

import jaxvis as jv
from jaxvis.methods.image_priors import mean_norm, total_variation

RECORDED = Path(__file__).parents[1] / "recorded"


@pytest.fixture(scope="module")
def lab():
    with np.load(RECORDED / "maximize.npz") as file, np.load(RECORDED / "tf_keras_vis.npz") as maps:
        return dict(file) | {"x": maps["x"][:2]}


@pytest.fixture(scope="module")
def found(lab):
    model = jv.load_vgg16(RECORDED / "narrow_vgg16.h5")
    steps = len(lab["scores"])
    return jv.maximize(
        model, lab["classes"], start=lab["x"], bounds=(-np.inf, np.inf), parametrization="pixels",
        optimizer=optax.rmsprop(1.0, decay=0.999, eps=1e-7), steps=steps, total_variation=1.0,
        norm=0.3, norm_order=1, jitter=0, rotation=0, scale=(1, 1), keep=steps + 1,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "prior"),
    [
        ("total_variation", total_variation),
        ("norm_1", lambda x: 0.3 * mean_norm(x, 1)),
        ("norm_6", lambda x: 10 * mean_norm(x, 6)),
    ],
)
def test_priors_and_their_gradients(lab, name, prior):
    x = jnp.asarray(lab["x"])
    assert relative_error(prior(x), lab[name]) < 1e-5
    gradient = jax.grad(lambda x: prior(x).sum())(x)[:, :16, :16]
    assert relative_error(gradient, lab[f"{name}_gradient"]) < 1e-5


def test_pictures_after_some_steps(lab, found):
    shown = int(lab["shown"])
    assert relative_error(found.frames[shown] - lab["x"], lab["picture"] - lab["x"]) < 1e-4


def test_scores_on_the_way(lab, found):
    assert relative_error(found.scores[0], lab["scores"][0]) < 1e-5
    assert relative_error(found.scores[:-1], lab["scores"]) < 1e-4


def test_the_scores_rise(lab):
    """Or the recording would prove nothing."""
    assert np.all(lab["scores"][-1] > lab["scores"][0] + 0.1 * np.abs(lab["scores"][0]))
