import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxvis.gradients.groups import group_size, vjp_in_groups


def each(x):
    return jnp.tanh(x @ jnp.arange(12, dtype=jnp.float32).reshape(3, 4) / 10) ** 2


@pytest.mark.parametrize("size", [1, 2, 3, 5, 9])
def test_in_groups_as_together(size, rng):
    x = rng.normal(size=(5, 2, 3)).astype(np.float32)
    wanted, pull = jax.vjp(each, x)
    g = rng.normal(size=wanted.shape).astype(np.float32)
    found, pull_in_groups = vjp_in_groups(each, x, size)
    np.testing.assert_allclose(found, wanted, rtol=1e-5)
    np.testing.assert_allclose(pull_in_groups(g)[0], pull(g)[0], rtol=1e-5)


@pytest.mark.parametrize(
    "function",
    [lambda x: {"activation": each(x), "twice": 2 * x}, lambda x: each(x).sum(axis=0)],
    ids=["a pytree", "no axis for images"],
)
def test_what_cannot_be_joined_goes_together(function, rng):
    """A function that mixes images tells the difference."""
    x = rng.normal(size=(5, 4, 3)).astype(np.float32)
    wanted, pull = jax.vjp(function, x)
    g = jax.tree.map(lambda a: rng.normal(size=a.shape).astype(np.float32), wanted)
    found, pull_back = vjp_in_groups(function, x, 2)
    for one, want in zip(jax.tree.leaves(found), jax.tree.leaves(wanted), strict=True):
        np.testing.assert_array_equal(one, want)
    np.testing.assert_array_equal(pull_back(g)[0], pull(g)[0])


@pytest.mark.skipif(jax.default_backend() != "cpu", reason="a GPU takes all images together")
@pytest.mark.parametrize(("images", "size"), [(1, 2), (4, 2), (16, 2), (17, 3), (256, 32)])
def test_two_images_on_a_cpu_and_at_most_eight_groups(images, size):
    x = jnp.zeros((images, 3))
    assert group_size(x) == size
    assert jax.jit(lambda x: jnp.zeros(group_size(x)))(x).shape == (size,)
