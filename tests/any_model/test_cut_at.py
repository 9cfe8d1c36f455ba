"""`cut_at`: the halves make the whole, and Grad-CAM is that of the network's own cut."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.ad_checkpoint import checkpoint_name
from networks import ALL, conv, normal, skipping

import jaxvis as jv
from jaxvis.any_model.cut_at import AtCut, cut_at
from jaxvis.any_model.expose import expose_relu
from jaxvis.gradients.relu import RULES
from jaxvis.methods.one_pass import one_pass


def through(halves, x, relu):
    body, head = halves
    return head(body(x, relu=relu), relu=relu)


def gradient(f, x):
    y, pull_back = jax.vjp(f, x)
    return pull_back(normal(*y.shape, seed=3))[0]


@pytest.mark.parametrize(
    ("name", "where"),
    [(name, 1) for name in ("linen", "nnx_module", "equinox", "haiku")]
    + [("skipping", where) for where in (0, 2, -1, "block")],
)
def test_the_halves_make_the_whole(name, where):
    """For values, and for the gradient with respect to the input."""
    f, by_hand, x = ALL[name]()
    halves = cut_at(f, where)

    def value_and_gradient(f, x):
        return f(x), gradient(f, x)

    wanted = jax.jit(lambda x: value_and_gradient(by_hand(jv.guided_relu), x))(x)

    @jax.jit
    def of_halves(x):
        ruled = value_and_gradient(lambda x: through(halves, x, jv.GUIDED), x)
        return ruled, halves[1](halves[0](x))

    ruled, plain = of_halves(x)
    np.testing.assert_allclose(plain, wanted[0], rtol=1e-5, atol=1e-6)
    for found, value in zip(ruled, wanted, strict=True):
        np.testing.assert_allclose(found, value, rtol=1e-5, atol=1e-6)


def test_cut_of_the_demo_network_is_its_own(narrow, pixels):
    convolutions = [name for name in vars(narrow) if "conv" in name]
    for where in (0, 5, -1):
        ours, own = cut_at(narrow, where), narrow.cut(convolutions[where])
        at_cut = ours[0](pixels)
        np.testing.assert_array_equal(at_cut.activation, own[0](pixels))
        assert at_cut.carried == ()
        np.testing.assert_array_equal(ours[1](at_cut), own[1](at_cut.activation))


def test_what_belongs_to_a_convolution_goes_with_it():
    """The cut is behind bias, normalisation and ReLU, and before all that follows these."""
    kernel, scale = normal(3, 3, 3, 4), normal(4, seed=1).reshape(1, 1, 1, 4)
    x = normal(2, 6, 6, 3)

    def after(*steps):
        def f(x):
            y = conv(x, kernel)
            for step in steps:
                y = step(y)
            return y

        return f

    own = {
        "bias": lambda y: y + scale,
        "scale": lambda y: (y - scale) * scale / 2,
        "relu": jax.nn.relu,
        "bare": lambda y: jnp.where(y > 0, y, 0),
        "product": lambda y: y * (y > 0).astype(y.dtype),
        "silu": jax.nn.silu,
    }
    ends = [
        lambda y: jnp.mean(y, axis=(1, 2)),
        lambda y: y + jnp.sin(y),
        lambda y: y + y.mean(axis=(0, 1, 2), keepdims=True),
    ]
    for name, step in own.items():
        for end in ends:
            f = after(own["bias"], step, end) if name != "bias" else after(step, end)
            before = after(own["bias"], step)(x) if name != "bias" else after(step)(x)
            np.testing.assert_allclose(
                cut_at(f, 0)[0](x).activation, before, rtol=1e-6, err_msg=name
            )
    shortcut = cut_at(lambda x: jax.nn.relu(conv(x, kernel) + jnp.mean(x)), 0)[0](x)
    np.testing.assert_array_equal(shortcut.activation, conv(x, kernel))


def test_a_skip_connection_is_carried():
    f, _, x = skipping()
    body, head = cut_at(f, "block")
    at_cut = body(x)
    assert at_cut.activation.shape == (2, 5, 4, 4)
    assert [value.shape for value in at_cut.carried] == [(2, 5, 4, 4)]  # the shortcut
    without = AtCut(at_cut.activation, (0 * at_cut.carried[0],), at_cut.arguments)
    assert not np.allclose(head(without), f(x))
    assert jax.tree.leaves(at_cut)[0] is at_cut.activation


def test_what_crosses_may_be_an_integer_or_the_input():
    kernel = normal(3, 3, 3, 4)

    def f(x):
        best = jnp.argmax(x.mean(axis=(0, 1, 2)))
        y = checkpoint_name(jax.nn.relu(conv(x, kernel)), "y")
        return jnp.sin(y).mean(axis=(1, 2)) * x[..., best].mean()

    x = normal(2, 6, 6, 3)
    halves = cut_at(f, "y")
    assert {str(v.dtype) for v in halves[0](x).carried} == {"int32", "float32"}

    @jax.jit
    def pieces(x):
        at_cut, to_input = jax.vjp(halves[0], x)
        y, to_cut = jax.vjp(halves[1], at_cut)
        return y, to_input(to_cut(jnp.ones_like(y))[0])[0]

    wanted, pull_back = jax.vjp(f, x)
    for found, value in zip(pieces(x), (wanted, pull_back(jnp.ones_like(wanted))[0]), strict=True):
        np.testing.assert_allclose(found, value, rtol=1e-5, atol=1e-6)


def test_channels_come_last():
    f, _, x = ALL["equinox"]()
    at_cut = cut_at(f, 1)[0](x)
    assert at_cut.activation.shape == (2, 6, 7, 6)  # (n, channels, h, w) = (2, 6, 6, 7)
    named = cut_at(lambda x: checkpoint_name(jnp.sin(x), "s") * 2, "s", channel_axis=1)
    np.testing.assert_array_equal(named[0](x).activation, np.moveaxis(jnp.sin(x), 1, -1))
    np.testing.assert_array_equal(named[1](named[0](x)), jnp.sin(x) * 2)


def test_a_cut_lies_inside_of_jit_and_checkpoint():
    kernel = normal(3, 3, 3, 4)

    @jax.checkpoint
    def inner(x):
        return checkpoint_name(jnp.sin(conv(x, kernel)), "inner") + 1

    f = jax.jit(lambda x: jax.nn.relu(jax.jit(inner)(jax.nn.relu(x))))
    x = normal(2, 6, 6, 3)
    body, head = cut_at(f, "inner")
    np.testing.assert_allclose(body(x).activation, jnp.sin(conv(jax.nn.relu(x), kernel)), rtol=1e-6)
    np.testing.assert_allclose(head(body(x)), f(x), rtol=1e-6)
    seen = []
    through((body, head), x, lambda x, where: seen.append(where.index) or jax.nn.relu(x))
    assert seen == [0, 1]  # the head goes on counting


def channels_last(f, by_hand, x):
    """The same network on images whose channels come last."""

    def moved(model):
        return lambda x: model(jnp.moveaxis(x, -1, 1))

    return moved(f), lambda relu: moved(by_hand(relu)), jnp.moveaxis(x, 1, -1)


@pytest.mark.parametrize("name", ["skipping", "equinox", "linen"])
def test_explain_and_grad_cam_of_any_model(name):
    """Each map against the definition, by hand: gradient, mean, weighted sum, ReLU."""
    f, by_hand, x = ALL[name]()
    if name == "equinox":  # channels first, which is not guessed
        with pytest.raises(ValueError, match=r"shape \(2, 3, 8, 9\), channels first; .*axis=1 if"):
            jv.explain(expose_relu(f), x, 1, layer=1)
        f, by_hand, x = channels_last(f, by_hand, x)
    g = expose_relu(f)
    maps = jv.explain(g, x, 1, layer=1)

    @jax.jit
    def by_definition(rule, x):
        model = by_hand(lambda x: jv.relu(x, rule))
        saliency = jnp.abs(jax.grad(lambda x: model(x)[:, 1].sum())(x)).max(axis=-1)
        body, head = cut_at(f, 1)
        at_cut = body(x)

        def score(activation):
            at_this = AtCut(activation, at_cut.carried, at_cut.arguments)
            return head(at_this, relu=rule)[:, 1].sum()

        weights = jax.grad(score)(at_cut.activation).mean(axis=(1, 2), keepdims=True)
        cam = jnp.maximum((weights * at_cut.activation).sum(axis=-1), 0)
        return model(x), saliency, cam

    for name, rule in RULES.items():
        logits, saliency, cam = by_definition(rule, x)
        np.testing.assert_allclose(maps.logits, logits, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(maps.saliency[name], saliency, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(maps.grad_cam[name], cam, rtol=1e-4, atol=1e-6)
        one = jv.grad_cam(g, x, 1, layer=1, rule=rule)
        np.testing.assert_allclose(one, cam, rtol=1e-4, atol=1e-6)
    assert max(np.abs(cam).max() for cam in maps.grad_cam.values()) > 0


def test_explain_compiles_once():
    f, _, x = skipping()
    first = jv.explain(expose_relu(f), x, 1, layer="block")
    compiled = one_pass.traces
    jv.explain(expose_relu(f), x, 2, layer="block")
    assert one_pass.traces == compiled
    jv.explain(cut_at(f, "block"), x, 1)
    compiled = one_pass.traces
    again = jv.explain(cut_at(f, "block"), x, 1)
    assert one_pass.traces == compiled
    np.testing.assert_allclose(again.logits, first.logits, rtol=1e-6)


def test_where_there_is_nothing_to_cut():
    f, _, x = skipping()
    for where, message in (
        ("blok", "names 0 values 'blok' .*name's are: block.*; near it: block; .*4 convolutions"),
        (4, "where is 4, but the function has 4 convolutions; wanted a number from 0 to 3"),
        (-5, "where is -5"),
    ):
        with pytest.raises(ValueError, match=message):
            cut_at(f, where)[0](x)
    with pytest.raises(ValueError, match="names 2 values 'two'; wanted one of that name"):
        cut_at(lambda x: checkpoint_name(checkpoint_name(x, "two") + 1, "two"), "two")[0](x)
    with pytest.raises(ValueError, match="'two' lies inside the primitive 'scan'"):
        cut_at(lambda x: jax.lax.map(lambda row: checkpoint_name(jnp.sin(row), "two"), x), "two")[
            0
        ](x)
    for where in (1.5, True, None):
        with pytest.raises(TypeError, match="wanted the name given with checkpoint_name"):
            cut_at(f, where)
    with pytest.raises(TypeError, match="f is a int; wanted a function"):
        cut_at(3, 0)


@pytest.mark.parametrize(
    "relu",
    [
        jax.nn.relu,
        jax.nn.relu6,
        lambda x: jnp.maximum(x, 0),
        lambda x: jnp.maximum(0, x),
        lambda x: jnp.where(x > 0, x, 0),
        lambda x: jnp.clip(x, 0),
        lambda x: x * (x > 0),
    ],
    ids=["relu", "relu6", "maximum", "maximum of 0", "where", "clip", "product"],
)
def test_a_numbered_cut_lies_behind_the_relu_in_whatever_form(relu):
    """Before it there would be values below 0, and Grad-CAM another map."""
    kernel, bias, readout = normal(3, 3, 3, 4), normal(4, seed=1), normal(4, 2, seed=2)

    def body(x):
        return relu(conv(x, kernel) + bias.reshape(1, 1, 1, 4))

    def f(x):
        return jnp.sin(body(x)).mean(axis=(1, 2)) @ readout

    x = normal(2, 6, 6, 3, seed=3)
    with jax.numpy_dtype_promotion("standard"):
        found = cut_at(f, 0)[0](x).activation
        np.testing.assert_allclose(found, body(x), rtol=1e-5, atol=1e-6)
    assert np.min(found) == 0
