"""Affine maps whose way back shares out relevance, against fractions written down one by one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import relative_error
from relevance_by_hand import convolution_backward, dense_backward

from jaxvis.gradients.relevance import (
    PASSES,
    AlphaBeta,
    Box,
    Epsilon,
    Flat,
    Gamma,
    Known,
    WSquare,
    ZPlus,
    affine,
    check_rule,
    passed,
)
from jaxvis.gradients.relu import relu

RULES = [
    Epsilon(), Epsilon(0.5), Epsilon(0.0), Gamma(), Gamma(3.0), ZPlus(), AlphaBeta(),
    AlphaBeta(1.5, 0.5), Flat(), WSquare(), Box(-4.0, 3.5),
]  # fmt: skip


def back(x, kernel, bias, rule, relevance, known=Known()):  # noqa: B008
    """Relevance of x, and what was kept by biases and by stabilisers."""
    absorbed = jnp.zeros((len(x), 2), x.dtype)
    _, pull = jax.vjp(lambda x, a: affine(x, kernel, bias, a, rule, None, known), x, absorbed)
    to_x, kept = pull(relevance)
    return np.asarray(to_x), *np.asarray(kept).T


def dense_case(rng, dtype=np.float64):
    x, w, b, r = (rng.normal(size=s).astype(dtype) for s in ((3, 12), (12, 5), 5, (3, 5)))
    return x, w, b, r


def convolution_case(rng, dtype=np.float64):
    shapes = ((2, 5, 4, 3), (3, 3, 3, 4), 4, (2, 5, 4, 4))
    return tuple(rng.normal(size=shape).astype(dtype) for shape in shapes)


@pytest.mark.parametrize("rule", RULES, ids=repr)
@pytest.mark.parametrize("case", [dense_case, convolution_case])
def test_shares_are_those_of_the_papers(rule, case, rng, x64):
    """In double precision there is no rounding to hide behind; inputs have both signs."""
    x, kernel, bias, relevance = case(rng)
    by_hand = dense_backward if x.ndim == 2 else convolution_backward
    found, by_bias, by_stabiliser = back(*map(jnp.asarray, (x, kernel, bias)), rule, relevance)
    wanted, kept = by_hand(rule, x, kernel, bias, relevance)
    assert relative_error(found, wanted) < 1e-12
    np.testing.assert_allclose(by_bias, kept, rtol=1e-10, atol=1e-12)
    rest = relevance.reshape(len(x), -1).sum(1) - wanted.reshape(len(x), -1).sum(1) - kept
    np.testing.assert_allclose(by_stabiliser, rest, rtol=1e-6, atol=1e-10)


@pytest.mark.parametrize("rule", RULES, ids=repr)
@pytest.mark.parametrize("case", [dense_case, convolution_case])
def test_nothing_is_lost(rule, case, rng):
    """What goes back, what biases keep and what stabilisers take is what came, in float32."""
    x, kernel, bias, relevance = map(jnp.asarray, case(rng, np.float32))
    found, by_bias, by_stabiliser = back(x, kernel, bias, rule, relevance)
    came = np.asarray(relevance, np.float64).reshape(len(x), -1)
    went = found.reshape(len(x), -1).sum(1, dtype=np.float64) + by_bias + by_stabiliser
    # All units' shares together are the scale of what rounding does.
    scale = np.abs(found).reshape(len(x), -1).sum(1) + np.abs(came).sum(1)
    assert np.abs(went - came.sum(1)).max() < 1e-5 * scale.min()
    if rule not in (Epsilon(0.5), Gamma(), Gamma(3.0)):
        assert np.abs(by_stabiliser).max() < 1e-4 * scale.min()


@pytest.mark.parametrize("rule", RULES, ids=repr)
def test_what_is_known_beforehand_changes_nothing(rule, rng):
    x, kernel, bias, relevance = map(jnp.asarray, convolution_case(rng, np.float32))
    x = jnp.abs(x)
    plain = back(x, kernel, bias, rule, relevance)
    for one, other in zip(
        plain, back(x, kernel, bias, rule, relevance, Known(input_positive=True)), strict=True
    ):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)
    z = affine(x, kernel, bias, jnp.zeros((2, 2)), rule)
    relevance = jnp.where(z > 0, relevance, 0)  # as behind a ReLU
    plain = back(x, kernel, bias, rule, relevance)
    for one, other in zip(
        plain, back(x, kernel, bias, rule, relevance, Known(True, True)), strict=True
    ):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)


def test_in_ones_head():
    """Two inputs, one unit: 1 * 3 + 2 * -1 + 1 = 2, of whose relevance there is 10."""
    x, w, b = jnp.array([[1.0, 2.0]]), jnp.array([[3.0], [-1.0]]), jnp.array([1.0])
    wanted = {
        Epsilon(0.0): (15, -10, 5, 0),
        Epsilon(2.0): (7.5, -5, 2.5, 5),
        Gamma(1.0): (10, -10 / 3, 10 / 3, 0),
        ZPlus(): (7.5, 0, 2.5, 0),
        AlphaBeta(2.0, 1.0): (15, -10, 5, 0),
        Flat(): (5, 5, 0, 0),
        WSquare(): (9, 1, 0, 0),
        # 3 - 0 * 3, and -2 - 4 * -1
        Box(0.0, 4.0): (6, 4, 0, 0),
    }
    for rule, (first, second, bias, stabiliser) in wanted.items():
        found, by_bias, by_stabiliser = back(x, w, b, rule, jnp.array([[10.0]]))
        np.testing.assert_allclose(found, [[first, second]], atol=2e-5)
        np.testing.assert_allclose([by_bias[0], by_stabiliser[0]], [bias, stabiliser], atol=2e-5)


@pytest.mark.parametrize("rule", RULES, ids=repr)
@pytest.mark.parametrize("scale", [0.0, 1e-30, 1e-38, 1e-42, 1e30])
def test_a_denominator_of_nothing_makes_no_nan(rule, scale):
    """Zeros, numbers that XLA flushes to zero, and sums that cancel to zero."""
    x = jnp.array([[1.0, 1.0], [0.0, 0.0]]) * scale
    w = jnp.array([[1.0, -1.0, 1.0], [-1.0, -1.0, 1.0]])
    for bias in (None, jnp.zeros(3)):
        for relevance in (1.0, 0.0):
            found, *others = back(x, w, bias, rule, jnp.full((2, 3), relevance))
            assert np.isfinite(found).all()
            assert np.isfinite(others).all()


def test_the_stabilisers_sign_at_zero_is_plus():
    """What cancels to 0 exactly: shares 3 / 0.5 and -3 / 0.5, not their negatives, nor NaN."""
    x, w = jnp.array([[3.0, 3.0]]), jnp.array([[1.0], [-1.0]])
    found, _, by_stabiliser = back(x, w, None, Epsilon(0.5), jnp.array([[1.0]]))
    np.testing.assert_array_equal(found, [[6.0, -6.0]])
    np.testing.assert_array_equal(by_stabiliser, [1.0])
    # And of what is below 0, farther below: -1 / (-1 - 0.5).
    found, *_ = back(jnp.array([[1.0]]), jnp.array([[-1.0]]), None, Epsilon(0.5), jnp.ones((1, 1)))
    np.testing.assert_allclose(found, [[2 / 3]], rtol=1e-6)


def test_a_mean_shares_out_by_what_each_place_gave(rng, x64):
    x, relevance = rng.normal(size=(2, 3, 4, 5)), rng.normal(size=(2, 5))
    found, by_bias, _ = back(jnp.asarray(x), None, None, Epsilon(0.0), jnp.asarray(relevance))
    wanted = x / x.sum(axis=(1, 2), keepdims=True) * relevance[:, None, None]
    assert relative_error(found, wanted) < 1e-12
    np.testing.assert_array_equal(by_bias, 0)


def test_without_epsilon_it_is_the_gradient_times_the_input(rng, x64):
    x, kernel, bias, g = map(jnp.asarray, convolution_case(rng))
    z = affine(x, kernel, bias, jnp.zeros((2, 2)), Flat())
    found, *_ = back(x, kernel, bias, Epsilon(0.0), z * g)
    plain = jax.grad(
        lambda x: (
            jax.lax.conv_general_dilated(
                x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
            )
            * g
        ).sum()
    )(x)
    assert relative_error(found, x * plain) < 1e-12


def test_forward_is_the_plain_layer(rng):
    x, kernel, bias, _ = map(jnp.asarray, dense_case(rng, np.float32))
    for rule in RULES:
        found = affine(x, kernel, bias, jnp.zeros((3, 2)), rule)
        np.testing.assert_allclose(found, x @ kernel + bias[None], rtol=1e-5, atol=1e-6)


def test_bounds_for_each_channel(rng, x64):
    x, kernel, bias, relevance = convolution_case(rng)
    rule = Box(np.array([-4.0, -5.0, -6.0]), np.array([4.0, 6.0, 5.0]))
    found, by_bias, _ = back(*map(jnp.asarray, (x, kernel, bias)), rule, jnp.asarray(relevance))
    wanted, _ = convolution_backward(rule, x, kernel, bias, relevance)
    assert relative_error(found, wanted) < 1e-12
    np.testing.assert_array_equal(by_bias, 0)


def test_a_relu_and_what_acts_number_by_number_pass_relevance_on(rng):
    x, relevance = rng.normal(size=(2, 20)).astype(np.float32)
    for function in (lambda x: relu(x, PASSES), lambda x: passed(x, 3 * x - 1)):
        _, pull = jax.vjp(function, x)
        np.testing.assert_array_equal(pull(relevance)[0], relevance)
    np.testing.assert_array_equal(passed(x, 3 * x - 1), 3 * x - 1)


def test_other_numbers_compile_nothing_anew(rng):
    x, kernel, bias, relevance = map(jnp.asarray, dense_case(rng, np.float32))
    traces = []

    @jax.jit
    def shared(rule):
        traces.append(rule)
        _, pull = jax.vjp(lambda x: affine(x, kernel, bias, jnp.zeros((3, 2)), rule), x)
        return pull(relevance)[0]

    found = [shared(Epsilon(e)) for e in (0.1, 0.2, 0.4)]
    assert len(traces) == 1
    assert relative_error(found[0], found[2]) > 1e-3


@pytest.mark.parametrize("what", [Epsilon, "epsilon", None, (1.0,)], ids=repr)
def test_what_is_no_rule(what):
    with pytest.raises(TypeError, match=r"is no rule of relevance propagation; wanted .* Epsilon,"):
        check_rule(what)
