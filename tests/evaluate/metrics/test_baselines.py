import numpy as np
from scipy import ndimage, stats

from jaxvis.evaluate.metrics import bootstrap
from jaxvis.evaluate.metrics.baselines import centre_maps, edge_maps, random_maps
from jaxvis.evaluate.metrics.bootstrap import estimate


def test_edges_are_sobels(rng):
    images = rng.integers(0, 256, (2, 9, 11, 3), dtype=np.uint8)
    found = edge_maps(images)
    for image, edges in zip(images.astype(np.float64), found, strict=True):
        luma = 0.299 * image[..., 0] + 0.587 * image[..., 1] + 0.114 * image[..., 2]
        across, down = (ndimage.sobel(luma, axis, mode="nearest") / 8 for axis in (1, 0))
        np.testing.assert_allclose(edges, np.hypot(across, down), rtol=1e-4, atol=1e-4)


def test_the_centre_is_the_maximum_and_falls_evenly():
    (found,) = centre_maps(1, (5, 7))
    assert found[2, 3] == found.max() == 1
    assert found[0, 0] == found[-1, -1] == found.min() == 0
    distance = np.hypot(2, 3)
    np.testing.assert_allclose(found[1, 5], 1 - np.hypot(1, 2) / distance, rtol=1e-6)


def test_random_maps_belong_to_their_seeds():
    one, other = random_maps([4, 5], (20, 30))
    np.testing.assert_array_equal(random_maps([5], (20, 30))[0], other)
    assert not np.array_equal(one, other)
    assert abs(one.mean() - 0.5) < 0.05


def test_interval_is_scipys(rng):
    values = rng.exponential(size=60)
    found = estimate(values, resamples=20_000)
    # Not seeded: SciPy renamed that argument in 1.15, and so many resamples need no seed.
    wanted = stats.bootstrap(
        (values,), np.mean, method="percentile", n_resamples=20_000
    ).confidence_interval
    np.testing.assert_allclose(found.mean, values.mean())
    np.testing.assert_allclose([found.low, found.high], wanted, rtol=0.02)
    assert found.images == 60


def test_interval_covers_the_truth_about_95_times_in_100(rng):
    inside = 0
    for number in range(300):
        found = estimate(rng.normal(3, 2, 40), resamples=400, seed=number)
        inside += found.low <= 3 <= found.high
    assert 0.89 < inside / 300 < 0.985


def test_values_that_do_not_exist_are_left_out():
    found = estimate(np.array([1.0, np.nan, 3.0]))
    assert (found.mean, found.images) == (2.0, 2)
    one = estimate(np.array([0.5, np.nan]))
    assert (one.mean, one.images) == (0.5, 1)
    assert np.isnan([one.low, one.high]).all()
    none = estimate(np.array([]))
    assert np.isnan(none.mean)
    assert none.images == 0


def test_draws_in_parts_are_the_same(monkeypatch, rng):
    values = rng.normal(3, 2, 101)
    whole = estimate(values)
    monkeypatch.setattr(bootstrap, "DRAWN", 250)
    assert estimate(values) == whole
