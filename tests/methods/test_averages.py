"""SmoothGrad, integrated and expected gradients against loops, closed forms and completeness."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import relative_error

import jaxvis as jv
from jaxvis import scores
from jaxvis.methods.baseline import baseline_of
from jaxvis.methods.samples import own_key

CLASSES = np.array([3, 0, 6])


def strongest(gradient):
    place = np.abs(gradient).argmax(axis=-1)[..., None]
    return np.take_along_axis(gradient, place, axis=-1)[..., 0]


def noisy(x, samples, noise, key):
    """The copies of every image, drawn one by one: (samples, n, ...)."""
    rows = []
    for number in range(samples):
        copies = []
        for image in x:
            own = jax.random.fold_in(own_key(key, jnp.asarray(image)), number)
            drawn = np.asarray(jax.random.normal(own, image.shape, jnp.float32))
            copies.append(image + noise * (image.max() - image.min()) * drawn)
        rows.append(np.stack(copies))
    return np.stack(rows)


REDUCED = {
    "signed": lambda g: g.mean(axis=0),
    "absolute": lambda g: np.abs(g).mean(axis=0),
    "square": lambda g: (g**2).mean(axis=0),
    "variance": lambda g: g.var(axis=0),
}


# Which rule is data, and means are code: of each mean, one rule.
RULE_OF = {"signed": "vanilla", "absolute": "guided", "square": "rectified", "variance": "guided"}


@pytest.mark.parametrize(("mean", "rule"), RULE_OF.items())
def test_smoothgrad(narrow, pixels, mean, rule):
    key = jax.random.key(7)
    rule = jv.RULES[rule]
    gradients = np.stack(
        [
            np.asarray(jv.input_gradient(narrow, copy, CLASSES, rule=rule), np.float64)
            for copy in noisy(pixels, 5, 0.2, key)
        ]
    )
    found = jv.smoothgrad(
        narrow, pixels, CLASSES, rule=rule, samples=5, noise=0.2, mean=mean, key=key, batch_size=7
    )
    assert relative_error(found, strongest(REDUCED[mean](gradients))) < 1e-4


def test_smooth_grad_cam(narrow, pixels):
    key = jax.random.key(0)
    cams = []
    for copy in noisy(pixels, 4, 0.1, key):
        maps = jv.explain(narrow, copy, CLASSES, methods=["grad_cam"], signed=True)
        cams.append(np.asarray(maps["grad_cam", "guided"]))
    found = jv.smooth_grad_cam(narrow, pixels, CLASSES, samples=4, noise=0.1, rule=jv.GUIDED)
    assert relative_error(found, np.maximum(np.mean(cams, axis=0), 0)) < 1e-4


@pytest.mark.parametrize("batch_size", [1, 2, 3, 8])
def test_a_map_depends_on_its_image_alone(rng, batch_size):
    """Not on the other images, their order, or how many go together."""
    model, _ = polynomial(3, rng)
    x = rng.normal(size=(3, 4, 4, 3)).astype(np.float32)
    wanted = [jv.smoothgrad(model, one[None], 1, samples=3)[0] for one in x]
    found = jv.smoothgrad(model, x[::-1], 1, samples=3, batch_size=batch_size)[::-1]
    assert relative_error(found, np.stack(wanted)) < 1e-4


def test_without_classes_the_image_as_it_is_decides(rng):
    """Noise may change the prediction, and the class that is explained must not change with it."""
    w = jnp.asarray(rng.normal(size=(2, 8, 8, 3)), jnp.float32)

    def model(x, relu=jax.nn.relu):
        del relu
        return jnp.einsum("nhwc,khwc->nk", x, w)

    x = rng.normal(size=(3, 8, 8, 3)).astype(np.float32)
    predicted = np.asarray(np.argmax(model(x), axis=1))
    guesses = [np.argmax(model(copy), axis=1) for copy in noisy(x, 9, 2.0, jax.random.key(0))]
    assert any((np.asarray(guess) != predicted).any() for guess in guesses)
    found = jv.smoothgrad(model, x, samples=9, noise=2.0)
    np.testing.assert_allclose(found, strongest(np.asarray(w))[predicted], rtol=1e-5)


def test_noise_of_zero_is_the_gradient(narrow, pixels):
    found = jv.smoothgrad(narrow, pixels, CLASSES, samples=2, noise=0)
    gradient = np.asarray(jv.input_gradient(narrow, pixels, CLASSES))
    assert relative_error(found, strongest(gradient)) < 1e-5


def test_a_score_sees_the_images_as_they_are(narrow, pixels):
    score = scores.contrast([1, 2, 3], 0)
    found = jv.smoothgrad(narrow, pixels, score=score, samples=3, batch_size=2)
    gradients = [
        np.asarray(jv.input_gradient(narrow, copy, score=score))
        for copy in noisy(pixels, 3, 0.15, jax.random.key(0))
    ]
    assert relative_error(found, strongest(np.mean(gradients, axis=0))) < 1e-4


def polynomial(degree, rng):
    """A model of two logits, sum w x^degree of each, as its gradient is known."""
    w = rng.normal(size=(2, 4, 4, 3)).astype(np.float32)

    def model(x, relu=jax.nn.relu):
        del relu
        return jnp.einsum("nhwc,khwc->nk", x**degree, jnp.asarray(w))

    return model, w


@pytest.mark.parametrize("degree", [1, 2, 3, 6])
def test_quadrature_is_exact_for_polynomials(rng, degree):
    """Gauss-Legendre with 3 points: up to degree 5 of the gradient, so 6 of the score."""
    model, w = polynomial(degree, rng)
    x = rng.normal(size=(2, 4, 4, 3)).astype(np.float32)
    b = rng.normal(size=(4, 4, 3)).astype(np.float32)
    found = jv.integrated_gradients(model, x, 1, baseline=b, steps=3)
    wanted = (w[1] * (x.astype(np.float64) ** degree - b.astype(np.float64) ** degree)).sum(axis=-1)
    np.testing.assert_allclose(found.maps, wanted, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(found.error, 0, atol=1e-3)


def test_too_few_steps_have_an_error(rng):
    model, _ = polynomial(6, rng)
    x = rng.normal(size=(2, 4, 4, 3)).astype(np.float32)
    found = jv.integrated_gradients(model, x, 1, steps=1)
    assert np.abs(found.error).min() > 0.1


@pytest.mark.parametrize("batch_size", [2, 5])
def test_integrated_gradients_by_hand(narrow, pixels, batch_size):
    nodes, weights = np.polynomial.legendre.leggauss(4)
    total = np.zeros(pixels.shape)
    for node, weight in zip((nodes + 1) / 2, weights / 2, strict=True):
        point = (5 + node * (pixels - 5)).astype(np.float32)
        total += weight * np.asarray(jv.input_gradient(narrow, point, CLASSES, rule=jv.GUIDED))
    wanted = ((pixels - 5) * total).sum(axis=-1)
    found = jv.integrated_gradients(
        narrow, pixels, CLASSES, steps=4, baseline=5.0, rule=jv.GUIDED, batch_size=batch_size
    )
    assert relative_error(found.maps, wanted) < 1e-4
    ends = [np.asarray(narrow(p))[np.arange(3), CLASSES] for p in (pixels, 0 * pixels + 5)]
    gap = np.asarray(found.maps).sum(axis=(1, 2)) - (ends[0] - ends[1])
    np.testing.assert_allclose(found.error, gap, rtol=1e-3, atol=1e-2)


def test_completeness_comes_with_steps(narrow, pixels):
    errors = [
        np.abs(jv.integrated_gradients(narrow, pixels, CLASSES, steps=steps).error).mean()
        for steps in (2, 64)
    ]
    assert errors[1] < errors[0] / 4
    logits = np.asarray(narrow(pixels))[np.arange(3), CLASSES]
    zero = np.asarray(narrow(0 * pixels))[np.arange(3), CLASSES]
    assert errors[1] < 0.03 * np.abs(logits - zero).max()


def test_baselines(narrow, pixels):
    x = jnp.asarray(pixels)
    black = np.asarray(baseline_of(narrow, x, "black"))
    np.testing.assert_allclose(black, jv.preprocess(np.zeros((3, 64, 64, 3), np.uint8)))
    uniform = np.asarray(baseline_of(narrow, x, "uniform", key=jax.random.key(3)))
    for image, one in zip(pixels, uniform, strict=True):
        assert image.min() <= one.min() < one.max() <= image.max()
    assert not np.array_equal(uniform, baseline_of(narrow, x, "uniform", key=jax.random.key(4)))
    blurred = np.asarray(baseline_of(narrow, x, "blurred"))
    assert blurred.std() < 0.3 * pixels.std()
    flat = np.full((1, 8, 8, 3), 7, np.float32)
    np.testing.assert_allclose(baseline_of(narrow, jnp.asarray(flat), "blurred"), flat, rtol=1e-6)


def test_a_blur_by_hand(narrow, rng):
    x = rng.normal(size=(1, 10, 6, 2)).astype(np.float32)
    sigma = 0.05 * 10
    wanted = np.zeros(x.shape)
    for i in range(10):
        for j in range(6):
            weights = np.exp(
                -((np.arange(10)[:, None] - i) ** 2) / (2 * sigma**2)
                - (np.arange(6)[None] - j) ** 2 / (2 * sigma**2)
            )
            weights /= weights.sum()
            wanted[0, i, j] = (weights[..., None] * x[0]).sum(axis=(0, 1))
    found = baseline_of(narrow, jnp.asarray(x), "blurred", channel_axis=-1)
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-6)
    first = np.moveaxis(x, -1, 1)
    found = baseline_of(narrow, jnp.asarray(first), "blurred", channel_axis=1)
    np.testing.assert_allclose(np.moveaxis(found, 1, -1), wanted, rtol=1e-4, atol=1e-6)


def test_expected_gradients_of_a_linear_model(rng):
    """Its gradient is w everywhere, so that the mean is w (x - mean of what was drawn)."""
    model, w = polynomial(1, rng)
    x = rng.normal(size=(2, 4, 4, 3)).astype(np.float32)
    others = rng.normal(size=(3, 4, 4, 3)).astype(np.float32)
    found = np.asarray(jv.expected_gradients(model, x, others, 0, samples=400, batch_size=16))
    drawn = [(w[0] * (x - other)).sum(axis=-1) for other in others]
    wanted, spread = np.mean(drawn, axis=0), np.std(drawn, axis=0)
    assert np.all(np.abs(found - wanted) <= 5 * spread / np.sqrt(400) + 1e-4)
    one = jv.expected_gradients(model, x, others[:1], 0, samples=2)
    np.testing.assert_allclose(one, drawn[0], rtol=1e-4, atol=1e-5)
    assert not np.allclose(found, drawn[0], atol=0.05)


@pytest.mark.parametrize("degree", [2, 3, 5])
def test_expected_gradients_draw_their_shares_uniformly(rng, degree):
    """From 0, of sum w x^d, each map is w x^d times mean d a^(d-1), whose distribution is known.

    Of a uniform a that is 1, and its deviation (d - 1) / sqrt(2 d - 1) by the root of the samples.
    """
    model, w = polynomial(degree, rng)
    x = rng.uniform(0.5, 1, size=(8, 4, 4, 3)).astype(np.float32)
    samples = 500
    maps = jv.expected_gradients(model, x, 0 * x[:1], 1, samples=samples, batch_size=2000)
    whole = (w[1] * x.astype(np.float64) ** degree).sum(axis=-1)
    means = (maps * whole).sum(axis=(1, 2)) / (whole**2).sum(axis=(1, 2))
    np.testing.assert_allclose(maps, means[:, None, None] * whole, rtol=1e-3, atol=1e-4)
    deviation = (degree - 1) / np.sqrt((2 * degree - 1) * samples)
    assert np.all(np.abs(means - 1) < 4.5 * deviation)  # of 8 images, wrong once in 18,000
    assert len(np.unique(means.round(6))) == 8  # images have draws of their own


def test_expected_gradients_add_up_to_the_mean_difference(rng):
    """Completeness, of a quadratic score, as the number of samples grows.

    The sums over single samples deviate by 5.4, their mean by 0.22: a seventh of what is allowed.
    """
    model, _ = polynomial(2, rng)
    x = rng.normal(size=(1, 4, 4, 3)).astype(np.float32)
    others = rng.normal(size=(2, 4, 4, 3)).astype(np.float32)
    maps = jv.expected_gradients(model, x, others, 1, samples=600, batch_size=300)
    difference = float(model(x)[0, 1]) - float(np.mean(model(others)[:, 1]))
    assert abs(float(np.sum(maps)) - difference) < 0.1 * abs(difference) + 1


ERRORS = {
    "samples": ({"samples": 0}, "samples is 0; wanted a whole number, at least 1"),
    "one": ({"samples": 1, "mean": "variance"}, "samples is 1; wanted a whole number, at least 2"),
    "noise": ({"noise": -0.1}, "noise is -0.1; wanted a share"),
    "mean": ({"mean": "median"}, "mean is 'median'; wanted 'signed'"),
    "batch": ({"batch_size": 0}, "batch_size is 0"),
    "classes": ({"classes": np.zeros((3, 2), int)}, "wanted one class for each image"),
    "class": ({"classes": 9}, "wanted indices from 0 to 6"),
    "both": ({"classes": 1, "score": scores.logit(1)}, "both classes and score="),
}


@pytest.mark.parametrize(("options", "message"), ERRORS.values(), ids=ERRORS)
def test_errors(narrow, pixels, options, message):
    with pytest.raises(ValueError, match=message):
        jv.smoothgrad(narrow, pixels, **options)


BASELINES = {
    "word": ("white", "baseline is 'white'; wanted a number"),
    "shape": (np.zeros((2, 2)), r"baseline has shape \(2, 2\)"),
    "nan": (np.nan, "wanted finite numbers"),
}


@pytest.mark.parametrize(("baseline", "message"), BASELINES.values(), ids=BASELINES)
def test_errors_of_baselines(narrow, pixels, baseline, message):
    with pytest.raises(ValueError, match=message):
        jv.integrated_gradients(narrow, pixels, 1, baseline=baseline)


def test_a_black_image_of_an_unknown_network(rng):
    model, _ = polynomial(1, rng)
    with pytest.raises(ValueError, match="how a function reads a black image is not known"):
        jv.integrated_gradients(model, np.ones((1, 4, 4, 3), np.float32), 0, baseline="black")


def test_images_of_another_kind(narrow, pixels):
    with pytest.raises(ValueError, match="wanted images like x"):
        jv.expected_gradients(narrow, pixels, pixels[:, :32])
    with pytest.raises(TypeError, match="x is a tuple; wanted one array"):
        jv.smoothgrad(narrow, (pixels, pixels))


@pytest.mark.parametrize("name", ["smoothgrad", "integrated_gradients"])
def test_by_explain(narrow, pixels, name):
    maps = jv.explain(narrow, pixels, CLASSES, methods=[name, "grad_cam"], signed=True)
    assert list(maps)[:3] == [(name, rule) for rule in jv.RULES]
    wanted = getattr(jv, name)(narrow, pixels, CLASSES, rule=jv.GUIDED)
    wanted = getattr(wanted, "maps", wanted)
    np.testing.assert_array_equal(maps[name, "guided"], wanted)
    shown = jv.explain(narrow, pixels, CLASSES, methods=[name], rules=["guided"])
    np.testing.assert_array_equal(shown[name, "guided"], np.abs(wanted))
    assert relative_error(maps.logits, narrow(pixels)) < 1e-5
