"""The rules on gelu, silu, elu and leaky_relu: the formula, by hand, with JAX's derivative."""

from functools import partial

import equinox as eqx
import flax.linen as nn
import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from networks import conv, normal

import jaxvis as jv
from jaxvis.gradients.relu import RULES

X = normal(2, 8, 8, 3, seed=4)
KERNELS = normal(3, 3, 3, 4), normal(3, 3, 4, 4, seed=1)
READOUT = normal(4, 3, seed=2)

ACTIVATIONS = {
    "gelu": (jax.nn.gelu, "gelu"),
    "exact gelu": (partial(jax.nn.gelu, approximate=False), "gelu"),
    "silu": (jax.nn.silu, "silu"),
    "swish": (jax.nn.swish, "silu"),
    "elu": (jax.nn.elu, "elu"),
    "leaky_relu": (jax.nn.leaky_relu, "leaky_relu"),
    "leaky_relu of 0.3": (partial(jax.nn.leaky_relu, negative_slope=0.3), "leaky_relu"),
    "keras gelu": (keras.activations.gelu, "gelu"),
    "keras silu": (keras.activations.silu, "silu"),
    "keras elu": (keras.activations.elu, "elu"),
    "keras leaky_relu": (keras.activations.leaky_relu, "leaky_relu"),
    "linen gelu": (nn.gelu, "gelu"),
    "linen swish": (nn.swish, "silu"),
    "equinox": (eqx.nn.Lambda(jax.nn.gelu), "gelu"),
    "jitted": (jax.jit(lambda x: jax.nn.gelu(x)), "gelu"),
    "of every image": (jax.vmap(partial(jax.nn.gelu, approximate=False)), "gelu"),
    "twice": (lambda x: jax.nn.gelu(jax.nn.gelu(x)), "gelu"),
}


def by_formula(function, gate_input, gate_gradient):
    """f, whose gradient is g * [g > 0 if gate_gradient] * (f'(x) if gate_input)."""

    @jax.custom_vjp
    def f(x):
        return function(x)

    def backward(x, g):
        kept = jnp.where(gate_gradient, jnp.maximum(g, 0), g)
        slope = jax.vmap(jax.grad(lambda x: function(x[None])[0]))(x.ravel()).reshape(x.shape)
        return (jnp.where(gate_input, kept * slope, kept),)

    f.defvjp(lambda x: (f(x), x), backward)
    return f


def network(activation):
    def f(x):
        y = activation(conv(x, KERNELS[0]))
        y = activation(conv(y, KERNELS[1]) + y)
        return jax.nn.relu(y - 0.2).mean((1, 2)) @ READOUT

    return f


def twice(rule):
    one = by_formula(jax.nn.gelu, *rule)
    return lambda x: one(one(x))


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_rule_is_the_formula(name):
    activation, form = ACTIVATIONS[name]
    g = jv.expose_relu(network(activation), forms=("relu", form))

    def f(x, rule):
        by_hand = twice(rule) if name == "twice" else by_formula(activation, *rule)
        y = by_hand(conv(x, KERNELS[0]))
        y = by_hand(conv(y, KERNELS[1]) + y)
        return jv.relu(y - 0.2, rule).mean((1, 2)) @ READOUT

    gradient = jax.jit(jax.grad(lambda x, rule: f(x, rule)[:, 1].sum()))
    for rule in (*RULES.values(), jv.Rule(np.False_, np.False_)):
        with jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard"):
            wanted = gradient(X, rule)
            found = jv.input_gradient(g, X, 1, rule=rule)
        np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-5)
    assert np.abs(wanted).max() > 0.1


@pytest.mark.parametrize("name", ["gelu", "exact gelu", "silu", "elu", "leaky_relu"])
def test_vanilla_is_the_true_gradient_and_the_values_are_unchanged(name):
    activation, form = ACTIVATIONS[name]
    f = network(activation)
    g = jv.expose_relu(f, forms=("relu", form))
    np.testing.assert_array_equal(jax.jit(lambda x: g(x, relu=jv.VANILLA))(X), jax.jit(f)(X))
    wanted = jax.jit(jax.grad(lambda x: f(x)[:, 1].sum()))(X)
    np.testing.assert_allclose(jv.input_gradient(g, X, 1), wanted, rtol=1e-4, atol=1e-5)


def test_all_rules_in_one_call_and_at_a_cut():
    """A rule is data under `vmap`; the head of a cut has its share of the activations."""
    g = jv.expose_relu(network(jax.nn.gelu), forms=("relu", "gelu"))
    maps = jv.explain(g, X, 1, layer="last")
    for name, rule in RULES.items():
        one = jv.saliency(g, X, 1, rule=rule)
        np.testing.assert_allclose(maps.saliency[name], one, rtol=1e-4, atol=1e-7)
    assert len({np.asarray(a).tobytes() for a in maps.saliency.values()}) == 3


def test_they_are_counted_where_they_are_named():
    f = network(jax.nn.gelu)
    assert jv.count_relus(f, X).by_form == {"relu": 1}
    assert [site.form for site in jv.count_relus(f, X).left_alone] == ["gelu", "gelu"]
    found = jv.count_relus(f, X, forms=("relu", "gelu"))
    assert [site.form for site in found.relus] == ["gelu", "gelu", "relu"]
    assert found.left_alone == ()


def test_what_is_said_where_there_is_no_relu():
    f = lambda x: jax.nn.silu(jax.nn.gelu(conv(x, KERNELS[0]))).mean((1, 2))  # noqa: E731
    with (
        pytest.raises(ValueError, match="never called the ReLU"),
        pytest.warns(UserWarning, match=r"nothing to gain .*forms=\('gelu', 'silu'\) lets the rul"),
    ):
        jv.saliency(jv.expose_relu(f), X, 1, rule=jv.GUIDED)


def test_a_relu_of_ones_own_says_nothing_of_them():
    g = jv.expose_relu(network(jax.nn.gelu), forms=("relu", "gelu"))
    with pytest.raises(TypeError, match=r"forms= names 'gelu', and the rule is a ReLU function"):
        jv.saliency(g, X, 1, rule=lambda x: jax.nn.relu(x))
    np.testing.assert_allclose(
        jv.saliency(g, X, 1, rule=jv.guided_relu), jv.saliency(g, X, 1, rule=jv.GUIDED), rtol=1e-5
    )
    with pytest.raises(ValueError, match="forms has 'mish'; wanted some of relu, .*, leaky_relu"):
        jv.expose_relu(network(jax.nn.gelu), forms="mish")


def test_in_a_scan():
    kernels = normal(3, 4, 4, seed=5)

    def with_activation(activation):
        return lambda x: jax.lax.scan(lambda y, k: (activation(y @ k), None), x, kernels)[0]

    x = normal(5, 4, seed=6)
    g = jv.expose_relu(with_activation(jax.nn.silu), forms=("silu",))
    wanted = with_activation(by_formula(jax.nn.silu, True, True))
    found = jv.input_gradient(g, x, 1, rule=jv.GUIDED)
    np.testing.assert_allclose(
        found, jax.grad(lambda x: wanted(x)[:, 1].sum())(x), rtol=1e-5, atol=1e-7
    )
