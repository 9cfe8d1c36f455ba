"""Infidelity and max-sensitivity beside loops written from Yeh et al."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxvis as jv
from jaxvis.evaluate.metrics.fidelity import (
    infidelity,
    max_sensitivity,
    square_perturbations,
    uniform_offsets,
)

WEIGHTS = np.random.Generator(np.random.PCG64(3)).normal(0, 0.05, (8 * 6 * 3, 4))
CHOSEN = np.array([1, 3])


def model(x, relu=jax.nn.relu):
    return jnp.sin(x.reshape(x.shape[0], -1) @ jnp.asarray(WEIGHTS, jnp.float32))


def logit(image, target):
    return np.sin(image.reshape(-1).astype(np.float64) @ WEIGHTS)[target]


@pytest.fixture
def x(rng):
    return rng.normal(0, 2, (2, 8, 6, 3)).astype(np.float32)


@pytest.mark.parametrize("channels", [True, False])
@pytest.mark.parametrize("normalize", [True, False])
def test_infidelity_is_the_papers(x, rng, channels, normalize):
    phi = rng.normal(size=x.shape if channels else x.shape[:3]).astype(np.float32)
    changes = square_perturbations(x, samples=7, seed=1)
    found = infidelity(model, x, CHOSEN, phi, changes, normalize=normalize)
    for i in range(2):
        told, true = [], []
        for change in changes[:, i]:
            weights = phi[i] if channels else np.repeat(phi[i][..., None], 3, axis=-1)
            told.append(float((change * weights).sum()))
            true.append(logit(x[i], CHOSEN[i]) - logit(x[i] - change, CHOSEN[i]))
        told, true = np.array(told), np.array(true)
        factor = np.linalg.lstsq(told[:, None], true, rcond=None)[0][0] if normalize else 1
        np.testing.assert_allclose(found[i], np.mean((factor * told - true) ** 2), rtol=1e-3)


def test_the_gradient_of_a_linear_model_tells_every_change(x):
    def linear(x, relu=jax.nn.relu):
        return x.reshape(x.shape[0], -1) @ jnp.asarray(WEIGHTS, jnp.float32)

    gradient = jv.input_gradient(linear, x, CHOSEN)
    changes = square_perturbations(x, samples=5)
    assert infidelity(linear, x, CHOSEN, gradient, changes).max() < 1e-9
    assert infidelity(linear, x, CHOSEN, 2 * gradient, changes).min() > 1e-4
    assert infidelity(linear, x, CHOSEN, 2 * gradient, changes, normalize=True).max() < 1e-9


def test_max_sensitivity_is_the_papers(x):
    def maps(x):
        return {"square": x[..., 0] ** 2, "nothing": jnp.zeros(x.shape[:3])}

    offsets = uniform_offsets(x, samples=6, radius=0.5, seed=2)
    found = max_sensitivity(maps, x, offsets)
    for i in range(2):
        plain = x[i, ..., 0].astype(np.float64) ** 2
        worst = max(
            np.linalg.norm((x[i] + o)[..., 0].astype(np.float64) ** 2 - plain)
            for o in offsets[:, i]
        )
        np.testing.assert_allclose(found["square"][i], worst / np.linalg.norm(plain), rtol=1e-4)
    assert np.isnan(found["nothing"]).all()


def test_squares_lie_inside_and_become_the_mean_colour(x):
    x = np.abs(np.repeat(np.repeat(x, 4, axis=1), 4, axis=2)) + 1  # 32 x 24, nothing 0
    changes = square_perturbations(x, samples=200, smallest=1 / 16, largest=1 / 4, seed=5)
    sides = []
    for change in changes[:, 0]:
        taken = change[..., 0] != 0
        np.testing.assert_array_equal(change, np.where(taken[..., None], x[0], 0))
        rows, columns = np.flatnonzero(taken.any(axis=1)), np.flatnonzero(taken.any(axis=0))
        assert taken[np.ix_(rows, columns)].all()
        assert taken.sum() == len(rows) * len(columns) == len(rows) ** 2
        sides.append(len(rows))
    assert (min(sides), max(sides)) == (2, 8)
    covered = (changes[:, 0, :, :, 0] != 0).any(axis=0)
    assert covered[0].any()
    assert covered[-1].any()
    assert covered[:, 0].any()
    assert covered[:, -1].any()


def test_offsets_fill_their_range(x):
    offsets = uniform_offsets(x, samples=40, radius=5, seed=1)
    assert offsets.shape == (40, *x.shape)
    assert -5 <= offsets.min() < -4.95
    assert 4.95 < offsets.max() <= 5
    assert abs(offsets.std() - 10 / 12**0.5) < 0.05


def test_mistakes(x):
    changes = square_perturbations(x, samples=2)
    with pytest.raises(ValueError, match=r"perturbations have shape .*; wanted \(samples, "):
        infidelity(model, x, 0, x, changes[0])
    with pytest.raises(ValueError, match="attributions have shape"):
        infidelity(model, x, 0, x[:, :4], changes)
    with pytest.raises(ValueError, match="classes are 4"):
        infidelity(model, x, 4, x, changes)
    with pytest.raises(ValueError, match="offsets have shape"):
        max_sensitivity(lambda x: x, x, x)
