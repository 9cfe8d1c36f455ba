"""Relevance of pixels, against the sums written out in `relevance_by_hand`."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import relative_error, with_biases
from relevance_by_hand import dense_backward, vgg16_relevance

import jaxvis as jv
from jaxvis.gradients.chain import Chain, Link
from jaxvis.gradients.relevance import AlphaBeta, Box, Epsilon, Flat, Gamma, WSquare, ZPlus
from jaxvis.methods.composites import COMPOSITES, Composite, composite_of, rules_of
from jaxvis.methods.lrp import _propagate, relevance
from jaxvis.models.heads import Affine, HeadLayer, dense
from jaxvis.models.vgg16 import he_normal

MEAN = np.array([103.939, 116.779, 123.68])
LOW, HIGH = -MEAN, 255 - MEAN


@pytest.fixture
def images(rng):
    """Two preprocessed images for `narrow`."""
    return jv.preprocess(rng.integers(0, 256, (2, 64, 64, 3), np.uint8))


class Convolved:
    """A network of one's own that comes apart: one layer of each kind, of 6 x 6 pixels."""

    def __init__(self):
        rng = np.random.default_rng(6)
        shapes = {"conv": (3, 3, 3, 4), "hidden": (36, 8), "last": (8, 7)}
        self.arrays = {
            name: {
                "kernel": rng.normal(size=shape).astype(np.float32),
                "bias": rng.normal(size=shape[-1:]).astype(np.float32),
            }
            for name, shape in shapes.items()
        }

    def chain(self):
        return Chain((
            Link("conv", "Conv2D", self.arrays["conv"], relu=True),
            Link("pool", "MaxPooling2D"),
            Link("flatten", "Flatten"),
            Link("hidden", "Dense", self.arrays["hidden"], relu=True),
            Link("last", "Dense", self.arrays["last"]),
        ))  # fmt: skip


# Written out here too: a table that is wrong there must not be right here.
BY_HAND = {
    "lrp_0": (Epsilon(0.0), Epsilon(0.0), Epsilon(0.0)),
    "epsilon": (Epsilon(1e-6), Epsilon(1e-6), Epsilon(1e-6)),
    "epsilon_plus": (ZPlus(), ZPlus(), Epsilon(1e-6)),
    "epsilon_plus_flat": (Flat(), ZPlus(), Epsilon(1e-6)),
    "epsilon_plus_box": (Box(LOW, HIGH), ZPlus(), Epsilon(1e-6)),
    "epsilon_gamma_box": (Box(LOW, HIGH), Gamma(0.25), Epsilon(1e-6)),
    "epsilon_alpha2_beta1": (AlphaBeta(2, 1), AlphaBeta(2, 1), Epsilon(1e-6)),
    "epsilon_alpha2_beta1_flat": (Flat(), AlphaBeta(2, 1), Epsilon(1e-6)),
}


@pytest.mark.parametrize("name", COMPOSITES)
def test_every_composite_is_the_sums_written_out(narrow, images, name):
    first, convolutions, denses = BY_HAND[name]

    def rule_of(layer, kind):
        if layer == "block1_conv1":
            return first
        return convolutions if kind == "Conv2D" else denses

    wanted, kept = vgg16_relevance(narrow, images, [3, 5], rule_of)
    found = relevance(narrow, images, [3, 5], composite=name)
    assert relative_error(found.pixels, wanted) < 2e-5
    assert relative_error(found.biases, kept) < 1e-4
    np.testing.assert_allclose(found.start, np.asarray(narrow(images))[[0, 1], [3, 5]], rtol=1e-4)
    assert np.abs(found.error).max() < 1e-5
    maps = jv.lrp(narrow, images, [3, 5], composite=name)
    assert relative_error(maps, wanted.sum(-1)) < 2e-5
    assert maps.shape == (2, 64, 64)


def test_no_two_composites_give_the_same(narrow, images):
    maps = [np.asarray(jv.lrp(narrow, images, 3, composite=name)) for name in COMPOSITES]
    for i, one in enumerate(maps):
        for j, other in enumerate(maps[:i]):
            if (i, j) != (1, 0):  # an epsilon of 1e-6 is next to none
                assert relative_error(one, other) > 1e-2


def test_double_precision_leaves_no_rounding(images, x64):
    """Then no share is near enough, but right."""
    images = images[:, :32, :32]
    model = with_biases(jv.VGG16(width=1 / 64, classes=3, size=32, param_dtype=jnp.float64))
    composite = Composite(
        names={"fc1": Gamma(0.5), "predictions": AlphaBeta(1.5, 0.5), "block3_conv2": Epsilon(7.0)},
        first=Box(),
        kinds={"Conv2D": Gamma(2.0), "Dense": ZPlus()},
    )

    def rule_of(layer, kind):
        first = Box(LOW, HIGH) if layer == "block1_conv1" else composite.kinds[kind]
        return composite.names.get(layer, first)

    wanted, kept = vgg16_relevance(model, images, 2, rule_of)
    # The model's own bounds come from images in float32.
    found = relevance(
        model, images.astype(np.float64), 2, composite=composite, low=LOW, high=HIGH
    )  # fmt: skip
    assert found.pixels.dtype == jnp.float64
    assert relative_error(found.pixels, wanted) < 1e-12
    assert relative_error(found.biases, kept) < 1e-12


@pytest.fixture(scope="module")
def unbiased():
    return jv.VGG16(width=1 / 16, classes=7, size=64)


@pytest.mark.parametrize("name", COMPOSITES)
def test_without_biases_a_map_sums_to_the_logit(unbiased, images, name):
    found = relevance(unbiased, images, [3, 5], composite=name)
    logits = np.asarray(unbiased(images))[[0, 1], [3, 5]]
    sums = np.asarray(found.pixels, np.float64).sum(axis=(1, 2, 3))
    np.testing.assert_allclose(sums, logits, rtol=1e-4)
    np.testing.assert_array_equal(found.biases, 0)


def test_with_biases_the_balance_says_where_it_went(narrow, images):
    for name in COMPOSITES:
        found = relevance(narrow, images, 3, composite=name)
        sums = np.asarray(found.pixels, np.float64).sum(axis=(1, 2, 3))
        np.testing.assert_allclose(
            sums + found.biases + found.stabilisers, found.start, rtol=1e-4
        )  # fmt: skip
        assert np.abs(found.biases).min() > 1e-3 * np.abs(found.start).max()


def test_rules_that_give_to_inputs_of_0_inside_a_network(narrow, images):
    """Then units below 0 have relevance, and `Gamma` shares it out too."""
    box, flat = Box(-1000.0, 2000.0), Flat()  # each in a convolution and in a dense layer
    names = {"block2_conv2": WSquare(), "block3_conv2": flat, "block4_conv1": box, "fc1": flat,
             "fc2": box}  # fmt: skip
    composite = Composite(names, kinds={"Conv2D": Gamma(0.5), "Dense": Gamma(0.5)})
    wanted, _ = vgg16_relevance(narrow, images, [3, 5], lambda name, _: names.get(name, Gamma(0.5)))
    found = relevance(narrow, images, [3, 5], composite=composite)
    assert relative_error(found.pixels, wanted) < 2e-5
    assert np.abs(found.error).max() < 1e-5


def test_an_epsilon_that_is_not_small_takes_its_part(narrow, images):
    large = Composite(kinds={"Conv2D": Epsilon(100.0), "Dense": Epsilon(100.0)})
    found = relevance(narrow, images, 3, composite=large)
    assert np.abs(found.stabilisers).min() > 0.1 * np.abs(found.start).max()
    assert np.abs(found.error).max() < 1e-4  # of the little that reaches the pixels


@pytest.mark.parametrize("biased", [False, True])
def test_lrp_0_is_the_gradient_times_the_input(narrow, unbiased, images, biased):
    """Whatever the biases: they are part of each denominator."""
    model = narrow if biased else unbiased
    wanted = np.asarray(jv.input_gradient(model, images, [3, 5])) * images
    found = jv.lrp(model, images, [3, 5], composite="lrp_0", keep_channels=True)
    assert relative_error(found, wanted) < 1e-4
    nearly = Composite(kinds={"Conv2D": Epsilon(1e-9), "Dense": Epsilon(1e-9)})
    assert relative_error(jv.lrp(model, images, [3, 5], composite=nearly), wanted.sum(-1)) < 1e-4


def test_classes(narrow, images):
    one_by_one = [np.asarray(jv.lrp(narrow, images, c)) for c in range(3)]
    of_each = jv.lrp(narrow, images, [[0, 1, 2], [2, 1, 0]])
    assert of_each.shape == (2, 3, 64, 64)
    for k in range(3):
        assert relative_error(of_each[0, k], one_by_one[k][0]) < 1e-5
        assert relative_error(of_each[1, k], one_by_one[2 - k][1]) < 1e-5
    found = relevance(narrow, images, [[0, 1, 2], [2, 1, 0]])
    assert found.logits.shape == (2, 7)
    assert found.start.shape == found.biases.shape == found.error.shape == (2, 3)
    largest = np.asarray(narrow(images)).argmax(axis=1)
    np.testing.assert_array_equal(jv.lrp(narrow, images), jv.lrp(narrow, images, largest))


def test_where_it_starts_is_a_factor(rng):
    model, x = Convolved(), rng.normal(size=(2, 6, 6, 3)).astype(np.float32)
    found = relevance(model, x, 3)
    np.testing.assert_array_equal(found.start, found.logits[:, 3])
    one = np.asarray(jv.lrp(model, x, 3, start="one"))
    wanted = found.pixels.sum(axis=-1)
    assert relative_error(one * np.asarray(found.start)[:, None, None], wanted) < 1e-5


def test_of_a_score_each_logit_begins_with_its_part(narrow, images):
    """Relevance is linear in what it begins with, so that of single logits says what is wanted."""
    one, other = (jv.lrp(narrow, images, c, composite="epsilon") for c in (3, 5))
    found = relevance(narrow, images, score=jv.scores.contrast(3, 5), composite="epsilon")
    assert relative_error(found.pixels.sum(-1), one - other) < 1e-5
    logits = np.asarray(narrow(images))
    np.testing.assert_allclose(found.start, logits[:, 3] - logits[:, 5], rtol=1e-4)
    chosen = np.array([[3.0, 0.5], [0.25, 2.0]], np.float32)  # a row for each image

    def weighed(z):
        return z[:, 3] * chosen[:, 0] + z[:, 5] * chosen[:, 1]

    found = jv.lrp(narrow, images, score=weighed, composite="epsilon", batch_size=1)
    rows = chosen[:, :, None, None]
    assert relative_error(found, rows[:, 0] * one + rows[:, 1] * other) < 1e-5
    # Of one that is no sum, what its gradient says; from 1, without the logit itself.
    at_one = jv.lrp(narrow, images, score=lambda z: z[:, 3] ** 2, composite="epsilon", start="one")
    assert relative_error(at_one, 2 * np.asarray(one)) < 1e-5
    by_row = jv.explain(narrow, images, methods=["lrp"], score=jv.scores.contrast(3, 5)).lrp["any"]
    assert relative_error(by_row, jv.lrp(narrow, images, 3) - jv.lrp(narrow, images, 5)) < 1e-5


def test_channels_may_be_kept(narrow, images):
    kept = jv.lrp(narrow, images, 3, composite="epsilon", keep_channels=True)
    assert kept.shape == (2, 64, 64, 3)
    np.testing.assert_allclose(
        kept.sum(-1), jv.lrp(narrow, images, 3, composite="epsilon"), rtol=1e-5, atol=1e-5
    )


def test_batches_change_nothing_and_compile_once(rng):
    model, x = Convolved(), rng.normal(size=(5, 6, 6, 3)).astype(np.float32)
    classes = np.array([[0, 1], [2, 3], [4, 5], [6, 0], [1, 2]])
    for asked in (None, classes):
        wanted = jv.lrp(model, x, asked)
        before = _propagate.traces
        found = relevance(model, x, asked, batch_size=2)
        assert _propagate.traces <= before + 1
        assert len(found.logits) == len(found.start) == 5
        assert relative_error(found.pixels.sum(-1), wanted) < 1e-5


def test_numbers_weights_classes_and_images_do_not_recompile(narrow, images):
    composite = Composite(first=Box(), kinds={"Conv2D": Gamma(0.1), "Dense": Epsilon(0.1)})
    maps = [jv.lrp(narrow, images, 3, composite=composite)]
    before = _propagate.traces
    other = Composite(first=Box(), kinds={"Conv2D": Gamma(0.9), "Dense": Epsilon(0.1)})
    maps.append(jv.lrp(narrow, images, 3, composite=other))
    maps.append(jv.lrp(narrow, images, 4, composite=composite))
    model = jv.VGG16(width=1 / 16, classes=7, size=64, seed=7)
    maps.append(jv.lrp(model, images, 3, composite=composite))
    assert _propagate.traces == before
    assert len({np.asarray(m).tobytes() for m in maps}) == len(maps)


def test_under_jit_and_vmap_of_the_caller(rng):
    """Where nothing is known of the numbers, such as whether they lie inside the box."""
    model, x = Convolved(), rng.normal(size=(2, 6, 6, 3)).astype(np.float32)
    options = {"composite": "epsilon_gamma_box", "low": -9.0, "high": 9.0}
    jitted = jax.jit(lambda x, c: jv.lrp(model, x, c, **options))
    wanted = jv.lrp(model, x, 3, **options)
    assert relative_error(jitted(x, 3), wanted) < 1e-5
    one = jax.jit(jax.vmap(lambda x: jv.lrp(model, x[None], 3, **options)[0]))
    assert relative_error(one(x), wanted) < 1e-5


def test_images_and_weights_are_left_as_they_were(narrow, images):
    before = images.copy(), np.asarray(narrow.fc1.kernel[...])
    jv.lrp(narrow, images, 3)
    np.testing.assert_array_equal(images, before[0])
    np.testing.assert_array_equal(narrow.fc1.kernel[...], before[1])


def test_in_bfloat16_only_weights_are_rounded(images):
    weights = he_normal(jv.VGG16(width=1 / 16, classes=7, size=64).architecture, 3, np.float32)
    half = jv.VGG16(width=1 / 16, classes=7, size=64, weights=weights, precision="bfloat16")
    rounded = {
        name: tuple(np.asarray(jnp.asarray(a, jnp.bfloat16).astype(jnp.float32)) for a in arrays)
        for name, arrays in weights.items()
    }
    same = jv.VGG16(width=1 / 16, classes=7, size=64, weights=rounded)
    found = relevance(half, images, 1)
    assert found.pixels.dtype == jnp.float32
    assert np.abs(found.error).max() < 1e-5
    assert relative_error(found.pixels.sum(-1), jv.lrp(same, images, 1)) < 1e-5


# ------------------------------------------------------------- other heads and fronts

BN = ("gamma", "beta", "moving_mean", "moving_variance")


def narrow_weights(model, rng):
    """He-normal kernels; all else drawn, so that nothing is 0 or 1."""
    return {
        name: tuple(
            array if array.ndim > 1 else rng.uniform(0.5, 2, array.shape).astype(np.float32)
            for array in arrays
        )
        for name, arrays in he_normal(model.architecture, 5, np.float32).items()
    }


def test_normalisations_become_part_of_dense_layers(rng, images):
    """Of the one behind them, or the one before; what comes out is a network without."""
    head = [
        HeadLayer("pool", "GlobalAveragePooling2D"),
        HeadLayer("bn0", "BatchNormalization", 0, "linear", BN, (1e-3,)),
        HeadLayer("drop", "Dropout"),
        dense("d1", 10, bias=False),
        HeadLayer("bn1", "BatchNormalization", 0, "linear", BN[2:], (1e-2,)),
        HeadLayer("act", "Activation", 0, "relu"),
        dense("d2", 9, "relu"),
        HeadLayer("bn2", "BatchNormalization", 0, "linear", BN[1:], (1e-3,)),
        HeadLayer("bn3", "BatchNormalization", 0, "linear", ("gamma", *BN[2:]), (1e-3,)),
        dense("predictions", 4, "softmax"),
    ]
    model = jv.VGG16(width=1 / 16, size=64, head=head)
    weights = narrow_weights(model, rng)
    model = jv.VGG16(width=1 / 16, size=64, head=head, weights=weights)

    def scaled(roles, name, epsilon):
        of = {"gamma": 1, "beta": 0} | dict(zip(roles, weights[name], strict=True))
        scale = of["gamma"] / np.sqrt(of["moving_variance"].astype(np.float64) + epsilon)
        return scale, of["beta"] - of["moving_mean"] * scale

    (s0, o0), (s1, o1) = scaled(BN, "bn0", 1e-3), scaled(BN[2:], "bn1", 1e-2)
    (s2, o2), (s3, o3) = scaled(BN[1:], "bn2", 1e-3), scaled(("gamma", *BN[2:]), "bn3", 1e-3)
    (w1,), (w2, b2), (w3, b3) = weights["d1"], weights["d2"], weights["predictions"]
    s23, o23 = s2 * s3, o2 * s3 + o3
    joined = {
        "d1": (s0[:, None] * w1 * s1, (o0 @ w1) * s1 + o1),
        "d2": (w2, b2),
        "predictions": (s23[:, None] * w3, o23 @ w3 + b3),
    }
    links = model.chain().links[-4:]
    assert [(link.name, link.relu) for link in links] == [
        ("pool", False), ("d1", True), ("d2", True), ("predictions", False),
    ]  # fmt: skip
    for link in links[1:]:
        kernel, bias = joined[link.name]
        assert relative_error(link.arrays["kernel"], kernel) < 1e-6
        assert relative_error(link.arrays["bias"], bias) < 1e-5
    found = relevance(model, images, 2)
    assert relative_error(found.logits, model(images)) < 1e-5
    assert np.abs(found.error).max() < 1e-5


def test_a_normalisations_own_relu_is_that_of_the_dense_layer():
    bn = HeadLayer("bn", "BatchNormalization", 0, "relu", BN, (1e-3,))
    head = [HeadLayer("flat", "Flatten"), dense("d1", 4), bn, dense("d2", 3)]
    links = jv.VGG16(width=1 / 64, size=32, head=head).chain().links
    assert [(link.name, link.relu) for link in links[-2:]] == [("d1", True), ("d2", False)]


def test_global_maximum_and_a_dense_layer_without_bias(rng, images):
    head = [HeadLayer("pool", "GlobalMaxPooling2D"), dense("predictions", 4, bias=False)]
    model = jv.VGG16(width=1 / 16, size=64, head=head)
    wanted = np.asarray(jv.input_gradient(model, images, 1)) * images
    assert relative_error(jv.lrp(model, images, 1, composite="lrp_0"), wanted.sum(-1)) < 1e-4


def test_one_unit_is_two_classes(rng, images):
    head = [HeadLayer("pool", "GlobalAveragePooling2D"), dense("predictions", 1, "sigmoid")]
    model = jv.VGG16(width=1 / 16, size=64, head=head)
    model = jv.VGG16(width=1 / 16, size=64, head=head, weights=narrow_weights(model, rng))
    found = relevance(model, images, [[0, 1]] * 2, composite="lrp_0")
    np.testing.assert_allclose(found.logits, model(images), rtol=1e-5)
    np.testing.assert_allclose(found.start, model(images), rtol=1e-5)
    # What speaks for one speaks against the other, by `Epsilon`.
    np.testing.assert_allclose(found.pixels[:, 0], -found.pixels[:, 1], rtol=1e-5)
    wanted = np.asarray(jv.input_gradient(model, images, 0)) * images
    assert relative_error(found.pixels[:, 0], wanted) < 1e-4


@pytest.mark.parametrize("name", ["epsilon_plus_flat", "epsilon_plus_box"])
def test_what_a_network_does_to_its_pixels_passes_relevance_on(name, rng):
    """And the bounds of the box go through it; a negative scale exchanges them."""
    front = [
        Affine("flip", "Lambda", (2, 1, 0), (1.0, 1.0, 1.0), (-100.0, -120.0, -130.0)),
        Affine("scale", "Rescaling", (0, 1, 2), (-0.5, 0.25, 0.5), (1.0, 2.0, 3.0)),
    ]
    plain = with_biases(jv.VGG16(width=1 / 16, size=64, classes=7))
    weights = {row.name: tuple(getattr(getattr(plain, row.name), role)[...]
                               for role, _ in row.arrays)
               for row in plain.rows if row.arrays}  # fmt: skip
    model = jv.VGG16(width=1 / 16, size=64, classes=7, front=front, weights=weights)
    raw = rng.integers(0, 256, (2, 64, 64, 3), np.uint8)
    scale, offset = np.array([-0.5, 0.25, 0.5]), np.array([1.0, 2.0, 3.0])

    def by_hand(pixels):
        return (pixels[..., ::-1] - [100, 120, 130]) * scale + offset

    inside = by_hand(raw.astype(np.float64)).astype(np.float32)
    assert relative_error(model(model.preprocess(raw)), plain(inside)) < 1e-5
    ends = np.sort([by_hand(np.full(3, value)) for value in (0, 255)], axis=0)
    bounds = {"low": ends[0], "high": ends[1]} if "box" in name else {}
    wanted = jv.lrp(plain, inside, 1, composite=name, keep_channels=True, **bounds)
    found = jv.lrp(model, model.preprocess(raw), 1, composite=name, keep_channels=True)
    assert relative_error(found, wanted[..., ::-1]) < 1e-5


def test_bounds_of_each_preprocessing(rng):
    ends = {
        "caffe": (LOW, HIGH), "tf": (-1, 1), "rescale": (0, 1), "raw": (0, 255),
        "torch": ((0 - np.array([0.485, 0.456, 0.406])) / [0.229, 0.224, 0.225],
                  (1 - np.array([0.485, 0.456, 0.406])) / [0.229, 0.224, 0.225]),
    }  # fmt: skip
    for name, (low, high) in ends.items():
        reads = jv.preprocess if name == "caffe" else jv.models.preprocessing.Preprocessing(name)
        chain = jv.VGG16(width=1 / 64, size=32, classes=2, reads=reads).chain()
        np.testing.assert_allclose(chain.low, np.broadcast_to(low, 3), rtol=1e-5)
        np.testing.assert_allclose(chain.high, np.broadcast_to(high, 3), rtol=1e-5)


class TwoLayers:
    """A network of one's own that comes apart."""

    def __init__(self, w, v):
        self.w, self.v = w, v

    def chain(self):
        return Chain((
            Link("flatten", "Flatten"),
            Link("hidden", "Dense", {"kernel": self.w}, relu=True),
            Link("last", "Dense", {"kernel": self.v}),
        ))  # fmt: skip


def test_a_network_of_ones_own(rng):
    x, w, v = (rng.normal(size=s).astype(np.float32) for s in ((2, 2, 2, 3), (12, 8), (8, 3)))
    found = relevance(TwoLayers(w, v), x, 1, composite="epsilon")
    hidden = np.maximum(x.reshape(2, 12) @ w, 0)
    wanted = ((hidden > 0) * v[:, 1]) @ w.T * x.reshape(2, 12)
    assert relative_error(found.pixels.reshape(2, 12), wanted) < 1e-5


def test_without_a_relu_between_inputs_have_both_signs(rng):
    """Of which `ZPlus` counts the negative ones too, behind a layer as behind the pixels."""
    x, w, v = (rng.normal(size=s).astype(np.float32) for s in ((2, 12), (12, 8), (8, 3)))

    class Linear:
        def chain(self):
            return Chain((Link("a", "Dense", {"kernel": w}), Link("b", "Dense", {"kernel": v})))

    rule = ZPlus()
    found = jv.lrp(
        Linear(), x, [1, 2], keep_channels=True,
        composite=Composite(kinds={"Dense": rule}),
    )  # fmt: skip
    x, w, v = (a.astype(np.float64) for a in (x, w, v))
    start = (x @ w @ v) * np.eye(3)[[1, 2]]
    hidden, _ = dense_backward(rule, x @ w, v, np.zeros(3), start)
    wanted, _ = dense_backward(rule, x, w, np.zeros(8), hidden)
    assert relative_error(found, wanted) < 1e-5


# ------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"composite": "eps"}, ValueError, "composite is 'eps'; wanted one of lrp_0, epsilon,"),
        ({"composite": Epsilon()}, TypeError, "wanted one of lrp_0, .* or a .*Composite"),
        ({"composite": Composite(first=Flat)}, TypeError, "is no rule of relevance propagation"),
        ({"composite": Composite(kinds={"Dense": Epsilon()})}, ValueError,
         r"no rule for 'block1_conv1', a Conv2D; wanted one in kinds"),
        ({"composite": Composite(names={"fc3": Flat()})}, ValueError,
         "rules for fc3; wanted names of layers with weights: block1_conv1, .*, fc1"),
        ({"composite": Composite(kinds={"Conv2D": Box(), "Dense": Epsilon()})}, ValueError,
         "rule of 'block5_conv3' is a Box without bounds, which are known of 'block1_conv1'"),
        ({"start": "two"}, ValueError, "start is 'two'; wanted 'logit' or 'one'"),
        ({"batch_size": 0}, ValueError, "batch_size is 0; wanted a whole number of at least 1"),
        ({"composite": "epsilon_plus_box", "low": [0, 1]}, ValueError,
         r"low has shape \(2,\); wanted one number, or one of each channel: \(3,\)"),
        ({"composite": "epsilon_plus_box", "low": 0}, ValueError,
         "x goes 12.* below the lowest and 0 above the highest"),
        ({"composite": "epsilon_plus_box", "low": [-130.0] * 3, "high": [100.0] * 3}, ValueError,
         "x goes 0 below the lowest and 5.* above the highest"),
        ({"classes": 1, "score": jv.scores.logit(1)}, ValueError, "both classes and score="),
        ({"score": lambda z: z}, ValueError, r"score returned shape \(2, 7\)"),
        ({"classes": 7}, ValueError, "classes are 7; wanted indices from 0 to 6"),
        ({"classes": [1, 2, 3]}, ValueError, r"shape \(3,\); wanted one index"),
        ({"classes": "goose"}, TypeError, "wanted indices: model.class_index"),
    ],
)  # fmt: skip
def test_what_is_refused(narrow, images, options, error, message):
    with pytest.raises(error, match=message):
        jv.lrp(narrow, images, **options)


def test_models_that_do_not_come_apart(narrow, images):
    with pytest.raises(TypeError, match="the model is a function, which does not come apart"):
        jv.lrp(lambda x, relu: x, images)
    with pytest.raises(TypeError, match=r"a Network, .* wanted what it describes: network.model"):
        jv.lrp(jv.describe(narrow), images)
    with pytest.raises(TypeError, match="the model is a ExposedRelu, which does not come apart"):
        jv.lrp(jv.expose_relu(lambda x: x), images)
    with pytest.raises(ValueError, match="the model has no classifier"):
        jv.lrp(jv.VGG16(width=1 / 64, size=64, top=False), images)
    with pytest.raises(ValueError, match=r"the input has shape \(2, 32, 32, 3\)"):
        jv.lrp(narrow, images[:, :32, :32])

    class Strange:
        def chain(self):
            return Chain((Link("a", "Dense", {"kernel": np.ones((3, 2), "f4")}), Link("b", "GRU")))

    with pytest.raises(NotImplementedError, match="'b' is a 'GRU'; wanted one of Affine, Conv2D"):
        jv.lrp(Strange(), np.ones((2, 3), np.float32), composite="epsilon")

    class Twice:
        def chain(self):
            return Chain((Link("a", "Dense", {"kernel": np.ones((3, 3), "f4")}),) * 2)

    with pytest.raises(ValueError, match="two layers are called 'a'; wanted each name once"):
        jv.lrp(Twice(), np.ones((2, 3), np.float32), composite="epsilon")


@pytest.mark.parametrize(
    ("head", "message"),
    [
        ([dense("a", 4, "sigmoid"), dense("b", 2)], "'a' is a sigmoid inside the network"),
        ([HeadLayer("bn", "BatchNormalization", 0, "relu", BN, (1e-3,)), dense("b", 2)],
         "'bn' is a normalisation with a ReLU"),
        ([HeadLayer("bn", "BatchNormalization", 0, "linear", BN, (1e-3,)),
          HeadLayer("act", "Activation", 0, "relu"), dense("b", 2)],
         "'bn' is a normalisation between flat and act, no dense layer"),
        ([dense("a", 4, "relu"), HeadLayer("bn", "BatchNormalization", 0, "linear", BN, (1e-3,))],
         "'bn' is a normalisation behind a ReLU"),
    ],
)  # fmt: skip
def test_heads_without_rules(head, message, images):
    model = jv.VGG16(width=1 / 64, size=64, head=[HeadLayer("flat", "Flatten"), *head])
    with pytest.raises(NotImplementedError, match=message):
        jv.lrp(model, images)


def test_a_box_needs_bounds(images):
    def own(images):
        return images.astype(np.float32)

    model = jv.VGG16(width=1 / 64, classes=2, size=64, reads=own)
    with pytest.raises(ValueError, match="low is not known: .* wanted low= and high="):
        jv.lrp(model, images, composite="epsilon_plus_box")
    model, x = Convolved(), np.clip(images[:, :6, :6], -200, 200)
    with pytest.raises(ValueError, match="low is not known: .* wanted low= and high="):
        jv.lrp(model, x, composite="epsilon_plus_box")
    jv.lrp(model, x)
    own_box = Composite(first=Box(-200, 200), kinds=COMPOSITES["epsilon_plus"].kinds)
    assert relative_error(
        jv.lrp(model, x, composite=own_box),
        jv.lrp(model, x, composite="epsilon_plus_box", low=-200, high=200),
    ) < 1e-6  # fmt: skip


def test_which_rule_for_which_layer(narrow):
    composite = composite_of(
        Composite({"block1_conv1": Flat()}, Epsilon(), {"Conv2D": ZPlus(), "Dense": Gamma()})
    )
    rules = rules_of(composite, narrow.chain().links)
    assert rules.pop("block1_conv1") == Flat()  # a name comes before the first place
    assert {name: type(rule) for name, rule in rules.items()} == {
        layer.name: {"Conv2D": ZPlus, "Dense": Gamma}[layer.kind]
        for layer in jv.LAYERS
        if layer.kind in ("Conv2D", "Dense") and layer.name != "block1_conv1"
    }
