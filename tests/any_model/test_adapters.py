"""Models as their libraries write them, given as they are, against themselves by hand."""

import gc
import weakref

import equinox as eqx
import flax.linen as nn
import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from flax import nnx
from networks import ALL, LinenNet, conv, normal

import jaxvis as jv
from jaxvis.any_model.adapters import as_model
from jaxvis.gradients.relu import RULES
from jaxvis.methods.one_pass import one_pass

X = normal(3, 8, 8, 3, seed=4)


@pytest.fixture
def relaxed():
    """Keras's own code does not hold to strict promotion."""
    with jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard"):
        yield


def small_keras(form="layer", seed=0):
    """A convolution, a ReLU in one of three forms, a mean, and two dense layers."""
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((8, 8, 3))
    y = keras.layers.Conv2D(4, 3, padding="same", activation="relu" if form == "name" else None)(
        inputs
    )
    if form == "layer":
        y = keras.layers.ReLU()(y)
    if form == "ops":
        y = keras.ops.relu(y)
    y = keras.layers.GlobalAveragePooling2D()(y)
    y = keras.layers.Dense(16, activation="relu", bias_initializer="random_normal")(y)
    return keras.Model(inputs, keras.layers.Dense(5)(y))


def weights_of(model):
    """As `get_weights`, which warns under NumPy 2."""
    return [np.asarray(variable.value) for variable in model.weights]


def by_hand(weights, x, relu):
    """The same network, with the ReLU in its source."""
    kernel, bias, hidden, hidden_bias, out, out_bias = map(jnp.asarray, weights)
    y = relu(conv(x, kernel) + bias).mean((1, 2))
    return relu(y @ hidden + hidden_bias) @ out + out_bias


def keras_gradient(model, relu, c=1):
    weights = weights_of(model)
    return jax.jit(jax.grad(lambda x: by_hand(weights, x, relu)[:, c].sum()))(X)


@pytest.mark.parametrize("form", ["layer", "name", "ops"])
def test_a_keras_model(relaxed, form):
    model = small_keras(form)
    np.testing.assert_allclose(
        model(X), by_hand(weights_of(model), X, jax.nn.relu), rtol=1e-4, atol=1e-6
    )
    vanilla = keras_gradient(model, jax.nn.relu)
    for rule, relu in ((jv.GUIDED, jv.guided_relu), (jv.RECTIFIED, jv.rectified_relu)):
        wanted = keras_gradient(model, relu)
        assert np.abs(wanted - vanilla).max() > 1e-2 * np.abs(vanilla).max()
        found = jv.saliency(model, X, 1, rule=rule)
        np.testing.assert_allclose(found, np.abs(wanted).max(axis=-1), rtol=1e-4, atol=1e-7)
    maps = jv.explain(model, X, 1, layer=0)  # Grad-CAM too, behind the convolution's ReLU
    weights = weights_of(model)
    A = np.maximum(conv(X, weights[0]) + weights[1], 0)

    def score(a):
        y = jax.nn.relu(a.mean((1, 2)) @ weights[2] + weights[3])
        return (y @ weights[4] + weights[5])[:, 1].sum()

    mean = jax.grad(score)(jnp.asarray(A)).mean((1, 2), keepdims=True)
    wanted = np.maximum((mean * A).sum(axis=-1), 0)
    assert wanted.max() > 0
    np.testing.assert_allclose(maps.grad_cam["vanilla"], wanted, rtol=1e-4, atol=1e-7)


def test_new_weights_of_a_keras_model_are_seen_and_do_not_recompile(relaxed):
    model = small_keras()
    jv.saliency(model, X, 1, rule=jv.GUIDED)
    compiled = one_pass.traces
    model.set_weights([2 * weight for weight in weights_of(model)])
    found = jv.saliency(model, X, 1, rule=jv.GUIDED)
    wanted = np.abs(keras_gradient(model, jv.guided_relu)).max(axis=-1)
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-7)
    assert one_pass.traces == compiled


def test_two_keras_models_are_told_apart(relaxed):
    for model in (small_keras(), small_keras(seed=1), small_keras("name", seed=2)):
        found = jv.saliency(model, X, 1, rule=jv.GUIDED)
        wanted = np.abs(keras_gradient(model, jv.guided_relu)).max(axis=-1)
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-7)


@pytest.mark.filterwarnings("ignore:The structure of .inputs. doesn't match:UserWarning")
def test_a_keras_model_of_several_inputs_and_a_state(relaxed):
    """Batch normalisation has variables that are not trained, and must not be updated."""
    keras.utils.set_random_seed(0)
    one, two = keras.Input((6,), name="one"), keras.Input((4,), name="two")
    y = keras.layers.Concatenate()([one, two])
    y = keras.layers.Dense(8)(y)
    y = keras.layers.ReLU()(keras.layers.BatchNormalization()(y))
    model = keras.Model([one, two], keras.layers.Dense(3)(y))
    rng = np.random.Generator(np.random.PCG64(0))
    model.set_weights([np.abs(rng.normal(size=w.shape)) - 0.3 * (w.ndim == 2)
                       for w in weights_of(model)])  # fmt: skip
    before = weights_of(model)
    kernel, bias, gamma, beta, mean, variance, out, out_bias = map(jnp.asarray, before)

    def same(x):
        y = jnp.concatenate(x, axis=1) @ kernel + bias
        y = (y - mean) / jnp.sqrt(variance + 1e-3) * gamma + beta
        return (jv.guided_relu(y) @ out + out_bias)[:, 2].sum()

    x = normal(3, 6), normal(3, 4, seed=1)
    wanted = jax.grad(same)(x)
    found = jv.input_gradient(model, x, 2, rule=jv.GUIDED)
    named = jv.input_gradient(model, dict(zip(("one", "two"), x, strict=True)), 2, rule=jv.GUIDED)
    for one, other, want in zip(found, named.values(), wanted, strict=True):
        assert np.abs(want).max() > 0
        np.testing.assert_allclose(one, want, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(other, want, rtol=1e-4, atol=1e-6)
    for now, then in zip(weights_of(model), before, strict=True):
        np.testing.assert_array_equal(now, then)


@pytest.mark.parametrize("call", ["saliency", "explain", "batches"])
def test_a_keras_model_is_not_kept_in_memory(relaxed, call):
    """By the compiled code that was made of it."""
    model = small_keras()
    if call == "saliency":
        jv.saliency(model, X, 1, rule=jv.GUIDED)
    elif call == "explain":
        jv.explain(model, X, 1, layer=0)
    else:
        jv.explain_batches(model, X, 1, layer=0, batch_size=2)
    gone = weakref.ref(model)
    assert gone() is not None
    del model
    keras.utils.clear_session()
    gc.collect()
    assert gone() is None


def test_keras_objects_that_are_no_built_model():
    with pytest.raises(TypeError, match="is of Keras, but no model whose variables"):
        jv.saliency(keras.layers.Dense(3), X, 0)


@jax.jit
def linen_map(variables, rule):
    gated = LinenNet(lambda x: jv.relu(x, rule))
    gradient = jax.grad(lambda x: gated.apply(variables, x)[:, 1].sum())(X)
    return jnp.abs(gradient).max(axis=-1)


def linen_wanted(variables, rule):
    return np.asarray(linen_map(variables, RULES[rule]))


def test_a_bound_linen_module():
    variables = jax.jit(LinenNet().init)(jax.random.key(0), X)
    bound = LinenNet().bind(variables)
    for rule in RULES:
        found = jv.saliency(bound, X, 1, rule=RULES[rule])
        np.testing.assert_allclose(found, linen_wanted(variables, rule), rtol=1e-4, atol=1e-6)
    vanilla, guided = (linen_wanted(variables, rule) for rule in ("vanilla", "guided"))
    assert np.abs(vanilla - guided).max() > 0.05
    compiled = one_pass.traces
    doubled = jax.tree.map(lambda a: 2 * a, variables)
    found = jv.saliency(LinenNet().bind(doubled), X, 1, rule=jv.GUIDED)
    np.testing.assert_allclose(found, linen_wanted(doubled, "guided"), rtol=1e-4, atol=1e-5)
    assert one_pass.traces == compiled


def test_an_unbound_linen_module_is_told_what_to_do():
    """And what it is told works."""
    with pytest.raises(TypeError, match=r"without variables; wanted them bound: module.bind\("):
        jv.saliency(LinenNet(), X, 1)
    variables = jax.jit(LinenNet().init)(jax.random.key(0), X)
    exposed = jv.expose_relu(jax.tree_util.Partial(LinenNet().apply, variables))
    found = jv.saliency(exposed, X, 1, rule=jv.GUIDED)
    np.testing.assert_allclose(found, linen_wanted(variables, "guided"), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", ["nnx_module", "equinox"])
def test_modules_that_are_pytrees(name):
    model, with_relu, x = ALL[name]()
    assert isinstance(model, nnx.Module | eqx.Module)

    @jax.jit
    def gradient(x, rule):
        gated = with_relu(lambda x: jv.relu(x, rule))
        return jax.grad(lambda x: gated(x)[:, 1].sum())(x)

    for rule in RULES.values():
        wanted = gradient(x, rule)
        found = jv.input_gradient(model, x, 1, rule=rule)
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-6)
        if name == "nnx_module":  # Equinox has its channels first
            found = jv.saliency(model, x, 1, rule=rule)
            np.testing.assert_allclose(found, np.abs(wanted).max(-1), rtol=1e-4, atol=1e-6)
    compiled = one_pass.traces
    doubled = jax.tree.map(lambda a: 2 * a if eqx.is_inexact_array(a) else a, model)
    other = jv.input_gradient(doubled, x, 1, rule=jv.GUIDED)
    assert one_pass.traces == compiled
    assert not np.allclose(other, gradient(x, jv.GUIDED), rtol=1e-2)
    np.testing.assert_allclose(
        jv.input_gradient(model, x, 1, rule=jv.GUIDED), gradient(x, jv.GUIDED), rtol=1e-4, atol=1e-6
    )


class Takes(nnx.Module):
    """An NNX module that takes `relu=` itself, and so is not exposed."""

    def __init__(self):
        self.scale = nnx.Param(jnp.ones(()))

    def __call__(self, x, relu=jax.nn.relu):
        return relu(x * self.scale).mean((1, 2))


class LinenTakes(nn.Module):
    @nn.compact
    def __call__(self, x, relu=nn.relu):
        return relu(nn.Dense(4)(x)).mean((1, 2))


def test_what_takes_relu_is_left_as_it_is():
    for model in (Takes(), lambda x, relu: relu(x), lambda x, *, relu=None: relu(x)):
        assert as_model(model) is model
    pair = (len, len)
    assert as_model(pair) is pair
    exposed = jv.expose_relu(jnp.sin)
    assert as_model(exposed) is exposed


def test_a_linen_module_that_takes_relu():
    module = LinenTakes()
    variables = module.init(jax.random.key(0), X)
    wanted = jax.grad(lambda x: module.apply(variables, x, jv.guided_relu)[:, 1].sum())(X)
    found = jv.input_gradient(module.bind(variables), X, 1, rule=jv.GUIDED)
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-7)
    with pytest.raises(TypeError, match="a LinenTakes is a Flax Linen module without variables"):
        jv.input_gradient(module, X, 1)


def test_models_that_are_none():
    network = jv.describe(jv.VGG16(width=1 / 64, classes=3, size=32))
    for model, message in (
        (network, r"the model is a Network, .*jv.explain\(network.model"),
        ("demo", "the model is a str; wanted a callable"),
        ([len, sum], "the model is a list; wanted a callable"),
        ((len, sum, any), "the model is a tuple; wanted a callable"),
        (lambda x: x, "<lambda> takes no relu=; wanted"),
    ):
        with pytest.raises(TypeError, match=message):
            jv.saliency(model, X, 0)


class Subclassed(keras.Model):
    """Without `inputs`, and with a `call` that takes no `training=`."""

    def __init__(self):
        super().__init__()
        self.conv = keras.layers.Conv2D(4, 3, padding="same")
        self.hidden = keras.layers.Dense(16, bias_initializer="random_normal")
        self.out = keras.layers.Dense(5)

    def call(self, x):
        y = keras.ops.mean(keras.ops.relu(self.conv(x)), axis=(1, 2))
        return self.out(keras.ops.relu(self.hidden(y)))


def test_a_subclass_of_keras_model(relaxed):
    """Built by its first call; before it, it has no weights that could be handed in."""
    keras.utils.set_random_seed(0)
    model = Subclassed()
    with pytest.raises(TypeError, match="a Subclassed is of Keras, but no model whose variables"):
        jv.saliency(model, X, 1)
    model(X)
    for rule, relu in ((jv.VANILLA, jax.nn.relu), (jv.GUIDED, jv.guided_relu)):
        wanted = np.abs(keras_gradient(model, relu)).max(axis=-1)
        assert wanted.max() > 0
        found = jv.saliency(model, X, 1, rule=rule)
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-7)


def test_the_halves_of_keras_prelu_are_no_relus():
    i = keras.Input((4,))
    model = keras.Model(i, keras.layers.PReLU(alpha_initializer="ones")(i))
    with jax.numpy_rank_promotion("allow"):
        found = jv.count_relus(lambda x: model(x), np.ones((2, 4), np.float32))
    assert found.relus == ()
    assert [site.form for site in found.left_alone] == ["half of a PReLU"] * 2
