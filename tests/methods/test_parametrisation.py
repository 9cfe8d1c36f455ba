"""Pictures to parameters and back, inside the bounds; waves against NumPy's own transform."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxvis.methods.parametrisation import FOURIER, PIXELS, Bounds, clipped

LOW, HIGH = np.array([-104.0, -117.0, -124.0]), np.array([151.0, 138.0, 131.0])
SIZES = [(8, 10), (9, 7), (8, 7), (9, 10)]


def limits(dtype=np.float32) -> Bounds:
    return Bounds(*(jnp.asarray(a, dtype) for a in (LOW, HIGH, (HIGH - LOW) / 255)))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("ways", [PIXELS, FOURIER])
def test_pictures_come_back(rng, ways, size):
    x = rng.uniform(LOW + 1, HIGH - 1, (2, *size, 3)).astype(np.float32)
    back = ways.pictures(ways.parameters(jnp.asarray(x), limits()), limits(), x.shape)
    np.testing.assert_allclose(back, x, atol=1e-3)


@pytest.mark.parametrize("size", SIZES)
def test_waves_are_those_of_numpy(x64, rng, size):
    """The sum of waves as NumPy's whole transform has it, with the half that is left out."""
    shape = (1, *size, 1)
    waves = rng.normal(size=(1, 2, size[0], size[1] // 2 + 1, 1))
    one = Bounds(*(jnp.array([a]) for a in (0.0, 1.0, 1 / 255)))
    found = np.asarray(FOURIER.pictures(jnp.asarray(waves), one, shape))[0, ..., 0]
    squashed = np.log(found / (1 - found))
    frequency = np.hypot(np.fft.fftfreq(size[0])[:, None], np.fft.fftfreq(size[1])[None])
    inverse = 1 / np.maximum(frequency, 1 / max(size))
    inverse = inverse / np.sqrt((inverse**2).mean())
    half = inverse[:, : size[1] // 2 + 1] * (waves[0, 0, ..., 0] + 1j * waves[0, 1, ..., 0])
    wanted = np.fft.irfft2(half, s=size) * np.sqrt(size[0] * size[1])
    np.testing.assert_allclose(squashed, wanted, atol=1e-9)


def test_long_waves_have_more_of_the_picture(rng):
    """Equal parameters make a wave the larger, the longer it is: 1 / frequency."""
    shape = (1, 32, 32, 1)
    one = Bounds(*(jnp.array([a]) for a in (-1.0, 1.0, 2 / 255)))

    def height_of(wave: int) -> float:
        waves = jnp.zeros((1, 2, 32, 17, 1)).at[0, 0, 0, wave].set(0.01)
        return float(jnp.abs(FOURIER.pictures(waves, one, shape)).max())

    np.testing.assert_allclose(height_of(2) / height_of(8), 4, rtol=1e-3)


def test_waves_stay_inside_the_bounds(rng):
    waves = jnp.asarray(rng.normal(0, 100, (2, 2, 8, 5, 3)).astype(np.float32))
    x = np.asarray(FOURIER.pictures(waves, limits(), (2, 8, 8, 3)))
    assert np.all(x >= LOW - 1e-3)
    assert np.all(x <= HIGH + 1e-3)
    assert np.ptp(x) > 200


def test_pixels_are_clipped_by_channel(rng):
    x = rng.normal(0, 300, (2, 8, 8, 3)).astype(np.float32)
    levels = PIXELS.project(PIXELS.parameters(jnp.asarray(x), limits()), limits())
    wanted = np.clip(x, LOW, HIGH)
    np.testing.assert_allclose(PIXELS.pictures(levels, limits(), x.shape), wanted, atol=1e-3)
    np.testing.assert_allclose(clipped(jnp.asarray(x), limits()), wanted, atol=1e-5)


def test_pixels_are_grey_levels():
    one = Bounds(*(jnp.array([a], jnp.float32) for a in (0.0, 1.0, 1 / 255)))
    x = jnp.full((1, 2, 2, 1), 0.5, jnp.float32)
    np.testing.assert_allclose(PIXELS.parameters(x, one), np.full((1, 2, 2, 1), 127.5), rtol=1e-6)


def test_an_end_of_the_bounds_is_a_finite_wave():
    x = jnp.broadcast_to(jnp.asarray(LOW, jnp.float32), (1, 8, 8, 3))
    waves = FOURIER.parameters(x, limits())
    assert np.isfinite(waves).all()
    back = FOURIER.pictures(waves, limits(), x.shape)
    np.testing.assert_allclose(back, x, atol=0.51)
    gradient = jax.grad(lambda w: FOURIER.pictures(w, limits(), x.shape).sum())(waves)
    assert np.isfinite(gradient).all()
