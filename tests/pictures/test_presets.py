"""What other libraries do to a map before it is seen, by their formulas, value by value."""

import matplotlib
import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import zoom

from jaxvis.pictures.presets import PRESETS, present


@pytest.fixture
def gradient(rng):
    return rng.normal(size=(2, 12, 10, 3))


@pytest.fixture
def images(rng):
    return rng.integers(0, 256, (2, 12, 10, 3), np.uint8)


def coloured(shares, name):
    return np.rint(matplotlib.colormaps[name](shares)[..., :3] * 255)


def close(found, wanted):
    assert found.dtype == np.uint8
    assert np.abs(found.astype(int) - wanted).max() <= 1


def of_keras_vis(one):
    return (one - one.min()) / (one.max() - one.min() + 1e-7)


def captum_threshold(one):
    """Sorted absolute values, the first at which 98 % of their sum is reached."""
    total, reached = np.abs(one).sum(), 0.0
    for value in sorted(np.abs(one).ravel()):
        reached += value
        if reached >= 0.98 * total:
            return value
    raise AssertionError


def test_of_tf_keras_vis_and_keras_vis(gradient):
    for preset in ("tf-keras-vis", "keras-vis"):
        wanted = [coloured(of_keras_vis(np.abs(g).max(axis=-1)), "jet") for g in gradient]
        close(present(gradient, preset), wanted)


def test_of_captum(gradient):
    for name in ("captum", "captum signed"):
        wanted = []
        for g in gradient:
            total = g.sum(axis=-1)
            if name == "captum":
                total = np.abs(total)
            scaled = np.clip(total / captum_threshold(total), -1, 1)
            if name == "captum":
                wanted.append(coloured(scaled, "Blues"))
            else:  # red, white, green: (1, 0, 0), (1, 1, 1), (0, 0.5, 0)
                less, more = np.minimum(scaled, 0), np.maximum(scaled, 0)
                rgb = 1 - more, 1 + less - 0.5 * more, 1 + less - more
                wanted.append(255 * np.stack(rgb, axis=-1))
        close(present(gradient, name), wanted)


def test_of_pair(gradient):
    wanted = []
    for g in gradient:
        total = np.abs(g).sum(axis=-1)
        low, high = total.min(), np.percentile(total, 99)
        wanted.append(coloured(np.clip((total - low) / (high - low), 0, 1), "gray"))
    close(present(gradient, "pair"), wanted)


def test_ours(gradient):
    largest = np.abs(gradient).max(axis=-1)
    wanted = [coloured((g - g.min()) / (g.max() - g.min()), "inferno") for g in largest]
    close(present(gradient), wanted)
    wanted = []
    for g in gradient:
        signed = np.where(g.max(axis=-1) >= -g.min(axis=-1), g.max(axis=-1), g.min(axis=-1))
        wanted.append(coloured(0.5 + signed / np.abs(signed).max() / 2, "RdBu_r"))
    close(present(gradient, "signed"), wanted)


def bicubic(one, size):
    return np.asarray(Image.fromarray(one.astype(np.float32)).resize(size[::-1], 3), np.float64)


def test_small_maps_over_images(rng, images):
    cams = np.abs(rng.normal(size=(2, 4, 5)))
    for i, cam in enumerate(cams):
        blocks = np.kron(cam, np.ones((3, 2)))
        enlarged = {
            "tf-keras-vis": coloured(of_keras_vis(zoom(cam, (3, 2), order=1)), "jet"),
            "keras-vis": coloured(of_keras_vis(bicubic(cam, (12, 10))), "jet"),
            "captum": coloured(np.clip(blocks / captum_threshold(blocks), 0, 1), "Blues"),
            "torchcam": coloured(
                np.clip(bicubic((cam - cam.min()) / (cam.max() - cam.min()), (12, 10)), 0, 1) ** 2,
                "jet",
            ),
        }  # fmt: skip
        for name, wanted in enlarged.items():
            share = 0.3 if name == "torchcam" else 0.5
            close(present(cams, name, size=(12, 10))[i], wanted)
            laid_over = (1 - share) * images[i] + share * wanted
            close(present(cams, name, images=images)[i], laid_over)


@pytest.mark.parametrize("name", ["jaxvis", "captum signed", "torchcam"])
def test_other_colours_and_another_alpha(gradient, images, name):
    """The shares of the colours stay: a preset's own are read back from gray, 0 to 255."""
    shares = present(gradient, name, colormap="gray")[..., 0] / 255
    wanted = matplotlib.colormaps["viridis"](shares, bytes=True)[..., :3].astype(float)
    found = present(gradient, name, colormap="viridis")
    assert np.abs(found - wanted).max() <= 4  # a share is known to 1/255
    over = present(gradient, name, images=images, colormap="viridis", alpha=0.2)
    close(over, 0.8 * images + 0.2 * found)
    np.testing.assert_array_equal(present(gradient, name, images=images, alpha=0), images)
    own = present(gradient, name)
    close(present(gradient, name, images=images, alpha=1), own)


@pytest.mark.parametrize("name", PRESETS)
def test_a_map_of_zeros_has_one_colour(name):
    found = present(np.zeros((1, 6, 6, 3)), name)
    assert len(np.unique(found.reshape(-1, 3), axis=0)) == 1
    middle = present(np.zeros((1, 6, 6)), name)
    np.testing.assert_array_equal(found, middle)
    if PRESETS[name].signed:
        positive = present(np.ones((1, 6, 6)), name)
        negative = present(-np.ones((1, 6, 6)), name)
        assert not np.array_equal(positive, negative)


def test_tiny_gradients_are_dark_where_1e_7_is_added():
    """Values of 1e-9, as of a sure network: the map is there, and these two do not show it."""
    tiny = np.arange(16.0).reshape(1, 4, 4) * 1e-10
    assert present(tiny).std() > 40
    of_zeros = present(np.zeros((1, 4, 4)), "tf-keras-vis").astype(int)
    assert np.abs(present(tiny, "tf-keras-vis") - of_zeros).max() < 20


ERRORS = {
    "preset": ((np.zeros((1, 4, 4)), "tf"), {}, "preset is 'tf'; wanted one of jaxvis"),
    "near": ((np.zeros((1, 4, 4)), "PAIR"), {}, "'PAIR'; .* Near names: pair$"),
    "far": ((np.zeros((1, 4, 4)), "qqq"), {}, "'qqq'; .*, torchcam$"),
    "colours": ((np.zeros((1, 4, 4)),), {"colormap": "jte"}, "unknown colour map 'jte'"),
    "alpha": (
        (np.zeros((1, 4, 4)),), {"images": np.zeros((1, 4, 4, 3), np.uint8), "alpha": 2},
        "alpha must be from 0",
    ),
    "shape": ((np.zeros((4, 4)),), {}, r"values have shape \(4, 4\)"),
    "nan": ((np.full((1, 4, 4), np.nan),), {}, "NaN or infinity"),
    "number": (
        (np.zeros((2, 4, 4)),), {"images": np.zeros((1, 4, 4, 3), np.uint8)}, "1 images for 2 maps",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("arguments", "options", "message"), ERRORS.values(), ids=ERRORS)
def test_errors(arguments, options, message):
    with pytest.raises(ValueError, match=message):
        present(*arguments, **options)
