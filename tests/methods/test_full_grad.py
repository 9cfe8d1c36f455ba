"""FullGrad: its terms against the float64 twin, their sum against the logit, its map by hand."""

from pathlib import Path

import jax
import numpy as np
import pytest
from conftest import relative_error, with_biases

import jaxvis as jv
from jaxvis.gradients.chain import chain_of
from jaxvis.methods.catalogue import METHODS, at_hand
from jaxvis.models import reference
from jaxvis.models.heads import Affine, HeadLayer, dense

POOLED = [
    HeadLayer("pool", "GlobalAveragePooling2D"), dense("small", 16, "relu"), dense("out", 3),
]  # fmt: skip
RECORDED = Path(__file__).parents[1] / "recorded"
CLASSES = np.array([3, 0, 6])


def terms_by_hand(model, x, classes, rule):
    """gradient x input, and gradient x bias layer by layer, from the float64 twin."""
    weights = reference.weights_of(model)
    logits, tape = reference.forward(weights, x)
    seed = reference.one_hot(classes, logits.shape)
    biases = {}
    for name in tape.sums:
        g = seed
        if name != "predictions":
            g = reference.backward(weights, tape, seed, rule, stop=name)
            g = reference.relu_backward(tape.sums[name], g, rule)
        biases[name] = g * weights[name][1]
    return x * reference.backward(weights, tape, seed, rule), biases, logits


@pytest.mark.parametrize("rule", jv.RULES)
def test_terms(narrow, pixels, rule):
    found = jv.full_gradients(narrow, pixels, CLASSES, rule=jv.RULES[rule])
    at_pixels, biases, logits = terms_by_hand(narrow, pixels, CLASSES, jv.RULES[rule])
    assert relative_error(found.logits, logits) < 1e-5
    assert relative_error(found.pixels, at_pixels) < 1e-4
    assert list(found.biases) == list(biases)
    for name, wanted in biases.items():
        assert relative_error(found.biases[name], wanted) < 1e-4


def complete(found, wanted):
    total = np.asarray(found.pixels, np.float64).sum(axis=(1, 2, 3))
    for terms in found.biases.values():
        total = total + np.asarray(terms, np.float64).reshape(len(total), -1).sum(axis=1)
    sizes = np.abs(found.pixels).sum(axis=(1, 2, 3))
    assert np.abs(total - wanted).max() / sizes.max() < 1e-5
    return total


def test_the_terms_are_the_logit(narrow, pixels):
    found = jv.full_gradients(narrow, pixels, CLASSES)
    wanted = np.asarray(narrow(pixels))[np.arange(3), CLASSES]
    total = complete(found, wanted)
    without = total - found.biases["block3_conv2"].sum(axis=(1, 2, 3))
    assert np.abs(without - wanted).max() > 1e-3 * np.abs(wanted).max()
    guided = jv.full_gradients(narrow, pixels, CLASSES, rule=jv.GUIDED)
    assert np.abs(guided.pixels.sum(axis=(1, 2, 3)) - found.pixels.sum(axis=(1, 2, 3))).max() > 1


def test_of_a_network_that_scales_its_pixels_and_has_another_head(pixels):
    """The scaling is no bias; what a pooled head adds up still is the logit, or the score."""
    model = with_biases(
        jv.VGG16(
            width=1 / 16, classes=3, size=64, head=POOLED,
            front=(Affine("rescaling", "Rescaling", (2, 0, 1), (0.5, 0.5, 0.5), (3.0, -2.0, 1.0)),),
        )
    )  # fmt: skip
    found = jv.full_gradients(model, pixels, 2)
    complete(found, np.asarray(model(pixels))[:, 2])
    assert "rescaling" not in found.biases
    score = jv.scores.contrast([0, 1, 2], 1)
    complete(jv.full_gradients(model, pixels, score=score), np.asarray(score(model(pixels))))


def unit(sizes, axes):
    low, high = sizes.min(axis=axes, keepdims=True), sizes.max(axis=axes, keepdims=True)
    return (sizes - low) / np.where(high > low, high - low, 1)


@pytest.mark.parametrize(("scale", "axes"), [("channel", (1, 2)), ("layer", (1, 2, 3))])
def test_map(narrow, pixels, scale, axes):
    at_pixels, biases, _ = terms_by_hand(narrow, pixels, CLASSES, jv.VANILLA)
    wanted = unit(np.abs(at_pixels), axes).sum(axis=-1)
    for terms in biases.values():
        if terms.ndim == 4:
            for channel in np.moveaxis(unit(np.abs(terms), axes), -1, 0):
                wanted += jv.upsample(channel, (64, 64))
    found = jv.full_grad(narrow, pixels, CLASSES, scale=scale, batch_size=2)
    assert relative_error(found, wanted) < 1e-4
    alone = jv.full_grad(narrow, pixels[1:2], CLASSES[1], scale=scale)
    assert relative_error(found[1:2], alone) < 1e-5


def test_recorded_of_pytorch_grad_cam():
    """Its map has other weights for enlarging, half a pixel away: the sums over pixels agree."""
    with np.load(RECORDED / "tf_keras_vis.npz") as file:
        x, classes = file["x"], file["classes"]
    with np.load(RECORDED / "pytorch_grad_cam.npz") as file:
        wanted = file["full_grad"]
    found = jv.full_gradients(jv.load_vgg16(RECORDED / "narrow_vgg16.h5"), x, classes)
    total = unit(np.abs(np.asarray(found.pixels)), (1, 2)).sum(axis=-1)
    for terms in found.biases.values():
        if terms.ndim == 4:
            maps = unit(np.abs(np.asarray(terms)), (1, 2)).sum(axis=-1)
            total = total + half_pixel(maps, 64)
    assert relative_error(total, wanted) < 1e-4


def half_pixel(maps, size):
    """Enlarge as OpenCV does: linear, the centres of pixels half a pixel from the edge."""
    small = maps.shape[1]
    places = np.clip((np.arange(size) + 0.5) * small / size - 0.5, 0, small - 1)
    low = np.floor(places).astype(int)
    weights = np.zeros((size, small))
    weights[np.arange(size), low] += 1 - (places - low)
    weights[np.arange(size), np.minimum(low + 1, small - 1)] += places - low
    return np.einsum("ia,nab,jb->nij", weights, maps, weights)


def test_row(narrow, pixels):
    maps = jv.explain(narrow, pixels, CLASSES, methods=["full_grad", "lrp"], rules=["guided"])
    assert relative_error(
        maps.full_grad["guided"], jv.full_grad(narrow, pixels, CLASSES, rule=jv.GUIDED)
    ) < 1e-6  # fmt: skip
    assert relative_error(maps.lrp["any"], np.maximum(jv.lrp(narrow, pixels, CLASSES), 0)) < 1e-6


def test_a_network_that_does_not_come_apart():
    """Asked for by name, it is an error; among all, it is left out."""

    def model(x, relu=jax.nn.relu):
        return relu(x).mean((1, 2))

    every = tuple(METHODS)
    assert at_hand(every, model) == tuple(n for n in every if n not in ("full_grad", "lrp"))
    assert at_hand(("saliency", "grad_cam"), model) == ("saliency", "grad_cam")
    for name in ("full_grad", "lrp"):
        with pytest.raises(TypeError, match="does not come apart into layers"):
            at_hand(("saliency", name), model)
        with pytest.raises(TypeError, match="does not come apart into layers"):
            jv.explain(model, np.ones((1, 8, 8, 3), np.float32), 1, methods=[name])


def test_at_hand_of_a_chain(narrow):
    assert at_hand(tuple(METHODS), narrow) == tuple(METHODS)
    assert len(chain_of(narrow).links) > 0


ERRORS = {
    "scale": ({"scale": "image"}, "scale is 'image'; wanted 'channel' or 'layer'"),
    "batch": ({"batch_size": 0}, "batch_size is 0"),
    "class": ({"classes": 7}, "wanted indices from 0 to 6"),
    "classes": ({"classes": [[1, 2]] * 3}, "ask once for each class"),
}


@pytest.mark.parametrize(("options", "message"), ERRORS.values(), ids=ERRORS)
def test_errors(narrow, pixels, options, message):
    with pytest.raises(ValueError, match=message):
        jv.full_grad(narrow, pixels, **options)
