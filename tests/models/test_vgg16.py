import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from conftest import in_keras, relative_error

import jaxvis as jv
from jaxvis.models import reference
from jaxvis.models.layers import architecture
from jaxvis.models.vgg16 import VGG16, he_normal


def test_logits_are_the_references(narrow, pixels):
    wanted, _ = reference.forward(reference.weights_of(narrow), pixels)
    assert relative_error(narrow(pixels), wanted) < 1e-5


def test_logits_are_the_references_in_double_precision(x64):
    model = VGG16(width=1 / 16, classes=7, size=64, param_dtype=jnp.float64)
    x = np.random.Generator(np.random.PCG64(2)).normal(0, 60, (2, 64, 64, 3))
    wanted, _ = reference.forward(reference.weights_of(model), x)
    assert relative_error(model(x), wanted) < 1e-10


@pytest.mark.parametrize("layer", [layer.name for layer in jv.LAYERS])
def test_head_of_body_is_the_model(narrow, pixels, layer):
    body, head = narrow.cut(layer)
    tape = reference.forward(reference.weights_of(narrow), pixels)[1]
    activation = body(pixels)
    assert relative_error(activation, tape.outputs[layer]) < 1e-5
    np.testing.assert_array_equal(head(activation), narrow(pixels))


def test_the_relu_that_is_handed_in_is_the_one_used(narrow, pixels):
    calls = []

    def counted(x):
        calls.append(x.shape)
        return jax.nn.relu(x)

    np.testing.assert_array_equal(narrow(pixels, relu=counted), narrow(pixels))
    assert len(calls) == 15  # 13 convolutions, fc1, fc2; not the predictions


def test_odd_sizes_pool_as_keras_does(rng):
    model = VGG16(width=1 / 64, classes=3, size=75)
    twin = keras.Sequential([keras.Input((75, 75, 3))])
    for name, kind, _ in jv.LAYERS[:-4]:
        layer = getattr(model, name, None)
        twin.add(
            keras.layers.MaxPooling2D()
            if layer is None
            else keras.layers.Conv2D(
                layer.out_features, 3, padding="same", activation="relu", kernel_initializer="zeros"
            )
        )
        if layer is not None:
            twin.layers[-1].set_weights([layer.kernel[...], layer.bias[...]])
        assert kind == type(twin.layers[-1]).__name__
    x = rng.normal(0, 60, (2, 75, 75, 3)).astype(np.float32)
    body, _ = model.cut("block5_pool")
    assert relative_error(body(x), in_keras(twin, x)) < 1e-5


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (
            np.zeros((64, 64, 3), np.float32),
            r"shape \(64, 64, 3\); wanted \(n, 64, 64, 3\) \(x\[None\] is .* one image\): jv",
        ),
        (np.zeros((1, 224, 224, 3), np.float32), r"shape \(1, 224, 224, 3\); wanted \(n, 64"),
        (np.zeros((1, 64, 64, 3), np.uint8), "dtype uint8; wanted the floats that jv.preprocess"),
    ],
)
def test_bad_input(narrow, x, message):
    with pytest.raises(ValueError, match=message):
        narrow(x)


def test_class_names():
    model = VGG16(width=1 / 64, classes=3, size=32, labels=["cat", "goose", "fish"])
    assert model.class_index("goose") == 1
    with pytest.raises(ValueError, match="labels has 1 names; wanted 3"):
        VGG16(width=1 / 64, classes=3, size=32, labels=["cat"])
    with pytest.raises(ValueError, match="no class names, so 'goose' cannot be found"):
        VGG16(width=1 / 64, classes=3, size=32).class_index("goose")
    assert VGG16(width=1 / 64, classes=3, size=32).class_index("2") == 2


def test_imagenet_names_come_with_1000_classes():
    assert VGG16(width=1 / 64, size=32).class_index("goose") == 99


def test_weights_are_he_normal_and_seeded():
    """Variance 2 / fan-in, to within five standard errors of a variance."""
    first, again = (
        VGG16(width=1 / 16, classes=7, size=64, seed=3),
        he_normal(architecture(width=1 / 16, classes=7, size=64), 3, np.float32),
    )
    for name, (kernel, bias) in reference.weights_of(first).items():
        np.testing.assert_array_equal(kernel, again[name][0])
        assert not bias.any()
        wanted = 2 / np.prod(kernel.shape[:-1])
        assert kernel.var() == pytest.approx(wanted, rel=5 * np.sqrt(2 / kernel.size))


def test_weights_that_do_not_fit_are_refused():
    arch = architecture(width=1 / 64, classes=3, size=32)
    weights = dict(he_normal(arch, 0, np.float32))
    kernel, bias = weights["fc1"]
    for wrong, message in (
        ((kernel.T, bias), r"'fc1'\] has a kernel of shape \(64, 8\) .* wanted \(8, 64\)"),
        ((kernel, bias[:-1]), r"'fc1'\] has a bias of shape \(63,\) .* wanted \(64,\)"),
        ((kernel.astype(np.float16), bias), "dtype float16; wanted .* float32"),
    ):
        with pytest.raises(ValueError, match=message):
            VGG16(**arch._asdict(), weights=weights | {"fc1": wrong})
    del weights["fc2"]
    with pytest.raises(ValueError, match="weights has no 'fc2'; wanted its kernel and bias"):
        VGG16(**arch._asdict(), weights=weights)


def test_summary_prints_the_table(narrow, capsys):
    narrow.summary()
    assert "fc1 (Dense)" in capsys.readouterr().out


def test_a_wrong_shape_is_said_of_all_images_and_not_of_a_group():
    model = jv.VGG16(width=1 / 64, classes=3, size=32)
    with pytest.raises(ValueError, match=r"the input has shape \(5, 48, 32, 3\); wanted"):
        jv.explain(model, np.zeros((5, 48, 32, 3), np.float32), 1)
