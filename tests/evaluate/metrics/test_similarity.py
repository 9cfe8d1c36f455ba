"""Spearman against SciPy; SSIM window by window in float64, and against scikit-image where recorded
(test_evaluate_peers.py)."""

import warnings

import jax
import numpy as np
import pytest
import scipy.stats
from conftest import by_windows

from jaxvis.evaluate.metrics.ranks import centred_ranks, rank_correlation, strongest
from jaxvis.evaluate.metrics.similarity import spearman, ssim, strongest_overlap


def by_scipy(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", scipy.stats.ConstantInputWarning)
        pairs = zip(a, b, strict=True)
        return np.array([scipy.stats.spearmanr(x.ravel(), y.ravel()).statistic for x, y in pairs])


def pairs(rng: np.random.Generator, n: int = 4, size: tuple[int, int] = (30, 41)) -> tuple:
    """Maps of very small numbers with signs, and others that are somewhat like them."""
    a = rng.normal(0, 1e-6, (n, *size)).astype(np.float32)
    return a, (a * np.abs(a) * 1e6 + rng.normal(0, 1e-6, a.shape)).astype(np.float32)


def ranked_once(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return rank_correlation(centred_ranks(a), centred_ranks(b))


BOTH = pytest.mark.parametrize("spearman", [spearman, ranked_once])


@BOTH
def test_spearman(spearman, rng):
    a, b = pairs(rng)
    wanted = by_scipy(a, b)
    assert 0.3 < wanted.min() < 0.9
    np.testing.assert_allclose(spearman(a, b), wanted, atol=1e-6)


def test_spearman_without_sign(rng):
    a, b = pairs(rng)
    b = -b
    wanted = by_scipy(np.abs(a), np.abs(b))
    assert wanted.min() > 0.2 > by_scipy(a, b).max()
    np.testing.assert_allclose(spearman(a, b, absolute=True), wanted, atol=1e-6)


@BOTH
def test_spearman_of_ties(spearman, rng):
    """As in class activation maps, most of which may be 0, or in maps of few levels."""
    a, b = pairs(rng, 5)
    a[0] = np.maximum(a[0] - 1e-6, 0)
    a[1], b[1] = np.round(a[1] * 1e6), np.round(b[1] * 2e6)
    a[2] = np.sign(a[2])
    a[3] = np.where(a[3] > 0, np.float32(-0.0), np.float32(0.0))  # one value, constant
    a[3, 4, 5] = 1
    b[4] = np.repeat(b[4, ::2], 2, axis=0)
    wanted = by_scipy(a, b)
    assert all(len(np.unique(x)) < 0.6 * x.size for x in (*a[:4], b[4]))
    np.testing.assert_allclose(spearman(a, b), wanted, atol=1e-6)
    np.testing.assert_allclose(spearman(b, a), wanted, atol=1e-6)


@BOTH
def test_spearman_of_extreme_values(spearman, rng):
    """The order is that of the floats, from the least subnormal to infinity."""
    info = np.finfo(np.float32)
    special = [0, info.smallest_subnormal, info.tiny, 1, info.max, np.inf]
    a = np.array([*special, *(-x for x in special)], np.float32).reshape(1, 3, 4)
    b = rng.permutation(12).astype(np.float32).reshape(1, 3, 4)
    np.testing.assert_allclose(spearman(a, b), by_scipy(a, b), atol=1e-6)


@BOTH
def test_spearman_at_full_size(spearman, rng):
    """Sums over 50,176 pixels stay exact enough; equal and opposite maps are exactly that."""
    a, b = pairs(rng, 3, (224, 224))
    b[1], b[2] = a[1], -a[2]
    found = np.asarray(spearman(a, b))
    np.testing.assert_allclose(found, by_scipy(a, b), atol=1e-6)
    np.testing.assert_array_equal(found[1:], [1, -1])


@BOTH
def test_spearman_of_constant_maps_and_nan_is_nan(spearman, rng):
    a, b = pairs(rng, 5)
    a[1], b[2, 3, 3], b[3], a[4, 5, 5] = 7, np.nan, 0, np.nan
    np.testing.assert_array_equal(np.isnan(spearman(a, b)), [False, True, True, True, True])


def test_ssim(rng):
    a, b = pairs(rng, 6, (13, 18))
    a[1] = np.maximum(a[1], 0)
    b[2] *= -1
    a[3], b[3] = 3, 0  # a constant map counts as zero
    b[4] = 0
    b[5] = 7 * a[5] - 2e-6  # scaling takes this away
    wanted = [by_windows(x, y) for x, y in zip(a, b, strict=True)]
    assert wanted[0] > 0.2 > 0 > wanted[2]
    np.testing.assert_allclose(wanted[3::2], 1, atol=1e-5)
    np.testing.assert_allclose(ssim(a, b), wanted, atol=1e-5)


def test_ssim_of_the_largest_floats(rng):
    a, b = pairs(rng, 2, (13, 18))
    large = a / np.ptp(a) * np.float32(3e38)
    wanted = [by_windows(x, y) for x, y in zip(large, b, strict=True)]
    assert max(wanted) < 0.9
    np.testing.assert_allclose(ssim(large, b), wanted, atol=1e-5)


def test_ssim_of_nan_is_nan(rng):
    a, b = pairs(rng, 3)
    a[1, 2, 2] = b[2, 5, 5] = np.nan
    np.testing.assert_array_equal(np.isnan(ssim(a, b)), [False, True, True])


@pytest.mark.parametrize("function", [spearman, ssim])
def test_inside_jit_and_in_other_dtypes(function, rng):
    a, b = pairs(rng)
    wanted = function(a, b)
    np.testing.assert_allclose(jax.jit(function)(a, b), wanted, atol=1e-6)
    np.testing.assert_array_equal(function(a.astype(np.float64), jax.numpy.asarray(b)), wanted)
    coarse = jax.numpy.asarray(a, jax.numpy.bfloat16)
    np.testing.assert_array_equal(function(coarse, b), function(np.float32(coarse), b))


@pytest.mark.parametrize("function", [spearman, ssim])
def test_in_double_precision(function, rng, x64):
    a, b = pairs(rng)
    np.testing.assert_allclose(
        function(a.astype(np.float64), b.astype(np.float64)), function(a, b), atol=1e-6
    )


@pytest.mark.parametrize("function", [spearman, ssim])
def test_bad_shapes(function, rng):
    a, b = pairs(rng)
    for one, other in ((a, b[:, :-1]), (a, b[:2]), (a[0], b[0]), (a[:0], b[:0])):
        with pytest.raises(ValueError, match=r"maps have shapes .* wanted one shape \(n, height"):
            function(one, other)


def test_ssim_wants_a_window(rng):
    """One is enough."""
    a, b = pairs(rng, 1, (7, 7))
    np.testing.assert_allclose(ssim(a, b), [by_windows(a[0], b[0])], atol=1e-5)
    a, b = pairs(rng, 2, (6, 20))
    with pytest.raises(ValueError, match=r"shape \(2, 6, 20\); wanted at least 7 x 7"):
        ssim(a, b)


@pytest.mark.parametrize("count", [0, 1, 7, 100, 1229, 1230])
def test_the_strongest_are_the_first_of_a_sort(count, rng):
    """Of equal values, of which there are many here, the first in reading order."""
    for values in (rng.integers(0, 9, (30, 41)).astype(np.float32), rng.normal(size=(30, 41))):
        wanted = np.zeros(values.size, bool)
        wanted[np.argsort(-values, axis=None, kind="stable")[:count]] = True
        np.testing.assert_array_equal(strongest(values, count), wanted.reshape(values.shape))


def test_strongest_overlap_by_hand():
    a = np.zeros((1, 10, 20), np.float32)  # 1 % of 200 pixels are 2
    a[0, 0, :4] = 4, 3, 2, 1
    b = np.zeros_like(a)
    b[0, 0, 1:5] = 9, 1, 1, 8
    assert strongest_overlap(a, b) == 0.5  # {0, 1} and {1, 4}
    assert strongest_overlap(a, a) == 1
    assert strongest_overlap(a, b, share=0.02) == 0.75  # {0, 1, 2, 3} and {1, 2, 3, 4}
    assert strongest_overlap(a, np.roll(a, 7, axis=2)) == 0


def test_what_is_marked_nowhere_is_not_in_common():
    """Two maps of one pixel each: the zeros that would fill up the 1 % are no likeness."""
    a, b = np.zeros((2, 1, 20, 20), np.float32)
    a[0, 3, 3], b[0, 9, 9] = 1, 1
    assert strongest_overlap(a, b) == 0
    b[0, 3, 3] = 2
    assert strongest_overlap(a, b) == 0.5  # one of two
    shifted = a - 5  # the smallest value, whatever it is
    assert strongest_overlap(shifted, b) == 0.5


def test_strongest_overlap_of_maps_of_noise_is_the_share(rng):
    a, b = rng.random((2, 40, 50, 50)).astype(np.float32)
    assert strongest_overlap(a, b, share=0.2).mean() == pytest.approx(0.2, abs=0.01)


def test_strongest_overlap_of_nothing(rng):
    a = rng.random((3, 8, 8)).astype(np.float32)
    b = a.copy()
    b[0], b[1, 0, 0] = 7, np.nan
    np.testing.assert_array_equal(strongest_overlap(a, b), [np.nan, np.nan, 1])
    with pytest.raises(ValueError, match="share is 0"):
        strongest_overlap(a, b, share=0)
    with pytest.raises(ValueError, match="wanted one shape"):
        strongest_overlap(a, b[:2])
