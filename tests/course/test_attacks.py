"""The attacks that the lessons compare with do what they say, and stay within their budget."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import with_biases

import jaxvis as jv
from jaxvis.course import attacks


@pytest.fixture(scope="module")
def model():
    return with_biases(jv.VGG16(width=1 / 32, classes=5, fc=16, size=32))


@pytest.fixture(scope="module")
def x():
    images = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3)).astype(np.uint8)
    return jnp.asarray(jv.preprocess(images))


CLASSES = jnp.array([1, 3])


def loss(model, x):
    log_p = np.asarray(jax.nn.log_softmax(model(x)))
    return -log_p[np.arange(2), np.asarray(CLASSES)]


def legal(changed, x, epsilon):
    assert np.abs(changed - x).max() <= epsilon + 1e-3
    assert (jv.deprocess(changed) >= 0).all()
    pixels = np.asarray(changed) - attacks.LOWEST
    assert pixels.min() >= -1e-3
    assert pixels.max() <= 255 + 1e-3


def test_black_and_white():
    np.testing.assert_allclose(attacks.HIGHEST - attacks.LOWEST, 255, rtol=1e-6)
    np.testing.assert_allclose(-attacks.LOWEST, (103.939, 116.779, 123.68), rtol=1e-6)


def test_the_gradient_is_that_of_the_cross_entropy(model, x):
    direction = jax.random.normal(jax.random.key(1), x.shape)
    gradient = attacks.loss_gradient(model, x, CLASSES)
    step = 0.01  # short of most corners of ReLUs
    ahead, behind = (loss(model, x + sign * step * direction) for sign in (1, -1))
    np.testing.assert_allclose(
        (gradient * direction).sum(axis=(1, 2, 3)), (ahead - behind) / (2 * step), rtol=0.1
    )


def test_fgsm_raises_the_loss_and_pgd_raises_it_further(model, x):
    one = attacks.fgsm(model, x, CLASSES, 4.0)
    many = attacks.pgd(model, x, CLASSES, 4.0, steps=12)
    for changed in (one, many):
        legal(changed, x, 4.0)
    assert (loss(model, one) > loss(model, x)).all()
    assert loss(model, many).sum() > loss(model, one).sum()


def test_near_is_the_projection(x):
    far = x + 100.0
    back = attacks.near(far, x, 3.0)
    np.testing.assert_allclose(back, np.minimum(x + 3.0, attacks.HIGHEST), rtol=1e-5)


def test_the_softplus_is_near_the_relu_and_curved():
    z = jnp.linspace(-3, 3, 61)
    for beta in (1.0, 10.0):
        smooth = attacks.softplus_relu(beta)
        assert np.abs(smooth(z) - jax.nn.relu(z)).max() == pytest.approx(np.log(2) / beta, rel=1e-4)
    assert jax.grad(jax.grad(lambda z: attacks.softplus_relu(4.0)(z)))(0.0) == pytest.approx(1.0)


def test_maps_for_steering_are_the_library_s(model, x):
    """With the ReLU itself in place of the softplus, all but the drawn ones are jaxvis's own."""
    key = jax.random.key(0)
    saliency, logits = attacks.gradient_map(model, x, CLASSES, jax.nn.relu, key)
    np.testing.assert_allclose(logits, model(x), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(saliency, jv.saliency(model, x, CLASSES), rtol=1e-3, atol=1e-7)
    guided, _ = attacks.guided_map(model, x, CLASSES, jax.nn.relu, key)
    wanted = jv.saliency(model, x, CLASSES, rule=jv.GUIDED)
    np.testing.assert_allclose(guided, wanted, rtol=1e-3, atol=1e-7)
    cam, _ = attacks.grad_cam_map(model, x, CLASSES, jax.nn.relu, key)
    np.testing.assert_allclose(cam, jv.grad_cam(model, x, CLASSES), rtol=1e-3, atol=1e-6)


def test_the_drawn_maps_are_means_over_their_samples(model, x):
    """SmoothGrad without noise is saliency; integrated gradients, at many points, the library's."""
    key = jax.random.key(0)
    smooth, _ = attacks.smoothgrad_map(model, x, CLASSES, jax.nn.relu, key, samples=2, noise=0.0)
    np.testing.assert_allclose(smooth, jv.saliency(model, x, CLASSES), rtol=1e-3, atol=1e-7)
    found, _ = attacks.integrated_map(model, x, CLASSES, jax.nn.relu, key, samples=64)
    wanted = np.abs(jv.integrated_gradients(model, x, CLASSES, steps=64).maps)
    assert np.corrcoef(np.ravel(found), np.ravel(wanted))[0, 1] > 0.98


@pytest.mark.parametrize("map_of", [attacks.gradient_map, attacks.guided_map])
def test_a_map_is_steered_and_the_logits_are_held(model, x, map_of):
    region = np.zeros((32, 32), np.float32)
    region[:8, :8] = 1
    changed = attacks.steered(map_of, model, x, CLASSES, region, epsilon=8.0, steps=12)
    legal(changed, x, 8.0)
    key = jax.random.key(5)
    before, after = (
        attacks.share_in(map_of(model, one, CLASSES, jax.nn.relu, key)[0], region)
        for one in (x, changed)
    )
    assert (after > before).all()


def test_what_is_held_moves_less(model, x):
    region = np.zeros((32, 32), np.float32)
    region[:8, :8] = 1
    moved = []
    for hold in (0.0, 30.0):
        changed = attacks.steered(
            attacks.gradient_map, model, x, CLASSES, region, steps=12, hold=hold
        )
        moved.append(np.abs(model(changed) - model(x)).mean())
    assert moved[1] < 0.7 * moved[0]


def test_covered():
    image = np.random.default_rng(2).integers(0, 256, (20, 30, 3)).astype(np.uint8)
    one = np.zeros((20, 30))
    one[1, 28] = 1
    found = attacks.covered(image, one, 7)
    changed = (found != image).any(axis=-1)
    assert not changed[5:].any()
    assert not changed[:, :25].any()
    mean = image.mean(axis=(0, 1)).astype(np.uint8)
    np.testing.assert_array_equal(found[:5, 25:], np.broadcast_to(mean, (5, 5, 3)))
