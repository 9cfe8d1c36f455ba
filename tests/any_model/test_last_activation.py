"""A softmax or sigmoid at the end is found, as the libraries write it, and taken off."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from networks import conv, normal

import jaxvis as jv
from jaxvis.any_model.adapters import as_model
from jaxvis.any_model.last_activation import without_last_activation

X = normal(2, 8, 8, 3, seed=4)
KERNEL, READOUT = normal(3, 3, 3, 4), normal(4, 3, seed=1)


def logits(x):
    with jax.named_scope("layer"):
        y = jax.nn.relu(conv(x, KERNEL))
    return y.mean((1, 2)) @ READOUT


def relaxed():
    return jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard")


def by_hand(z):
    exponentials = jnp.exp(z)
    return exponentials / exponentials.sum(-1, keepdims=True)


ENDS = {
    "jax": (jax.nn.softmax, "softmax"),
    "keras": (keras.activations.softmax, "softmax"),
    "a keras layer": (keras.layers.Softmax(), "softmax"),
    "keras.ops": (keras.ops.softmax, "softmax"),
    "linen": (nn.softmax, "softmax"),
    "by hand": (by_hand, "softmax"),
    "of every image": (jax.vmap(jax.nn.softmax), "softmax"),
    "jit": (jax.jit(jax.nn.softmax), "softmax"),
    "exp of log": (lambda z: jnp.exp(jax.nn.log_softmax(z)), "softmax"),
    "sigmoid": (jax.nn.sigmoid, "sigmoid"),
    "keras sigmoid": (keras.activations.sigmoid, "sigmoid"),
    "log_softmax": (jax.nn.log_softmax, "log_softmax"),
    "log of": (lambda z: jnp.log(jax.nn.softmax(z)), "log_softmax"),
    "log_sigmoid": (jax.nn.log_sigmoid, "log_sigmoid"),
}


@pytest.mark.parametrize("name", ENDS)
@pytest.mark.parametrize("outside", [lambda f: f, jax.jit])
def test_it_is_found_and_taken_off(name, outside):
    end, kind = ENDS[name]
    g, found = without_last_activation(outside(lambda x: end(logits(x))), X)
    assert found == kind
    np.testing.assert_allclose(g(X), logits(X), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(g(X[:1]), logits(X[:1]), rtol=1e-5, atol=1e-6)
    assert not np.allclose(end(logits(X)), logits(X), atol=1e-3)


def test_what_comes_behind_it_is_kept():
    def f(x):
        y = jax.nn.softmax(logits(x).astype(jnp.bfloat16)).astype(jnp.float32)
        return {"y": y.reshape(-1, 1, 3)}

    g, kind = without_last_activation(f, X)
    assert kind == "softmax"
    found = g(X)["y"]
    assert (found.shape, found.dtype) == ((2, 1, 3), jnp.float32)
    np.testing.assert_allclose(found[:, 0], logits(X), rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize(
    "end",
    [
        lambda z: z,
        jax.nn.relu,
        jax.nn.silu,  # z * sigmoid(z)
        lambda z: 2 * jax.nn.sigmoid(z),
        lambda z: z / z.sum(-1, keepdims=True),
        lambda z: jnp.exp(z) / jnp.exp(2 * z).sum(-1, keepdims=True),
        lambda z: (jax.nn.softmax(z), z),
        lambda z: jax.nn.softmax(z)[:, :2],
        jnp.tanh,
    ],
)
def test_what_is_none_is_left(end):
    f = lambda x: end(logits(x))  # noqa: E731
    assert without_last_activation(f, X) == (f, None)


def test_the_input_itself_is_no_network():
    assert without_last_activation(jax.nn.softmax, X)[1] is None


def test_rules_and_layers_work_without_it():
    """The maps are those of the network that never had one."""
    g, _ = without_last_activation(jax.jit(lambda x: jax.nn.softmax(logits(x))), X)
    found = jv.explain(jv.expose_relu(g), X, 1, layer="layer")
    wanted = jv.explain(jv.expose_relu(logits), X, 1, layer=0)
    for name in wanted:
        np.testing.assert_allclose(found[name], wanted[name], rtol=1e-4, atol=1e-7)
    np.testing.assert_allclose(found.logits, wanted.logits, rtol=1e-5)
    assert np.any(found.grad_cam["vanilla"])


def softmax_model():
    keras.utils.set_random_seed(0)
    inputs = keras.Input((8, 8, 3))
    y = keras.layers.Conv2D(4, 3, activation="relu", name="conv")(inputs)
    y = keras.layers.GlobalAveragePooling2D()(y)
    return keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(y))


def test_probabilities_are_not_silently_taken_for_logits():
    a, b = relaxed()
    with a, b:
        model = softmax_model()
        with pytest.warns(UserWarning, match=r"comes out of a softmax, .*jv\.from_keras"):
            jv.saliency(model, X, 1, rule=jv.GUIDED)
        for layer in ("conv", 0):
            with pytest.warns(UserWarning, match="comes out of a softmax"):
                jv.explain(model, X, 1, layer=layer)
        jv.saliency(model, X, score=lambda p: jnp.log(p[:, 1]), rule=jv.GUIDED)  # one's own
        g, _ = without_last_activation(as_model(model).function, X)
        jv.saliency(jv.expose_relu(g), X, 1, rule=jv.GUIDED)


def test_arguments_for_which_there_is_none():
    def f(x, raw=False):
        return logits(x) if raw else jax.nn.softmax(logits(x))

    g, _ = without_last_activation(f, X)
    with pytest.raises(ValueError, match="for these arguments the function does not end in a soft"):
        g(X, raw=True)
    with pytest.raises(TypeError, match="f is a int"):
        without_last_activation(3, X)


def test_it_is_a_pytree_of_arrays_alone():
    """So that plain `jax.jit` takes it, and its halves, as an argument."""
    kernel = jnp.ones((3, 3, 3, 4))

    def f(kernel, x):
        order = ("NHWC", "HWIO", "NHWC")
        y = jax.lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=order)
        return jax.nn.softmax(jax.nn.relu(y).mean(axis=(1, 2)))

    x = jnp.ones((2, 8, 8, 3))
    without, _ = jv.without_last_activation(jax.tree_util.Partial(f, kernel), x)
    np.testing.assert_allclose(jax.jit(lambda m, x: m(x))(without, x), without(x), rtol=1e-6)
    body, head = jv.cut_at(without, 0)
    both = jax.jit(lambda body, head, x: head(body(x)))(body, head, x)
    np.testing.assert_allclose(both, without(x), rtol=1e-6)
