"""The evaluation of networks that are no VGG16, beside figures counted by hand."""

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
import scipy.stats
from flax import nnx

import jaxvis as jv
from jaxvis import evaluate as ev
from jaxvis.evaluate.evaluation import evaluate_quickly

SIZE = (32, 32)
KEYS = ["where", "matters", "network", "last"]
CONTROLS = ["random", "image centre", "edge detector"]


class Small(nnx.Module):
    """A network as people write it: no `relu=`, layer names that do not sort, 4 classes."""

    def __init__(self):
        rngs = nnx.Rngs(3)
        self.stem = nnx.Conv(3, 6, (3, 3), strides=2, rngs=rngs)
        self.body = nnx.Conv(6, 8, (3, 3), rngs=rngs)
        self.out = nnx.Linear(8, 4, rngs=rngs)

    def __call__(self, x):
        x = nnx.relu(self.stem(x))
        x = nnx.relu(self.body(x))
        return self.out(nnx.relu(x).mean(axis=(1, 2)))


def scaled(images):
    return images.astype(np.float32) / np.float32(127.5) - np.float32(1)


@pytest.fixture(scope="module")
def network():
    """Its logits are far enough apart that probabilities change with the image."""
    model = Small()
    model.out.kernel[...] = model.out.kernel[...] * 20
    return jv.describe(model, size=SIZE, preprocess=scaled)


@pytest.fixture(scope="module")
def small():
    """Two images of 32 x 32 with a bright object, its mask and a class."""
    rng = np.random.Generator(np.random.PCG64(1))
    images = rng.integers(0, 120, (2, *SIZE, 3), dtype=np.uint8)
    masks = np.zeros((2, *SIZE), bool)
    masks[0, 4:12, 6:20], masks[1, 18:30, 3:9] = True, True
    images[masks] += 120
    return ev.Subjects(["a", "b"], images, np.array([2, 0]), masks, [5, 6])


@pytest.fixture(scope="module")
def found(network, small):
    said = []
    found = ev.evaluate(network, small, closely=2, progress=said.append)
    assert "where is it: image 1 of 2" in said
    # three layers, of which the last counts once, and two more draws of two networks each
    assert said.count("random network 9 of 9") == 1
    assert said[-1] == "random network 9 of 9"
    return found


@pytest.fixture(scope="module")
def saliency(network, small):
    x = scaled(small.images)
    return np.asarray(jv.saliency(network.model, x, small.classes, rule=jv.GUIDED))


def upsampled(network, small, rule):
    x = scaled(small.images)
    cam = jv.grad_cam(network.model, x, small.classes, layer=-1, rule=rule)
    assert cam.shape == (2, 16, 16)
    return jv.upsample(np.asarray(cam), SIZE)


def test_all_questions_are_answered_for_all_maps(found):
    assert [question.key for question in found.questions] == KEYS
    six = [f"{m} {rule}" for m in ("saliency", "Grad-CAM") for rule in jv.RULES]
    for question in found.questions:
        # controls do not ask the network: that they depend on it is no question
        assert list(question.values) == [*six, *([] if question.draws else CONTROLS)]
        assert question.images == 2
        for name in six:
            assert set(question.values[name]) == {metric.name for metric in question.metrics}
            for values in question.values[name].values():
                assert values.shape == (2,)
    assert list(found.course.cascading) == list(found.course.independent) == ["out", "body", "stem"]
    assert list(found.seconds) == [
        "Where is it?",
        "Does it matter to the network?",
        "Does it depend?",
    ]
    assert found.conclusion[0].startswith("On these 2 images nothing is settled: at least 15 ")
    assert found.conclusion[1].count("\n") == 5
    assert not any(one.clear for one in found.verdict.comparisons)


def test_where_is_counted_by_hand(found, network, small, saliency):
    values = found.questions[0].values
    cams = upsampled(network, small, jv.RECTIFIED)
    for name, maps in (("saliency guided", saliency), ("Grad-CAM rectified", cams)):
        inside = [(a * m).sum() / a.sum() for a, m in zip(maps, small.masks, strict=True)]
        np.testing.assert_allclose(values[name]["energy inside"], inside, rtol=1e-4)
    share = small.masks.mean(axis=(1, 2))
    assert (values["random"]["energy inside"] < 1.5 * share).all()


def probabilities(network, x, classes):
    logits = np.asarray(network.model(jnp.asarray(x)), np.float64)
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    return (shares / shares.sum(axis=1, keepdims=True))[np.arange(len(x)), classes]


def test_deletion_is_counted_by_hand(found, network, small, saliency):
    """One pixel after another to grey, where `preprocess` has its zero, a 28th of them at once."""
    x = scaled(small.images)
    for i in range(2):
        order = np.argsort(-saliency[i].ravel(), kind="stable")
        curve, state = [], x[i].reshape(-1, 3).copy()
        for gone in [*range(0, 1024, 37), 1024]:
            state[order[:gone]] = 0
            curve.append((gone / 1024, probabilities(network, state.reshape(1, *SIZE, 3),
                                                     small.classes[i])[0]))  # fmt: skip
        shares, p = np.array(curve).T
        wanted = ((p[1:] + p[:-1]) / 2 * np.diff(shares)).sum()
        values = found.questions[1].values
        np.testing.assert_allclose(
            values["saliency guided"]["deletion"][i], wanted, rtol=1e-3, atol=1e-5
        )
        assert values["random"]["deletion"][i] != pytest.approx(wanted, rel=1e-2)


def test_noise_is_meant_in_grey_levels_of_this_preprocess(found, network, small, saliency):
    """5 grey levels are 10 / 255 of an input from -1 to 1."""
    x = scaled(small.images)
    worst = np.zeros(2)
    for offset in ev.uniform_offsets(x, samples=5, radius=10 / 255, seed=small.seeds):
        moved = np.asarray(jv.saliency(network.model, x + offset, small.classes, rule=jv.GUIDED))
        change = np.sqrt(((moved - saliency) ** 2).sum(axis=(1, 2)))
        worst = np.maximum(worst, change / np.sqrt((saliency**2).sum(axis=(1, 2))))
    assert worst.min() > 0.01
    values = found.questions[1].values["saliency guided"]
    np.testing.assert_allclose(values["max-sensitivity"], worst, rtol=1e-3)
    road = ev.road(network.model, x, small.classes, saliency, shares=(0.1, 0.3, 0.5),
                   noise=0.6 * 2 / 255, seed=small.seeds)  # fmt: skip
    np.testing.assert_allclose(values["ROAD"], road.area, rtol=1e-3)


def test_dependence_is_scipys_of_the_maps_of_random_relatives(found, network, small, saliency):
    """Made by hand: He-normal kernels and zero biases, in the order of the code."""
    x = scaled(small.images)
    random = {
        name: ev.randomized(network.model, [name], order=["out", "body", "stem"])
        for name in ("out", "body")
    }
    assert not np.asarray(random["out"].function.out.bias[...]).any()
    np.testing.assert_array_equal(
        random["out"].function.stem.kernel[...], network.model.function.stem.kernel[...]
    )
    values = found.questions[3].values
    for layer, model in random.items():
        maps = np.asarray(jv.saliency(model, x, small.classes, rule=jv.GUIDED))
        rank = [scipy.stats.spearmanr(a.ravel(), b.ravel()).statistic
                for a, b in zip(saliency, maps, strict=True)]  # fmt: skip
        likeness = found.course.independent[layer]["saliency guided"]
        np.testing.assert_allclose(likeness.rank, rank, atol=1e-4)
        if layer == "out":
            drawn = found.questions[3].draws["saliency guided"]["rank corr."]
            np.testing.assert_allclose(drawn[0], rank, atol=1e-4)
            np.testing.assert_allclose(
                values["saliency guided"]["rank corr."], drawn.mean(axis=0), atol=1e-6
            )
            assert len(drawn) == 3
            assert np.ptp(drawn, axis=0).min() > 1e-4  # three networks


def test_methods_rules_and_layer_are_those_asked_for(network, small):
    options = {"methods": ["grad_cam"], "rules": ["guided"], "layer": 0}
    found = ev.evaluate(network, small, closely=1, **options)
    for question in found.questions:
        controls = [] if question.draws else CONTROLS
        assert list(question.values) == ["Grad-CAM guided", *controls]
    assert [question.images for question in found.questions] == [2, 1, 1, 1]
    x = scaled(small.images)
    cam = jv.grad_cam(network.model, x, small.classes, layer=0, rule=jv.GUIDED)
    maps = jv.upsample(np.asarray(cam), SIZE)
    inside = [(a * m).sum() / a.sum() for a, m in zip(maps, small.masks, strict=True)]
    values = found.questions[0].values["Grad-CAM guided"]["energy inside"]
    np.testing.assert_allclose(values, inside, rtol=1e-4)


def test_several_layers_are_too_many(network, small):
    with pytest.raises(ValueError, match=r"layer is \[0, 1\]; wanted one"):
        ev.evaluate(network, small, closely=1, layer=[0, 1])


def test_quickly(network, small):
    x = scaled(small.images)
    maps = jv.explain(network.model, x, small.classes, layer=-1, signed=True)
    quick = evaluate_quickly(network, small, maps, layer=-1)
    questions, sentences = quick.questions, quick.conclusion
    assert [question.key for question in questions] == KEYS
    x = scaled(small.images)
    cams = upsampled(network, small, jv.VANILLA)
    kept = x.copy()
    for i in range(2):
        kept[i].reshape(-1, 3)[np.argsort(-cams[i].ravel(), kind="stable")[: round(0.2 * 1024)]] = 0
    wanted = probabilities(network, kept, small.classes)
    found = questions[1].values["Grad-CAM vanilla"]["deleted 20 %"]
    np.testing.assert_allclose(found, wanted, rtol=1e-3)
    assert "nothing is settled" in sentences[0]
    assert sentences[-1].startswith("**The rule.** ")


def test_without_weights_the_third_question_is_left_out_and_that_is_said(network, small):
    """A function that closes over its weights; without masks the first is left out as well."""
    inside = network.model.function
    closed = jv.describe(
        jv.expose_relu(lambda x: inside(x)), size=SIZE, preprocess=scaled, name="closed"
    )
    found = ev.evaluate(closed, small, closely=1, rules=["vanilla"])
    assert [question.key for question in found.questions] == ["where", "matters"]
    assert found.course is None
    assert "nothing is settled" in found.conclusion[0]
    assert found.conclusion[-1].startswith("Whether the maps depend on the network was not asked: ")
    assert "jax.tree_util.Partial(f, weights)" in found.conclusion[-1]
    assert set(found.seconds) == {question.title for question in found.questions}
    blind = small._replace(masks=None)
    x = scaled(small.images)
    maps = jv.explain(closed.model, x, small.classes, layer=-1, signed=True)
    quick = evaluate_quickly(closed, blind, maps, layer=-1)
    assert [question.key for question in quick.questions] == ["matters"]
    assert quick.conclusion[-1] == found.conclusion[-1]


def test_a_pair_is_evaluated_like_the_network_that_it_was_cut_from(network, small):
    pair = jv.describe(network.model.cut(-1), size=SIZE, preprocess=scaled)
    options = {"methods": ["grad_cam"], "rules": ["vanilla"]}
    whole, cut = (ev.evaluate(one, small, closely=2, **options) for one in (network, pair))
    assert [question.key for question in cut.questions] == KEYS
    for one, other in zip(whole.questions[:2], cut.questions[:2], strict=True):
        for metric, values in one.values["Grad-CAM vanilla"].items():
            np.testing.assert_allclose(
                other.values["Grad-CAM vanilla"][metric], values, rtol=1e-3, atol=1e-5
            )
    assert list(cut.course.cascading) == ["1/out", "0/body", "0/stem"]


def test_a_keras_model(small):
    """Its statistics are weights of its layers as well."""
    i = keras.Input((*SIZE, 3))
    y = keras.layers.Conv2D(6, 3, strides=2, activation="relu", name="stem")(i)
    y = keras.layers.BatchNormalization(name="norm")(y)
    y = keras.layers.Conv2D(8, 3, activation="relu", name="conv")(y)
    y = keras.layers.Dense(4, name="answer")(keras.layers.GlobalAveragePooling2D()(y))
    model = keras.Model(i, y)
    rng = np.random.Generator(np.random.PCG64(1))  # Keras draws others every time
    model.set_weights([rng.uniform(0.1, 0.5, a.shape) for a in model.weights])
    with jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard"):
        network = jv.describe(model, size=SIZE, preprocess=scaled)
        found = ev.evaluate(network, small, closely=1, methods=["saliency"], rules=["guided"])
        pair = (np.asarray(f(scaled(small.images))) for f in (network.forward, model))
        np.testing.assert_allclose(*pair, rtol=1e-5, atol=1e-6)
    assert list(found.course.cascading) == ["answer", "conv", "norm", "stem"]
    assert [question.key for question in found.questions] == KEYS
