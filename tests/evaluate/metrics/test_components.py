import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.ndimage

from jaxvis.evaluate.metrics.components import above, bounding_boxes, largest_component


def largest_by_scipy(binary):
    """SciPy numbers components in reading order, and argmax takes the first of equal ones."""
    labels, count = scipy.ndimage.label(binary)
    if not count:
        return np.zeros_like(binary)
    return labels == 1 + np.argmax(np.bincount(labels.ravel())[1:])


def spiral(size):
    """A path one pixel wide that winds inwards, with walls one pixel wide."""
    path = np.zeros((size, size), bool)
    row, column, (down, right) = 0, -1, (0, 1)
    length, sides = size, 0
    while length > 0:
        for _ in range(length):
            row, column = row + down, column + right
            path[row, column] = True
        sides += 1
        down, right = right, -down
        length -= (1 if sides == 1 else 2 * (sides % 2)) if sides > 1 else 1
    return path


def snake(height, width):
    """Full rows joined at alternate ends."""
    path = np.zeros((height, width), bool)
    path[::2] = True
    path[1::4, -1] = path[3::4, 0] = True
    return path


def comb(size):
    """Teeth joined at the bottom alone, two pixels off a second comb from above."""
    path = np.zeros((size, size), bool)
    path[-1] = path[4:, ::2] = True
    path[0] = path[:2, ::2] = True
    return path


@pytest.mark.parametrize("shape", [(31, 37), (1, 50), (50, 1), (2, 2)])
def test_as_scipy_on_noise(shape, rng):
    """At 0.593 components of all sizes, full of bends, appear (site percolation)."""
    shares = np.repeat([0.1, 0.4, 0.55, 0.593, 0.65, 0.9], 10)
    binary = rng.random((60, *shape)) < shares[:, None, None]
    found = np.asarray(largest_component(binary))
    np.testing.assert_array_equal(found, [largest_by_scipy(one) for one in binary])


def test_as_scipy_on_smooth_shapes(rng):
    noise = rng.normal(size=(10, 64, 48))
    blurred = [scipy.ndimage.gaussian_filter(noise, (0, blur, blur)) for blur in (1, 3)]
    binary = np.concatenate(blurred) > 0
    found = np.asarray(largest_component(binary))
    np.testing.assert_array_equal(found, [largest_by_scipy(one) for one in binary])


def test_paths_that_wind(rng):
    wound = spiral(41)
    cut = wound.copy()
    cut[20:22, :] = False
    shapes = [wound, wound.T, wound[::-1], cut, ~wound, snake(41, 41), snake(41, 41).T, comb(41)]
    broken = [shape & (rng.random(shape.shape) < 0.98) for shape in shapes]
    binary = np.stack(shapes + broken)
    assert scipy.ndimage.label(wound)[1] == scipy.ndimage.label(binary[5])[1] == 1
    found = np.asarray(largest_component(binary))
    np.testing.assert_array_equal(found, [largest_by_scipy(one) for one in binary])


def test_the_first_of_equal_components():
    binary = np.zeros((2, 5, 9), bool)
    binary[0, 0, 4:7] = binary[0, 2:5, 0] = True  # the bar across begins further up
    binary[1, 1:4, 6] = binary[1, 1, 0:3] = True  # both begin in row 1
    found = np.asarray(largest_component(binary))
    assert found[0].sum() == found[1].sum() == 3
    assert found[0, 0, 4:7].all()
    assert found[1, 1, 0:3].all()


def test_corners_do_not_join_and_images_do_not_mix():
    binary = np.zeros((3, 4, 4), bool)
    binary[0] = np.eye(4, dtype=bool)
    binary[0, 2, 3] = True
    binary[2] = True
    found = np.asarray(largest_component(binary))
    np.testing.assert_array_equal(np.argwhere(found[0]), [[2, 2], [2, 3], [3, 3]])
    assert not found[1].any()
    assert found[2].all()


@pytest.mark.parametrize("shape", [(0, 4, 4), (2, 0, 4), (2, 4, 0)])
def test_nothing_gives_nothing(shape):
    assert largest_component(np.zeros(shape, bool)).shape == shape


def test_inside_other_transformations(rng):
    binary = rng.random((6, 12, 12)) < 0.6
    wanted = np.asarray(largest_component(binary))
    one_by_one = jax.jit(jax.vmap(lambda one: largest_component(one[None])[0]))
    np.testing.assert_array_equal(one_by_one(binary), wanted)


def test_the_same_in_double_precision(x64, rng):
    binary = rng.random((4, 20, 20)) < 0.6
    found = np.asarray(largest_component(binary))
    np.testing.assert_array_equal(found, [largest_by_scipy(one) for one in binary])
    assert bounding_boxes(binary).dtype == jnp.int32


def test_boxes_as_scipy(rng):
    binary = rng.random((200, 9, 14)) < 0.03
    binary[0] = False
    wanted = []
    for one in binary:
        found = scipy.ndimage.find_objects(one.astype(int))
        rows, columns = found[0] if found else (slice(0, 0), slice(0, 0))
        wanted.append((columns.start, rows.start, columns.stop, rows.stop))
    np.testing.assert_array_equal(bounding_boxes(binary), wanted)
    assert len({box[2] - box[0] for box in wanted}) > 9


def test_above_a_share_of_the_maximum(rng):
    maps = rng.gamma(1, size=(5, 8, 9)).astype(np.float32)
    maps[1], maps[2] = 0, -maps[2]
    maps[3, 0, 0] = np.float32(0.15) * maps[3].max()  # equal to the threshold belongs to it
    found = np.asarray(above(maps))
    for one, a in zip(found, maps, strict=True):
        top = a.max()
        wanted = [[top > 0 and v >= np.float32(0.15) * top for v in row] for row in a]
        np.testing.assert_array_equal(one, wanted)
    assert found[3, 0, 0]
    assert above(maps[:1], 1.0).sum() == 1


def test_messages():
    with pytest.raises(ValueError, match=r"binary is float32 \(2, 3, 3\); wanted bool of shape"):
        largest_component(np.zeros((2, 3, 3), np.float32))
    with pytest.raises(ValueError, match=r"binary is bool \(3, 3\); wanted bool of shape \(n, "):
        bounding_boxes(np.zeros((3, 3), bool))
    with pytest.raises(ValueError, match=r"threshold is 15; wanted a share of the maximum, in"):
        above(np.zeros((1, 3, 3), np.float32), 15)
    with pytest.raises(ValueError, match=r"maps are int32 \(1, 3, 3\); wanted floats of shape"):
        above(np.zeros((1, 3, 3), np.int32))
    with pytest.raises(ValueError, match="binary has 2,147,483,648 pixels; wanted 2,147,483,647"):
        jax.eval_shape(largest_component, jax.ShapeDtypeStruct((2**15, 2**8, 2**8), jnp.bool_))
