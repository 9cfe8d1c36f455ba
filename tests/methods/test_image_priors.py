"""Total variation and norm against loops, and their gradients against finite differences."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxvis.methods.image_priors import mean_norm, total_variation


@pytest.fixture
def x(rng):
    return rng.normal(0, 50, (2, 5, 7, 3)).astype(np.float32)


def by_loops(picture: np.ndarray) -> float:
    height, width, channels = picture.shape
    total = 0.0
    for i in range(height):
        for j in range(width):
            for c in range(channels):
                if i + 1 < height:
                    total += abs(float(picture[i + 1, j, c]) - float(picture[i, j, c]))
                if j + 1 < width:
                    total += abs(float(picture[i, j + 1, c]) - float(picture[i, j, c]))
    return total / picture.size


def test_total_variation_is_the_sum_over_neighbours(x):
    np.testing.assert_allclose(total_variation(x), [by_loops(one) for one in x], rtol=1e-5)


@pytest.mark.parametrize("order", [1, 2, 3.5, 6])
def test_norm_is_that_of_numpy_by_the_size(x, order):
    wanted = [
        np.linalg.norm(one.astype(np.float64).ravel(), order) / one.size ** (1 / order) for one in x
    ]
    np.testing.assert_allclose(mean_norm(jnp.asarray(x), order), wanted, rtol=1e-5)


def test_a_high_order_does_not_leave_the_range_of_float32():
    x = jnp.full((1, 4, 4, 3), 1e8, jnp.float32)
    np.testing.assert_allclose(mean_norm(x, 6), [1e8], rtol=1e-5)


@pytest.mark.parametrize(
    "prior", [total_variation, lambda x: mean_norm(x, 1), lambda x: mean_norm(x, 6)]
)
def test_gradient_is_that_of_finite_differences(x64, rng, prior):
    x = rng.normal(0, 50, (1, 4, 5, 2))
    gradient = np.asarray(jax.grad(lambda x: prior(x)[0])(jnp.asarray(x)))
    for place in [(0, 0, 0, 0), (0, 2, 3, 1), (0, 3, 4, 0), (0, 1, 0, 1)]:
        step = np.zeros_like(x)
        step[place] = 1e-5
        slope = (prior(jnp.asarray(x + step)) - prior(jnp.asarray(x - step)))[0] / 2e-5
        np.testing.assert_allclose(gradient[place], slope, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("order", [1, 2, 6])
def test_an_even_picture_of_zeros_has_no_gradient(order):
    x = jnp.zeros((2, 4, 4, 3))
    for prior in (total_variation, lambda x: mean_norm(x, order)):
        np.testing.assert_array_equal(prior(x), [0, 0])
        np.testing.assert_array_equal(jax.grad(lambda x, p=prior: p(x).sum())(x), x)
