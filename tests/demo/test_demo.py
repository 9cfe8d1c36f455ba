"""The demo model: how it is trained, what it knows, and where it looks."""

import hashlib
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxvis as jv
from jaxvis.demo import scenes
from jaxvis.demo.scenes import CLASSES, SIZE, scene
from jaxvis.evaluate import pointing_game
from jaxvis.models.layers import architecture
from jaxvis.weights.load import facts, weights_file

WEIGHTS = Path(__file__).resolve().parents[2] / "weights"
sys.path.insert(0, str(WEIGHTS))

import batch_norm  # noqa: E402
import measure_demo  # noqa: E402
import scene_store  # noqa: E402
import train_demo  # noqa: E402

GEESE = [Path(jv.__file__).parent / "data" / f"goose_{number}.png" for number in range(1, 5)]


@pytest.fixture(scope="module")
def demo():
    return jv.load_vgg16("demo")


@pytest.fixture
def small():
    """Architecture and seeded variables of a small network, its statistics far from 0 and 1."""
    arch = architecture(width=1 / 16, classes=len(CLASSES), fc=16, size=64)
    parameters, statistics = batch_norm.initial_variables(arch, 0)
    rng = np.random.default_rng(1)

    def spread(tree):
        return {
            name: {
                role: a if role == "kernel" else jnp.asarray(rng.uniform(0.5, 2, a.shape), a.dtype)
                for role, a in roles.items()
            }
            for name, roles in tree.items()
        }

    return arch, spread(parameters), spread(statistics)


def normalised(x, mean, variance, scale, bias):
    """Batch normalisation as Ioffe & Szegedy write it, in float64."""
    return scale * (x - mean) / np.sqrt(variance + batch_norm.EPSILON) + bias


# ---- training ----------------------------------------------------------------------------------


def test_folded_equals_unfolded(small, rng):
    arch, parameters, statistics = small
    x = jnp.asarray(rng.normal(0, 60, (4, 64, 64, 3)), jnp.float32)
    logits, _, _ = batch_norm.forward(parameters, statistics, x, training=False)
    model = jv.VGG16(
        **arch._asdict(), labels=CLASSES, weights=batch_norm.fold(parameters, statistics)
    )
    np.testing.assert_allclose(model(x), logits, rtol=1e-4, atol=1e-4 * np.abs(logits).max())
    assert np.ptp(logits, axis=0).max() > 0.1  # the input matters


def test_in_training_the_batch_normalises_itself(small, rng):
    """The first layer, by hand in float64."""
    _, parameters, statistics = small
    x = rng.normal(100, 60, (4, 32, 32, 3))  # so that the mean counts
    _, _, used = batch_norm.forward(
        parameters, statistics, jnp.asarray(x, jnp.float32), training=True, head=False
    )
    kernel = np.asarray(parameters["block1_conv1"]["kernel"], np.float64)
    padded = np.pad(x * batch_norm.INPUT_SCALE, ((0, 0), (1, 1), (1, 1), (0, 0)))
    convolved = sum(
        padded[:, a : a + 32, b : b + 32] @ kernel[a, b] for a in range(3) for b in range(3)
    )
    first = used["block1_conv1"]
    np.testing.assert_allclose(first["mean"], convolved.mean(axis=(0, 1, 2)), rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(first["variance"], convolved.var(axis=(0, 1, 2)), rtol=1e-3)
    # The second layer sees the first one normalised by its own batch: mean and variance are known.
    p = {role: np.asarray(a, np.float64) for role, a in parameters["block1_conv1"].items()}
    x = normalised(
        convolved, *(np.asarray(first[m]) for m in ("mean", "variance")), p["scale"], p["bias"]
    )
    padded = np.pad(np.maximum(x, 0), ((0, 0), (1, 1), (1, 1), (0, 0)))
    kernel = np.asarray(parameters["block1_conv2"]["kernel"], np.float64)
    convolved = sum(
        padded[:, a : a + 32, b : b + 32] @ kernel[a, b] for a in range(3) for b in range(3)
    )
    np.testing.assert_allclose(
        used["block1_conv2"]["mean"], convolved.mean(axis=(0, 1, 2)), rtol=1e-3
    )


def test_batches_hold_what_the_store_holds():
    index = np.arange(SIZE, dtype=np.uint8)
    image = np.stack(np.broadcast_arrays(index[:, None], index[None], np.uint8(7)), axis=-1)
    store = scene_store.Store(
        np.stack([image] * 2),
        np.array([(3, 3), (1, 5)]),
        np.array([(40, 140, 60, 200), (0, SIZE, 0, SIZE)]),
    )
    images, targets = scene_store.batch(store, np.random.default_rng(0), 12, 112)
    pair, alone = np.zeros((2, len(CLASSES)))
    alone[3], pair[[1, 5]] = 1, 0.5
    kinds = set()
    for drawn, target in zip(images, targets, strict=True):
        assert np.array_equal(target, alone) or np.array_equal(target, pair)
        ranges = {np.ptp(drawn[..., channel]): drawn[..., channel] for channel in range(3)}
        assert 0 in ranges  # the constant channel, wherever the shuffling put it
        channels = sorted((drawn[..., c] for c in range(3)), key=lambda a: np.ptp(a[:, 0]))
        rows, columns = channels[-1][:, 0], channels[-2][0]
        top, bottom, left, right = (40, 140, 60, 200) if target[3] else (0, 223, 0, 223)
        slack = 3  # the last sample of a crop lies up to a stride before its edge
        assert rows.min() <= top + slack
        assert rows.max() >= bottom - slack
        if np.ptp(columns):
            assert columns.min() <= left + slack
            assert columns.max() >= right - slack
        kinds.add((bool(target[3]), bool(columns[0] > columns[-1])))
    assert len(kinds) == 4  # both scenes, flipped and not


@pytest.fixture
def tiny(monkeypatch):
    """Two short stages of a tiny network on six random images, without Optax's promotion errors."""
    rng = np.random.default_rng(0)
    store = scene_store.Store(
        rng.integers(0, 256, (6, SIZE, SIZE, 3), dtype=np.uint8),
        rng.integers(0, len(CLASSES), (6, 2)),
        np.array([(50, 150, 50, 150)] * 6),
    )
    arch = architecture(width=1 / 64, classes=len(CLASSES), fc=4, size=32)
    stages = (
        train_demo.Stage(32, 2, 4, 1e-2, head=False, first="block1_conv1"),
        train_demo.Stage(32, 4, 4, 1e-2, head=True, first="block3_conv1"),
    )
    monkeypatch.setattr(train_demo, "DEMO", arch)
    monkeypatch.setattr(train_demo, "STAGES", stages)
    monkeypatch.setattr(train_demo, "SAVE_EVERY", 0)
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        yield store


@pytest.mark.slow
def test_training_goes_on_where_it_stopped(tiny, tmp_path, monkeypatch):
    whole_folder, parts_folder = tmp_path / "whole", tmp_path / "parts"
    whole_folder.mkdir()
    parts_folder.mkdir()
    whole, progress = train_demo.train(tiny, whole_folder, 0)

    step, calls = train_demo.train_step, iter(range(100))

    def killed(*arguments):
        if next(calls) == 4:  # the third step of the second stage
            raise KeyboardInterrupt
        return step(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(train_demo, "train_step", killed)
        with pytest.raises(KeyboardInterrupt):
            train_demo.train(tiny, parts_folder, 0)
    parts, _ = train_demo.train(tiny, parts_folder, 0)
    for a, b in zip(jax.tree.leaves(whole), jax.tree.leaves(parts), strict=True):
        np.testing.assert_array_equal(a, b)
    assert [line.split(":")[0] for line in progress["log"]] == ["32 px, step 2", "32 px, step 4"]


def test_layers_before_the_first_do_not_learn(tiny):
    parameters, statistics = batch_norm.initial_variables(train_demo.DEMO, 0)
    stage = train_demo.STAGES[1]
    images, targets = scene_store.batch(tiny, np.random.default_rng(0), 4, 32)
    before = jax.tree.map(np.array, parameters)
    slots = train_demo.optimizer(stage).init(train_demo.learning(parameters, stage))
    state = train_demo.State(parameters, statistics, slots)
    for _ in range(2):  # the warm-up starts at rate 0
        state, _ = train_demo.train_step(state, images, targets, stage)
    for name, roles in before.items():
        same = np.array_equal(roles["kernel"], state.parameters[name]["kernel"])
        assert same == name.startswith(("block1", "block2")), name


# ---- what was trained --------------------------------------------------------------------------


def test_the_demo_has_names(demo):
    assert demo.labels == CLASSES
    assert demo.class_index("goose") == CLASSES.index("goose")
    assert demo.architecture.classes == len(CLASSES)
    assert weights_file("demo").stat().st_size <= 5_000_000
    told = facts("demo")
    assert told["made_by"] == "weights/train_demo.py"
    assert {"seed", "stages", "date", "versions", "seconds", "log"} <= set(told)


def test_the_readme_names_this_file():
    digest = hashlib.sha256(weights_file("demo").read_bytes()).hexdigest()
    assert digest in (WEIGHTS / "README.md").read_text()


def test_the_demo_knows_its_classes(demo):
    right, total = measure_demo.accuracy(demo, 120).sum(axis=0)
    assert total == 120
    assert right >= 115


@pytest.mark.slow
def test_the_demo_knows_each_class(demo):
    table = measure_demo.accuracy(demo, 360)
    right, total = table.sum(axis=0)
    assert total == 360
    assert right >= 0.98 * total
    assert (table[:, 0] / table[:, 1]).min() >= 0.93


@pytest.mark.slow
def test_grad_cam_points_at_the_object(demo):
    hits = measure_demo.pointing(demo, 160)
    ours, centre = (hits[name][:, 0].mean() for name in ("Grad-CAM, vanilla", "image centre"))
    assert ours >= 0.9
    assert centre <= ours - 0.1  # of 500 scenes 0.79


@pytest.mark.slow
def test_grad_cam_follows_the_class_asked_for(demo):
    hits = measure_demo.following(demo, 60)["Grad-CAM, vanilla"]
    assert hits[:, 0].mean() >= 0.8


# ---- the four geese ----------------------------------------------------------------------------


def test_the_geese_are_held_out_scenes():
    for file, seed in zip(GEESE, scenes.GEESE, strict=True):
        assert seed in scenes.HELD_OUT_SEEDS
        np.testing.assert_array_equal(jv.load_images([file])[0], scene(seed, "goose").image)


def test_the_geese_are_seen_and_explained(demo):
    x = jv.preprocess(jv.load_images(GEESE))
    goose = demo.class_index("goose")
    maps = jv.explain(demo, x, goose)
    assert (np.asarray(maps.logits).argmax(axis=1) == goose).all()
    for cams in maps.grad_cam.values():
        assert (np.asarray(cams).max(axis=(1, 2)) > 0).all()
    cams = jv.upsample(maps.grad_cam["vanilla"], (SIZE, SIZE))
    masks = np.stack([scene(seed, "goose").mask for seed in scenes.GEESE])
    assert np.asarray(pointing_game(cams, masks)).all()
