"""Networks as Keras ships them, against Keras's own model up to the layer, and from there on.

The oracle knows nothing of jaxprs: ReLUs are replaced by putting others into `jax.nn`, where Keras
looks them up, and the network is cut by Keras itself.
"""

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from conftest import long

import jaxvis as jv

SIDE = 64
# The default layer, the layer behind it, and what is not the input of the one behind.
NETWORKS = {
    "VGG19": ("block5_conv4", "block5_pool", ()),
    "ResNet50V2": ("post_relu", "avg_pool", ()),
    "MobileNetV2": ("out_relu", "global_average_pooling2d", ()),
    "DenseNet121": ("relu", "avg_pool", ()),
    "EfficientNetB0": ("top_activation", "avg_pool", ("silu",)),
    "ConvNeXtTiny": (None, "convnext_tiny_head_gap", ("gelu",)),
}

LONG = ("VGG19", "DenseNet121", "EfficientNetB0", "ConvNeXtTiny")


@pytest.fixture(autouse=True)
def relaxed():
    """Keras's own code does not hold to strict promotion."""
    keras.utils.clear_session(free_memory=False)
    with jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard"):
        yield


def scaled(images):
    return images / np.float32(127.5) - np.float32(1)


def guided(function):
    """A function whose gradient is stopped where it is not positive, before its derivative."""

    def call(x, *options, **named):
        def plain(x):
            return function(x, *options, **named)

        ruled = jax.custom_vjp(plain)
        ruled.defvjp(
            lambda x: (plain(x), x),
            lambda x, g: (jax.vjp(plain, x)[1](jnp.maximum(g, 0))[0],),
        )
        return ruled(x)

    return call


def built(name, activation):
    keras.utils.set_random_seed(0)
    keras.utils.clear_session(free_memory=False)  # or layers are counted on: "conv2d_7"
    make = getattr(keras.applications, name)
    return make(
        weights=None, input_shape=(SIDE, SIDE, 3), classes=5, classifier_activation=activation
    )


def function_of(model):
    trained = [v.value for v in model.trainable_variables]
    others = [v.value for v in model.non_trainable_variables]
    return lambda x: model.stateless_call(trained, others, x, training=False)[0]


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[long] if name in LONG else []) for name in NETWORKS]
)
def test_maps_are_those_of_keras(name, monkeypatch):
    layer, behind, forms = NETWORKS[name]
    model, twin = built(name, "softmax"), built(name, None)
    rng = np.random.Generator(np.random.PCG64(0))
    for own, same in zip(model.weights, twin.weights, strict=True):
        value = np.asarray(own.value)
        if own.path.endswith(("beta", "moving_mean", "bias")):  # zeros would hide mistakes
            value = rng.normal(0, 0.1, value.shape).astype(value.dtype)
        if "layer_scale" in own.path:  # 1e-6, with which a block does nothing
            value = rng.uniform(0.5, 1, value.shape).astype(value.dtype)
        own.assign(value)
        same.assign(value)
    found = jv.from_keras(model, preprocess=scaled, forms=("relu", "relu6", *forms))
    assert (found.size, found.name) == ((SIDE, SIDE), model.name)
    if layer is None:
        assert found.layer.startswith("#")
    else:
        assert found.layer == layer
    images = rng.integers(0, 256, (2, SIDE, SIDE, 3), np.uint8)
    x = jnp.asarray(scaled(images))
    rules = {"vanilla": jv.VANILLA, "guided": jv.GUIDED}
    maps = jv.explain(found.model, x, 1, layer=found.layer, rules=rules, signed=True)
    np.testing.assert_allclose(maps.logits, twin(x), rtol=1e-3, atol=1e-4)

    at = twin.get_layer(behind).input
    body, head = keras.Model(twin.inputs, at), keras.Model(at, twin.output)
    A = jnp.asarray(body(x))

    def by_keras():
        slope = jax.jit(jax.grad(lambda x: function_of(twin)(x)[:, 1].sum()))(x)
        weight = jax.jit(jax.grad(lambda a: function_of(head)(a)[:, 1].sum()))(A)
        cam = (weight.mean((1, 2), keepdims=True) * A).sum(axis=-1)
        return np.abs(slope).max(axis=-1), cam

    wanted = {"vanilla": by_keras()}
    relu6 = guided(jax.nn.relu6)
    monkeypatch.setattr(jax.nn, "relu", guided(jax.nn.relu))
    monkeypatch.setattr(jax.nn, "relu6", relu6)
    for form in forms:
        monkeypatch.setattr(jax.nn, form, guided(getattr(jax.nn, form)))
    wanted["guided"] = by_keras()
    for rule, (saliency, cam) in wanted.items():
        np.testing.assert_allclose(
            np.abs(maps.saliency[rule]), saliency, rtol=2e-2, atol=1e-3 * saliency.max()
        )
        scale = np.abs(cam).max()
        np.testing.assert_allclose(maps.grad_cam[rule], cam, rtol=1e-2, atol=1e-3 * scale)
        assert saliency.max() > 0
        assert scale > 0
    difference = np.abs(wanted["guided"][0] - wanted["vanilla"][0]).max()
    assert difference > 1e-2 * wanted["vanilla"][0].max()
