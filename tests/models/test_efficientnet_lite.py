"""EfficientNet-Lite0 against what PyTorch computed, recorded, and against itself, cut."""

import zlib
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import relative_error
from record_efficientnet_lite0 import KEPT, TARGET, pictures

import jaxvis as jv
from jaxvis.models.efficientnet_lite import (
    BLOCKS,
    LAYERS,
    EfficientNetLite0,
    preprocess,
    relu6,
    weight_shapes,
)

AT_HEAD = {"methods": ["grad_cam"], "layer": "head", "signed": True}  # compiled once for two tests
RECORDED = Path(__file__).parents[1] / "recorded" / "efficientnet_lite0.npz"


@pytest.fixture(scope="module")
def recorded():
    with np.load(RECORDED) as file:
        found = dict(file)
    assert zlib.crc32(pictures().tobytes()) == found["images_crc32"]
    return found


@pytest.fixture(scope="module")
def network():
    return jv.load("efficientnet-lite0", precision="highest")


@pytest.fixture(scope="module")
def maps(network):
    return jv.explain(network.model, preprocess(pictures()), TARGET, layer=network.layer)


def test_logits_are_pytorchs(recorded, maps):
    assert relative_error(maps.logits, recorded["logits"]) < 1e-5


@pytest.mark.parametrize("rule", jv.RULES)
def test_gradients_are_pytorchs_under_every_rule(recorded, network, rule):
    """A rule switched at one ReLU6, or the cap's gradient, would show."""
    x = preprocess(pictures()[:1])
    found = np.asarray(jv.input_gradient(network.model, x, TARGET, rule=jv.RULES[rule]))[0]
    assert relative_error(found[KEPT], recorded[f"gradient_{rule}"]) < 1e-4
    sums = np.abs(found.astype(np.float64)).sum(axis=(0, 1))
    np.testing.assert_allclose(sums, recorded[f"sums_{rule}"], rtol=1e-4)


def test_the_recorded_rules_differ(recorded):
    rules = list(jv.RULES)
    for one, other in zip(rules, rules[1:] + rules[:1], strict=True):
        a, b = recorded[f"gradient_{one}"], recorded[f"gradient_{other}"]
        assert np.abs(a - b).max() > 0.1 * np.abs(a).max()


def test_it_is_the_network_of_the_papers_table():
    """4.7 million parameters and 33 ReLU6, whose names are Keras's."""
    shapes = weight_shapes()
    count = sum(
        int(np.prod(shape)) for roles in shapes.values() for role, shape in roles.items()
        if role not in ("mean", "variance")
    )  # fmt: skip
    assert count == 4_652_008  # as of torchvision's and timm's
    assert (
        list(BLOCKS)
        == "1a 2a 2b 3a 3b 4a 4b 4c 5a 5b 5c 6a 6b 6c 6d 7a".replace("1a", "block1a")
        .replace(" ", " block")
        .split()
    )
    assert LAYERS[0] == "stem"
    assert LAYERS[-2:] == ("head", "classifier")


def test_every_relu_is_the_one_handed_in(network):
    calls = []

    def counted(x):
        calls.append(x.shape)
        return jax.nn.relu(x)

    x = jnp.zeros((1, 224, 224, 3))
    jax.eval_shape(lambda x: network.model(x, relu=counted), x)
    assert len(calls) == 33
    assert jv.count_relus(network.model, x).by_form == {"relu": 33}


@pytest.fixture(scope="module")
def whole(network):
    """The logits of two pictures, by the network that is not cut."""
    return jax.jit(network.model)(preprocess(pictures()[:2]))


@pytest.mark.parametrize("layer", ["stem", "block3b", "head"])
def test_the_halves_of_a_cut_make_the_whole(network, whole, layer):
    x = preprocess(pictures()[:2])
    body, head = network.model.cut(layer)
    at_cut = jax.jit(body)(x)
    assert relative_error(jax.jit(head)(at_cut), whole) < 1e-5
    side, channels = {"stem": (112, 32), "block3b": (28, 40), "head": (7, 1280)}[layer]
    assert at_cut.shape == (2, side, side, channels)
    if layer != "block3b":  # behind their ReLU6
        assert at_cut.min() == 0
        assert at_cut.max() <= 6


def test_no_such_layer(network):
    with pytest.raises(jv.InputError, match="no layer 'block5_conv3'; wanted one of stem, block1a"):
        network.model.cut("block5_conv3")


def test_the_default_layer_is_below_a_relu(network, maps):
    """So that Grad-CAM has a rule to show; behind the head it has none, and is CAM."""
    assert network.layer == "block7a"
    vanilla, rectified = maps.grad_cam["vanilla"], maps.grad_cam["rectified"]
    assert vanilla.shape == (3, 7, 7)
    assert np.abs(vanilla - rectified).max() > 0.1 * np.abs(rectified).max()
    x = preprocess(pictures()[:1])
    at_head = jv.explain(network.model, x, TARGET, **AT_HEAD)
    body, _ = network.model.cut("head")
    of_class = np.asarray(network.model.weights["classifier"]["kernel"])[:, TARGET]
    cam = np.einsum("nhwc,c->nhw", np.asarray(jax.jit(body)(x)), of_class) / 49
    for rule in jv.RULES:
        assert relative_error(at_head["grad_cam", rule], cam) < 1e-4


@pytest.mark.parametrize("rule", [None, *jv.RULES])
def test_relu6_has_no_gradient_where_the_cap_holds(rule):
    """As `expose_relu` gives it to `jax.nn.relu6`, and PyTorch to its own."""
    x = jnp.array([-1.0, 0.0, 3.0, 5.999, 6.0, 6.001, 9.0])
    relu = jax.nn.relu if rule is None else lambda x: jv.relu(x, jv.RULES[rule])
    value, pull = jax.vjp(lambda x: relu6(x, relu), x)
    np.testing.assert_array_equal(value, jax.nn.relu6(x))
    (found,) = pull(jnp.ones_like(x))
    np.testing.assert_array_equal(found[4:], 0)
    assert found[2] == found[3] == 1
    if rule is not None:
        exposed = jv.expose_relu(jax.nn.relu6)
        _, pull = jax.vjp(lambda x: exposed(x, relu=jv.RULES[rule]), x)
        np.testing.assert_array_equal(found, pull(jnp.ones_like(x))[0])


def test_weights_are_data(network, compilations):
    """Other weights, and another cut of the same layer, compile nothing anew."""
    x = preprocess(pictures()[:1])
    first = jv.explain(network.model, x, TARGET, **AT_HEAD)
    weights, precision = network.model.weights, network.model.precision
    classifier = {role: 2 * array for role, array in weights["classifier"].items()}
    doubled = EfficientNetLite0({**weights, "classifier": classifier}, precision)
    before = len(compilations)
    second = jv.explain(doubled, x, TARGET, **AT_HEAD)
    assert len(compilations) == before
    np.testing.assert_allclose(second.logits, 2 * first.logits, rtol=1e-4, atol=1e-4)


def test_bfloat16_is_near_and_not_the_same(network, maps):
    half = jv.load("efficientnet-lite0", precision="bfloat16")
    logits = jax.jit(half.model)(preprocess(pictures()))
    assert logits.dtype == jnp.float32
    assert 1e-4 < relative_error(logits, maps.logits) < 0.2


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_preprocess(dtype):
    images = np.array([[[[0, 127, 255]]]], dtype)
    if dtype == np.float32:
        with pytest.raises(jv.InputError, match=r"images are float32 \(1, 1, 1, 3\); wanted uint8"):
            preprocess(images)
        return
    found = preprocess(images)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, np.float32([[[[-127 / 128, 0, 1]]]]))


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.zeros((1, 224, 224, 4), np.float32), r"shape \(1, 224, 224, 4\); wanted \(n, 224, 224"),
        (np.zeros((1, 32, 32, 3), np.float32), r"shape \(1, 32, 32, 3\); wanted \(n, 224, 224, 3"),
        (np.zeros((1, 224, 224, 3), np.uint8), "dtype uint8; wanted the floats that network.prep"),
    ],
)
def test_other_inputs(network, x, message):
    with pytest.raises(jv.InputError, match=message):
        network.model(x)
