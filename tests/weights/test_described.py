"""A whole model that Keras saved, with what it says of itself: VGG16, or refused by name."""

import warnings

import h5py
import keras
import pytest
from conftest import in_keras, relative_error

from jaxvis.models.layers import LAYERS
from jaxvis.weights.errors import WeightsLayoutError
from jaxvis.weights.load import load_vgg16


def network(classes=3, *, size=32, first=(), pool=keras.layers.MaxPooling2D, last=(), **settings):
    """VGG16 of 1 to 8 channels in Keras, with other settings by layer, and layers without weights.

    Args:
        settings: by name of a layer, more of its arguments.
    """
    keras.utils.set_random_seed(5)
    y = start = keras.Input((size, size, 3))
    for layer in first:
        y = layer(y)
    for layer in LAYERS:
        options = {"name": layer.name, **settings.get(layer.name, {})}
        if layer.kind == "Conv2D":
            y = keras.layers.Conv2D(
                layer.features // 64, 3, **{"padding": "same", "activation": "relu", **options}
            )(y)
        elif layer.kind == "MaxPooling2D":
            y = pool(**{"pool_size": 2, **options})(y)
        elif layer.kind == "Flatten":
            y = keras.layers.Flatten(name=layer.name)(y)
        elif layer.name == "predictions":
            y = keras.layers.Dense(classes, **{"activation": "softmax", **options})(y)
        else:
            y = keras.layers.Dense(8, **{"activation": "relu", **options})(y)
    for layer in last:
        y = layer(y)
    return keras.Model(start, y)


def saved(model, folder):
    """The whole model in Keras's .h5."""
    path = folder / "m.h5"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras advises against the layout under test
        model.save(path)
    return path


OTHERS = {
    "average pooling": ({"pool": keras.layers.AveragePooling2D},
                        "block1_pool: a layer AveragePooling2D that VGG16 does not have here"),
    "elu": ({"block3_conv2": {"activation": "elu"}}, "block3_conv2: activation is 'elu'; wanted"),
    "tanh in fc2": ({"fc2": {"activation": "tanh"}}, "fc2: its activation is 'tanh'; wanted one"),
    "overlapping": ({"block2_pool": {"pool_size": 2, "strides": 1, "padding": "same"}},
                    "block2_pool: strides is .*1, 1.*; wanted"),
    "dilated": ({"block5_conv1": {"dilation_rate": 2}}, "block5_conv1: dilation_rate is .*2, 2"),
    "two layers before": ({"first": [keras.layers.Conv2D(3, 1, padding="same", name="mixed")]},
                          "mixed: kernel_size is .*1, 1.*; wanted"),
    "valid padding": ({"block1_conv2": {"padding": "valid"}}, "block1_conv2: padding is 'valid'"),
}  # fmt: skip


@pytest.mark.parametrize(("settings", "message"), OTHERS.values(), ids=OTHERS)
def test_another_network_with_the_same_arrays(tmp_path, settings, message):
    with pytest.raises(WeightsLayoutError, match=message) as caught:
        load_vgg16(saved(network(size=64, **settings), tmp_path))
    assert "jv.from_keras" in caught.value.do


HONOURED = {
    "rescaling": {"first": [keras.layers.Rescaling(1 / 255, name="scale")]},
    "no activation": {"fc1": {"activation": None}},
    "relu at the end": {"predictions": {"activation": "relu"}},
    "softmax within": {"fc2": {"activation": "softmax"}},
    "dropout within": {"last": [keras.layers.Dropout(0.5)]},
}


@pytest.mark.parametrize("settings", HONOURED.values(), ids=HONOURED)
def test_what_leaves_no_trace_among_the_arrays_is_honoured(tmp_path, settings):
    model = network(**{"predictions": {"activation": None}, **settings})
    model.get_layer("predictions").bias.assign([0.003, -0.1, 0.003])  # a ReLU ends one
    x = keras.random.normal((2, 32, 32, 3), stddev=60, seed=1)
    path = saved(model, tmp_path)
    assert relative_error(load_vgg16(path)(x), in_keras(model, x)) < 1e-4
    without = {name: value for name, value in settings.items() if name != "last"}
    if without:  # of another network, these arrays would give other logits
        other = network(predictions={"activation": None})
        for mine, theirs in zip(other.weights, model.weights, strict=True):
            mine.assign(theirs.value)
        assert relative_error(in_keras(other, x), in_keras(model, x)) > 1e-3


@pytest.mark.parametrize("dropout", [False, True])
def test_vgg16_loads_to_the_same_logits(tmp_path, dropout):
    last = [keras.layers.Dropout(0.5)] if dropout else []
    model = network(predictions={"activation": None}, last=last)
    x = keras.random.normal((2, 32, 32, 3), stddev=60, seed=1)
    found = load_vgg16(saved(model, tmp_path))(x)
    assert relative_error(found, in_keras(model, x)) < 1e-4


def test_a_description_without_a_classifier(tmp_path):
    """Layers behind block5_pool, such as a mean over all pixels, are not part of what is loaded."""
    full = network()
    features = full.get_layer("block5_pool").output
    model = keras.Model(full.input, keras.layers.GlobalAveragePooling2D()(features))
    path = saved(model, tmp_path)
    assert not load_vgg16(path, top=False).architecture.top


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"config": {"layers": [3]}}'])
def test_a_description_that_is_none(tmp_path, text):
    path = saved(network(), tmp_path)
    with h5py.File(path, "r+") as file:
        file.attrs["model_config"] = text
    with pytest.raises(WeightsLayoutError, match="'model_config' describes no Keras model"):
        load_vgg16(path)
