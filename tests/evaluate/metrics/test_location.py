import jax
import numpy as np
import pytest
import scipy.ndimage

from jaxvis.evaluate.metrics.location import (
    component_iou,
    energy_inside,
    pointing_game,
    precision_recall_area,
)

METRICS = (pointing_game, energy_inside, component_iou, precision_recall_area)


def average_precision(a, mask):
    """One threshold after another, in float64."""
    area, recall = 0.0, 0.0
    for threshold in sorted(set(a.ravel().tolist()), reverse=True):
        chosen = a >= threshold
        hits = (chosen & mask).sum()
        area += (hits / mask.sum() - recall) * hits / chosen.sum()
        recall = hits / mask.sum()
    return area


def points_at(a, mask, tolerance):
    """Every pixel in reading order, then every pixel of the mask."""
    best = (0, 0)
    for place, value in np.ndenumerate(a):
        if value > a[best]:
            best = place
    near = any(np.hypot(*np.subtract(place, best)) <= tolerance for place in np.argwhere(mask))
    return a[best] > 0 and near


def iou(a, mask, threshold):
    strong = (a >= np.float32(threshold) * a.max()) & (a > 0)
    found = {}  # the largest of the parts, filled pixel by pixel in reading order
    while strong.any():
        part, edge = {}, [tuple(np.argwhere(strong)[0])]
        while edge:
            row, column = place = edge.pop()
            if 0 <= row < a.shape[0] and 0 <= column < a.shape[1] and strong[place]:
                strong[place], part[place] = False, True
                edge += [(row + 1, column), (row - 1, column), (row, column + 1), (row, column - 1)]
        found = max(found, part, key=len)
    both = sum(mask[place] for place in found)
    return both / (mask.sum() + len(found) - both)


@pytest.fixture
def cases(rng):
    """Maps of many kinds, with masks that are sometimes a single pixel, sometimes all of them."""
    shape = (24, 30)
    smooth = np.abs(scipy.ndimage.gaussian_filter(rng.normal(size=(20, *shape)), (0, 2, 2)))
    sparse = rng.gamma(0.1, size=(10, *shape)) * (rng.random((10, *shape)) < 0.3)
    ties = rng.integers(0, 4, (10, *shape))
    tiny, huge = smooth[:2] * 1e-30, smooth[:2] * 1e38 / smooth.max()
    maps = np.concatenate([smooth, sparse, ties, tiny, huge]).astype(np.float32)
    masks = scipy.ndimage.gaussian_filter(rng.normal(size=maps.shape), (0, 3, 3)) > 0.1
    masks[::5] = False
    masks[np.arange(0, len(maps), 5), 5, np.arange(0, len(maps), 5) % 30] = True
    masks[7] = True
    assert masks.any(axis=(1, 2)).all()
    return maps, masks


def test_the_energy_of_the_largest_floats_with_a_zero_among_them():
    """Their sum is no float32, their shares are."""
    a = np.full((1, 10, 10), 3e38, np.float32)
    a[0, 0, 0] = 0
    masks = np.zeros((1, 10, 10), bool)
    masks[0, :5] = True
    np.testing.assert_allclose(energy_inside(a, masks), [49 / 99], rtol=1e-6)


@pytest.mark.parametrize("tolerance", [0, 1, 3, 4.5, 15])
def test_pointing_game(cases, tolerance):
    maps, masks = cases
    found = np.asarray(pointing_game(maps, masks, tolerance=tolerance))
    wanted = [points_at(a, mask, tolerance) for a, mask in zip(maps, masks, strict=True)]
    np.testing.assert_array_equal(found, wanted)
    assert tolerance == 15 or 0 < sum(wanted) < len(wanted)


def test_the_tolerance_is_a_circle_of_15_px_and_its_rim_belongs_to_it():
    maps, masks = np.zeros((4, 60, 60), np.float32), np.zeros((4, 60, 60), bool)
    masks[:, 20:25, 20:25] = True
    for a, place in zip(maps, [(39, 24), (40, 24), (33, 36), (34, 36)], strict=True):
        a[place] = 1
    # 15, 16, hypot(9, 12) = 15 and hypot(10, 12) = 15.6 pixels away
    np.testing.assert_array_equal(pointing_game(maps, masks), [True, False, True, False])


def test_of_equal_maxima_the_first_counts():
    maps, masks = np.zeros((2, 9, 9), np.float32), np.zeros((2, 9, 9), bool)
    maps[:, 1, 5] = maps[:, 4, 0] = 2
    masks[0, 1, 5] = masks[1, 4, 0] = True
    np.testing.assert_array_equal(pointing_game(maps, masks, tolerance=2), [True, False])


def test_energy_inside(cases):
    maps, masks = cases
    exact = maps.astype(np.float64)
    wanted = (exact * masks).sum(axis=(1, 2)) / exact.sum(axis=(1, 2))
    np.testing.assert_allclose(energy_inside(maps, masks), wanted, rtol=1e-5)
    assert wanted[7] == 1


@pytest.mark.parametrize("threshold", [0.15, 0.5, 1.0])
def test_component_iou(cases, threshold):
    maps, masks = cases
    wanted = [iou(a, mask, threshold) for a, mask in zip(maps, masks, strict=True)]
    found = component_iou(maps, masks, threshold=threshold)
    np.testing.assert_allclose(found, wanted, rtol=1e-6)
    assert len(set(wanted)) > 5


def test_the_threshold_is_15_percent(cases):
    maps, masks = cases
    np.testing.assert_array_equal(
        component_iou(maps, masks), component_iou(maps, masks, threshold=0.15)
    )


def test_precision_recall_area(cases):
    maps, masks = cases
    wanted = [average_precision(a, mask) for a, mask in zip(maps, masks, strict=True)]
    np.testing.assert_allclose(precision_recall_area(maps, masks), wanted, rtol=1e-5)
    assert max(wanted) == 1
    assert min(wanted) < 0.1


def test_the_mask_itself_is_the_best_map_and_its_opposite_the_worst(cases):
    _, masks = cases
    masks[7] = np.arange(30) < 15
    best, worst = masks.astype(np.float32), (~masks).astype(np.float32)
    for metric in METRICS[1:]:
        assert np.all(np.asarray(metric(best, masks)) >= np.asarray(metric(worst, masks)))
    np.testing.assert_array_equal(pointing_game(best, masks), True)
    np.testing.assert_array_equal(energy_inside(best, masks), 1)
    np.testing.assert_array_equal(energy_inside(worst, masks), 0)
    np.testing.assert_array_equal(component_iou(worst, masks), 0)
    np.testing.assert_allclose(precision_recall_area(best, masks), 1, rtol=1e-6)


@pytest.mark.parametrize("value", [0.0, -1.0])
def test_a_map_without_a_positive_value(value, rng):
    maps = np.full((44, 24, 30), value, np.float32)
    maps *= rng.random(maps.shape).astype(np.float32) + 1
    masks = rng.random(maps.shape) < 0.3
    share = masks.mean(axis=(1, 2))
    for metric, wanted in zip(METRICS, (False, 0, 0, share), strict=True):
        np.testing.assert_allclose(np.asarray(metric(maps, masks)), wanted, rtol=1e-6)


def test_a_map_of_equal_values_ranks_nothing(rng):
    maps, masks = np.full((44, 24, 30), 2.5, np.float32), rng.random((44, 24, 30)) < 0.3
    for metric in METRICS[1:]:  # the component is the whole image
        np.testing.assert_allclose(metric(maps, masks), masks.mean(axis=(1, 2)), rtol=1e-6)


def test_negative_values_count_as_zero(cases):
    maps, masks = cases
    shifted = maps - maps.max(axis=(1, 2), keepdims=True) / 3
    for metric in METRICS:
        wanted = metric(np.maximum(shifted, 0), masks)
        np.testing.assert_array_equal(metric(shifted, masks), wanted)


@pytest.mark.parametrize("metric", METRICS)
def test_other_floats(metric, cases):
    maps, masks = cases
    maps = np.minimum(maps, 1e4)  # as far as half precision goes
    wanted = metric(maps, masks)
    np.testing.assert_array_equal(metric(maps.astype(np.float64), masks), wanted)
    np.testing.assert_array_equal(metric(jax.numpy.asarray(maps), jax.numpy.asarray(masks)), wanted)
    half = maps.astype(np.float16)
    np.testing.assert_array_equal(metric(half, masks), metric(half.astype(np.float32), masks))


@pytest.mark.parametrize("metric", METRICS)
def test_messages(metric, cases):
    maps, masks = cases
    empty = masks.copy()
    empty[[3, 9]] = False
    with pytest.raises(ValueError, match=r"mask of image 3 is empty \(2 of 44 are\); wanted at"):
        metric(maps, empty)
    with pytest.raises(ValueError, match="masks have dtype uint8; wanted bool"):
        metric(maps, masks.astype(np.uint8))
    with pytest.raises(ValueError, match=r"\(44, 24, 30\) and masks \(43, 24, 30\); wanted both"):
        metric(maps, masks[1:])
    with pytest.raises(ValueError, match=r"shape \(24, 30\) and masks \(24, 30\); wanted both"):
        metric(maps[0], masks[0])
    broken = maps.copy()
    broken[2, 3, 4] = np.nan
    with pytest.raises(ValueError, match="1 NaN"):
        metric(broken, masks)


def test_impossible_options(cases):
    with pytest.raises(ValueError, match="tolerance is -1 pixels; wanted 0 or more"):
        pointing_game(*cases, tolerance=-1)
    with pytest.raises(ValueError, match="threshold is 0; wanted a share"):
        component_iou(*cases, threshold=0)
