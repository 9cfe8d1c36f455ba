"""Whatever a description says, the answer is a checked network or a `WeightsLayoutError`."""

import copy
import json
import random
import time
import zipfile
from pathlib import Path

import h5py
import pytest
from finetuned import Kind, network, saved

from jaxvis.weights.description import describe_model
from jaxvis.weights.errors import WeightsLayoutError

RECORDED = Path(__file__).parents[1] / "recorded"
NASTY = (
    None, True, -1, 0, 1, 2**70, 1e308, float("inf"), float("nan"), "", "relu", "x" * 10_000, "\0",
    [], {}, [None], [[]], {"class_name": "Dense"}, ["a", 0, 0], "Functional", "Lambda", "vgg16",
)  # fmt: skip


@pytest.fixture(scope="module")
def descriptions(tmp_path_factory):
    folder = tmp_path_factory.mktemp("descriptions")
    front = Kind("nested", front="caffe", rows=("dense relu", "batch norm"))
    path = saved(network(front), folder, "m.keras")
    found = [json.loads(zipfile.ZipFile(path).read("config.json"))]
    for name in ("nested", "caffe", "sequential"):
        with h5py.File(RECORDED / f"keras2_{name}.h5") as file:
            found.append(json.loads(file.attrs["model_config"]))
    return found


def places(value, path=()):
    """Every place in a tree of dicts and lists."""
    yield path
    if isinstance(value, dict | list):
        for key, one in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(one, (*path, key))


def mutated(tree, rng):
    tree = copy.deepcopy(tree)
    for _ in range(rng.choice([1, 1, 1, 2, 5])):
        spots = [path for path in places(tree) if path]
        *above, key = rng.choice(spots)
        parent = tree
        for step in above:
            parent = parent[step]
        match rng.randrange(4):
            case 0:
                parent[key] = rng.choice(NASTY)
            case 1:
                del parent[key]
            case 2 if isinstance(parent, list):
                parent.insert(key, copy.deepcopy(parent[rng.randrange(len(parent))]))
            case _:  # something from elsewhere in the tree
                other = tree
                for step in rng.choice(spots):
                    if isinstance(other, dict | list) and not isinstance(step, slice):
                        try:
                            other = other[step]
                        except (LookupError, TypeError):
                            break
                parent[key] = copy.deepcopy(other)
    return tree


@pytest.mark.parametrize("which", range(4))
def test_mutations(descriptions, which):
    rng = random.Random(which)
    outcomes = {"read": 0, "refused": 0}
    for _ in range(250):
        text = json.dumps(mutated(descriptions[which], rng))
        start = time.perf_counter()
        refused, found = None, None
        try:
            found = describe_model(text, top=True)
        except WeightsLayoutError as error:
            refused = error
        outcomes["read" if refused is None else "refused"] += 1
        assert refused is None or (refused.do and len(str(refused)) < 1000)
        assert found is None or found.architecture.classes >= 1
        assert time.perf_counter() - start < 20
    assert min(outcomes.values()) > 20, outcomes  # it is no test if all are alike


@pytest.mark.parametrize(
    "text",
    ["", "null", "[]", "{}", "[" * 50_000, '{"class_name": "Model", "config": []}', "\0",
     "1" * 9999,
     '{"class_name": "Model", "config": {"layers": ' + '[{"config": ' * 500 + "1" + "}]" * 500],
)  # fmt: skip
def test_no_descriptions(text):
    with pytest.raises(WeightsLayoutError, match="describes no Keras model"):
        describe_model(text, top=True)


def test_models_in_models_without_end():
    entry = {"class_name": "InputLayer", "config": {"batch_input_shape": [None, 32, 32, 3]}}
    for _ in range(50):
        entry = {"class_name": "Sequential", "config": {"name": "s", "layers": [entry]}}
    with pytest.raises(WeightsLayoutError, match="models in models without end"):
        describe_model(json.dumps(entry), top=True)
