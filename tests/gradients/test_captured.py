"""Weights that a model holds instead of handing them over: its map is that of the new ones."""

import functools

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from flax import nnx

import jaxvis as jv
from jaxvis.gradients.captured import Captured
from jaxvis.methods.one_pass import one_pass

KERNEL = np.arange(1, 7, dtype=np.float32).reshape(3, 2) / 4
GLOBAL = {"kernel": jnp.asarray(KERNEL)}


def logits(x, kernel, relu=jax.nn.relu):
    return relu(x).mean(axis=(1, 2)) @ kernel


class Own:
    """A model that is no pytree, and keeps its weights."""

    def __init__(self, kernel):
        self.layers = [{"kernel": kernel}]

    def __call__(self, x, relu=jax.nn.relu):
        return logits(x, self.layers[0]["kernel"], relu)


class Slots:
    __slots__ = ("kernel",)

    def __call__(self, x, relu=jax.nn.relu):
        return logits(x, self.kernel, relu)


def own():
    model = Own(jnp.asarray(KERNEL))

    def double():
        model.layers[0]["kernel"] = model.layers[0]["kernel"] * 2

    return model, double


def in_place():
    model = Own(KERNEL.copy())

    def double():
        model.layers[0]["kernel"] *= 2

    return model, double


def slots():
    model = Slots()
    model.kernel = jnp.asarray(KERNEL)

    def double():
        model.kernel = model.kernel * 2

    return model, double


def method():
    model, double = own()
    return model.__call__, double


def closure():
    kernel = jnp.asarray(KERNEL)

    def double():
        nonlocal kernel
        kernel = kernel * 2

    return jv.expose_relu(lambda x: logits(x, kernel)), double


def of_a_closure():
    kernel = jnp.asarray(KERNEL)

    def inner(x, relu):
        return logits(x, kernel, relu)

    def double():
        nonlocal kernel
        kernel = kernel * 2

    return functools.partial(lambda relu, x: inner(x, relu), jax.nn.relu), double


def of_a_global():
    GLOBAL["kernel"] = jnp.asarray(KERNEL)

    def double():
        GLOBAL["kernel"] = GLOBAL["kernel"] * 2

    return jv.expose_relu(lambda x: logits(x, GLOBAL["kernel"])), double


def default():
    held = {"kernel": jnp.asarray(KERNEL)}

    def double():
        held["kernel"] = held["kernel"] * 2

    return lambda x, relu=jax.nn.relu, held=held: logits(x, held["kernel"], relu), double


def over_nnx():
    module = nnx.Linear(3, 2, use_bias=False, rngs=nnx.Rngs(0))
    module.kernel[...] = jnp.asarray(KERNEL)

    def double():
        module.kernel[...] = module.kernel[...] * 2

    return jv.expose_relu(lambda x: module(jax.nn.relu(x).mean(axis=(1, 2)))), double


def over_keras():
    i = keras.Input((4, 4, 3))
    y = keras.layers.GlobalAveragePooling2D()(keras.layers.ReLU()(i))
    model = keras.Model(i, keras.layers.Dense(2, use_bias=False)(y))
    model.set_weights([KERNEL])
    return jv.expose_relu(lambda x: model(x)), lambda: model.set_weights([2 * KERNEL])


MODELS = [own, in_place, slots, method, closure, of_a_global, default, over_nnx, over_keras]


@pytest.mark.parametrize("build", MODELS, ids=lambda build: build.__name__)
def test_a_map_is_that_of_the_weights_as_they_are(build, rng):
    x = jnp.asarray(rng.uniform(0.5, 1, (2, 4, 4, 3)), jnp.float32)
    model, double = build()
    wanted = np.broadcast_to(KERNEL[:, 1] / 16, x.shape)
    with jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard"):
        np.testing.assert_allclose(jv.input_gradient(model, x, 1), wanted, rtol=1e-5)
        compiled = one_pass.traces
        np.testing.assert_allclose(jv.input_gradient(model, x, 1), wanted, rtol=1e-5)
        assert one_pass.traces == compiled  # nothing changed, nothing is compiled
        double()
        np.testing.assert_allclose(jv.input_gradient(model, x, 1), 2 * wanted, rtol=1e-5)
        np.testing.assert_allclose(
            jv.explain(model, x, 1, methods=["saliency"]).saliency["vanilla"],
            2 * wanted.max(axis=-1), rtol=1e-5,
        )  # fmt: skip


def test_a_score_may_hold_arrays_too(rng):
    x = jnp.asarray(rng.uniform(0.5, 1, (2, 4, 4, 3)), jnp.float32)
    weights = np.float32([1, 0])

    def score(z):
        return z @ weights

    model = Own(jnp.asarray(KERNEL))
    first = jv.input_gradient(model, x, score=score)
    weights[:] = 0, 1
    np.testing.assert_allclose(first[0, 0, 0], KERNEL[:, 0] / 16, rtol=1e-5)
    np.testing.assert_allclose(
        jv.input_gradient(model, x, score=score)[0, 0, 0], KERNEL[:, 1] / 16, rtol=1e-5
    )


def test_what_is_handed_over_is_data():
    """Weights in a pytree are no part of the key: new ones do not compile anew."""
    one, two = (
        Captured(jax.tree_util.Partial(logits, kernel=k)) for k in (KERNEL, jnp.ones((3, 2)))
    )
    assert one == two
    assert hash(one) == hash(two)
    assert Captured(of_a_closure()[0]) != one


def test_more_than_can_be_looked_at_is_refused():
    many = [object() for _ in range(200_000)]
    with pytest.raises(jv.InputError, match="holds more than 100,000 things"):
        Captured(lambda x: many[0])
