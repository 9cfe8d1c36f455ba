"""Good files in every layout; the bad ones are in test_bad_weights.py."""

import json
import os
import subprocess
import sys
import warnings
from pathlib import Path

import h5py
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from conftest import in_keras, relative_error, with_biases

import jaxvis as jv
from jaxvis.models import reference
from jaxvis.weights.load import facts

LABELS = tuple("abcdefg")


@pytest.fixture(scope="module")
def model():
    return with_biases(jv.VGG16(width=1 / 16, classes=7, size=64, labels=LABELS))


def same_weights(one, other):
    ours, theirs = reference.weights_of(one), reference.weights_of(other)
    assert list(ours) == list(theirs)
    for name in ours:
        for array, wanted in zip(ours[name], theirs[name], strict=True):
            np.testing.assert_array_equal(array, wanted, err_msg=name)


def keras_twin(size=64, classes=7, divide=16, fc=256):
    """The narrow VGG16 in Keras."""
    y = start = keras.Input((size, size, 3))
    for layer in jv.LAYERS:
        options = {"name": layer.name, "kernel_initializer": "zeros", "activation": "relu"}
        if layer.kind == "Conv2D":
            y = keras.layers.Conv2D(layer.features // divide, 3, padding="same", **options)(y)
        elif layer.kind == "MaxPooling2D":
            y = keras.layers.MaxPooling2D(name=layer.name)(y)
        elif layer.kind == "Flatten":
            y = keras.layers.Flatten(name=layer.name)(y)
        else:
            units = classes if layer.name == "predictions" else fc
            options |= {"activation": None} if layer.name == "predictions" else {}
            y = keras.layers.Dense(units, **options)(y)
    return keras.Model(start, y)


def test_what_is_saved_is_loaded(model, tmp_path):
    jv.save_vgg16(model, tmp_path / "m.h5", facts={"steps": 3, "where": "here"})
    loaded = jv.load_vgg16(tmp_path / "m.h5")
    same_weights(loaded, model)
    assert loaded.labels == LABELS
    assert loaded.architecture == model.architecture
    assert facts(tmp_path / "m.h5") == {"steps": 3, "where": "here"}
    assert [path.name for path in tmp_path.iterdir()] == ["m.h5"]


def test_layout_is_that_of_the_imagenet_file(model, tmp_path):
    jv.save_vgg16(model, tmp_path / "m.h5")
    with h5py.File(tmp_path / "m.h5") as file:
        assert list(file.attrs["layer_names"]) == [layer.name.encode() for layer in jv.LAYERS]
        group = file["block1_conv1"]
        assert list(group.attrs["weight_names"]) == [
            b"block1_conv1_W_1:0", b"block1_conv1_b_1:0",
        ]  # fmt: skip
        assert group["block1_conv1_W_1:0"].shape == (3, 3, 3, 4)
        assert list(file["block1_pool"].attrs["weight_names"]) == []


def test_keras_loads_it_to_the_same_logits(model, pixels, tmp_path):
    jv.save_vgg16(model, tmp_path / "m.h5")
    twin = keras_twin()
    twin.load_weights(tmp_path / "m.h5")
    assert relative_error(model(pixels), in_keras(twin, pixels)) < 1e-4


@pytest.mark.parametrize("kind", ["weights", "whole model"])
def test_what_keras_3_saves_is_loaded(model, pixels, tmp_path, kind):
    jv.save_vgg16(model, tmp_path / "m.h5")
    twin = keras_twin()
    twin.load_weights(tmp_path / "m.h5")
    saved = tmp_path / ("k.weights.h5" if kind == "weights" else "k.h5")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras advises against the layout under test
        twin.save_weights(saved) if kind == "weights" else twin.save(saved)
    with h5py.File(saved, "r+") as file, h5py.File(tmp_path / "m.h5") as ours:
        file.attrs["jaxvis"] = ours.attrs["jaxvis"]  # what Keras cannot know: width and labels
    loaded = jv.load_vgg16(saved)
    same_weights(loaded, model)
    assert relative_error(loaded(pixels), in_keras(twin, pixels)) < 1e-4


def test_keras_2_names_and_attributes_in_pieces(model, tmp_path):
    """kernel:0 in a nested group, below model_weights, with layer_names0, layer_names1."""
    path = tmp_path / "k2.h5"
    jv.save_vgg16(model, tmp_path / "m.h5")
    with h5py.File(tmp_path / "m.h5") as ours, h5py.File(path, "w") as file:
        file.attrs["jaxvis"] = ours.attrs["jaxvis"]
        root = file.create_group("model_weights")
        names = [b"input_1", *ours.attrs["layer_names"]]
        root.attrs["layer_names0"] = np.array(names[:9], "S")
        root.attrs["layer_names1"] = np.array(names[9:], "S")
        for name in (name.decode() for name in names):
            group = root.create_group(name)
            arrays = list(ours[name].values()) if name in ours else []
            weights = [f"{name}/{role}:0" for role in ("kernel", "bias")][: len(arrays)]
            group.attrs["weight_names"] = np.array([weight.encode() for weight in weights], "S50")
            for weight, array in zip(weights, arrays, strict=True):
                group[weight] = array[()]
    same_weights(jv.load_vgg16(path), model)


@pytest.mark.parametrize("stored", [">f4", "gzip", "chunked"])
def test_other_storage(model, tmp_path, stored):
    """Big-endian, compressed, in chunks: all come back as native float32."""
    path = tmp_path / "m.h5"
    jv.save_vgg16(model, path)
    with h5py.File(path, "r+") as file:
        for layer in list(file.values()):
            for name, array in list(layer.items()):
                values = array[()]
                del layer[name]
                if stored == ">f4":
                    layer.create_dataset(name, data=values.astype(stored))
                elif stored == "gzip":
                    layer.create_dataset(name, data=values, compression="gzip", shuffle=True)
                else:
                    chunks = tuple(min(3, size) for size in values.shape)
                    layer.create_dataset(name, data=values, chunks=chunks)
    same_weights(jv.load_vgg16(path), model)


def test_half_precision_is_half_the_size_and_rounded_once(model, tmp_path):
    jv.save_vgg16(model, tmp_path / "single.h5")
    jv.save_vgg16(model, tmp_path / "half.h5", dtype=np.float16)
    loaded = reference.weights_of(jv.load_vgg16(tmp_path / "half.h5"))
    for name, arrays in reference.weights_of(model).items():
        for found, array in zip(loaded[name], arrays, strict=True):
            np.testing.assert_array_equal(found, array.astype(np.float16))
    sizes = [(tmp_path / name).stat().st_size for name in ("half.h5", "single.h5")]
    assert sizes[0] < 0.6 * sizes[1]
    with pytest.raises(jv.WeightsError, match="saved as float64, wanted float32 or float16"):
        jv.save_vgg16(model, tmp_path / "m.h5", dtype=np.float64)
    with pytest.raises(jv.WeightsError, match=r"nowhere/m.h5: cannot be written"):
        jv.save_vgg16(model, tmp_path / "nowhere" / "m.h5")


def test_other_classes_by_labels(tmp_path):
    """A fine-tuned network: the full one but for its last layer, known by its labels alone."""
    arch = {"width": 1 / 64, "classes": 3, "fc": 8, "size": 32}
    jv.save_vgg16(jv.VGG16(**arch), tmp_path / "m.h5")
    assert jv.load_vgg16(tmp_path / "m.h5", labels=["x", "y", "z"]).class_index("z") == 2
    with pytest.raises(jv.WeightsError, match="has 3 classes, but labels= .* gives 2 names"):
        jv.load_vgg16(tmp_path / "m.h5", labels=["x", "y"])


def test_logits_in_double_precision(model, tmp_path, x64):
    jv.save_vgg16(model, tmp_path / "m.h5")
    loaded = jv.load_vgg16(tmp_path / "m.h5", param_dtype=jnp.float64)
    x = np.random.Generator(np.random.PCG64(2)).normal(0, 60, (2, 64, 64, 3))
    wanted, _ = reference.forward(reference.weights_of(model), x)
    assert relative_error(loaded(x), wanted) < 1e-10


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    """The 553 MB file with seeded values, in the layout of Keras's ImageNet file."""
    path = tmp_path_factory.mktemp("full") / "vgg16.h5"
    jv.save_vgg16(jv.VGG16(seed=1), path)
    yield path
    path.unlink()


@pytest.mark.slow
class TestFullSize:
    @pytest.mark.parametrize("bits", [32, 64])
    def test_keras_loads_it_to_the_same_logits(self, full, bits):
        """In a process of its own: Keras's float64 is a setting of the whole process."""
        done = subprocess.run(
            [sys.executable, Path(__file__).parent / "full_size_parity.py", full, str(bits)],
            env=os.environ | {"KERAS_BACKEND": "jax"},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        error = json.loads(done.stdout.splitlines()[-1])
        assert error["logits"] < (1e-4 if bits == 32 else 1e-10)
        assert error["new layout"] == 0

    def test_report_on_a_photograph(self, full, tmp_path):
        from matplotlib.cbook import get_sample_data

        photo = get_sample_data("grace_hopper.jpg", asfileobj=False)
        done = subprocess.run(
            [sys.executable, "-m", "jaxvis", "report", photo, "--class", "goose",
             "--weights", full, "--out", tmp_path / "report", "--json"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        told = json.loads(done.stdout)
        assert told["images"][0]["class"] == {"index": 99, "name": "goose"}
        with np.load(told["maps"]) as maps:
            assert maps["saliency_guided"].shape == (1, 224, 224)
            assert maps["grad_cam_vanilla"].shape == (1, 14, 14)
        assert "138,357,544 (527.79 MB)" in Path(told["report"]).read_text()

    def test_memory(self, full):
        """Peak memory of loading is under 1.3 times the weights plus what JAX itself takes."""
        code = (
            "import sys, resource, jax, h5py, jaxvis as jv; jv.load_vgg16; jax.numpy.ones(1);"
            "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024;"
            "before = peak(); model = jv.load_vgg16(sys.argv[1]); print(peak() - before)"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, full], capture_output=True, text=True, check=True
        )
        assert int(done.stdout) < 1.3 * full.stat().st_size
