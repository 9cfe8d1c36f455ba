"""What is computed otherwise must be what was there, forwards and backwards, and only that."""

from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import relative_error
from networks import normal

import jaxvis as jv
from jaxvis.any_model import cheaper, jaxprs
from jaxvis.gradients.called import Calls, NotedRelu


def primitives(f, *arrays):
    """Names of all equations of f, those inside of others too."""
    return [one.eqn.primitive.name for one in jaxprs.walk(jax.make_jaxpr(f)(*arrays).jaxpr)]


def exchanged(f, relu):
    return lambda *arrays: jv.expose_relu(f)(*arrays, relu=relu)


def noted():
    return NotedRelu(jv.vanilla_relu, Calls())


def both_ways(g, f, cotangent, *arrays):
    """Value and gradients of two functions; eagerly, every operation would be compiled by itself.

    Each has a program of its own, in which XLA cannot see that they are the same.
    """

    def of(function):
        def run(cotangent, *arrays):
            value, pull = jax.vjp(function, *arrays)
            return value, pull(cotangent)

        return jax.jit(run)(cotangent, *arrays)

    return of(g), of(f)


def pool(x, window, strides, padding):
    return jax.nn.relu(nn.max_pool(jnp.sin(x), window, strides, padding))


POOLS = [
    ((2, 8, 6, 3), (2, 2), (2, 2), "VALID"),
    ((2, 7, 9, 3), (2, 2), (2, 2), "SAME"),
    ((2, 9, 8, 3), (3, 3), (2, 2), "SAME"),
    ((2, 9, 8, 3), (3, 2), (1, 2), "VALID"),
    ((2, 9, 8, 3), (3, 3), (2, 3), ((1, 1), (0, 2))),
    ((2, 9, 8, 3), (1, 1), (2, 2), "VALID"),
    ((2, 12, 3), (4,), (3,), "SAME"),
    ((1, 6, 5, 4, 2), (2, 2, 2), (2, 2, 2), "VALID"),
]


@pytest.mark.parametrize(("shape", "window", "strides", "padding"), POOLS)
def test_maximum_of_windows(shape, window, strides, padding):
    f = partial(pool, window=window, strides=strides, padding=padding)
    x = np.round(2 * normal(*shape)) / 2  # equal maxima abound
    g = exchanged(f, noted())
    assert "reduce_window_max" in primitives(f, x)
    assert "reduce_window_max" not in primitives(g, x)
    cotangent = normal(*jax.eval_shape(f, x).shape, seed=1)
    (found, gradients), (wanted, gradients_wanted) = both_ways(g, f, cotangent, x)
    np.testing.assert_array_equal(found, wanted)
    # A pixel in several windows takes their sum, in another order.
    assert relative_error(gradients[0], gradients_wanted[0]) < 1e-6


DEPTHWISE = [
    ((3, 3), (1, 1), "SAME"),
    ((3, 5), (2, 2), "SAME"),
    ((3, 3), (2, 2), "VALID"),
    ((5, 5), (2, 2), ((2, 2), (1, 3))),
    ((3, 3), (2, 2), ((0, 4), (5, 0))),
]


@pytest.mark.parametrize(("sides", "strides", "padding"), DEPTHWISE)
def test_depthwise_convolution(sides, strides, padding):
    kernel = normal(*sides, 1, 4, seed=2)

    def f(x, kernel):
        y = jax.lax.conv_general_dilated(
            x, kernel, strides, padding, dimension_numbers=("NHWC", "HWIO", "NHWC"),
            feature_group_count=4,
        )  # fmt: skip
        return jax.nn.relu(y)

    x = normal(2, 9, 8, 4)
    g = exchanged(f, noted())
    assert "conv_general_dilated" not in primitives(g, x, kernel)
    cotangent = normal(*jax.eval_shape(f, x, kernel).shape, seed=1)
    (found, gradients), (wanted, gradients_wanted) = both_ways(g, f, cotangent, x, kernel)
    assert relative_error(found, wanted) < 1e-6
    for ours, theirs in zip(gradients, gradients_wanted, strict=True):
        assert relative_error(ours, theirs) < 2e-6


def grouped(x, **changed):
    options = {
        "window_strides": (1, 1), "padding": "SAME", "feature_group_count": 4,
        "dimension_numbers": ("NHWC", "HWIO", "NHWC"), "kernel": normal(3, 3, 1, 4), **changed,
    }  # fmt: skip
    return jax.nn.relu(jax.lax.conv_general_dilated(x, options.pop("kernel"), **options))


LEFT = {
    "two channels a group": {"feature_group_count": 2, "kernel": normal(3, 3, 2, 4)},
    "two results a channel": {"kernel": normal(3, 3, 1, 8)},
    "kernel dilated": {"rhs_dilation": (2, 2)},
    "input dilated": {"lhs_dilation": (2, 2), "padding": ((1, 1), (1, 1))},
    "strides differ": {"window_strides": (1, 2)},
    "cropped": {"padding": ((-1, 0), (0, 0))},
    "channels first": {"dimension_numbers": ("NCHW", "HWIO", "NCHW")},
    "half precision": {"kernel": normal(3, 3, 1, 4).astype(jnp.bfloat16)},
    "wide sums": {"preferred_element_type": jnp.float64},
}


@pytest.mark.parametrize("changed", LEFT.values(), ids=LEFT)
def test_other_convolutions_are_left_alone(changed):
    with jax.enable_x64(True):
        x = normal(2, 4, 8, 4)
        x = x.astype(changed["kernel"].dtype) if "kernel" in changed else x
        f = partial(grouped, **changed)
        g = exchanged(f, noted())
        assert "conv_general_dilated" in primitives(g, x)
        np.testing.assert_array_equal(g(x), f(x))


def test_large_and_dilated_windows_are_left_alone():
    x = normal(1, 20, 20, 1)

    def dilated(x):
        window = (1, 2, 2, 1)
        y = jax.lax.reduce_window(
            x, -jnp.inf, jax.lax.max, window, window, "VALID", window_dilation=window
        )
        return jax.nn.relu(y)

    large = partial(pool, window=(20, 20), strides=(20, 20), padding="VALID")
    for f in (dilated, large):
        g = exchanged(f, noted())
        assert "reduce_window_max" in primitives(g, x)
        np.testing.assert_array_equal(g(x), f(x))


def test_inside_jit_and_loops():
    def f(x):
        def step(y, _):
            return jax.nn.relu(nn.max_pool(y, (2, 2), (1, 1), "SAME")), None

        return jax.lax.scan(jax.checkpoint(step), jax.jit(step)(x, None)[0], length=2)[0]

    x = normal(1, 5, 5, 2)
    g = exchanged(f, noted())
    assert "reduce_window_max" not in primitives(g, x)
    found, wanted = (jax.jit(jax.grad(lambda x: (f(x) ** 2).sum()))(x) for f in (g, f))  # noqa: B023
    assert relative_error(found, wanted) < 1e-6


def test_a_gradient_of_ones_own_stays():
    """A function with a custom gradient is not looked into, unless a ReLU is there."""

    @jax.custom_vjp
    def twice(x):
        return nn.max_pool(x, (2, 2), (2, 2))

    twice.defvjp(
        lambda x: (twice(x), None),
        lambda _, g: (2 * jnp.repeat(jnp.repeat(g, 2, 1), 2, 2),),
    )

    def f(x):
        return jax.nn.relu(twice(x))

    x = normal(1, 4, 4, 2)
    found, wanted = (
        jax.grad(lambda x: f(x).sum())(x)  # noqa: B023
        for f in (exchanged(f, noted()), f)
    )
    np.testing.assert_array_equal(found, wanted)


def test_with_a_relu_of_ones_own_derivatives_forwards_remain():
    f = partial(pool, window=(2, 2), strides=(2, 2), padding="VALID")
    x = normal(1, 4, 4, 2)
    _, found = jax.jvp(exchanged(f, jax.nn.softplus), (x,), (x,))
    softened = lambda x: jax.nn.softplus(nn.max_pool(jnp.sin(x), (2, 2), (2, 2)))  # noqa: E731
    np.testing.assert_allclose(found, jax.jvp(softened, (x,), (x,))[1], rtol=1e-6)


def test_maps_are_those_of_the_network_as_it_is(monkeypatch):
    """The whole way of `explain`, cut in the middle, with and without."""
    kernels = normal(3, 3, 3, 8) / 5, normal(3, 3, 1, 8, seed=1), normal(8, 4, seed=2)

    def f(x):
        y = jax.lax.conv_general_dilated(
            x, kernels[0], (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
        )
        y = nn.max_pool(jax.nn.relu(y), (3, 3), (2, 2), "SAME")
        y = jax.lax.conv_general_dilated(
            y, kernels[1], (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"),
            feature_group_count=8,
        )  # fmt: skip
        return nn.max_pool(jax.nn.relu(y), (2, 2), (2, 2)).mean((1, 2)) @ kernels[2]

    x = normal(2, 12, 12, 3)
    found = jv.explain(jv.expose_relu(f), x, 1, layer=0)
    monkeypatch.setattr(cheaper, "FORMS", {})
    jax.clear_caches()
    wanted = jv.explain(jv.expose_relu(lambda x: f(x)), x, 1, layer=0)
    for name, maps in found.items():
        assert relative_error(maps, wanted[name]) < 1e-5, name
