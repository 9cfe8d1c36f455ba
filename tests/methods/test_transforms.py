"""Rolled as by NumPy, turned and scaled as by SciPy, drawn as said, and the way back exact."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage

from jaxvis.methods.transforms import Moves, moved, roll, warp


@pytest.fixture
def x(rng):
    return rng.normal(0, 50, (3, 9, 12, 2)).astype(np.float32)


def test_rolled_as_by_numpy(x):
    shifts = np.array([[2, -3], [0, 5], [-4, 0]])
    wanted = [np.roll(one, tuple(shift), axis=(0, 1)) for one, shift in zip(x, shifts, strict=True)]
    np.testing.assert_array_equal(roll(jnp.asarray(x), jnp.asarray(shifts)), wanted)


@pytest.mark.parametrize("degrees", [7.0, -30.0, 90.0, 135.0])
def test_turned_as_by_scipy(x, degrees):
    found = warp(jnp.asarray(x), jnp.full(3, degrees), jnp.ones(3))
    wanted = ndimage.rotate(
        x.astype(np.float64), degrees, axes=(1, 2), reshape=False, order=1, mode="reflect"
    )
    np.testing.assert_allclose(found, wanted, atol=0.02)


@pytest.mark.parametrize("factor", [0.5, 0.85, 1.3])
def test_scaled_as_by_scipy(x, factor):
    found = warp(jnp.asarray(x), jnp.zeros(3), jnp.full(3, factor))
    for one, other in zip(x.astype(np.float64), np.asarray(found), strict=True):
        middle = (np.array(one.shape[:2]) - 1) / 2
        for channel in range(2):
            wanted = ndimage.affine_transform(
                one[..., channel], np.eye(2) / factor, middle - middle / factor, order=1,
                mode="reflect",
            )  # fmt: skip
            np.testing.assert_allclose(other[..., channel], wanted, atol=0.02)


def test_each_picture_by_its_own_angle(x):
    degrees, factors = jnp.array([5.0, 20.0, -40.0]), jnp.array([1.0, 1.2, 0.8])
    together = warp(jnp.asarray(x), degrees, factors)
    for i in range(3):
        alone = warp(jnp.asarray(x[i : i + 1]), degrees[i : i + 1], factors[i : i + 1])
        np.testing.assert_allclose(together[i], alone[0], atol=1e-4)


def test_no_turn_and_factor_one_is_the_picture_itself(x):
    np.testing.assert_array_equal(warp(jnp.asarray(x), jnp.zeros(3), jnp.ones(3)), x)


def test_the_way_back_is_the_transpose(x, rng):
    """<A x, y> = <x, A' y>, since all moves are linear."""
    moves = Moves(3, 15.0, (0.8, 1.2))
    key = jax.random.key(3)
    there, back = jax.vjp(lambda x: moved(x, key, moves), jnp.asarray(x))
    y = rng.normal(size=x.shape).astype(np.float32)
    np.testing.assert_allclose(np.vdot(there, y), np.vdot(x, back(jnp.asarray(y))[0]), rtol=1e-4)


def test_jitter_draws_every_shift_up_to_its_own_and_none_beyond():
    x = np.zeros((400, 7, 7, 1), np.float32)
    x[:, 3, 3] = 1
    found = np.asarray(moved(jnp.asarray(x), jax.random.key(0), Moves(2, 0.0, (1.0, 1.0))))
    _, down, right, _ = np.nonzero(found)
    assert set(down) == set(right) == {1, 2, 3, 4, 5}
    assert len(set(zip(down, right, strict=True))) == 25  # the two are independent


def test_turns_go_either_way_and_no_further():
    """A point right of the middle tells the angle."""
    x = np.zeros((300, 65, 65, 1), np.float32)
    x[:, 30:35, 60:63] = 1
    found = np.asarray(moved(jnp.asarray(x), jax.random.key(0), Moves(0, 20.0, (1.0, 1.0))))
    down, right = np.mgrid[:65, :65] - 32.0
    mass = found[..., 0] / found.sum(axis=(1, 2, 3))[:, None, None]
    angles = np.rad2deg(np.arctan2((mass * -down).sum((1, 2)), (mass * right).sum((1, 2))))
    assert angles.min() < -15
    assert angles.max() > 15
    assert np.abs(angles).max() < 20.5


def test_a_picture_does_not_depend_on_how_many_others_there_are(x):
    moves = Moves(3, 15.0, (0.8, 1.2))
    key = jax.random.key(3)
    together = moved(jnp.asarray(x), key, moves)
    alone = moved(jnp.asarray(x[:1]), key, moves)
    np.testing.assert_allclose(together[:1], alone, atol=1e-4)
    assert np.abs(np.asarray(together - moved(jnp.asarray(x), jax.random.key(4), moves))).max() > 1


def test_pictures_are_moved_each_by_itself(rng):
    one = rng.normal(size=(1, 9, 9, 1)).astype(np.float32)
    x = jnp.asarray(np.repeat(one, 4, axis=0))
    found = np.asarray(moved(x, jax.random.key(0), Moves(4, 0.0, (1.0, 1.0))))
    assert len({picture.tobytes() for picture in found}) > 1


def test_nothing_to_do_leaves_it(x):
    still = Moves(0, 0.0, (1.0, 1.0))
    np.testing.assert_array_equal(moved(jnp.asarray(x), jax.random.key(0), still), x)
