"""Depthwise convolution against XLA's own, which is slow, and not used for maps."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import relative_error

from jaxvis.gradients.depthwise import depthwise


def by_xla(x, kernel, stride):
    return jax.lax.conv_general_dilated(
        x, kernel, (stride, stride), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"),
        feature_group_count=x.shape[-1],
    )  # fmt: skip


def by_hand(x, kernel, stride):
    """Every number of the result is a sum over a window, which may reach over the edge."""
    side = len(kernel)
    lengths = [-(-n // stride) for n in x.shape[1:3]]
    before = [
        max((out - 1) * stride + side - n, 0) // 2
        for out, n in zip(lengths, x.shape[1:3], strict=True)
    ]
    result = np.zeros((len(x), *lengths, x.shape[3]))
    for n, y, z, c in np.ndindex(*result.shape):
        for i, j in np.ndindex(side, side):
            row, column = y * stride + i - before[0], z * stride + j - before[1]
            if 0 <= row < x.shape[1] and 0 <= column < x.shape[2]:
                result[n, y, z, c] += x[n, row, column, c] * kernel[i, j, 0, c]
    return result


CASES = [(size, side, stride) for size in [(8, 8), (7, 9), (5, 6), (1, 4)] for side in (1, 3, 5)
         for stride in (1, 2)]  # fmt: skip


@pytest.mark.parametrize(("size", "side", "stride"), CASES)
def test_forward_and_both_gradients(rng, size, side, stride):
    x = rng.normal(size=(2, *size, 3)).astype(np.float32)
    kernel = rng.normal(size=(side, side, 1, 3)).astype(np.float32)

    @jax.jit  # eagerly, every shift is a program of its own
    def value_and_gradients(x, kernel, g):
        pairs = []
        for function in (depthwise, by_xla):
            y, pull = jax.vjp(partial(function, stride=stride), x, kernel)
            pairs.append((y, pull(g)))
        return pairs

    by_definition = by_hand(x, kernel, stride)
    g = rng.normal(size=by_definition.shape).astype(np.float32)
    (found, gradients), (wanted, gradients_wanted) = value_and_gradients(x, kernel, g)
    assert relative_error(found, wanted) < 1e-6
    assert relative_error(found, by_definition) < 1e-6
    for ours, theirs in zip(gradients, gradients_wanted, strict=True):
        assert relative_error(ours, theirs) < 2e-6


def test_under_vmap_and_of_other_dtypes(rng):
    """Rules are a vmap over the way back."""
    x = rng.normal(size=(2, 6, 7, 3)).astype(np.float32)
    kernel = rng.normal(size=(3, 3, 1, 3)).astype(np.float32)

    @jax.jit
    def way_back(x, g):
        return jax.vjp(lambda x: depthwise(x, kernel, 2), x)[1](g)[0]

    g = rng.normal(size=(4, 2, 3, 4, 3)).astype(np.float32)
    found = jax.jit(jax.vmap(way_back, in_axes=(None, 0)))(x, g)
    wanted = np.stack([way_back(x, one) for one in g])
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)
    halves = jnp.asarray(x, jnp.bfloat16), jnp.asarray(kernel, jnp.bfloat16)
    half = jax.eval_shape(partial(depthwise, stride=1), *halves)
    assert half.dtype == jnp.bfloat16


def test_no_grouped_convolution_is_on_the_way_to_a_map(rng):
    """It is there for kernels alone, and XLA leaves out what nobody asks for."""
    x = rng.normal(size=(1, 8, 8, 3)).astype(np.float32)
    kernel = rng.normal(size=(3, 3, 1, 3)).astype(np.float32)
    of_x = jax.jit(jax.grad(lambda x, kernel: (depthwise(x, kernel, 1) ** 2).sum()))
    of_kernel = jax.jit(jax.grad(lambda kernel, x: (depthwise(x, kernel, 1) ** 2).sum()))
    assert " convolution(" not in of_x.lower(x, kernel).compile().as_text()
    assert " convolution(" in of_kernel.lower(kernel, x).compile().as_text()
