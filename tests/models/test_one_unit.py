"""A network of one output is one of two classes: the unit, and its negative."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import relative_error

import jaxvis as jv
from jaxvis.models.one_unit import TwoClasses
from jaxvis.models.preprocessing import Preprocessing, in_words

KERNEL = np.random.default_rng(0).normal(0, 0.1, (3, 3, 3, 5)).astype("f4")
LAST = np.random.default_rng(1).normal(0, 1, (5, 1)).astype("f4")


def body(x, relu=jax.nn.relu):
    order = ("NHWC", "HWIO", "NHWC")
    return relu(jax.lax.conv_general_dilated(x, KERNEL, (1, 1), "SAME", dimension_numbers=order))


def head(y, relu=jax.nn.relu):
    return relu(y).mean(axis=(1, 2)) @ LAST


@pytest.mark.parametrize("kind", ["pair", "exposed"])
def test_described(kind, rng):
    model = (body, head) if kind == "pair" else jv.expose_relu(lambda x: head(body(x)))
    network = jv.describe(model, size=(8, 6), preprocess="tf", labels=["no", "yes"], layer=0)
    images = rng.integers(0, 256, (2, 8, 6, 3), np.uint8)
    x = jnp.asarray(network.preprocess(images))
    z = head(body(x))[:, 0]
    logits = np.asarray(network.forward(x))
    np.testing.assert_allclose(logits, np.stack([-z, z], axis=1), rtol=1e-6)
    assert network.output == "sigmoid"
    maps = jv.explain(network.model, x, network.class_index("yes"), layer=network.layer)
    gradient = jax.grad(lambda x: head(body(x, jv.guided_relu), jv.guided_relu).sum())(x)
    assert relative_error(maps.saliency["guided"], np.abs(gradient).max(axis=-1)) < 1e-5
    other = jv.explain(network.model, x, network.class_index("no"), layer=network.layer)
    np.testing.assert_allclose(other.saliency["vanilla"], maps.saliency["vanilla"], rtol=1e-6)
    assert relative_error(other.grad_cam["vanilla"] + 1, maps.grad_cam["vanilla"] + 1) > 1e-4


def test_it_says_of_itself_what_the_model_says():
    assert TwoClasses(jv.VGG16(width=1 / 64, size=32)).images_are_independent
    assert not TwoClasses(head).images_are_independent


def test_probabilities_are_the_sigmoids():
    z = np.array([[-800.0, 800.0], [0.5, -0.5]])
    rows = jv.top_k(z, output="sigmoid")
    found = [[one.probability for one in sorted(row)] for row in rows]
    np.testing.assert_allclose(found, [[0, 1], [0.62245933, 0.37754067]], rtol=1e-6, atol=1e-300)
    with pytest.raises(ValueError, match="output is 'relu'; wanted 'softmax' or 'sigmoid'"):
        jv.top_k(z, output="relu")


def test_a_page_says_how_images_were_read():
    assert in_words(jv.preprocess) == "caffe (BGR, ImageNet's mean subtracted)"
    assert in_words(Preprocessing("tf")) == "tf (-1 to 1)"
    assert in_words(np.asarray) == "asarray"


def test_modes_by_hand():
    images = np.array([[[[0, 128, 255]]]], np.uint8)
    wanted = {
        "tf": images / 127.5 - 1, "rescale": images / 255, "raw": images.astype(float),
        "torch": (images / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225],
    }  # fmt: skip
    for mode, values in wanted.items():
        found = Preprocessing(mode)(images)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, values, rtol=1e-5, atol=1e-6)
    grey = Preprocessing("rescale", 1)(images)
    np.testing.assert_allclose(grey, [[[[(0.587 * 128 + 0.114 * 255) / 255]]]], rtol=1e-6)
    with pytest.raises(ValueError, match="dtype float64; wanted uint8"):
        Preprocessing("tf")(images / 255)
