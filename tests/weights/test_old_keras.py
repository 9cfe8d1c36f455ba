"""Files of Keras 2, recorded by tests/record_keras2.py, and of Keras 1, written by hand here."""

import json
from pathlib import Path

import h5py
import numpy as np
import pytest
from conftest import relative_error

import jaxvis as jv
from jaxvis.models.layers import LAYERS, NO_TOP
from jaxvis.weights.errors import WeightsLayoutError

RECORDED = Path(__file__).parents[1] / "recorded"


@pytest.mark.parametrize(
    "name", ["nested.h5", "nested.keras", "caffe.h5", "sequential.h5", "sequential.keras"]
)
def test_keras_2(name):
    recorded = np.load(RECORDED / "keras2.npz")
    wanted = recorded[name.partition(".")[0]]
    if wanted.shape[1] == 1:
        wanted = np.concatenate([-wanted, wanted], axis=1)
    network = jv.load(RECORDED / f"keras2_{name}")
    assert relative_error(network.model(recorded["x"]), wanted) < 1e-5
    assert network.output == ("sigmoid" if "sequential" in name else "softmax")


def keras_1(path, *, change=lambda config: None):
    """A model with average pooling in Keras 1's format, and its arrays by layer."""
    rng = np.random.default_rng(4)
    arrays, layers, before, shape = {}, [], "input_1", 3
    node = lambda: [[[before, 0, 0]]]  # noqa: E731
    layers.append({
        "class_name": "InputLayer", "name": "input_1", "inbound_nodes": [],
        "config": {"batch_input_shape": [None, 64, 32, 3], "name": "input_1"},
    })  # fmt: skip
    rows = [(row.name, row.kind, row.features // 64) for row in LAYERS[:NO_TOP]]
    rows += [("gap", "GlobalAveragePooling2D", 0), ("bn", "BatchNormalization", 0),
             ("drop", "Dropout", 0), ("dense_1", "Dense", 3)]  # fmt: skip
    for name, kind, features in rows:
        settings = {"name": name, "trainable": True}
        if kind == "Conv2D":
            settings |= {
                "nb_filter": features, "nb_row": 3, "nb_col": 3, "border_mode": "same",
                "subsample": [1, 1], "dim_ordering": "tf", "bias": True, "activation": "relu",
            }  # fmt: skip
            kernel = rng.normal(0, np.sqrt(2 / (9 * shape)), (3, 3, shape, features))
            arrays[name] = {f"{name}_W": kernel, f"{name}_b": rng.normal(0, 0.1, features)}
            shape = features
        elif kind == "MaxPooling2D":
            settings |= {"pool_size": [2, 2], "strides": [2, 2], "border_mode": "valid",
                         "dim_ordering": "tf"}  # fmt: skip
        elif kind == "Dense":
            settings |= {"output_dim": features, "activation": "softmax", "bias": True}
            arrays[name] = {f"{name}_W": rng.normal(0, 1, (shape, features)),
                            f"{name}_b": rng.normal(0, 1, features)}  # fmt: skip
        elif kind == "BatchNormalization":
            settings |= {"epsilon": 0.001, "mode": 0, "axis": -1, "momentum": 0.99}
            values = rng.normal(0, 0.3, (4, shape))
            values[[0, 3]] = 1 + abs(values[[0, 3]])  # its "running_std" held the variance
            roles = ("gamma", "beta", "running_mean", "running_std")
            arrays[name] = {
                f"{name}_{role}": one for role, one in zip(roles, values, strict=True)
            }  # fmt: skip
        kind = {"Conv2D": "Convolution2D"}.get(kind, kind)
        layers.append(
            {"class_name": kind, "name": name, "config": settings, "inbound_nodes": node()}
        )
        before = name
    config = {
        "class_name": "Model",
        "config": {"name": "model_1", "layers": layers, "input_layers": [["input_1", 0, 0]],
                   "output_layers": [[before, 0, 0]]},
    }  # fmt: skip
    change(config["config"])
    with h5py.File(path, "w") as file:
        file.attrs["keras_version"] = b"1.2.2"
        file.attrs["model_config"] = json.dumps(config).encode()
        root = file.create_group("model_weights")
        root.attrs["layer_names"] = [layer["name"].encode() for layer in layers]
        for layer in layers:
            group = root.create_group(layer["name"])
            own = arrays.get(layer["name"], {})
            group.attrs["weight_names"] = np.array([f"{name}:0".encode() for name in own], "S")
            for name, values in own.items():
                group[f"{name}:0"] = values.astype("f4")
    return arrays


def in_numpy(arrays, x):
    """The same network in float64."""
    x = x.astype(np.float64)
    for name, kind, _ in LAYERS[:NO_TOP]:
        if kind == "Conv2D":
            kernel, bias = (a.astype("f4") for a in arrays[name].values())
            padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
            n, height, width, _ = x.shape
            y = np.zeros((n, height, width, kernel.shape[-1])) + bias
            for row in range(3):
                for column in range(3):
                    part = padded[:, row : row + height, column : column + width]
                    y += part @ kernel[row, column].astype(np.float64)
            x = np.maximum(y, 0)
        else:
            n, height, width, c = x.shape
            x = x.reshape(n, height // 2, 2, width // 2, 2, c).max(axis=(2, 4))
    gamma, beta, mean, variance = arrays["bn"].values()
    x = (x.mean(axis=(1, 2)) - mean) / np.sqrt(variance + 0.001) * gamma + beta
    kernel, bias = arrays["dense_1"].values()
    return x @ kernel + bias


def test_keras_1(tmp_path):
    arrays = keras_1(tmp_path / "m.h5")
    x = np.random.default_rng(1).normal(0, 60, (2, 64, 32, 3)).astype("f4")
    assert relative_error(jv.load_vgg16(tmp_path / "m.h5")(x), in_numpy(arrays, x)) < 1e-5


@pytest.mark.parametrize(
    ("layer", "setting", "value", "message"),
    [
        ("block2_conv1", "dim_ordering", "th", "block2_conv1: dim_ordering is 'th'; wanted 'tf'"),
        ("block2_conv1", "subsample", [2, 2], "block2_conv1: subsample is .*wanted"),
        ("block2_conv1", "nb_row", 5, "block2_conv1: nb_row is '5'; wanted 3"),
        ("block1_pool", "border_mode", "same", "block1_pool: border_mode is 'same'; wanted"),
        ("bn", "mode", 2, "bn: mode is '2'; wanted 0"),
    ],
)  # fmt: skip
def test_other_settings_of_keras_1(tmp_path, layer, setting, value, message):
    def change(config):
        (one,) = [entry for entry in config["layers"] if entry["name"] == layer]
        one["config"][setting] = value

    keras_1(tmp_path / "m.h5", change=change)
    with pytest.raises(WeightsLayoutError, match=message):
        jv.load_vgg16(tmp_path / "m.h5")
