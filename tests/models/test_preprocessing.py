"""RGB to what VGG16 reads and back, against Keras and by hand."""

import os
import warnings

os.environ.setdefault("KERAS_BACKEND", "jax")

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxvis.models.preprocessing import deprocess, preprocess


@pytest.fixture(scope="module")
def keras():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what Keras's own import warns of is not ours
        return pytest.importorskip("keras")


def test_preprocess_equals_keras(keras):
    x = np.random.Generator(np.random.PCG64(3)).integers(0, 256, (2, 40, 50, 3), np.uint8)
    wanted = keras.applications.vgg16.preprocess_input(x.astype(np.float32))
    found = preprocess(x)
    assert found.dtype == np.float32
    assert found.flags.c_contiguous
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-5)


def test_preprocess_by_hand(rng):
    rgb = rng.uniform(0, 255, (2, 4, 5, 3))
    before = rgb.copy()
    found = preprocess(rgb)
    assert found.dtype == np.float64
    wanted = np.empty_like(rgb)
    for i, mean in enumerate((103.939, 116.779, 123.68)):
        wanted[..., i] = rgb[..., 2 - i] - mean
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-13)
    np.testing.assert_array_equal(rgb, before)
    np.testing.assert_array_equal(preprocess(rgb[0]), found[0])  # one image, no batch


@pytest.mark.parametrize("dtype", ["uint8", "float16", "bfloat16", "float32"])
def test_preprocess_in_jax(rng, dtype):
    whole = rng.integers(0, 256, (2, 4, 5, 3), np.uint8)
    x = jnp.asarray(whole).astype(dtype)
    wanted = preprocess(np.asarray(x).astype(np.float32))
    for f in (preprocess, jax.jit(preprocess), jax.vmap(preprocess)):
        found = f(x)
        assert isinstance(found, jax.Array)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-5)
    back = jax.jit(deprocess)(found)
    assert back.dtype == np.uint8
    if dtype in ("uint8", "float32"):
        np.testing.assert_array_equal(back, whole)


@pytest.mark.usefixtures("x64")
def test_preprocess_keeps_float64_in_jax(rng):
    rgb = rng.uniform(0, 255, (1, 4, 5, 3))
    found = jax.jit(preprocess)(jnp.asarray(rgb))
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, preprocess(rgb), rtol=0, atol=1e-13)


def test_deprocess_inverts_rounds_and_clips():
    every = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, axis=-1)
    every = np.stack([every, every[::-1]])
    every[..., 1] = 255 - every[..., 1]
    x = preprocess(every)
    before = x.copy()
    np.testing.assert_array_equal(deprocess(x), every)
    np.testing.assert_array_equal(deprocess(x + np.float32(0.4)), every)
    np.testing.assert_array_equal(deprocess(x - np.float32(0.4)), every)
    assert (deprocess(x - np.float32(1000)) == 0).all()
    assert (deprocess(x + np.float32(1000)) == 255).all()
    np.testing.assert_array_equal(x, before)


@pytest.mark.parametrize("kind", [np.asarray, jnp.asarray])
def test_images_scaled_to_one_are_refused(rng, kind):
    x = kind(rng.uniform(0, 1, (1, 8, 8, 3)).astype(np.float32))
    with pytest.raises(
        ValueError,
        match=r"images are floats from 0\.0\d+ to 0\.99\d+; wanted 0 to 255: multiply by",
    ):
        preprocess(x)
    jax.jit(preprocess)(x)  # values are unknown here
    preprocess(kind(np.zeros((1, 8, 8, 3), np.float32)))  # black is black on any scale
    preprocess(kind(np.ones((1, 8, 8, 3), np.uint8)))
    preprocess(kind(np.zeros((0, 8, 8, 3), np.float32)))
    preprocess(x * 255)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.zeros((2, 3, 4, 4), np.uint8), r"images has shape \(2, 3, 4, 4\); wanted \(n, height"),
        (np.zeros((2, 3, 8, 8), np.uint8), r"images has shape \(2, 3, 8, 8\); wanted \(n, height"),
        (np.zeros((8, 3), np.uint8), r"images has shape \(8, 3\); wanted \(n, height, width, 3\)"),
        (jnp.zeros((1, 8, 8)), r"images has shape \(1, 8, 8\)"),
        (
            np.zeros((1, 8, 8, 3), np.int64),
            "images has dtype int64; wanted uint8 or float, 0 to 255",
        ),
        (np.zeros((1, 8, 8, 3), bool), "images has dtype bool; wanted uint8 or float"),
        (np.zeros((1, 8, 8, 3), np.uint16), "images has dtype uint16"),
        ([np.zeros((8, 8, 3))], r"images is a list; wanted one array: np\.stack\(images\)"),
    ],
)
def test_preprocess_errors(x, message):
    with pytest.raises(ValueError, match=message):
        preprocess(x)


def test_what_was_preprocessed_is_refused():
    with pytest.raises(ValueError, match="were they preprocessed already"):
        preprocess(preprocess(np.zeros((1, 8, 8, 3), np.uint8)))


def test_deprocess_errors():
    with pytest.raises(ValueError, match="x has dtype uint8; wanted float, as preprocess"):
        deprocess(np.zeros((1, 8, 8, 3), np.uint8))
    with pytest.raises(ValueError, match=r"x has shape \(1, 3, 8, 8\); wanted"):
        deprocess(np.zeros((1, 3, 8, 8), np.float32))
