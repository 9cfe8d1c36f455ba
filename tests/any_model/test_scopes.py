"""Scopes: a cut at a layer by its name is a cut behind what the layer hands on."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from conftest import relative_error
from jax.ad_checkpoint import checkpoint_name
from networks import LinenNet, conv, equinox, nnx_module, normal

import jaxvis as jv
from jaxvis.any_model.adapters import as_model
from jaxvis.any_model.cut_at import cut_at

X = normal(2, 8, 8, 3, seed=4)


@pytest.fixture
def relaxed():
    """Keras's own code does not hold to strict promotion."""
    with jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard"):
        yield


def nested_keras():
    """A base inside of a model, as when fine-tuning; both have a layer called "out"."""
    keras.utils.set_random_seed(0)
    layers = keras.layers
    base = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Conv2D(4, 3, padding="same", activation="relu", name="one"),
            layers.Conv2D(4, 3, padding="same", name="two"),
            layers.BatchNormalization(name="norm"),
            layers.ReLU(name="out"),
        ],
        name="base",
    )
    inputs = keras.Input((8, 8, 3))
    y = base(inputs)
    z = layers.Conv2D(4, 1, name="side")(y)
    y = layers.Add(name="sum")([y, z])
    y = layers.GlobalAveragePooling2D(name="mean")(layers.Dropout(0.5, name="drop")(y))
    return keras.Model(inputs, layers.Dense(3, name="out")(y), name="whole"), base


def submodel(model, layer):
    return keras.Model(model.inputs[0], model.get_layer(layer).output)


def test_a_layer_of_a_keras_model(relaxed):
    """Its activation included; the oracle is Keras's own model up to the layer."""
    model, base = nested_keras()
    f = as_model(model).function
    wanted = {name: submodel(base, name)(X) for name in ("one", "two", "norm")}
    wanted["base/out"] = wanted["base"] = base(X)
    wanted["sum"] = submodel(model, "sum")(X)
    assert np.asarray(wanted["two"]).min() < 0  # or a cut behind the ReLU would be the same
    for name, value in wanted.items():
        body, head = cut_at(f, name)
        np.testing.assert_allclose(body(X).activation, value, rtol=1e-5, atol=1e-6, err_msg=name)
        np.testing.assert_allclose(head(body(X)), model(X), rtol=1e-4, atol=1e-5)


def test_grad_cam_of_a_keras_layer(relaxed):
    model, _ = nested_keras()
    y, kernel = submodel(model, "sum")(X), model.get_layer("out").kernel.value
    weights = jnp.broadcast_to(kernel[:, 1] / 64, y.shape).mean((1, 2), keepdims=True)
    wanted = np.maximum((weights * y).sum(axis=-1), 0)
    assert wanted.max() > 0
    found = jv.explain(model, X, 1, layer="sum").grad_cam["vanilla"]
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-7)


def test_an_ambiguous_name_is_an_error_that_lists_paths(relaxed):
    model, _ = nested_keras()
    f = as_model(model).function
    with pytest.raises(ValueError, match=r"2 scopes end in 'out': /base/out, /out; wanted one"):
        cut_at(f, "out")[0](X)
    np.testing.assert_allclose(cut_at(f, "/out")[0](X).activation, model(X), rtol=1e-5)


def test_an_unknown_name_is_an_error_that_lists_near_ones(relaxed):
    model, _ = nested_keras()
    with pytest.raises(ValueError, match=r"none of its 9 scopes ends so; near it: side"):
        jv.grad_cam(model, X, 1, layer="sied")
    with pytest.raises(ValueError, match=r"names 0 values 'block5_conv3'.*jv\.cut_points"):
        jv.explain(model, X, 1)


def test_a_module_of_flax_linen():
    """The last value of a module, those of the modules inside it left alone."""

    class Block(nn.Module):
        @nn.compact
        def __call__(self, x):
            return nn.relu(nn.LayerNorm()(nn.Conv(4, (3, 3))(x)) + x)

    class Net(nn.Module):
        @nn.compact
        def __call__(self, x):
            x = nn.Conv(4, (3, 3), name="stem")(x)
            return nn.Dense(3)(Block()(nn.max_pool(Block()(x), (2, 2))).mean((1, 2)))

    variables = Net().init(jax.random.key(0), X)
    f = jax.tree_util.Partial(Net().apply, variables)
    _, state = Net().apply(variables, X, capture_intermediates=True)
    seen = state["intermediates"]
    for name, value in (
        ("stem", seen["stem"]), ("Block_0", seen["Block_0"]), ("Net/Block_1", seen["Block_1"]),
        ("Block_1/Conv_0", seen["Block_1"]["Conv_0"]),
    ):  # fmt: skip
        np.testing.assert_allclose(
            cut_at(f, name)[0](X).activation, value["__call__"][0], rtol=1e-5, atol=1e-6
        )
    with pytest.raises(ValueError, match="2 scopes end in 'Conv_0': /Net/Block_1/Conv_0, "):
        cut_at(f, "Conv_0")[0](X)


@pytest.mark.parametrize("wrap", [lambda f: f, jax.jit, jax.checkpoint])
def test_a_named_scope_of_ones_own_inside_of_calls(wrap):
    kernel = normal(3, 3, 3, 4)

    @wrap
    def inner(x):
        with jax.named_scope("layer"):
            y = jnp.sin(conv(x, kernel))
        return y, y.mean((1, 2))  # which uses the value before the call returns it

    @wrap
    def f(x):
        with jax.named_scope("net"):
            y, mean = inner(x)
            return jnp.cos(y).sum((1, 2)) + mean

    body, head = cut_at(f, "net/layer")
    np.testing.assert_allclose(body(X).activation, jnp.sin(conv(X, kernel)), rtol=1e-5)

    def by_hand(y):
        return jnp.cos(y).sum((1, 2)) + y.mean((1, 2))

    at_cut = body(X)
    np.testing.assert_allclose(head(at_cut), f(X), rtol=1e-5)
    found = jax.grad(lambda at_cut: head(at_cut).sum(), allow_int=True)(at_cut).activation
    wanted = jax.grad(lambda y: by_hand(y).sum())(at_cut.activation)
    np.testing.assert_allclose(found, wanted, rtol=1e-5)


def test_a_scope_that_is_used_twice_or_returns_several_is_an_error():
    kernel = normal(3, 3, 3, 4)

    def layer(x):
        with jax.named_scope("layer"):
            return jnp.sin(conv(x, kernel))

    def siamese(x):
        return jnp.cos(layer(x) * layer(x + 1)).sum((1, 2))

    with pytest.raises(ValueError, match=r"2 values leave the scope 'layer', of shapes \(2, 8"):
        cut_at(siamese, "layer")[0](X)
    np.testing.assert_allclose(cut_at(siamese, 1)[0](X).activation, conv(X + 1, kernel), rtol=1e-5)


def test_the_same_scope_twice_in_a_row_is_one():
    def f(x):
        for _ in range(3):
            with jax.named_scope("block"):
                x = jnp.sin(x)
        return jnp.cos(x).sum((1, 2))

    wanted = jnp.sin(jnp.sin(jnp.sin(X)))
    np.testing.assert_allclose(cut_at(f, "block")[0](X).activation, wanted, rtol=1e-6)


def test_what_the_output_does_not_depend_on_is_an_error():
    """Its map would be 0 everywhere."""

    def f(x):
        with jax.named_scope("unused"):
            y = jnp.sin(x)
        checkpoint_name(jnp.cos(y), "forgotten")
        return (x * x).sum((1, 2))

    with pytest.raises(ValueError, match="does not depend on the value 'forgotten'"):
        cut_at(f, "forgotten")[0](X)
    with pytest.raises(ValueError, match="in the scope 'unused' lies between"):
        cut_at(f, "unused")[0](X)


def test_a_scope_inside_a_loop_is_an_error():
    def step(x, _):
        with jax.named_scope("layer"):
            return jnp.sin(x), None

    f = lambda x: jax.lax.scan(step, x, None, length=3)[0].sum((1, 2))  # noqa: E731
    with pytest.raises(ValueError, match="'layer' lies inside the primitive 'scan'"):
        cut_at(f, "layer")[0](X)


def test_libraries_that_open_no_scopes():
    f, _, x = nnx_module()
    with pytest.raises(ValueError, match=r"opens no scopes .*NNX.*jv\.cut_points"):
        cut_at(f, "stem")[0](x)
    f, _, x = equinox()  # one scope for every kind of layer
    with pytest.raises(
        ValueError, match="2 values leave the scope 'eqx.nn.Sequential/eqx.nn.Conv'"
    ):
        cut_at(f, "eqx.nn.Conv")[0](x)


def test_a_name_that_was_given_goes_before_a_scope():
    def f(x):
        with jax.named_scope("here"):
            x = jnp.sin(x)
        return jnp.cos(checkpoint_name(jnp.tan(x), "here")).sum((1, 2))

    np.testing.assert_allclose(cut_at(f, "here")[0](X).activation, jnp.tan(jnp.sin(X)), rtol=1e-5)
    np.testing.assert_allclose(cut_at(f, "/here")[0](X).activation, jnp.sin(X), rtol=1e-5)


def test_linen_net_as_a_bound_module():
    bound = LinenNet().bind(LinenNet().init(jax.random.key(0), X))
    found = jv.explain(bound, X, 1, layer="stem").grad_cam["vanilla"]
    assert relative_error(found, jv.grad_cam(bound, X, 1, layer="LinenNet/stem")) < 1e-6
