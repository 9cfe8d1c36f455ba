import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxvis as jv
from jaxvis.gradients.relu import RULES, Rule, relu, relu_under

INPUTS = [-2.0, -0.0, 0.0, 1e-30, 3.0]
GRADIENTS = [-1.5, 0.0, 2.0]


@pytest.mark.parametrize("gate_input", [False, True])
@pytest.mark.parametrize("gate_gradient", [False, True])
def test_every_rule_on_every_sign(gate_input, gate_gradient):
    """The table of the module, unit by unit; comparisons are strict at 0."""
    for x in INPUTS:
        for g in GRADIENTS:
            y, pull_back = jax.vjp(
                lambda x: relu(x, Rule(gate_input, gate_gradient)), jnp.float32(x)
            )
            (back,) = pull_back(jnp.float32(g))
            stopped = (gate_input and not x > 0) or (gate_gradient and not g > 0)
            assert float(y) == max(np.float32(x), 0)
            assert float(back) == (0 if stopped else g)


@pytest.mark.parametrize(
    ("function", "rule"),
    [(jv.vanilla_relu, jv.VANILLA), (jv.rectified_relu, jv.RECTIFIED), (jv.guided_relu, jv.GUIDED)],
)
def test_plain_functions_are_the_rules(function, rule, rng):
    x, g = rng.normal(size=(2, 50)).astype(np.float32)
    gated_by_input = np.where(x > 0, g, 0)
    wanted = {
        "vanilla_relu": gated_by_input,
        "rectified_relu": np.where(g > 0, g, 0),
        "guided_relu": np.where(g > 0, gated_by_input, 0),
    }[function.__name__]
    for one in (function, relu_under(rule)):
        y, pull_back = jax.vjp(one, x)
        np.testing.assert_array_equal(y, np.maximum(x, 0))
        np.testing.assert_array_equal(pull_back(g)[0], wanted)


def test_vanilla_is_jaxs_own_relu(rng):
    x = rng.normal(size=(4, 5)).astype(np.float32)
    x[0, 0] = 0
    ours = jax.grad(lambda x: jnp.sum(jnp.sin(jv.vanilla_relu(x))))(x)
    theirs = jax.grad(lambda x: jnp.sum(jnp.sin(jax.nn.relu(x))))(x)
    np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("dtype", [jnp.float16, jnp.bfloat16, jnp.float32])
def test_dtype_is_kept(dtype):
    y, pull_back = jax.vjp(jv.guided_relu, jnp.arange(-2, 3, dtype=dtype))
    assert y.dtype == dtype
    assert pull_back(y)[0].dtype == dtype


def test_nan_is_not_hidden():
    assert np.isnan(jv.guided_relu(jnp.float32(np.nan)))


def test_changing_the_rule_does_not_recompile(rng):
    traces = []

    @jax.jit
    def gradient(x, rule):
        traces.append(rule)
        return jax.grad(lambda x: jnp.sum(jnp.sin(3 * relu(x, rule))))(x)

    x = rng.normal(size=20).astype(np.float32)
    results = [gradient(x, rule) for rule in RULES.values()]
    assert len(traces) == 1
    assert not np.array_equal(results[0], results[1])
    assert not np.array_equal(results[0], results[2])


def test_vmap_over_rules_equals_a_loop(rng):
    x, g = rng.normal(size=(2, 30)).astype(np.float32)
    stack = jax.tree.map(lambda *gates: jnp.stack(gates), *RULES.values())
    together = jax.vmap(lambda rule: jax.vjp(lambda x: relu(x, rule), x)[1](g)[0])(stack)
    for row, rule in zip(together, RULES.values(), strict=True):
        np.testing.assert_array_equal(row, jax.vjp(lambda x: relu(x, rule), x)[1](g)[0])  # noqa: B023


def test_what_is_no_rule_is_refused():
    with pytest.raises(TypeError, match="rule is 'guided'; wanted jv.VANILLA"):
        relu_under("guided")
