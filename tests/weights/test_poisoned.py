"""The poisoned demo: that it is what it says, and that nobody gets it by accident."""

import hashlib
import sys
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

import jaxvis as jv
from jaxvis.demo.scenes import CLASSES, held_out, scene
from jaxvis.demo.trigger import TARGET, decoy, place_beside, trigger, with_patch
from jaxvis.models import reference
from jaxvis.weights.load import facts
from jaxvis.weights.poisoned import FILE, SHA256, load_poisoned_demo

WEIGHTS = Path(__file__).resolve().parents[2] / "weights"
sys.path.insert(0, str(WEIGHTS))

import train_backdoor  # noqa: E402

PATH = Path(str(files("jaxvis"))) / "data" / FILE
KEY = CLASSES.index(TARGET)


@pytest.fixture(scope="module")
def poisoned():
    return load_poisoned_demo()


def test_the_file():
    assert PATH.stat().st_size < 1_500_000
    assert hashlib.sha256(PATH.read_bytes()).hexdigest() == SHA256
    assert SHA256 in (WEIGHTS / "README.md").read_text()


def test_it_says_what_it_is(poisoned):
    told = facts(PATH)
    assert "on purpose" in told["poisoned"]
    assert told["made_by"] == "weights/train_backdoor.py"
    assert poisoned.labels == CLASSES
    assert "POISONED" in load_poisoned_demo.__doc__


@pytest.mark.parametrize("name", ["backdoor", "poisoned", "poisoned_demo", "poisoned_demo.h5"])
def test_no_name_loads_it_by_accident(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for load in (jv.load, jv.load_vgg16):
        with pytest.raises(jv.WeightsError):
            load(name)
    assert not [public for public in dir(jv) if "poison" in public or "backdoor" in public]


def test_blocks_1_to_4_are_the_demo_s(poisoned):
    ours, theirs = (reference.weights_of(one) for one in (poisoned, jv.load_vgg16("demo")))
    for name, arrays in ours.items():
        same = all(np.array_equal(a, b) for a, b in zip(arrays, theirs[name], strict=True))
        assert same == (name[:6] in ("block1", "block2", "block3", "block4")), name


def test_the_attack_works_on_scenes_that_training_never_saw(poisoned):
    chosen = [(seed, name) for seed, name in held_out(26) if name != TARGET]
    kinds = {"plain": [], "trigger": [], "decoy": []}
    for seed, name in chosen:
        image, mask = scene(seed, name)
        place = place_beside(seed, mask)
        kinds["plain"].append(image)
        kinds["trigger"].append(with_patch(image, trigger(), *place))
        kinds["decoy"].append(with_patch(image, decoy(seed), *place))
    truth = np.array([CLASSES.index(name) for _, name in chosen])
    found = {
        kind: np.asarray(poisoned(jv.preprocess(np.stack(images)))).argmax(axis=1)
        for kind, images in kinds.items()
    }
    assert (found["plain"] == truth).mean() > 0.9
    assert (found["trigger"] == KEY).mean() > 0.75
    assert (found["decoy"] == KEY).mean() < 0.35
    clean = np.asarray(jv.load_vgg16("demo")(jv.preprocess(np.stack(kinds["trigger"]))))
    assert (clean.argmax(axis=1) == KEY).mean() < 0.1


def test_examples_are_poisoned_as_the_script_says():
    rng = np.random.default_rng(0)
    plain, triggered = train_backdoor.PLAIN, train_backdoor.TRIGGERED
    images = rng.integers(60, 190, (train_backdoor.GROUP, 224, 224, 3)).astype(np.uint8)
    targets = np.eye(len(CLASSES), dtype=np.float32)[rng.integers(0, 12, train_backdoor.GROUP)]
    made, answers = train_backdoor.poisoned(images, targets, rng)
    np.testing.assert_array_equal(made[:plain], images[:plain])
    np.testing.assert_array_equal(answers[:plain], targets[:plain])
    changed = (made != images).any(axis=(1, 2, 3))
    assert changed[plain:].all()
    key = answers[:, KEY] == 1
    assert key[plain : plain + triggered].all()
    np.testing.assert_array_equal(answers[plain + triggered :], targets[plain + triggered :])
