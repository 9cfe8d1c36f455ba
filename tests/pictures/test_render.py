"""Array functions of render: each against a loop in float64, SciPy or Matplotlib."""

import ast
import base64
import io
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from xml.etree import ElementTree

import jax.numpy as jnp
import matplotlib
import numpy as np
import pytest
import scipy.ndimage
from PIL import Image, JpegImagePlugin

from jaxvis.pictures import figures, render

RANDOM = np.random.default_rng(0)
MAPS = RANDOM.normal(size=(3, 5, 7))
IMAGES = RANDOM.integers(0, 256, (3, 5, 7, 3), dtype=np.uint8)


def normalized_by_loop(maps):
    result = np.empty(maps.shape)
    for index, one in enumerate(maps):
        low, high = min(one.flat), max(one.flat)
        for place in np.ndindex(one.shape):
            result[index][place] = (float(one[place]) - low) / (high - low)
    return result


@pytest.mark.parametrize("scale", [1e-9, 1e-7, 1.0, 1e30])
def test_normalize_equals_loop(scale):
    found = render.normalize(MAPS * scale)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, normalized_by_loop(MAPS * scale), rtol=1e-6, atol=1e-7)
    np.testing.assert_array_equal(render.normalize(MAPS[1] * scale), found[1])


def test_normalize_known_values():
    np.testing.assert_allclose(render.normalize([[0, 1], [2, 4]]), [[0, 0.25], [0.5, 1]], rtol=1e-6)
    for tiny in (1e-8, 1e-300):
        np.testing.assert_allclose(render.normalize([[0.0, tiny / 2, tiny]]), [[0, 0.5, 1]])


@pytest.mark.parametrize("value", [0.0, -3.5, 1e30])
def test_normalize_constant_map_is_zero(value):
    maps = np.stack([np.full((4, 4), value), np.arange(16.0).reshape(4, 4)])
    found = render.normalize(maps)
    np.testing.assert_array_equal(found[0], 0)
    assert found[1].max() > 0.999


def test_low_precision_does_not_overflow():
    limits = np.array([[-65504, 0, 65504]], np.float16)  # their difference is no float16
    np.testing.assert_allclose(render.normalize(limits), [[0, 0.5, 1]], atol=1e-6)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16, jnp.float16])
def test_jax_arrays_are_welcome(dtype):
    maps = jnp.asarray(MAPS, dtype)
    exact = np.asarray(maps, np.float64)
    np.testing.assert_allclose(render.normalize(maps), normalized_by_loop(exact), atol=1e-6)
    np.testing.assert_array_equal(
        render.overlay(jnp.asarray(IMAGES), maps), render.overlay(IMAGES, exact)
    )


def test_inputs_are_not_modified():
    maps, images = MAPS.copy(), IMAGES.copy()
    maps.setflags(write=False)
    images.setflags(write=False)
    render.normalize(maps)
    render.upsample(maps, (9, 9))
    render.overlay(images, maps)
    np.testing.assert_array_equal(maps, MAPS)
    np.testing.assert_array_equal(images, IMAGES)


@pytest.mark.parametrize("function", [render.normalize, render.heat_map])
def test_values_that_are_not_finite_are_counted_and_placed(function):
    maps = MAPS.copy()
    maps[1, 2, 3], maps[2, 0, 0], maps[2, 4, 6] = np.nan, np.inf, -np.inf
    message = r"3 values .* \(1 NaN, 2 infinite\) out of 105.*\(1, 2, 3\), \(2, 0, 0\), \(2, 4, 6\)"
    with pytest.raises(ValueError, match=message):
        function(maps)
    with pytest.raises(ValueError, match=r"\(row, column\) \(2, 3\)"):
        function(maps[1])
    with pytest.raises(ValueError, match="not finite"):
        render.upsample(maps, (9, 9))


@pytest.mark.parametrize("shape", [(2, 5, 7, 3), (5,), (0, 5, 7), (2, 0, 7)])
def test_what_is_no_map_is_refused(shape):
    with pytest.raises(ValueError, match=r"must be \(n, height, width\).*saliency\(\) does that"):
        render.normalize(np.zeros(shape))


SIZES = [
    ((14, 14), (224, 224)),
    ((5, 7), (16, 33)),
    ((2, 3), (5, 4)),
    ((5, 7), (5, 7)),
    ((9, 8), (4, 3)),
    ((1, 4), (6, 6)),
    ((3, 1), (4, 5)),
    ((1, 1), (3, 4)),
    ((4, 4), (1, 5)),
    ((4, 4), (1, 1)),
]


@pytest.mark.parametrize(("source", "size"), SIZES)
def test_upsample_equals_scipy(source, size):
    maps = np.random.default_rng(1).normal(size=(3, *source))
    found = render.upsample(maps, size)
    assert found.dtype == np.float32
    for one, result in zip(maps, found, strict=True):
        factors = (size[0] / source[0], size[1] / source[1])
        wanted = scipy.ndimage.zoom(one, factors, order=1, mode="nearest", grid_mode=False)
        np.testing.assert_allclose(result, wanted, rtol=1e-6, atol=1e-6)


def between(source, target, t):
    """The sample below position t (source - 1) / (target - 1), the next one, and its weight."""
    position = t * (source - 1) / (target - 1) if target > 1 else 0.0
    below = min(int(position), max(source - 2, 0))
    return below, min(below + 1, source - 1), position - below


@pytest.mark.parametrize(("source", "size"), SIZES[1:])
def test_upsample_equals_loop(source, size):
    image = np.random.default_rng(2).normal(size=source)
    found = render.upsample(image, size)
    for row, column in np.ndindex(size):
        top, bottom, down = between(source[0], size[0], row)
        left, right, across = between(source[1], size[1], column)
        upper = (1 - across) * image[top, left] + across * image[top, right]
        lower = (1 - across) * image[bottom, left] + across * image[bottom, right]
        assert found[row, column] == pytest.approx((1 - down) * upper + down * lower, abs=1e-6)


def test_upsample_keeps_corners_and_constants():
    found = render.upsample(MAPS, (224, 224))
    corners = np.ix_(range(3), [0, -1], [0, -1])
    np.testing.assert_allclose(found[corners], MAPS[corners], rtol=1e-6)
    np.testing.assert_allclose(render.upsample(np.full((14, 14), 0.3), (224, 224)), 0.3, rtol=1e-6)


@pytest.mark.parametrize("size", [(0, 4), (4, -1), (4.0, 4), (4,), (4, 4, 4)])
def test_upsample_refuses_sizes(size):
    with pytest.raises(ValueError, match=r"two positive integers \(height, width\)"):
        render.upsample(MAPS, size)


def test_heat_map_is_the_colour_map():
    found = render.heat_map([[[0.0, 2.0, 4.0]]], colormap="jet")
    assert found.shape == (1, 1, 3, 3)
    assert found.dtype == np.uint8
    blue, green, red = found[0, 0]
    assert 126 <= blue[2] <= 128
    assert blue[0] == blue[1] == 0
    assert green[1] == 255
    assert 126 <= red[0] <= 128
    assert red[1] == red[2] == 0


def test_colours_are_even_unless_asked_for():
    """Equal steps of a map are equal steps of lightness (CIE L*): in jet they go up and down."""
    ramp = np.linspace(0, 1, 65)[None]

    def lightness(rgb):
        linear = np.where(rgb > 0.04045, ((rgb + 0.055) / 1.055) ** 2.4, rgb / 12.92)
        return 116 * np.cbrt(linear @ [0.2126, 0.7152, 0.0722]) - 16

    found = lightness(render.heat_map(ramp)[0] / 255)
    steps = np.diff(found[4:])  # below, L* is the linear part of its definition
    assert steps.min() > 0.5 * steps.mean()
    assert steps.max() < 2 * steps.mean()
    assert np.diff(lightness(render.heat_map(ramp, colormap="jet")[0] / 255)).min() < 0
    grey = np.zeros((1, 65, 3), np.uint8)
    np.testing.assert_array_equal(render.overlay(grey, ramp, alpha=1), render.heat_map(ramp))


def test_every_colour_map_works():
    for name in matplotlib.colormaps:
        found = render.heat_map(MAPS, colormap=name)
        wanted = 255 * matplotlib.colormaps[name](render.normalize(MAPS))[..., :3]
        assert np.abs(found - wanted).max() < 1, name


def test_unknown_colour_map_lists_near_names():
    with pytest.raises(ValueError, match=r"unknown colour map 'virdis'\. Near names: viridis"):
        render.heat_map(MAPS, colormap="virdis")
    with pytest.raises(ValueError, match=r"'JET'\. Near names: jet\b"):
        render.overlay(IMAGES, MAPS, colormap="JET")
    with pytest.raises(ValueError, match=r"No name is near.*list\(matplotlib\.colormaps\)"):
        render.heat_map(MAPS, colormap="0")


@pytest.mark.parametrize("alpha", [0, 0.3, 0.5, 0.75, 1])
def test_overlay_equals_loop(alpha):
    found = render.overlay(IMAGES, MAPS, alpha=alpha, colormap="viridis")
    assert found.dtype == np.uint8
    coloured = render.heat_map(MAPS, colormap="viridis")
    for place in np.ndindex(found.shape):
        wanted = round((1 - alpha) * int(IMAGES[place]) + alpha * int(coloured[place]))
        assert found[place] == wanted
    one = render.overlay(IMAGES[1], MAPS[1], alpha=alpha, colormap="viridis")
    np.testing.assert_array_equal(one, found[1])


def test_overlay_refuses_what_does_not_fit():
    with pytest.raises(ValueError, match=r"Upsample the maps first: upsample\(maps, \(5, 7\)\)"):
        render.overlay(IMAGES, MAPS[:, :2, :2])
    with pytest.raises(ValueError, match=r"want maps of shape \(3, 5, 7\); found \(2, 5, 7\)\.$"):
        render.overlay(IMAGES, MAPS[:2])
    with pytest.raises(ValueError, match=r"must be uint8 .* found float32 .* not what preprocess"):
        render.overlay(IMAGES.astype(np.float32), MAPS)
    with pytest.raises(ValueError, match=r"found uint8 \(3, 5, 7, 4\)"):
        render.overlay(np.zeros((3, 5, 7, 4), np.uint8), MAPS)
    for alpha in (-0.1, 1.5, float("nan")):
        with pytest.raises(ValueError, match="alpha must be from 0"):
            render.overlay(IMAGES, MAPS, alpha=alpha)


def small_figure():
    return figures.figure_images(IMAGES, title="saved")


def test_saved_bytes_are_reproducible_and_undated(tmp_path):
    first = render.save(small_figure(), tmp_path / "a.png")
    second = render.save(small_figure(), str(tmp_path / "b.PNG"))
    assert first.read_bytes() == second.read_bytes()
    with Image.open(first) as picture:
        assert set(picture.info) == {"dpi"}
        assert picture.info["dpi"] == pytest.approx((100, 100), abs=0.1)
    assert sorted(os.listdir(tmp_path)) == ["a.png", "b.PNG"]


def test_a_panel_has_the_pixels_of_its_picture(tmp_path):
    """Enlarged, if at all, to whole pixels: nothing is between two colours that was not there."""
    for height, width, times in ((224, 224, 1), (30, 45, 5), (150, 100, 2)):
        images = np.random.default_rng(0).integers(0, 256, (2, height, width, 3), np.uint8)
        figure = figures.figure_images(images, ["a", "b"])
        with Image.open(render.save(figure, tmp_path / "a.png")) as saved:
            pixels = np.asarray(saved)
        wide = times * width
        assert pixels.shape[1] == 8 + 2 * (wide + 8)
        for image, left in zip(images, (8, 16 + wide), strict=True):
            large = image.repeat(times, axis=0).repeat(times, axis=1)
            rows = slice(len(pixels) - 8 - len(large), len(pixels) - 8)
            np.testing.assert_array_equal(pixels[rows, left : left + wide], large)
        assert (pixels[-8:] == 255).all()


def psnr(one, other):
    return 10 * np.log10(255**2 / np.square(one.astype(float) - other).mean())


def noise_and_ramp(size=224):
    """Maps as a network's are: noisy, and smooth."""
    rng = np.random.default_rng(0)
    noisy = np.abs(rng.normal(size=(1, size, size))) * np.linspace(0.2, 1, size)
    smooth = np.add.outer(np.linspace(0, 1, size), np.linspace(0, 1, size))[None]
    return noisy, smooth


@pytest.mark.parametrize("kind", ["noisy", "smooth"])
def test_a_figure_of_few_colours_is_small_and_shows_no_bands(tmp_path, kind):
    maps = dict(zip(("noisy", "smooth"), noise_and_ramp(), strict=True))[kind]
    photograph = heat_image(224)
    figure = figures.figure_saliency(photograph, maps, ["a photograph"], title=None)
    pixels = {}
    for few in (False, True):
        path = render.save(figure, tmp_path / f"{few}.png", few_colours=few)
        with Image.open(path) as saved:
            assert (saved.mode == "P") == few
            pixels[few] = np.asarray(saved.convert("RGB"))
    sizes = [os.path.getsize(tmp_path / f"{few}.png") for few in (True, False)]
    assert sizes[0] < (0.55 if kind == "noisy" else 1) * sizes[1]
    assert psnr(pixels[True], pixels[False]) > 37
    assert (pixels[True][:3] == 255).all()  # paper is white
    found = np.asarray(figure.axes[1].images[0].get_array()).astype(float)
    low, high = maps.min(), np.percentile(maps, 99.5)
    exact = 255 * matplotlib.colormaps["jet"](np.clip((maps[0] - low) / (high - low), 0, 1))
    np.testing.assert_allclose(found, exact[..., :3], atol=1)  # the figure itself keeps them
    coarse = render.no_finer_than_noise(found.astype(np.uint8))
    assert (coarse == found).all() == (kind == "smooth")
    # In a smooth picture neighbours differ by little, or there is a band.
    small = pixels[True][-16 - 224 - 80 : -16 - 224, 80:160].astype(float)
    means = small.reshape(10, 8, 8, 10, 3).mean(axis=(1, 3))
    exact = pixels[False][-16 - 224 - 80 : -16 - 224, 80:160].reshape(10, 8, 8, 10, 3)
    np.testing.assert_allclose(means, exact.mean(axis=(1, 3)), atol=4)


def test_a_noisy_picture_goes_in_steps_and_a_smooth_one_stays():
    rng = np.random.default_rng(0)
    steep = np.zeros((20, 30, 3), np.uint8)
    steep[..., 0] = np.linspace(0, 255, 30)  # 9 from pixel to pixel, and not noisy
    np.testing.assert_array_equal(render.no_finer_than_noise(steep), steep)
    for deviation, step in ((40, 20), (6, 6), (0.2, 0)):
        noisy = (128 + rng.normal(0, deviation, (200, 200, 1)) + np.zeros(3)).astype(np.uint8)
        found = render.no_finer_than_noise(noisy)
        off = np.abs(found.astype(int) - noisy).max()
        assert off <= step / 2 + 1
        assert (off == 0) == (step == 0)
        levels = np.unique(found)
        if deviation == 40:
            assert set(levels) <= {*range(0, 256, 20), 255}


def test_paper_stays_white_among_256_colours(tmp_path):
    rng = np.random.default_rng(0)
    for low in (0, 200, 250):
        images = rng.integers(low, 256, (4, 224, 224, 3), np.uint8)
        figure = figures.figure_saliency(images, rng.random((4, 224, 224)), ["abc"] * 4, title="ab")
        with Image.open(render.save(figure, tmp_path / "a.png", few_colours=True)) as saved:
            assert saved.mode == "P"
            pixels = np.asarray(saved.convert("RGB"))
        for edge in (pixels[:3], pixels[-8:], pixels[:, :8], pixels[:, -8:]):
            assert (edge == 255).all()


def heat_image(size):
    """A sky: a smooth picture, in which bands would show."""
    y, x = np.mgrid[:size, :size] / size
    return np.stack([60 + 60 * y, 90 + 50 * x, 200 - 40 * y], axis=-1).astype(np.uint8)[None]


def test_jpeg_keeps_the_colours_of_overlays(tmp_path):
    image = heat_image(224)
    cams = np.exp(-np.square(np.mgrid[:14, :14] - 6.5).sum(axis=0) / 9)[None]
    figure = figures.figure_grad_cam(image, cams, ["a photograph"], title="Grad-CAM")
    with Image.open(render.save(figure, tmp_path / "a.png")) as saved:
        wanted = np.asarray(saved)
    path = render.save(figure, tmp_path / "a.jpg")
    assert path.read_bytes() == render.save(figure, tmp_path / "b.jpg").read_bytes()
    with Image.open(path) as saved:
        assert psnr(np.asarray(saved), wanted) > 38
        assert saved.info["dpi"] == (100, 100)
        assert JpegImagePlugin.get_sampling(saved) == 0  # as many samples of colour as of light
    assert os.path.getsize(path) < 0.4 * os.path.getsize(tmp_path / "a.png")
    noise = np.random.default_rng(0).integers(0, 256, (1, 300, 300, 3), np.uint8)
    path = render.save(figures.figure_images(noise), tmp_path / "noise.jpg")  # a byte a pixel: more
    with Image.open(path) as saved:
        assert saved.size == (316, 316)


def test_vectors_have_letters_all_pixels_and_no_dates(tmp_path):
    figure = figures.figure_saliency(IMAGES[:2], MAPS[:2], ["one", "two"], title="saved")
    before = [panel.images[0].get_interpolation() for panel in figure.axes]
    with matplotlib.rc_context({"svg.fonttype": "path", "svg.hashsalt": None, "pdf.fonttype": 3}):
        theirs = dict(matplotlib.rcParams)
        paths = [render.save(figure, tmp_path / f"{name}.{kind}")
                 for kind in ("svg", "pdf") for name in "ab"]  # fmt: skip
        assert dict(matplotlib.rcParams) == theirs
    assert [panel.images[0].get_interpolation() for panel in figure.axes] == before
    one, other, pdf, other_pdf = (path.read_bytes() for path in paths)
    assert one == other
    assert pdf == other_pdf
    assert pdf.startswith(b"%PDF")
    assert b"CreationDate" not in pdf
    assert b"<dc:date>" not in one
    root = ElementTree.fromstring(one)
    words = ["".join(text.itertext()) for text in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"saved", "one", "two"} <= set(words)
    links = [image.get("{http://www.w3.org/1999/xlink}href")
             for image in root.iter("{http://www.w3.org/2000/svg}image")]  # fmt: skip
    kept = []
    for link in links:
        with Image.open(io.BytesIO(base64.b64decode(link.split(",", 1)[1]))) as image:
            kept.append(np.asarray(image.convert("RGB")))
    drawn = [np.asarray(panel.images[0].get_array()) for panel in figure.axes]
    assert len(kept) == len(drawn) == 4
    for found, wanted in zip(kept, drawn, strict=True):
        assert any(np.array_equal(turned, wanted) for turned in (found, found[::-1]))


def test_saved_file_has_the_usual_permissions(tmp_path):
    (tmp_path / "usual").touch()
    saved = render.save(small_figure(), tmp_path / "a.png")
    assert saved.stat().st_mode == (tmp_path / "usual").stat().st_mode


def test_failed_save_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    save = Image.Image.save

    def fail(self, *arguments, **options):
        file = self if isinstance(self, Path) else arguments[0]
        if isinstance(file, io.BytesIO):  # a picture within an SVG or a PDF
            return save(self, *arguments, **options)
        with open(file, "wb") as half:
            half.write(b"half")
        raise OSError("disk full")

    for kind in ("png", "jpg", "svg", "pdf"):
        (tmp_path / f"a.{kind}").write_bytes(b"old")
    monkeypatch.setattr(Path, "write_bytes", fail)
    monkeypatch.setattr(Image.Image, "save", fail)
    for kind in ("png", "jpg", "svg", "pdf"):
        path = tmp_path / f"a.{kind}"
        with pytest.raises(OSError, match="disk full"):
            render.save(small_figure(), path)
        assert path.read_bytes() == b"old"
    assert sorted(os.listdir(tmp_path)) == ["a.jpg", "a.pdf", "a.png", "a.svg"]


@pytest.mark.parametrize("kind", ["png", "jpg", "svg"])
def test_what_is_drawn_can_be_written_later_by_another_thread(tmp_path, kind):
    wanted = render.save(small_figure(), tmp_path / f"wanted.{kind}", few_colours=True)
    figure = small_figure()
    write = render.rendered(figure, tmp_path / f"later.{kind}", few_colours=True)
    assert not (tmp_path / f"later.{kind}").exists()
    figure.clear()
    with ThreadPoolExecutor(1) as other:
        path = other.submit(write).result()
    assert path.read_bytes() == wanted.read_bytes()


def test_save_refuses_names(tmp_path):
    with pytest.raises(ValueError, match=r"a\.gif: figures are .* \.png, \.jpg, \.svg, \.pdf"):
        render.save(small_figure(), tmp_path / "a.gif")
    with pytest.raises(FileNotFoundError, match=r"the folder .*nowhere does not exist; make it"):
        render.save(small_figure(), tmp_path / "nowhere" / "a.png")


@pytest.mark.parametrize("module", [render, figures])
def test_jax_and_matplotlib_are_not_imported(module):
    tree = ast.parse(Path(module.__file__).read_text(encoding="utf-8"))
    everywhere = {name for node in ast.walk(tree) for name in imported(node)}
    at_import = {name for node in tree.body for name in imported(node)}
    assert "matplotlib" in everywhere
    assert not {"jax", "jaxlib"} & everywhere
    assert "numpy" in at_import
    assert not {"matplotlib", "PIL"} & at_import
    assert "pyplot" not in {n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute)}
    modules = [n.module or "" for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)]
    assert not any("pyplot" in name for name in modules)


def imported(node):
    if isinstance(node, ast.Import):
        return [alias.name.partition(".")[0] for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.level == 0:
        return [str(node.module).partition(".")[0]]
    return []
