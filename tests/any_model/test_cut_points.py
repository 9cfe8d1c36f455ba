"""`cut_points`: what it says of paths and places is what gradients say."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import long
from networks import ALL, conv, dense, normal

import jaxvis as jv
from jaxvis.any_model.cut_at import AtCut, cut_at

X = normal(2, 8, 8, 3, seed=4)


def residual(x):
    """Two blocks with a skip connection, a pooling, a mean, a dense layer."""
    kernels = [normal(3, 3, 3, 4)] + [normal(3, 3, 4, 4, seed=seed) for seed in (1, 2)]
    with jax.named_scope("stem"):
        x = jax.nn.relu(conv(x, kernels[0]))
    for name, kernel in zip(("first", "second"), kernels[1:], strict=True):
        with jax.named_scope(name):
            x = jax.nn.relu(conv(jax.nn.relu(conv(x, kernel)), kernel) + x)
    with jax.named_scope("pool"):
        pooled = jax.lax.reduce_window(
            x, -jnp.inf, jax.lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID"
        )
    return pooled.mean((1, 2)) @ normal(4, 3)


def unet(x):
    """Down, up, and a skip connection; one number for every pixel and class."""
    a, b, c = normal(3, 3, 3, 4), normal(3, 3, 4, 4, seed=1), normal(3, 3, 8, 2, seed=2)
    high = jnp.sin(conv(x, a))
    low = jnp.sin(conv(high, b, 2))
    up = jnp.repeat(jnp.repeat(low, 2, axis=1), 2, axis=2)
    return conv(jnp.tanh(jnp.concatenate([high, up], axis=-1)), c)


def vit(x, read=lambda tokens: tokens[:, 0], blocks=2):
    """Patches, a class token, blocks of attention and a dense layer of each token."""
    n, c = x.shape[0], 8
    patches = jax.lax.conv_general_dilated(
        x, normal(2, 2, 3, c), (2, 2), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
    tokens = patches.reshape(n, -1, c)
    tokens = jnp.concatenate([jnp.broadcast_to(normal(1, 1, c), (n, 1, c)), tokens], axis=1)

    def norm(t):
        return (t - t.mean(-1, keepdims=True)) / jnp.sqrt(jnp.var(t, -1, keepdims=True) + 1e-3)

    for number in range(blocks):
        q, k, v = (0.5 * norm(tokens) @ w for w in normal(3, c, c, seed=number))
        share = jax.nn.softmax(q @ jnp.swapaxes(k, 1, 2))
        tokens = tokens + share @ v
        tokens = tokens + jnp.tanh(norm(tokens) @ normal(c, c, seed=9 + number))
    return read(norm(tokens)) @ normal(c, 3, seed=20)


def two_inputs(inputs):
    """An image, and numbers that go around all that has space axes."""
    image, numbers = inputs
    y = jnp.sin(conv(image, normal(3, 3, 3, 4))).mean((1, 2))
    return jnp.concatenate([y, numbers], axis=-1) @ normal(6, 3)


NETWORKS = {
    "residual": (residual, X),
    "jitted": (jax.jit(residual), X),
    "checkpointed": (jax.checkpoint(residual), X),
    "unet": (unet, X),
    "vit": (vit, X),
    "vit of a mean": (lambda x: vit(x, lambda tokens: tokens.mean(1)), X),
    "vit of the patches": (lambda x: vit(x, lambda tokens: tokens[:, 1:].mean(1)), X),
    "two inputs": (two_inputs, (X, normal(2, 2))),
    **{name: ALL[name]()[::2] for name in ("skipping", "linen", "nnx_module", "haiku")},
}


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[long] if name.startswith("vit of") else []) for name in NETWORKS],
)
def test_all_paths_are_all_through_which_a_gradient_comes(name):
    """With the value held fixed, nothing of the image reaches the output."""
    f, x = NETWORKS[name]
    found = jv.cut_points(f, x)
    assert found.points
    for point in found.points[:: 3 if "vit" in name else 1]:
        body, head = cut_at(f, point.layer)
        image = jax.tree.leaves(x)[0]

        def around(image, body=body, head=head):
            at_cut = body((image, x[1]) if isinstance(x, tuple) else image)
            held = jax.lax.stop_gradient(at_cut.activation)
            y = head(AtCut(held, at_cut.carried, at_cut.arguments))
            return (y * normal(*y.shape, seed=7)).sum()

        gone = not np.any(jax.jit(jax.grad(around))(image))
        assert point.all_paths == gone, point
        assert point.shape == jax.eval_shape(lambda x, b=body: b(x).activation, x).shape


@pytest.mark.parametrize("name", NETWORKS)
def test_the_last_value_is_used_at_all_places(name):
    """A map is not empty but at the class token; and no later value is all that."""
    f, x = NETWORKS[name]
    found = jv.cut_points(f, x)
    last = found.last
    assert last.all_paths
    assert str(found).count("last") == 1

    def places_used(layer):
        body, head = cut_at(f, layer)

        def score(activation, at_cut):
            y = head(AtCut(activation, at_cut.carried, at_cut.arguments))
            return (y * normal(*y.shape, seed=7)).sum()

        at_cut = jax.jit(body)(x)
        gradient = jax.jit(jax.grad(score))(at_cut.activation, at_cut)
        return np.abs(gradient).sum(axis=(0, -1)) > 0

    if name not in ("residual", "jitted", "checkpointed", "nnx_module"):  # of a ReLU, a few
        assert places_used(last.layer).all()
    if name == "vit":
        later = [p for p in found.points[found.points.index(last) + 1 :] if p.all_paths]
        assert later
        for point in later:
            assert places_used(point.layer).sum() == 1


def test_where_the_last_value_is():
    """Behind the sum and its ReLU, and before a pooling."""
    for name in ("residual", "jitted", "checkpointed"):
        f, x = NETWORKS[name]
        found = jv.cut_points(f, x)
        assert [point.name for point in found.points] == ["stem", "first", "second", "pool"]
        assert found.last.layer == "second"
    assert jv.cut_points(unet, X).last.shape == (2, 8, 8, 8)  # what goes into the last convolution
    tokens = jv.cut_points(vit, X)
    assert tokens.last.shape == (2, 17, 8)
    f, x = NETWORKS["vit of a mean"]
    assert (jv.cut_points(f, x).last.number, tokens.last.number) == ("#7", "#4")


def test_vgg16_is_cut_where_the_lab_cuts_it(narrow, pixels):
    """Its last convolution, not the pooling behind it."""
    f = lambda x: narrow(x)  # noqa: E731
    last = jv.cut_points(f, pixels).last
    wanted = narrow.cut("block5_conv3")[0](pixels)
    np.testing.assert_allclose(cut_at(f, last.layer)[0](pixels).activation, wanted, rtol=1e-5)
    exposed = jv.expose_relu(f)
    found = jv.grad_cam(exposed, pixels, 1, layer="last", rule=jv.GUIDED)
    np.testing.assert_allclose(
        found, jv.grad_cam(narrow, pixels, 1, rule=jv.GUIDED), rtol=1e-4, atol=1e-7
    )


def test_numbers_do_not_depend_on_the_number_of_images():
    for f in (residual, vit):
        one, two = (jv.cut_points(f, x) for x in (X[:1], X))
        numbers = [[p.number for p in found.points if p.all_paths] for found in (one, two)]
        assert numbers[0] == numbers[1]
        assert one.last.number == two.last.number
        for x in (X[:1], X):
            at = jax.jit(cut_at(f, one.last.number)[0])(x).activation
            at_two = jax.jit(cut_at(f, two.last.number)[0])(X).activation
            np.testing.assert_allclose(at, at_two[: len(x)], rtol=1e-4, atol=1e-6)


def test_where_there_is_no_last_value():
    def siamese(pair):
        one, two = (jnp.sin(conv(x, normal(3, 3, 3, 4))).mean((1, 2)) for x in pair)
        return one * two

    found = jv.cut_points(siamese, (X, X + 1))
    assert found.last is None
    assert len(found.points) == 2
    with pytest.raises(
        ValueError, match=r"no value with space axes lies on all paths .* one of #0.1, #0.2"
    ):
        cut_at(siamese, "last")[0]((X, X + 1))
    f, _, x = dense()
    assert jv.cut_points(f, x).points == ()
    with pytest.raises(ValueError, match="one of none"):
        cut_at(f, "last")[0](x)
    with pytest.raises(ValueError, match=r"no value '#9999', but #1 to #4"):
        cut_at(residual, "#9999")[0](X)
    with pytest.raises(TypeError, match="f is a int; wanted a function"):
        jv.cut_points(3)


def test_the_table():
    lines = str(jv.cut_points(residual, X)).splitlines()
    assert lines[0].split() == ["number", "layer", "shape", "all", "paths"]
    assert lines[1].split() == ["#1", "stem", "2", "x", "8", "x", "8", "x", "4", "yes"]
    assert any(line.endswith("yes, last") and "second" in line for line in lines)
