"""The convolution whose way back is written out, against XLA's own and a loop in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import relative_error

from jaxvis.gradients.convolution import USUAL, convolve, same


def by_xla(x, kernel, pads):
    return jax.lax.conv_general_dilated(x, kernel, (1, 1), pads, dimension_numbers=USUAL)


def back_by_hand(kernel, g, pads, shape):
    """What every pixel of x takes from all places that it went to."""
    result = np.zeros(shape)
    for n, y, z in np.ndindex(*g.shape[:3]):
        for i, j in np.ndindex(*kernel.shape[:2]):
            row, column = y + i - pads[0][0], z + j - pads[1][0]
            if 0 <= row < shape[1] and 0 <= column < shape[2]:
                result[n, row, column] += kernel[i, j].astype(np.float64) @ g[n, y, z]
    return result


CASES = [
    ((3, 3), None), ((1, 1), None), ((2, 2), None), ((5, 3), None), ((4, 1), None),
    ((3, 3), ((0, 0), (0, 0))), ((3, 3), ((2, 0), (1, 2))),
]  # fmt: skip


@pytest.mark.parametrize(("sides", "pads"), CASES)
def test_forward_and_both_gradients(rng, sides, pads):
    x = rng.normal(size=(2, 6, 7, 3)).astype(np.float32)
    kernel = rng.normal(size=(*sides, 3, 4)).astype(np.float32)
    padding = same(kernel) if pads is None else pads
    found, pull = jax.vjp(lambda x, kernel: convolve(x, kernel, padding), x, kernel)
    wanted, pull_wanted = jax.vjp(
        lambda x, kernel: by_xla(x, kernel, "SAME" if pads is None else pads), x, kernel
    )
    np.testing.assert_array_equal(found, wanted)
    g = rng.normal(size=found.shape).astype(np.float32)
    for ours, theirs in zip(pull(g), pull_wanted(g), strict=True):
        assert relative_error(ours, theirs) < 1e-6
    assert relative_error(pull(g)[0], back_by_hand(kernel, g, padding, x.shape)) < 1e-6


def test_one_gradient_alone(rng):
    """What is not asked for is not made, and what is stays the same."""
    x = rng.normal(size=(2, 5, 4, 3)).astype(np.float32)
    kernel = rng.normal(size=(3, 3, 3, 2)).astype(np.float32)
    pads = same(kernel)
    both = jax.grad(lambda x, k: (convolve(x, k, pads) ** 2).sum(), argnums=(0, 1))(x, kernel)
    of_x = jax.grad(lambda x: (convolve(x, kernel, pads) ** 2).sum())
    of_kernel = jax.grad(lambda k: (convolve(x, k, pads) ** 2).sum())
    np.testing.assert_array_equal(of_x(x), both[0])
    np.testing.assert_array_equal(of_kernel(kernel), both[1])
    assert str(jax.make_jaxpr(of_x)(x)).count("conv_general_dilated[") == 2
    unused = jax.grad(lambda x: (convolve(x, kernel, pads), x.sum())[1])(x)
    np.testing.assert_array_equal(unused, np.ones_like(x))


def test_the_second_derivative_is_there(rng):
    x = rng.normal(size=(1, 4, 5, 2)).astype(np.float32)
    kernel = rng.normal(size=(3, 3, 2, 2)).astype(np.float32)

    def norm(convolution, padding):
        def of_gradient(x):
            g = jax.grad(lambda x: (convolution(x, kernel, padding) ** 3).sum())(x)
            return (g**2).sum()

        return jax.grad(of_gradient)(x)

    assert relative_error(norm(convolve, same(kernel)), norm(by_xla, "SAME")) < 1e-5


def test_it_is_traced_as_plain_convolutions(rng):
    """What oneDNN does not know, a dilated input, must not be there."""
    x, kernel = jnp.ones((1, 4, 4, 2)), jnp.ones((3, 3, 2, 2))
    text = str(jax.make_jaxpr(jax.grad(lambda x: convolve(x, kernel, same(kernel)).sum()))(x))
    assert "lhs_spec=(0, 3, 1, 2)" in text
    assert "lhs_dilation=(2" not in text
