"""Class activation maps of activations that are no pictures, against NumPy by hand."""

import jax
import numpy as np
import pytest
from conftest import relative_error
from networks import normal

import jaxvis as jv
from jaxvis.gradients.cut import activation_of, as_maps, cut
from jaxvis.gradients.relu import RULES


def weighted_mean(rng, channels, classes=3):
    """A pair around `relu`: its logits are the activation's mean over all places, times W."""
    W = rng.normal(size=(channels, classes)).astype(np.float32)

    def head(a, relu=None):
        return a.mean(tuple(range(1, a.ndim - 1))) @ W

    return W, (lambda x, relu=jax.nn.relu: relu(x), head)


@pytest.mark.parametrize("space", [(9,), (4, 5), (3, 4, 2)], ids=["signal", "picture", "volume"])
def test_maps_of_any_number_of_dimensions(rng, space):
    """d logit / d A_c is W[c, class] / places at every place, and so is its mean."""
    W, pair = weighted_mean(rng, 6)
    x = rng.normal(size=(2, *space, 6)).astype(np.float32)
    signed = (np.maximum(x, 0) * W[:, 1]).sum(axis=-1) / np.prod(space)
    assert signed.shape == (2, *space)
    assert relative_error(jv.grad_cam(pair, x, 1), np.maximum(signed, 0)) < 1e-5
    maps = jv.explain(pair, x, 1, signed=True)
    assert relative_error(maps.grad_cam["vanilla"], signed) < 1e-5
    assert maps.saliency["vanilla"].shape == (2, *space)


def test_a_one_dimensional_convolution_by_hand(rng):
    """Not only means: the head weighs places unequally, so that the mean of its gradient counts."""
    kernel = rng.normal(size=(3, 2, 5)).astype(np.float32)
    W = rng.normal(size=(8, 5, 4)).astype(np.float32)
    x = rng.normal(size=(2, 8, 2)).astype(np.float32)

    def body(x, relu=jax.nn.relu):
        dims = ("NWC", "WIO", "NWC")
        return relu(jax.lax.conv_general_dilated(x, kernel, (1,), "SAME", dimension_numbers=dims))

    def head(a, relu=jax.nn.relu):
        return a.reshape(len(a), -1) @ W.reshape(40, 4)

    padded = np.pad(x, ((0, 0), (1, 1), (0, 0)))
    A = np.maximum(sum(padded[:, i : i + 8] @ kernel[i] for i in range(3)), 0)
    wanted = np.maximum((A * W[..., 2].mean(axis=0)).sum(axis=-1), 0)
    assert relative_error(jv.grad_cam((body, head), x, 2), wanted) < 1e-5


@pytest.mark.parametrize("axes", ["W", "DHW"], ids=["signal", "volume"])
def test_convolutions_of_other_dimensions(axes):
    """Behind the first of two convolutions, where the gradient differs from place to place.

    As a pair, and as a function that is exposed and cut at its convolution.
    """
    kernels = (normal(*(3,) * len(axes), *io, seed=i) for i, io in enumerate([(2, 4), (4, 5)]))
    first, second = kernels
    readout, x = normal(5, 6, seed=3), normal(3, *(7, 5, 4)[: len(axes)], 2, seed=4)

    def convolve(x, kernel):
        dims, ones = (f"N{axes}C", f"{axes}IO", f"N{axes}C"), (1,) * len(axes)
        return jax.lax.conv_general_dilated(x, kernel, ones, "SAME", dimension_numbers=dims)

    def body(x, relu=jax.nn.relu):
        return relu(convolve(x, first))

    def head(a, relu=jax.nn.relu):
        a = relu(convolve(a, second))
        return a.mean(axis=tuple(range(1, a.ndim - 1))) @ readout

    exposed = jv.expose_relu(lambda x: head(body(x)))
    for name, rule in RULES.items():

        def score(a, rule=rule):
            return head(a, relu=lambda x: jv.relu(x, rule))[:, 5].sum()

        a = np.asarray(body(x))
        gradient = np.asarray(jax.jit(jax.grad(score))(a)).reshape(3, -1, 4)
        assert gradient.std(axis=1).max() > 0.1 * np.abs(gradient).max()
        wanted = np.maximum((a * gradient.mean(axis=1).reshape(3, *[1] * len(axes), 4)).sum(-1), 0)
        assert relative_error(jv.grad_cam((body, head), x, 5, rule=rule), wanted) < 1e-5
        maps = jv.explain(exposed, x, 5, layer=0, rules={name: rule})
        assert relative_error(maps.grad_cam[name], wanted) < 1e-5


@pytest.mark.parametrize("class_token", [0, 1], ids=["patches only", "a class token"])
def test_tokens_on_a_grid(rng, class_token):
    """Tokens are read row by row; the class token counts in the score and not in the map."""
    height, width, channels = 2, 3, 5
    tokens = height * width + class_token
    x = rng.normal(size=(2, tokens, channels)).astype(np.float32)
    W = rng.normal(size=(tokens, channels, 4)).astype(np.float32)

    def head(a, relu=jax.nn.relu):
        return a.reshape(len(a), -1) @ W.reshape(-1, 4)

    pair = (lambda x, relu=jax.nn.relu: relu(x), head)
    A, gradient = np.maximum(x, 0)[:, class_token:], W[class_token:, :, 1]
    signed = np.empty((2, height, width))
    for row in range(height):
        for column in range(width):
            token = row * width + column
            signed[:, row, column] = A[:, token] @ gradient.mean(axis=0)
    found = jv.grad_cam(pair, x, 1, grid=(height, width))
    assert relative_error(found, np.maximum(signed, 0)) < 1e-5
    maps = jv.explain(pair, x, 1, grid=(height, width), signed=True)
    assert relative_error(maps.grad_cam["vanilla"], signed) < 1e-5
    batches = jv.explain_batches(pair, x, 1, grid=(height, width), signed=True, batch_size=1)
    assert relative_error(batches.grad_cam["guided"], maps.grad_cam["guided"]) < 1e-5


def test_without_a_grid_tokens_are_a_signal(rng):
    W, pair = weighted_mean(rng, 5)
    x = rng.normal(size=(2, 7, 5)).astype(np.float32)
    wanted = np.maximum((np.maximum(x, 0) * W[:, 0] / 7).sum(axis=-1), 0)
    assert relative_error(jv.grad_cam(pair, x, 0), wanted) < 1e-5


@pytest.mark.parametrize(
    ("shape", "grid", "message"),
    [
        ((2, 8), None, r"behind 'block5_conv3' there is shape \(2, 8\); choose a convolution"),
        ((2, 8, 5), (2, 3), r"grid is \(2, 3\), so wanted tokens \(n, 6, channels\), or one more"),
        ((2, 5, 5), (2, 3), r"wanted tokens \(n, 6, channels\).* there is shape \(2, 5, 5\)"),
        ((2, 2, 3, 5), (2, 3), r"shape \(2, 2, 3, 5\); leave out grid= for maps that have height"),
        ((2, 6), (2, 3), r"wanted tokens \(n, 6, channels\).* there is shape \(2, 6\)"),
    ],
)
def test_activations_that_are_no_maps(rng, shape, grid, message):
    _, pair = weighted_mean(rng, shape[-1])
    x = rng.normal(size=shape).astype(np.float32)
    for function in (jv.grad_cam, jv.explain):
        with pytest.raises(ValueError, match=message):
            function(pair, x, 0, grid=grid)


@pytest.mark.parametrize(
    "grid", [(2,), (2, 3, 1), (0, 6), (2.0, 3), (-2, -3), (), 6, "23", [2, 3.0], (True, 6)]
)
def test_grids_that_are_none(rng, grid):
    _, pair = weighted_mean(rng, 5)
    with pytest.raises(ValueError, match=r"grid is .*wanted \(height, width\), two numbers"):
        jv.grad_cam(pair, np.ones((2, 6, 5), np.float32), 0, grid=grid)


def test_the_layer_of_the_message_is_the_one_asked_for(narrow, pixels):
    """Of several, the one that has no maps."""
    with pytest.raises(ValueError, match=r"behind 'flatten' there is shape \(3, 128\)"):
        jv.explain(narrow, pixels, 0, layer=["block5_conv3", "flatten"])


def test_what_can_be_cut():
    pair = (len, sum)
    assert cut(pair, "anywhere") is pair
    assert activation_of({"a": 1, "b": 2}) == 1
    with pytest.raises(TypeError, match="a list cannot be cut; wanted a model with cut"):
        cut([len, sum], 0)
    tokens = np.arange(2 * 7 * 3).reshape(2, 7, 3)
    np.testing.assert_array_equal(as_maps(tokens, 0, (3, 2))[:, 2, 1], tokens[:, 6])
