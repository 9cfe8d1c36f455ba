"""A whole model that Keras saved, with what it says of itself: VGG16, or refused by name."""

import json
import warnings

import h5py
import keras
import pytest
from conftest import in_keras, relative_error

import jaxvis as jv
from jaxvis.models.layers import LAYERS
from jaxvis.weights.errors import WeightsLayoutError, WeightsMismatchError
from jaxvis.weights.load import load_vgg16

ARCHITECTURE = {"width": 1 / 64, "classes": 3, "fc": 8, "size": 32, "top": True}


def network(classes=3, *, first=(), pool=keras.layers.MaxPooling2D, last=(), **settings):
    """VGG16 of 1 to 8 channels in Keras, with other settings by layer, and layers without weights.

    Args:
        settings: by name of a layer, more of its arguments.
    """
    y = start = keras.Input((32, 32, 3))
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


def saved(model, folder, classes=3):
    """The whole model in Keras's .h5, and what jaxvis alone can know: its width."""
    path = folder / "m.h5"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras advises against the layout under test
        model.save(path)
    with h5py.File(path, "r+") as file:
        config = {"architecture": {**ARCHITECTURE, "classes": classes}, "labels": None, "facts": {}}
        file.attrs["jaxvis"] = json.dumps(config)
    return path


OTHERS = {
    "rescaling": ({"first": [keras.layers.Rescaling(1 / 255, name="scale")]},
                  "scale: a layer Rescaling that VGG16 does not have here; wanted block1_conv1"),
    "average pooling": ({"pool": keras.layers.AveragePooling2D},
                        "block1_pool: a layer AveragePooling2D that VGG16 does not have here"),
    "elu": ({"block3_conv2": {"activation": "elu"}}, "block3_conv2: activation is 'elu'; wanted"),
    "tanh in fc2": ({"fc2": {"activation": "tanh"}}, "fc2: activation is 'tanh'; wanted 'relu'"),
    "no activation": ({"fc1": {"activation": None}}, "fc1: activation is 'linear'; wanted 'relu'"),
    "overlapping": ({"block2_pool": {"pool_size": 2, "strides": 1, "padding": "same"}},
                    "block2_pool: strides is .*1, 1.*; wanted"),
    "dilated": ({"block5_conv1": {"dilation_rate": 2}}, "block5_conv1: dilation_rate is .*2, 2"),
    "softmax behind it": ({"last": [keras.layers.Softmax(name="again")]},
                          "again: a layer Softmax that VGG16 does not have here; wanted nothing"),
    "sigmoid": ({"predictions": {"activation": "sigmoid"}},
                "predictions: its activation is 'sigmoid'; wanted 'softmax' or none.*score=lambda"),
    "relu at the end": ({"predictions": {"activation": "relu"}},
                        "predictions: activation is 'relu'; wanted 'softmax' or none"),
}  # fmt: skip


@pytest.mark.parametrize(("settings", "message"), OTHERS.values(), ids=OTHERS)
def test_another_network_with_the_same_arrays(tmp_path, settings, message):
    with pytest.raises(WeightsLayoutError, match=message) as caught:
        load_vgg16(saved(network(**settings), tmp_path))
    assert "jv.describe" in caught.value.do


def test_it_is_the_description_that_tells(tmp_path):
    """Without it the arrays load, and give other logits than the network that was saved."""
    model = network(block3_conv2={"activation": "elu"}, predictions={"activation": None})
    path = saved(model, tmp_path)
    with h5py.File(path, "r+") as file:
        del file.attrs["model_config"]
    x = keras.random.normal((2, 32, 32, 3), stddev=60, seed=1)
    assert relative_error(load_vgg16(path)(x), in_keras(model, x)) > 1e-3


@pytest.mark.parametrize("dropout", [False, True])
def test_vgg16_loads_to_the_same_logits(tmp_path, dropout):
    last = [keras.layers.Dropout(0.5)] if dropout else []
    model = network(predictions={"activation": None}, last=last)
    x = keras.random.normal((2, 32, 32, 3), stddev=60, seed=1)
    found = load_vgg16(saved(model, tmp_path))(x)
    assert relative_error(found, in_keras(model, x)) < 1e-4


def test_one_output(tmp_path):
    message = "has one output, of which a softmax makes 100 % whatever it is; .*score=lambda logits"
    path = saved(network(1, predictions={"activation": "sigmoid"}), tmp_path, classes=1)
    with pytest.raises(WeightsMismatchError, match=message):
        load_vgg16(path)
    jv.save_vgg16(jv.VGG16(**{**ARCHITECTURE, "classes": 1}), tmp_path / "one.h5")
    with pytest.raises(WeightsMismatchError, match=message):
        load_vgg16(tmp_path / "one.h5")


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
