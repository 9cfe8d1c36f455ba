"""The microscope against the NumPy twin, by hand, and against the gradient at the pixels."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import relative_error

import jaxvis as jv
from jaxvis.methods.microscope import Shares, microscope, shares, strongest_channels
from jaxvis.models import reference

W = np.array([[1.0, -1.0, 2.0], [1.0, 1.0, -2.0]], np.float32)
V = np.array([[1.0], [-1.0], [1.0]], np.float32)


def three_units(x, relu=jax.nn.relu):
    return relu(x @ W) @ V


@pytest.mark.parametrize(
    ("rule", "passed"), [("vanilla", [1, -1, 0]), ("rectified", [1, 0, 1]), ("guided", [1, 0, 0])]
)
def test_by_hand(rule, passed):
    """Inputs of the ReLUs are 3, 1 and -2, and what arrives is V."""
    (seen,) = microscope(
        three_units, np.array([[1.0, 2.0]], np.float32), 0, rule=jv.RULES[rule]
    ).values()
    np.testing.assert_array_equal(seen.arrives, V.T)
    np.testing.assert_array_equal(seen.passed, [passed])
    np.testing.assert_array_equal(seen.on, [[True, True, False]])


@pytest.mark.parametrize("rule", list(jv.RULES))
def test_it_is_what_the_twin_finds(narrow, pixels, rule):
    switches = jv.RULES[rule]
    found = microscope(narrow, pixels, 3, rule=switches)
    names = [layer.name for layer in jv.LAYERS if layer.kind in ("Conv2D", "Dense")][:-1]
    assert list(found) == names
    weights = reference.weights_of(narrow)
    logits, tape = reference.forward(weights, pixels)
    start = reference.one_hot(3, logits.shape)
    for name in ("block1_conv2", "block4_conv2", "block5_conv1"):
        wanted = reference.backward(weights, tape, start, switches, stop=name)
        assert relative_error(found[name].arrives, wanted) < 1e-3, name
    for seen in found.values():
        g, on = np.asarray(seen.arrives), np.asarray(seen.on)
        keep = (on | (not switches.gate_input)) & ((g > 0) | (not switches.gate_gradient))
        np.testing.assert_array_equal(seen.passed, np.where(keep, g, 0))
    lowest = reference.convolve_backward(
        np.asarray(found["block1_conv1"].passed), weights["block1_conv1"][0]
    )
    assert relative_error(jv.input_gradient(narrow, pixels, 3, rule=switches), lowest) < 1e-3


def test_each_image_has_its_class_and_a_score_serves(narrow, pixels):
    classes = np.array([0, 5, 2])
    together = microscope(narrow, pixels, classes, rule=jv.GUIDED)
    scored = microscope(
        narrow, pixels, rule=jv.GUIDED, score=lambda logits: logits[jnp.arange(3), classes]
    )
    alone = microscope(narrow, pixels[1:2], 5, rule=jv.GUIDED)
    for name, seen in together.items():
        assert relative_error(seen.passed[1:2], alone[name].passed) < 1e-4
        np.testing.assert_array_equal(seen.passed, scored[name].passed)


def test_shares_are_counted_one_by_one(rng):
    g, on = rng.normal(size=(2, 5, 4)).astype(np.float32), rng.random((2, 5, 4)) < 0.5
    g[0, 0] = 0
    seen = jv.AtRelu(g, g, on)
    for rule in (*jv.RULES.values(), jv.Rule(False, False)):
        for weigh in (np.square, lambda a: a != 0):
            for found, one, units in zip(shares(seen, rule, weigh), g, on, strict=True):
                wanted = dict.fromkeys(Shares._fields, 0.0)
                for value, unit in zip(one.ravel(), units.ravel(), strict=True):
                    first = rule.gate_input and not unit
                    second = rule.gate_gradient and not value > 0
                    fate = {(0, 0): "passes", (1, 0): "switch_1", (0, 1): "switch_2"}
                    key = fate.get((int(first), int(second)), "both")
                    wanted[key] += float(weigh(np.float64(value)))
                total = sum(wanted.values())
                for key, value in wanted.items():
                    assert getattr(found, key) == pytest.approx(value / total)
    nothing = jv.AtRelu(0 * g, 0 * g, on)
    assert shares(nothing, jv.GUIDED) == [Shares(0, 0, 0, 0)] * 2


def test_shares_of_numbers_whose_squares_leave_the_range():
    g = np.array([[3e-38, -4e-38]], np.float32)
    (found,) = shares(jv.AtRelu(g, g, g != 0), jv.GUIDED)
    assert found == pytest.approx((9 / 25, 0, 16 / 25, 0))


def test_the_strongest_channels(rng):
    values = rng.normal(size=(3, 4, 5)).astype(np.float32)
    values[..., 2] *= 10
    values[..., 4] *= -5
    (first, picture), (second, _) = strongest_channels(values, 2)
    assert (first, second) == (2, 4)
    np.testing.assert_array_equal(picture, values[..., 2])


def test_other_networks():
    exposed = jv.expose_relu(lambda x: jax.nn.relu(jax.nn.relu(x @ W) @ W.T) @ W)
    x = np.array([[1.0, 0.5]], np.float32)
    seen = microscope(exposed, x, 1, rule=jv.RECTIFIED)
    assert list(seen) == ["ReLU 1", "ReLU 2"]
    wanted = jv.input_gradient(exposed, x, 1, rule=jv.RECTIFIED)
    np.testing.assert_allclose(seen["ReLU 1"].passed @ W.T, wanted, rtol=1e-6)


def test_what_cannot_be_read_is_said(narrow, pixels):
    with pytest.raises(ValueError, match="several of every image; wanted one"):
        microscope(narrow, pixels, np.zeros((3, 2), int))
    with pytest.raises(ValueError, match=r"never called the ReLU .* jv\.expose_relu"):
        microscope(lambda x, relu=None: x @ W, np.ones((1, 2), np.float32), 0)

    def looped(x, relu=jax.nn.relu):
        return jax.lax.fori_loop(0, 2, lambda _, y: relu(y), x)

    with pytest.raises(NotImplementedError, match="inside a loop, a branch or a checkpoint"):
        microscope(looped, np.ones((1, 2), np.float32), 0)
    with pytest.raises(TypeError, match="no switches|has two switches"):
        shares(jv.AtRelu(pixels, pixels, pixels > 0), jax.nn.relu)
    with pytest.raises(ValueError, match="indices from 0 to 6"):
        microscope(narrow, pixels, 7)
