"""Deletion, insertion, average drop and ROAD beside loops written from the papers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage, sparse
from scipy.sparse.linalg import spsolve

from jaxvis.evaluate.metrics.average_drop import drop_and_increase
from jaxvis.evaluate.metrics.removal import ranks
from jaxvis.evaluate.metrics.rise import blur, deleted, deletion, insertion, rise_kernel
from jaxvis.evaluate.metrics.road import noisy_linear_imputation, road

N, HEIGHT, WIDTH, CLASSES = 3, 12, 10, 4
WEIGHTS = np.random.Generator(np.random.PCG64(3)).normal(0, 0.004, (HEIGHT * WIDTH * 3, CLASSES))


def model(x, relu=jax.nn.relu):
    return relu(x.reshape(x.shape[0], -1) @ jnp.asarray(WEIGHTS, jnp.float32)) ** 2


def probability(x, target):
    """Of one image, in float64."""
    logits = np.maximum(x.reshape(-1) @ WEIGHTS, 0) ** 2
    shares = np.exp(logits - logits.max())
    return shares[target] / shares.sum()


@pytest.fixture
def x(rng):
    return rng.normal(0, 40, (N, HEIGHT, WIDTH, 3)).astype(np.float32)


@pytest.fixture
def maps(rng):
    return rng.integers(0, 9, (N, HEIGHT, WIDTH)).astype(np.float32)  # with ties


CHOSEN = np.array([2, 1, 3])


def rise(start, finish, values, target, step):
    """RISE, algorithm 1: pixels from `finish` replace those of `start`, the largest first."""
    state, order = start.astype(np.float64), np.argsort(-values.ravel(), kind="stable")
    curve = [probability(state, target)]
    for first in range(0, order.size, step):
        for pixel in order[first : first + step]:
            row, column = divmod(int(pixel), values.shape[1])
            state[row, column] = finish[row, column]
        curve.append(probability(state, target))
    return np.array(curve)


@pytest.mark.parametrize("step", [7, 30, 1000, None])
def test_deletion_and_insertion_are_rises(x, maps, step):
    gone = deletion(model, x, CHOSEN, maps, step=step)
    back = insertion(model, x, CHOSEN, maps, step=step)
    step = step or 5  # 28 steps of 5 pixels hold 120
    blurred = np.stack(
        [ndimage.convolve(a, rise_kernel()[:, :, None], mode="constant") for a in x.astype(float)]
    )
    for i in range(N):
        wanted = rise(x[i], np.zeros_like(x[i]), maps[i], CHOSEN[i], step)
        np.testing.assert_allclose(gone.probability[i], wanted, rtol=2e-4, atol=1e-6)
        if HEIGHT * WIDTH % step == 0:  # then RISE's own formula for the area holds
            area = (wanted.sum() - wanted[0] / 2 - wanted[-1] / 2) / (len(wanted) - 1)
            np.testing.assert_allclose(gone.area[i], area, rtol=2e-4)
        wanted = rise(blurred[i], x[i], maps[i], CHOSEN[i], step)
        np.testing.assert_allclose(back.probability[i], wanted, rtol=2e-4, atol=1e-6)


def test_steps_are_rises_for_224_pixels_and_as_many_for_others():
    for side, steps in ((224, 28), (32, 28), (7, 25)):  # 49 pixels, 2 at a time
        x, maps = np.ones((1, side, side, 3), np.float32), np.ones((1, side, side), np.float32)
        found = deletion(lambda x: x.sum(axis=(1, 2)), x, 0, maps)
        assert found.probability.shape == (1, steps + 1)


def test_deleted_is_a_point_of_the_curve(x, maps):
    found = deleted(model, x, CHOSEN, maps, share=0.25)
    wanted = deletion(model, x, CHOSEN, maps, step=HEIGHT * WIDTH // 4).probability[:, 1]
    np.testing.assert_allclose(found, wanted, rtol=1e-5)
    untouched = [probability(*pair) for pair in zip(x.astype(np.float64), CHOSEN, strict=True)]
    found = deleted(model, x, CHOSEN, maps, share=1e-6)  # not one pixel
    np.testing.assert_allclose(found, untouched, rtol=2e-4)


def test_the_blur_is_rises(x):
    point = np.zeros((11, 11))
    point[5, 5] = 1
    wanted = ndimage.gaussian_filter(point, 5)
    np.testing.assert_allclose(rise_kernel(), wanted, rtol=1e-6)
    wanted = ndimage.convolve(x[0].astype(float), wanted[:, :, None], mode="constant")
    np.testing.assert_allclose(np.asarray(blur(x))[0], wanted, rtol=1e-4, atol=1e-4)


def test_ranks_of_ties_follow_reading_order(maps):
    for one, found in zip(maps, np.asarray(ranks(maps)), strict=True):
        order = sorted(range(one.size), key=lambda pixel: (-one.flat[pixel], pixel))
        assert [found.flat[pixel] for pixel in order] == list(range(one.size))


def test_a_drop_of_probabilities_too_small_for_float32(rng):
    """Logits 200 and 300 below the best: both probabilities are 0 in float32, and 0 / 0 was NaN."""

    def steep(x, relu=jax.nn.relu):
        dark = x.mean(axis=(1, 2, 3))
        return jnp.stack([100 * dark, jnp.full_like(dark, 400)], axis=1)

    x = np.full((2, 8, 8, 3), 2, np.float32)
    maps = np.zeros((2, 8, 8), np.float32)
    maps[0, :4], maps[1] = 1, np.linspace(0, 1, 64).reshape(8, 8) + np.float32(0.5)
    found = drop_and_increase(steep, x, 0, maps)
    # log p falls from -200 by 100 times what the dimmed image lost: nothing of p is left
    np.testing.assert_allclose(found.drop, [1, 1], atol=1e-6)
    brighter = drop_and_increase(steep, -x, 0, maps)  # from -600 up
    np.testing.assert_array_equal(brighter.drop, [0, 0])
    assert brighter.increase.all()
    assert not found.increase.any()


def test_drop_and_increase(x, maps):
    maps[1] = 5  # constant: nothing is left of the image
    found = drop_and_increase(model, x, CHOSEN, maps)
    for i in range(N):
        span = maps[i].max() - maps[i].min()
        scaled = (maps[i] - maps[i].min()) / span if span else np.zeros_like(maps[i])
        before, after = (probability(a, CHOSEN[i]) for a in (x[i], x[i] * scaled[..., None]))
        np.testing.assert_allclose(found.drop[i], max(0, before - after) / before, rtol=2e-4)
        assert bool(found.increase[i]) == (after > before)
    assert found.increase.any()
    assert not found.increase.all()


def test_what_changes_nothing_is_no_increase(x, maps):
    """An image of nothing but the mean colour, which dimming leaves as it is."""
    found = drop_and_increase(model, np.zeros_like(x), CHOSEN, maps)
    assert not found.increase.any()
    assert not found.drop.any()


def test_drop_of_the_largest_floats_is_that_of_the_same_map_in_small(x, maps):
    large = np.abs(maps) / np.abs(maps).max(axis=(1, 2), keepdims=True) * np.float32(3e38)
    found, wanted = (drop_and_increase(model, x, CHOSEN, a) for a in (large, np.abs(maps)))
    np.testing.assert_allclose(found.drop, wanted.drop, rtol=1e-3, atol=1e-6)
    np.testing.assert_array_equal(found.increase, wanted.increase)


def imputed(image, removed):
    """The linear system written out pixel by pixel, and solved directly."""
    height, width, channels = image.shape
    pixels = [tuple(place) for place in np.argwhere(removed)]
    index = {place: number for number, place in enumerate(pixels)}
    system = sparse.lil_matrix((len(pixels), len(pixels)))
    right = np.zeros((len(pixels), channels))
    for place, number in index.items():
        for down in (-1, 0, 1):
            for across in (-1, 0, 1):
                other = place[0] + down, place[1] + across
                inside = 0 <= other[0] < height and 0 <= other[1] < width
                if (down, across) == (0, 0) or not inside:
                    continue
                weight = 1 / 12 if down and across else 1 / 6
                system[number, number] += weight
                if other in index:
                    system[number, index[other]] -= weight
                else:
                    right[number] += weight * image[other]
    result = image.astype(np.float64)
    solution = spsolve(system.tocsr(), right).reshape(right.shape)
    for place, number in index.items():
        result[place] = solution[number]
    return result


@pytest.mark.parametrize("share", [0.1, 0.6, 0.95])
def test_imputation_solves_the_system(x, rng, share):
    removed = rng.random((N, HEIGHT, WIDTH)) < share
    removed[1, :8, :9] = True  # a large hole
    removed[2] = False
    found = noisy_linear_imputation(x, removed, noise=0, tolerance=1e-7)
    for i in range(N):
        wanted = imputed(x[i], removed[i]) if removed[i].any() else x[i]
        np.testing.assert_allclose(found[i], wanted, atol=2e-3)


def test_the_usual_tolerance_is_well_below_the_noise(rng):
    x = rng.normal(0, 60, (2, 64, 64, 3)).astype(np.float32)
    removed = np.zeros((2, 64, 64), bool)
    removed[:, 4:60, 4:60] = True
    exact = noisy_linear_imputation(x, removed, noise=0, tolerance=1e-7)
    usual = noisy_linear_imputation(x, removed, noise=0)
    assert 0 < float(np.abs(usual - exact).max()) < 0.3
    noisy = noisy_linear_imputation(x, removed, noise=0.6)
    np.testing.assert_array_equal(noisy[~removed], x[~removed])
    spread = np.std((noisy - usual)[removed])
    assert abs(spread - 0.6) < 0.02


def test_road_removes_the_share_and_reads_the_probability(x, maps):
    found = road(model, x, CHOSEN, maps, shares=(0.25, 0.75), noise=0)
    other = road(model, x, CHOSEN, maps, shares=(0.25,), noise=0, most_relevant_first=False)
    for i in range(N):
        order = np.argsort(-maps[i].ravel(), kind="stable")
        for column, count in enumerate((30, 90)):
            removed = np.zeros(maps[i].size, bool)
            removed[order[:count]] = True
            state = imputed(x[i], removed.reshape(maps[i].shape))
            wanted = probability(state, CHOSEN[i])
            np.testing.assert_allclose(found.probability[i, column], wanted, rtol=5e-3)
        removed = np.zeros(maps[i].size, bool)
        removed[np.argsort(maps[i].ravel(), kind="stable")[:30]] = True
        wanted = probability(imputed(x[i], removed.reshape(maps[i].shape)), CHOSEN[i])
        np.testing.assert_allclose(other.probability[i, 0], wanted, rtol=5e-3)
    np.testing.assert_allclose(found.area, found.probability.mean(axis=1))


def test_mistakes(x, maps):
    with pytest.raises(ValueError, match=r"maps have shape \(3, 6, 10\) for images.*jv.upsample"):
        deletion(model, x, 0, maps[:, :6])
    with pytest.raises(ValueError, match="1 NaN"):
        insertion(model, x, 0, maps + nan_at(maps))
    with pytest.raises(ValueError, match="step is 0; wanted at least 1"):
        deletion(model, x, 0, maps, step=0)
    with pytest.raises(ValueError, match="classes are .*4.*; wanted indices from 0 to 3"):
        drop_and_increase(model, x, 4, maps)
    with pytest.raises(ValueError, match=r"classes have shape \(2,\); wanted one index"):
        deletion(model, x, [0, 1], maps)
    for share in (1, 0, -0.5):
        with pytest.raises(ValueError, match=f"share is {share}; wanted"):
            deleted(model, x, 0, maps, share=share)
    with pytest.raises(ValueError, match="shares are"):
        road(model, x, 0, maps, shares=(0.5, 1.0))
    with pytest.raises(ValueError, match="all pixels of an image are removed"):
        noisy_linear_imputation(x, np.ones(maps.shape, bool))
    with pytest.raises(ValueError, match="removed has dtype float32"):
        noisy_linear_imputation(x, maps)


def nan_at(maps):
    hole = np.zeros_like(maps)
    hole[0, 0, 0] = np.nan
    return hole
