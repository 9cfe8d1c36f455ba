import jax
import numpy as np
import pytest
from jax import lax

from jaxvis.gradients.max_pool import max_pool
from jaxvis.models import reference


@pytest.mark.parametrize("shape", [(2, 6, 8, 3), (1, 7, 5, 4), (3, 2, 3, 1)])
def test_forward_is_xlas(shape, rng):
    x = rng.normal(size=shape).astype(np.float32)
    wanted = lax.reduce_window(x, -np.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
    np.testing.assert_array_equal(max_pool(x), wanted)


@pytest.mark.parametrize("shape", [(2, 6, 8, 3), (1, 7, 5, 4)])
def test_gradient_goes_to_the_first_of_equal_maxima(shape, rng):
    """Small integers tie all the time; the oracle is a loop over windows."""
    x = rng.integers(0, 3, shape).astype(np.float32)
    y, pull_back = jax.vjp(max_pool, x)
    g = rng.normal(size=y.shape).astype(np.float32)
    (found,) = pull_back(g)
    np.testing.assert_array_equal(found, reference.max_pool_backward(x, g))
    if shape[1] % 2 == 0:  # XLA's own gradient, where it does the same
        pool = lambda x: lax.reduce_window(  # noqa: E731
            x, -np.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID"
        )
        np.testing.assert_array_equal(found, jax.vjp(pool, x)[1](g)[0])


def test_batch_of_cotangents_equals_a_loop(rng):
    x = rng.normal(size=(2, 4, 4, 3)).astype(np.float32)
    y, pull_back = jax.vjp(max_pool, x)
    g = rng.normal(size=(3, *y.shape)).astype(np.float32)
    together = jax.vmap(pull_back)(g)[0]
    for one, wanted in zip(together, g, strict=True):
        np.testing.assert_array_equal(one, pull_back(wanted)[0])
