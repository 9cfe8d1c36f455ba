import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import relative_error
from test_saliency import toy

import jaxvis as jv
from jaxvis.gradients.relu import RULES
from jaxvis.models import reference

LAYERS = ["block1_conv1", "block4_pool", "block5_conv3"]


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("name", RULES)
def test_map_is_the_references(narrow, pixels, name, layer):
    wanted = reference.grad_cam(
        reference.weights_of(narrow), pixels, [3, 0, 6], RULES[name], layer=layer
    )
    found = jv.grad_cam(narrow, pixels, np.array([3, 0, 6]), layer=layer, rule=RULES[name])
    assert relative_error(found, wanted) < 1e-4


@pytest.mark.parametrize("name", RULES)
def test_double_precision(name, x64):
    model = jv.VGG16(width=1 / 16, classes=7, size=64, param_dtype=jnp.float64)
    x = np.random.Generator(np.random.PCG64(2)).normal(0, 60, (2, 64, 64, 3))
    wanted = reference.grad_cam(reference.weights_of(model), x, 0, RULES[name])
    assert relative_error(jv.grad_cam(model, x, 0, rule=RULES[name]), wanted) < 1e-10


def test_a_pair_is_a_model_that_is_cut(narrow, pixels):
    pair = narrow.cut("block5_conv3")
    wanted = jv.grad_cam(narrow, pixels, 3, rule=jv.GUIDED)
    assert relative_error(jv.grad_cam(pair, pixels, 3, rule=jv.GUIDED), wanted) < 1e-6


def test_a_linear_head_by_hand(rng):
    """With logits = mean over pixels of A times W, w_c is W[c, class] / (h w)."""
    x = rng.normal(size=(2, 4, 5, 3)).astype(np.float32)
    W = rng.normal(size=(3, 2)).astype(np.float32)
    pair = (lambda x, relu=jax.nn.relu: relu(x), lambda a, relu=None: a.mean((1, 2)) @ W)
    wanted = np.maximum((np.maximum(x, 0) * W[:, 1] / 20).sum(-1), 0)
    assert relative_error(jv.grad_cam(pair, x, 1), wanted) < 1e-5


def test_score_and_predicted_class(narrow, pixels):
    predicted = np.argmax(narrow(pixels), axis=1)
    wanted = jv.grad_cam(narrow, pixels, predicted)
    np.testing.assert_array_equal(jv.grad_cam(narrow, pixels), wanted)
    largest = jv.grad_cam(narrow, pixels, score=lambda logits: jnp.max(logits, axis=1))
    assert relative_error(largest, wanted) < 1e-5


def test_jit_and_vmap_of_the_caller(narrow, pixels):
    plain = jv.grad_cam(narrow, pixels, 3, rule=jv.GUIDED)
    jitted = jax.jit(lambda model, x: jv.grad_cam(model, x, 3, rule=jv.GUIDED))(narrow, pixels)
    assert relative_error(jitted, plain) < 1e-5
    one = jax.vmap(lambda image: jv.grad_cam(narrow, image[None], 3, rule=jv.GUIDED)[0])
    assert relative_error(one(pixels), plain) < 1e-5


def test_what_cannot_be_cut_or_has_no_maps(narrow, pixels):
    with pytest.raises(TypeError, match=r"a function cannot be cut; wanted a model with cut"):
        jv.grad_cam(toy, pixels, 0)
    with pytest.raises(ValueError, match=r"behind 'fc1' there is shape \(3, 256\); choose"):
        jv.grad_cam(narrow, pixels, 0, layer="fc1")
    with pytest.raises(ValueError, match="no layer 'conv5'"):
        jv.grad_cam(narrow, pixels, 0, layer="conv5")
    with pytest.raises(ValueError, match="classes are 7; wanted indices from 0 to 6"):
        jv.grad_cam(narrow, pixels, 7)
