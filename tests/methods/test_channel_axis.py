"""Channels first: found, or asked for, and never taken for a side of the image."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.ad_checkpoint import checkpoint_name
from networks import normal

import jaxvis as jv

X = normal(2, 3, 8, 9)
KERNEL, READOUT = normal(5, 3, 3, 3, seed=1), normal(5, 4, seed=2)


def body(x, relu=jax.nn.relu):
    """Channels first, (n, 3, 8, 9) -> (n, 5, 8, 9)."""
    return relu(jax.lax.conv_general_dilated(x, KERNEL, (1, 1), "SAME"))


def head(a, relu=jax.nn.relu):
    return relu(a).mean(axis=(2, 3)) @ READOUT


def named(x):
    return head(checkpoint_name(body(x), "maps"))


def moved(x):
    """Images with their channels last, in a network that has them first."""
    return named(jnp.moveaxis(x, -1, 1))


def by_hand(target=1):
    """Saliency and Grad-CAM, in NumPy from JAX's gradients."""
    gradient = np.asarray(jax.grad(lambda x: named(x)[:, target].sum())(X))
    a = np.asarray(body(X))
    at_layer = np.asarray(jax.grad(lambda a: head(a)[:, target].sum())(jnp.asarray(a)))
    weights = at_layer.mean(axis=(2, 3))
    cam = np.maximum(np.einsum("nc,nchw->nhw", weights, a), 0)
    return np.abs(gradient).max(axis=1), cam


def same(found, wanted):
    assert found.shape == wanted.shape
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-6)


def test_saliency_over_the_channels():
    saliency, _ = by_hand()
    same(jv.saliency(jv.expose_relu(named), X, 1, channel_axis=1), saliency)
    same(jv.saliency(jv.expose_relu(named), X, 1, channel_axis=-3), saliency)
    same(jv.saliency(jv.expose_relu(moved), jnp.moveaxis(X, 1, -1), 1), saliency)


@pytest.mark.parametrize("layer", [0, "maps"])
def test_a_cut_finds_the_channels_itself(layer):
    _, cam = by_hand()
    exposed = jv.expose_relu(named)
    same(jv.grad_cam(exposed, X, 1, layer=layer), cam)
    same(jv.grad_cam(exposed, X, 1, layer=layer, channel_axis=1), cam)
    last = jv.expose_relu(moved)
    same(jv.grad_cam(last, jnp.moveaxis(X, 1, -1), 1, layer=layer), cam)
    maps = jv.explain(exposed, X, 1, layer=layer, channel_axis=1)
    saliency, _ = by_hand()
    same(maps.saliency["vanilla"], saliency)
    same(maps.grad_cam["vanilla"], cam)
    batches = jv.explain_batches(exposed, X, 1, layer=layer, channel_axis=1, batch_size=1)
    same(batches.grad_cam["vanilla"], cam)
    same(batches.saliency["vanilla"], saliency)


def test_a_pair_says_where_its_channels_are():
    saliency, cam = by_hand()
    same(jv.grad_cam((body, head), X, 1, channel_axis=1), cam)
    same(jv.saliency((body, head), X, 1, channel_axis=1), saliency)
    with pytest.raises(jv.InputError, match=r"shape \(2, 3, 8, 9\), channels first; .*axis=1 if"):
        jv.grad_cam((body, head), X, 1)
    with pytest.raises(jv.InputError, match=r"shape \(2, 3, 8, 9\), channels first; .*axis=1 if"):
        jv.saliency((body, head), X, 1)
    assert jv.saliency((body, head), X, 1, channel_axis=-1).shape == (2, 3, 8)  # as it was said
    assert jv.input_gradient((body, head), X, 1).shape == X.shape  # which takes no maximum


def test_a_named_value_behind_pooling_and_a_transposition():
    """Traced back to its convolution through all that keeps its axes, or permutes them."""

    def f(x, transpose):
        a = jax.nn.relu(jax.lax.conv_general_dilated(x, KERNEL, (1, 1), "SAME"))
        a = jax.lax.reduce_window(a, -jnp.inf, jax.lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID")
        a = jnp.concatenate([a, a * 2], axis=1)
        if transpose:
            a = a.transpose(2, 0, 3, 1).transpose(1, 0, 2, 3)  # channels last
        a = checkpoint_name(a, "maps")
        return a.mean(axis=(1, 2) if transpose else (2, 3)) @ jnp.concatenate([READOUT, READOUT])

    cams = [
        jv.grad_cam(jv.expose_relu(lambda x, t=t: f(x, t)), X, 1, layer="maps")
        for t in (False, True)
    ]
    assert cams[0].shape == (2, 4, 4)
    same(cams[0], np.asarray(cams[1]))


def test_what_no_convolution_tells_is_asked_for():
    def f(x):
        a = body(x).reshape(2, 5, 72).transpose(0, 2, 1).reshape(2, 8, 9, 5)
        return checkpoint_name(a, "maps").mean(axis=(1, 2)) @ READOUT

    with pytest.raises(jv.InputError, match=r"'maps', of shape \(2, 8, 9, 5\), comes from no conv"):
        jv.grad_cam(jv.expose_relu(f), X, 1, layer="maps")
    pair = jv.cut_at(f, "maps", channel_axis=-1)
    assert jv.grad_cam(pair, X, 1).shape == (2, 8, 9)


def test_an_equinox_network_with_a_name():
    conv = eqx.nn.Conv2d(3, 5, 3, padding=1, key=jax.random.key(0))

    @jax.vmap
    def one(x):
        return checkpoint_name(jax.nn.relu(conv(x)), "maps").mean(axis=(1, 2)) @ READOUT

    cam = jv.grad_cam(jv.expose_relu(one), X, 1, layer="maps")
    assert cam.shape == (2, 8, 9)
    same(cam, np.asarray(jv.grad_cam(jv.expose_relu(one), X, 1, layer=0)))


@pytest.mark.parametrize(
    ("axis", "message"),
    [(0, "the axis of the images"), (4, r"channel_axis is 4, but there is shape \(2, 3, 8, 9\)"),
     (-4, "wanted 1 to 3, or -1"), (True, "channel_axis is True"), ("last", "'last'")],
)  # fmt: skip
def test_an_axis_that_there_is_not(axis, message):
    with pytest.raises(jv.InputError, match=message):
        jv.saliency(jv.expose_relu(named), X, 1, channel_axis=axis)
