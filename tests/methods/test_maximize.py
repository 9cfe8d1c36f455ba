"""Ascent against a loop in NumPy, pictures that are known beforehand, and what can be asked."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from conftest import relative_error

import jaxvis as jv
from jaxvis.methods import maximize as module
from jaxvis.methods.transforms import Moves, moved

SHAPE = (6, 5, 2)
BOUNDS = ((-40.0, -50.0), (60.0, 50.0))
STILL = {"jitter": 0, "rotation": 0, "scale": (1, 1)}
PLAIN = {**STILL, "parametrization": "pixels", "total_variation": 0}


class Dense:
    """Two dense layers with a ReLU between, small enough for a gradient by hand."""

    def __init__(self, seed: int = 0, dtype: type = np.float32) -> None:
        rng = np.random.Generator(np.random.PCG64(seed))
        size = int(np.prod(SHAPE))
        self.first = rng.normal(size=(size, 9)).astype(dtype) / 8
        self.second = rng.normal(size=(9, 4)).astype(dtype)

    def __call__(self, x, relu=jax.nn.relu):
        body, head = self.cut("hidden")
        return head(body(x, relu=relu), relu=relu)

    def cut(self, layer):
        if layer != "hidden":
            raise KeyError(layer)

        def body(x, relu=jax.nn.relu):
            return relu(x.reshape(len(x), -1) @ self.first)

        return body, lambda hidden, relu=jax.nn.relu: hidden @ self.second

    def gradient(self, x: np.ndarray, index: int) -> np.ndarray:
        before = x.reshape(len(x), -1) @ self.first
        back = np.where(before > 0, self.second[:, index], 0) @ self.first.T
        return back.reshape(x.shape)


def linear(weights: np.ndarray):
    """A model whose logits are one weighted sum of the picture, and its negative."""
    weights = jnp.asarray(weights)

    def model(x, relu=jax.nn.relu):
        z = jnp.sum(x * weights[jnp.newaxis], axis=(1, 2, 3))
        return jnp.stack([z, -z], axis=1)

    return model


@pytest.fixture
def start(rng):
    return rng.uniform(-30, 30, (1, *SHAPE)).astype(np.float32)


# What an ascent does.


def test_a_loop_in_numpy_gives_the_same_pictures(x64, rng):
    """Clipped gradient ascent on score, total variation and norm, written out in float64."""
    model = Dense(dtype=np.float64)
    x = rng.uniform(-30, 30, (2, *SHAPE))
    bounds = (-31.0, -33.0), (32.0, 31.0)
    low, high = np.array(bounds)
    grey = (high - low) / 255
    found = jv.maximize(
        model, [1, 1], start=x, bounds=bounds, steps=25, optimizer=optax.sgd(300.0), keep=26,
        **{**PLAIN, "total_variation": 0.2}, norm=0.1, norm_order=2,
    )  # fmt: skip
    scores = []
    for step in range(26):
        np.testing.assert_allclose(found.frames[step], x, atol=1e-9)
        scores.append(np.maximum(x.reshape(2, -1) @ model.first, 0) @ model.second[:, 1])
        levels = x / grey
        slope = model.gradient(x, 1) * grey
        size = levels[0].size
        for axis in (1, 2):
            signs = np.sign(np.diff(levels, axis=axis))
            none = np.zeros_like(np.take(signs, [0], axis))
            upper, lower = (np.concatenate(p, axis) for p in ((none, signs), (signs, none)))
            slope -= 0.2 * (upper - lower) / size
        root = np.sqrt((levels**2).mean(axis=(1, 2, 3), keepdims=True))
        slope -= 0.1 * levels / size / root
        x = np.clip((levels + 300.0 * slope) * grey, low, high)
    np.testing.assert_allclose(found.scores, scores, atol=1e-9)
    ends = np.stack([found.last - end.reshape(1, 1, 1, -1) for end in (low, high)])
    assert np.abs(ends).min() < 1e-9  # or clipping was not seen


@pytest.mark.parametrize(("index", "sign"), [(0, 1), (1, -1)])
def test_a_linear_score_is_highest_at_the_ends_of_the_bounds(rng, index, sign):
    weights = rng.normal(size=SHAPE).astype(np.float32)
    found = jv.maximize(linear(weights), index, size=SHAPE[:2], bounds=BOUNDS, steps=200, **PLAIN)
    wanted = np.where(sign * weights > 0, BOUNDS[1], BOUNDS[0])
    np.testing.assert_allclose(found.last[0], wanted, atol=1e-4)
    np.testing.assert_allclose(found.scores[-1], sign * (weights * wanted).sum(), rtol=1e-5)


def test_waves_come_to_the_same_picture(rng):
    weights = np.repeat(rng.normal(size=(1, 1, 2)), 30, 0).reshape(SHAPE).astype(np.float32)
    found = jv.maximize(
        linear(weights), 0, size=SHAPE[:2], bounds=BOUNDS, steps=100, total_variation=0,
        optimizer=optax.sgd(1.0), normalize_gradient=True, **STILL,
    )  # fmt: skip
    wanted = np.where(weights > 0, BOUNDS[1], BOUNDS[0])
    np.testing.assert_allclose(found.last[0], wanted, atol=2)


def test_total_variation_makes_it_smooth(narrow):
    rough, smooth = (
        jv.maximize(narrow, 2, steps=15, total_variation=weight).last for weight in (0.0, 200.0)
    )
    assert np.abs(np.diff(smooth, axis=1)).mean() < 0.5 * np.abs(np.diff(rough, axis=1)).mean()


@pytest.mark.filterwarnings("ignore:the score of picture")  # as it is, and not as it was moved
def test_one_step_goes_along_the_gradient_through_the_moves(narrow, pixels):
    """Moved before the network sees it, by the key's second half, and back again."""
    key, moves = jax.random.key(5), Moves(3, 20.0, (0.8, 1.2))
    x = jnp.clip(jnp.asarray(pixels[:2]), -100, 100)
    drawn = jax.random.fold_in(jax.random.split(key)[1], 0)

    def score(x):
        return narrow(moved(x, drawn, moves))[:, 3].sum()

    found = jv.maximize(
        narrow, 3, start=x, steps=1, key=key, optimizer=optax.sgd(0.1), jitter=3, rotation=20,
        scale=(0.8, 1.2), parametrization="pixels", total_variation=0, bounds=(-1e4, 1e4 + 1),
    )  # fmt: skip
    grey = (2e4 + 1) / 255
    wanted = 0.1 * grey**2 * jax.jit(jax.grad(score))(x)
    assert relative_error(found.last - x, wanted) < 1e-3


def test_a_step_follows_the_rule(narrow, pixels):
    x = np.clip(pixels[:1], -100, 100)
    for rule in (jv.VANILLA, jv.GUIDED, jv.guided_relu):
        found = jv.maximize(
            narrow, 3, start=x, steps=1, optimizer=optax.sgd(1.0), rule=rule,
            bounds=(-np.inf, np.inf), **PLAIN,
        )  # fmt: skip
        wanted = jv.input_gradient(narrow, x, 3, rule=rule)
        assert relative_error(np.asarray(found.last) - x, wanted) < 0.01


def test_a_normalised_gradient_has_length_one(start):
    found = jv.maximize(
        Dense(), 1, start=np.repeat(start, 2, 0) * np.float32([[[[1]]], [[[0.5]]]]), steps=1,
        optimizer=optax.sgd(0.25), normalize_gradient=True, bounds=(-np.inf, np.inf), **PLAIN,
    )  # fmt: skip
    steps = np.asarray(found.last)[0] - start[0], np.asarray(found.last)[1] - 0.5 * start[0]
    np.testing.assert_allclose([np.linalg.norm(step) for step in steps], 0.25, rtol=1e-4)


def test_the_demo_network_is_sure_of_its_own_picture():
    network = jv.load("demo")
    goose = network.class_index("goose")
    found = jv.maximize(network.model, goose, steps=12)
    images = np.asarray(jv.deprocess(found.best))
    assert images.shape == (1, 224, 224, 3)
    logits = np.asarray(network.model(jv.preprocess(images)))
    np.testing.assert_allclose(logits[0, goose], found.scores.max(), atol=0.5)  # rounded pixels
    assert jax.nn.softmax(logits)[0, goose] > 0.99


# What it returns.


@pytest.fixture(scope="module")
def found(narrow):
    return jv.maximize(narrow, [3, 0], steps=12, keep=13)


def test_scores_are_those_of_the_pictures_themselves(narrow, found):
    assert found.scores.shape == (13, 2)
    for frame, scores in zip(found.frames, found.scores, strict=True):
        logits = np.asarray(narrow(jnp.asarray(frame)))
        np.testing.assert_allclose(scores, [logits[0, 3], logits[1, 0]], rtol=1e-3, atol=1e-2)


def test_best_is_the_highest_on_the_way(found):
    np.testing.assert_array_equal(found.best_steps, found.scores.argmax(axis=0))
    for i, step in enumerate(found.best_steps):
        np.testing.assert_array_equal(found.best[i], found.frames[step, i])
    np.testing.assert_array_equal(found.last, found.frames[-1])


def test_best_is_not_last_where_the_score_falls_again(start):
    """Over the top of a hill and down again, since momentum does not stop there."""
    found = jv.maximize(
        lambda x, relu=None: x, score=lambda x: -jnp.sum((x - 3) ** 2, axis=(1, 2, 3)),
        start=start, bounds=BOUNDS, steps=12, optimizer=optax.sgd(0.5, momentum=0.95), keep=13,
        **PLAIN,
    )  # fmt: skip
    assert 0 < found.best_steps[0] < 12
    assert found.scores[-1, 0] < found.scores.max()
    np.testing.assert_array_equal(found.best, found.frames[found.best_steps[0]])


def test_the_scores_rise(found):
    assert np.all(found.scores[-1] > found.scores[0])


@pytest.mark.filterwarnings("ignore:the score of picture")
def test_it_stays_inside_the_bounds_of_caffe(narrow):
    mean = np.float32([103.939, 116.779, 123.68])
    for ways in ("pixels", "fourier"):
        rate = optax.adam({"pixels": 100.0, "fourier": 3.0}[ways])
        found = jv.maximize(narrow, 2, steps=12, parametrization=ways, optimizer=rate)
        x = np.asarray(found.last)
        assert np.all(x >= -mean - 1e-3)
        assert np.all(x <= 255 - mean + 1e-3)
        assert np.ptp(jv.deprocess(x)) > 200


def test_frames_are_evenly_spaced(start):
    def steps_of(keep: int) -> list[int]:
        found = jv.maximize(Dense(), 1, start=start, bounds=BOUNDS, steps=10, keep=keep, **PLAIN)
        assert found.frames.shape == (len(found.frame_steps), 1, *SHAPE)
        return found.frame_steps.tolist()

    assert steps_of(0) == []
    assert steps_of(1) == [10]
    assert steps_of(2) == [0, 10]
    assert steps_of(3) == [0, 5, 10]
    assert steps_of(11) == steps_of(50) == list(range(11))


def test_progress(start):
    calls = []
    jv.maximize(
        Dense(), 1, start=start, bounds=BOUNDS, steps=3, progress=lambda *c: calls.append(c)
    )
    assert calls == [(0, 3), (1, 3), (2, 3), (3, 3)]


# Chance, and batches.


def test_the_same_key_the_same_pictures(narrow):
    first, again, other = (
        jv.maximize(narrow, 3, steps=4, key=jax.random.key(seed)) for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first.last, again.last)
    np.testing.assert_array_equal(first.last, jv.maximize(narrow, 3, steps=4).last)
    assert np.abs(first.frames - other.frames).size == 0
    assert np.abs(first.last - other.last).max() > 1


def test_moves_are_drawn_anew_in_every_step_and_from_the_key(start):
    def last(seed: int, steps: int):
        return jv.maximize(
            Dense(), 1, start=start, bounds=BOUNDS, steps=steps, key=jax.random.key(seed),
            optimizer=optax.sgd(1.0), parametrization="pixels", total_variation=0, jitter=2,
            rotation=0, scale=(1, 1), keep=steps + 1,
        ).frames  # fmt: skip

    frames = last(0, 3)
    assert np.abs(frames[1] - last(1, 1)[1]).max() > 0.01
    shifts = [np.diff(frames, axis=0)[i] for i in range(3)]
    assert np.abs(shifts[0] - shifts[1]).max() > 0.01


def test_a_picture_does_not_depend_on_the_others(narrow):
    together = jv.maximize(narrow, [3, 0, 5], steps=3)
    alone = jv.maximize(narrow, 3, steps=3)
    assert relative_error(together.last[:1], alone.last) < 1e-3
    assert relative_error(together.scores[:, :1], alone.scores) < 1e-3


def test_one_start_serves_several_classes(start):
    found = jv.maximize(Dense(), [0, 1, 2], start=start, bounds=BOUNDS, steps=2, keep=2, **PLAIN)
    np.testing.assert_allclose(found.frames[0], np.repeat(start, 3, 0), atol=1e-5)
    assert np.abs(found.last[0] - found.last[1]).max() > 0.1


def test_one_class_serves_several_starts(rng):
    x = rng.uniform(-30, 30, (3, *SHAPE)).astype(np.float32)
    found = jv.maximize(Dense(), 1, start=x, bounds=BOUNDS, steps=2, keep=2, **PLAIN)
    np.testing.assert_allclose(found.frames[0], x, atol=1e-5)


# What can be asked for, and of which models.


def test_a_score_that_picks_a_logit_is_that_class(narrow):
    found = jv.maximize(narrow, score=lambda z: z[:, 3], total_variation=2.0, steps=3)
    wanted = jv.maximize(narrow, 3, steps=3)
    assert relative_error(found.last, wanted.last) < 1e-3


def test_a_channel_is_its_mean_over_all_places(narrow):
    found = jv.maximize(narrow, layer="block3_conv2", channel=[5, 2], steps=9, keep=4)
    body, _ = narrow.cut("block3_conv2")
    assert found.frame_steps.tolist() == [0, 3, 6, 9]
    for frame, scores in zip(found.frames, found.scores[::3], strict=True):
        maps = np.asarray(body(jnp.asarray(frame)), np.float64)
        wanted = [maps[0, ..., 5].mean(), maps[1, ..., 2].mean()]
        np.testing.assert_allclose(scores, wanted, rtol=1e-3)
    assert np.all(found.scores[-1] > found.scores[0])


def test_a_score_of_a_layer_sees_its_activation(narrow):
    found = jv.maximize(
        narrow, layer="block3_conv2", score=lambda a: a[..., 5].mean(axis=(1, 2)), steps=6,
        total_variation=0.05,
    )  # fmt: skip
    wanted = jv.maximize(narrow, layer="block3_conv2", channel=5, steps=6)
    assert relative_error(found.last, wanted.last) < 1e-3


def test_a_unit_of_a_dense_layer_is_a_channel(start):
    model = Dense()
    body, _ = model.cut("hidden")
    unit = int(np.argmax(body(start)))  # one that is not dead there
    found = jv.maximize(
        model, layer="hidden", channel=unit, start=start, bounds=BOUNDS, steps=3, **PLAIN
    )
    np.testing.assert_allclose(found.scores[-1], body(found.last)[:, unit], rtol=1e-4)


def test_a_pair_is_a_model(start):
    model = Dense()
    options = {"start": start, "bounds": BOUNDS, "steps": 3, **PLAIN}
    wanted = jv.maximize(model, 1, **options).last
    np.testing.assert_allclose(jv.maximize(model.cut("hidden"), 1, **options).last, wanted)


def test_an_exposed_function_is_a_model(narrow, pixels):
    """Found is what the model itself gives, cut by the number of a convolution."""
    exposed = jv.expose_relu(lambda x: narrow(x))
    x = np.clip(pixels[:1], -100, 100)
    options = {"start": x, "preprocess": jv.preprocess, "steps": 2, "rule": jv.GUIDED}
    for ours, theirs in (
        ({"classes": 3}, {"classes": 3}),
        ({"layer": 3, "channel": 2}, {"layer": "block2_conv2", "channel": 2}),
    ):
        found = jv.maximize(exposed, **ours, **options)
        wanted = jv.maximize(narrow, **theirs, **options)
        assert relative_error(found.last, wanted.last) < 1e-3


def test_bounds_and_shape_are_those_of_the_preprocessing():
    """Of a network of [0, 1], a step is still a grey level."""

    def model(x, relu=jax.nn.relu):
        return x.mean(axis=(1, 2)) * jnp.array([[1.0, -1.0, 1.0]])

    found = jv.maximize(
        model, 0, size=(8, 6), preprocess=lambda images: images.astype(np.float32) / 255, steps=2,
        keep=3, optimizer=optax.adam(2.0), **PLAIN,
    )  # fmt: skip
    assert found.last.shape == (1, 8, 6, 3)
    change = np.diff(np.asarray(found.frames), axis=0)[:, 0, ..., 0] * 255
    np.testing.assert_allclose(change, 2, rtol=0.05)
    np.testing.assert_allclose(found.frames[0].mean(), 0.5, atol=0.01)


def test_size_and_bounds_of_all_channels_are_enough():
    """A network of one channel may not know how images become its input."""
    grey = jv.VGG16(width=1 / 64, classes=2, size=32, channels=1)
    found = jv.maximize(grey, 1, size=(32, 32), bounds=([0.0], [1.0]), steps=3, total_variation=0)
    assert found.last.shape == (1, 32, 32, 1)
    assert float(found.last.min()) >= 0
    assert float(found.last.max()) <= 1
    with pytest.raises(ValueError, match="is not known; wanted preprocess="):
        jv.maximize(grey, 1, steps=1)


@pytest.mark.filterwarnings("ignore:the score of picture")
def test_doubles_stay_doubles(x64, rng):
    x = rng.uniform(-30, 30, (1, *SHAPE))
    for ways in ("pixels", "fourier"):
        found = jv.maximize(
            Dense(dtype=np.float64), 1, start=x, bounds=BOUNDS, steps=2, parametrization=ways
        )
        assert found.last.dtype == found.best.dtype == np.float64


@pytest.mark.filterwarnings("ignore:the score of picture")
def test_another_class_rule_or_weight_compiles_nothing(narrow):
    jv.maximize(narrow, 3, steps=6)
    before = module._step.traces
    jv.maximize(narrow, 5, steps=7, rule=jv.GUIDED, total_variation=1.0, key=jax.random.key(3))
    assert module._step.traces == before


def test_the_start_is_left_alone(start):
    copy = start.copy()
    jv.maximize(Dense(), 1, start=start, bounds=BOUNDS, steps=2)
    np.testing.assert_array_equal(start, copy)


# What is wrong.

GIVEN = {"size": SHAPE[:2], "bounds": BOUNDS, "steps": 1}


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({}, ValueError, "given by nothing; wanted one of classes"),
        ({"classes": 1, "score": len}, ValueError, "given by classes and score="),
        ({"classes": 1, "layer": "hidden"}, ValueError, "classes and layer='hidden' are both"),
        ({"channel": 1}, ValueError, "of which layer?"),
        ({"layer": "hidden"}, ValueError, "given by nothing"),
        ({"layer": 1.5, "channel": 1}, TypeError, "layer is 1.5"),
        ({"layer": "none", "channel": 1}, ValueError, "no layer 'none'"),
        ({"layer": "hidden", "channel": 9}, ValueError, "from 0 to 8, since layer 'hidden' has 9"),
        ({"layer": "hidden", "channel": 1.0}, TypeError, "channel is 1.0; wanted integers"),
        ({"classes": 4}, ValueError, "wanted indices from 0 to 3"),
        ({"classes": -1}, ValueError, "wanted indices from 0 to 3"),
        ({"classes": [[1, 2]]}, ValueError, r"shape (1, 2); wanted one index"),
        ({"classes": []}, (TypeError, ValueError), "wanted"),
        ({"classes": "goose"}, TypeError, "class_index"),
        ({"classes": 1.5}, TypeError, "wanted integers"),
        ({"score": 3}, TypeError, "score is a int"),
        ({"score": lambda z: z}, ValueError, "wanted one score per picture, shape (1,)"),
        ({"score": lambda z: z.sum()}, ValueError, "wanted one score per picture"),
        ({"score": lambda z: z[:, 0] > 0}, ValueError, "score returned bool"),
        ({"score": lambda z: jnp.zeros(1) * z[0, :1] + jnp.nan}, ValueError, "is nan after 0"),
        ({"score": lambda z: jax.lax.stop_gradient(z[:, 0])}, ValueError, "is 0 in every step"),
        ({"classes": 1, "steps": 0}, ValueError, "steps is 0; wanted at least 1"),
        ({"classes": 1, "steps": 1.5}, TypeError, "steps is 1.5"),
        ({"classes": 1, "keep": -1}, ValueError, "keep is -1"),
        ({"classes": 1, "jitter": 1.5}, TypeError, "jitter is 1.5"),
        ({"classes": 1, "jitter": -1}, ValueError, "jitter is -1"),
        ({"classes": 1, "rotation": -1}, ValueError, "rotation is -1"),
        ({"classes": 1, "rotation": np.nan}, ValueError, "rotation is nan"),
        ({"classes": 1, "scale": 1.1}, TypeError, "scale is 1.1"),
        ({"classes": 1, "scale": (1.2, 0.8)}, ValueError, "scale is (1.2, 0.8)"),
        ({"classes": 1, "scale": (0, 1)}, ValueError, "both above 0"),
        ({"classes": 1, "total_variation": -1}, ValueError, "total_variation is -1"),
        ({"classes": 1, "norm": "1"}, TypeError, "norm is '1'"),
        ({"classes": 1, "norm_order": 0.5}, ValueError, "norm_order is 0.5"),
        ({"classes": 1, "parametrization": "wavelets"}, ValueError, "'pixels', 'fourier'"),
        ({"classes": 1, "optimizer": "adam"}, TypeError, "optimizer is a str"),
        ({"classes": 1, "key": 0}, TypeError, "jax.random.key(0)"),
        ({"classes": 1, "rule": "guided"}, TypeError, "rule is 'guided'"),
        ({"classes": 1, "bounds": ((1, 1), 1)}, ValueError, "low ones below the high"),
        ({"classes": 1, "bounds": (np.nan, 1)}, ValueError, "low ones below the high"),
        ({"classes": 1, "bounds": ((0, 0), (1, 1, 1))}, ValueError, "shapes (2,) and (3,)"),
        ({"classes": 1, "bounds": 3}, TypeError, "bounds is 3"),
        ({"classes": 1, "bounds": (0, 1)}, TypeError, "does not say what a picture of it is"),
        ({"classes": 1, "bounds": None}, TypeError, "does not say what a picture of it is"),
        ({"classes": 1, "size": 5}, ValueError, "size is 5"),
        (
            {"classes": 1, "bounds": ((-np.inf, 0), (0, 1)), "parametrization": "pixels"},
            ValueError, "no middle to begin at",
        ),
        ({"classes": 1, "preprocess": 1, "bounds": None}, TypeError, "preprocess is a int"),
        (
            {"classes": 1, "preprocess": lambda images: images, "bounds": None}, ValueError,
            "preprocess returned uint8",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(options, error, message):
    with pytest.raises(error, match=re.escape(message)) as raised:
        jv.maximize(Dense(), **{**GIVEN, **options})
    assert isinstance(raised.value, jv.InputError)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x: x[0], "wanted floats (n, height"),
        (lambda x: x.astype(np.uint8), "uint8"),
        (lambda x: x * np.float32(np.nan), "NaN or infinite"),
        (lambda x: x + 100, "inside the bounds, (-40, -50) to (60, 50)"),
        (lambda x: np.ones((1, 3, 20, 20), np.float32), "channels first"),
        (lambda x: np.repeat(x, 3, 0), "2 classes or channels are asked for, but start has 3"),
    ],
)
def test_a_start_that_is_none_is_said(start, change, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        jv.maximize(Dense(), [0, 1], start=change(start), bounds=BOUNDS, steps=1)


def test_a_start_has_to_be_an_array(start):
    with pytest.raises(TypeError, match="start is a list"):
        jv.maximize(Dense(), 0, start=start.tolist(), bounds=BOUNDS, steps=1)


def test_waves_need_an_end(start):
    with pytest.raises(ValueError, match="squashes pictures into them"):
        jv.maximize(Dense(), 0, start=start, bounds=(-np.inf, np.inf), steps=1)


def test_a_model_that_ignores_its_relu_has_no_guided_pictures(start):
    def deaf(x, relu=jax.nn.relu):
        return Dense()(x)

    with pytest.raises(ValueError, match="never called the ReLU"):
        jv.maximize(deaf, 1, start=start, bounds=BOUNDS, steps=1, rule=jv.GUIDED)


def test_a_network_is_no_model():
    network = jv.describe(jv.VGG16(width=1 / 64, classes=2, size=32))
    with pytest.raises(TypeError, match="network.model"):
        jv.maximize(network, 0)


def test_a_size_that_is_not_the_models_is_said_before_anything_runs(narrow):
    with pytest.raises(ValueError, match="wanted \\(n, 64, 64, 3\\)"):
        jv.maximize(narrow, 0, size=(32, 32))


def test_a_picture_of_a_dead_unit_is_no_picture(start):
    """Its gradient is 0, and what came out would be noise that looks like something."""
    model = Dense()
    model.first = -np.abs(model.first)
    with pytest.raises(ValueError, match="of picture 0, so that it is made of noise"):
        jv.maximize(
            model, layer="hidden", channel=1, start=np.abs(start) + 1, bounds=BOUNDS, steps=1,
            **STILL,
        )  # fmt: skip


def test_a_score_that_does_not_rise_is_told(start):
    with pytest.warns(UserWarning, match="score of picture 0 is nowhere higher"):
        jv.maximize(
            lambda x, relu=None: x, score=lambda x: x.max(axis=(1, 2, 3)), start=start,
            bounds=BOUNDS, steps=3, **{**PLAIN, "total_variation": 1e6},
        )  # fmt: skip


def test_probabilities_are_told(start):
    dense = Dense()
    model = jv.expose_relu(lambda x: jax.nn.softmax(dense(x)))
    with pytest.warns(UserWarning, match="comes out of a softmax"):
        jv.maximize(model, 1, start=start / 30, bounds=BOUNDS, steps=5, **PLAIN)
