"""Maps of many pixels under three rules in one call, against their formulas in NumPy.

On JAX 0.10.2 a sum of products over channels was joined to the |.| or ReLU behind it, and came out
as the first rule's for all of them; only above some ten thousand pixels, so that no test of small
images saw it. What one rule alone gives was right.
"""

import jax
import numpy as np
import pytest

import jaxvis as jv
from jaxvis.gradients.relu import relu_under

N, CLASSES = 3, np.array([1, 4, 2])


@pytest.fixture(scope="module")
def model():
    return jv.VGG16(width=1 / 32, fc=16, classes=5, size=224)


@pytest.fixture(scope="module")
def x():
    rng = np.random.Generator(np.random.PCG64(0))
    return rng.normal(0, 60, (N, 224, 224, 3)).astype(np.float32)


def at(model, layer, x, rule):
    """A layer's activation and its gradient in float64, under one rule."""
    body, head = model.cut(layer)
    activation = body(x)
    logits, pull = jax.vjp(lambda a: head(a, relu=relu_under(rule)), activation)
    (gradient,) = pull(jax.nn.one_hot(CLASSES, 5, dtype=logits.dtype))
    return np.asarray(activation, np.float64), np.asarray(gradient, np.float64)


def relu(a):
    return np.maximum(a, 0)


def xgrad(a, g):
    total = a.sum((1, 2), keepdims=True)
    weights = np.divide((a * g).sum((1, 2), keepdims=True), total, where=total != 0,
                        out=np.zeros_like(total))  # fmt: skip
    return (weights * a).sum(-1)


FORMULAS = {
    "grad_cam": lambda a, g: relu((g.mean((1, 2), keepdims=True) * a).sum(-1)),
    "hires_cam": lambda a, g: relu((g * a).sum(-1)),
    "layer_cam": lambda a, g: relu((relu(g) * a).sum(-1)),
    "xgrad_cam": lambda a, g: relu(xgrad(a, g)),
}


def close(found, wanted):
    np.testing.assert_allclose(found, wanted, atol=2e-4 * np.abs(wanted).max())


@pytest.mark.parametrize("layer", ["block1_conv2", "block3_conv3"])
def test_of_a_large_layer(model, x, layer):
    """All together, and each alone, since what is joined to what depends on it."""
    seen = 0
    for methods in ([*FORMULAS], ["grad_cam"], ["layer_cam"]):
        maps = jv.explain(model, x, CLASSES, layer=layer, methods=methods)
        for (method, rule), found in maps.items():
            wanted = FORMULAS[method](*at(model, layer, x, jv.RULES[rule]))
            close(found, wanted)
            seen += wanted.max() > 0
    assert seen > 10  # of 18; a map may be 0 everywhere


@pytest.mark.parametrize("methods", [["input_x_gradient"], ["saliency", "input_x_gradient"]])
@pytest.mark.parametrize("count", [2, 3])
def test_of_the_input(model, x, methods, count):
    maps = jv.explain(model, x[:count], CLASSES[:count], methods=methods)
    for name, rule in jv.RULES.items():
        gradient = jv.input_gradient(model, x[:count], CLASSES[:count], rule=rule)
        product = np.asarray(gradient, np.float64) * x[:count]
        close(maps["input_x_gradient", name], np.abs(product.sum(-1)))
        if "saliency" in methods:
            close(maps.saliency[name], np.abs(np.asarray(gradient)).max(-1))


def test_of_several_classes(model, x):
    """The same axis in front, of classes in the place of rules."""
    several = np.array([[1, 2, 3], [0, 4, 2], [3, 1, 0]])
    maps = jv.explain(model, x, several, methods=["input_x_gradient"], rules=["vanilla"])
    for rank in range(3):
        gradient = np.asarray(jv.input_gradient(model, x, several[:, rank]), np.float64)
        close(maps["input_x_gradient", "vanilla"][:, rank], np.abs((gradient * x).sum(-1)))
