"""Figures: what a reader sees, read back from the drawn pixels and the artists."""

import gc
import itertools
import weakref
from concurrent.futures import ThreadPoolExecutor

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
import scipy.ndimage
from matplotlib.text import Text
from PIL import Image

from jaxvis.pictures import figures, render, sheet
from jaxvis.pictures.figures import MapRow
from jaxvis.pictures.presets import PRESETS, present

SIZE = 48
SMOOTH = np.add.outer(np.linspace(0, 120, SIZE), np.linspace(0, 120, SIZE))
TITLES = [
    "goose 97.1 %",
    "great_white_shark 12.3 %",
    "American_Staffordshire_terrier 3.4 %",
    "a photograph_with_a_long_file_name_1984.jpg: military_uniform 88.8 %",
    "WWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWW",
    "costs $5_{ and $^",
    "a very long title indeed that goes on and on and on until nobody reads it any more, and on",
]


def images_of(count):
    channels = np.stack([SMOOTH, SMOOTH[::-1], 240 - SMOOTH], axis=-1).astype(np.uint8)
    return np.stack([np.roll(channels, index, axis=-1) for index in range(count)])


def cams_of(count):
    """Blobs on 6 x 6, each image's own place and height."""
    y, x = np.mgrid[:6, :6]
    blobs = [np.exp(-((y - 1 - i % 4) ** 2 + (x - 2) ** 2) / 6) * (i + 1) for i in range(count)]
    return np.stack(blobs)


def saliency_of(count):
    y, x = np.mgrid[:SIZE, :SIZE]
    return np.stack([np.hypot(y - 20, x - 10 - i) * (i + 1) for i in range(count)])


def map_rows(saliency=None, cams=None):
    """Rows of the grid: maps that stand alone, and maps that are laid over the image."""
    alone = [
        MapRow(f"saliency: {name}", a, False, lab=True) for name, a in (saliency or {}).items()
    ]
    return alone + [
        MapRow(f"Grad-CAM: {name}", a, True, lab=True) for name, a in (cams or {}).items()
    ]


def comparison(count, **options):
    saliency = {"vanilla": saliency_of(count), "guided": 1e-5 * saliency_of(count)}
    cams = {"vanilla": cams_of(count), "rectified": np.zeros((count, 6, 6))}
    titles = list(itertools.islice(itertools.cycle(TITLES), count))
    return figures.figure_comparison(
        images_of(count), titles, map_rows(saliency, cams), title=" ".join(TITLES), **options
    )


def drawn(figure):
    figure.canvas.draw()
    return np.asarray(figure.canvas.buffer_rgba())


def seen(pixels, panel, places):
    """The colours drawn at (row, column) of the panel's picture."""
    points = panel.transData.transform([(column, row) for row, column in places])
    return np.array([pixels[round(len(pixels) - 1 - y), round(x), :3] for x, y in points], float)


def texts_of(figure):
    return [text.get_text() for text in figure.findobj(Text) if text.get_text().strip()]


def panels_of(figure):
    return [axes for axes in figure.axes if axes.images]


def overlay_by_scipy(image, cam, top):
    """The overlay of one image in float64, its scale from 0 to `top`."""
    large = scipy.ndimage.zoom(cam, SIZE / len(cam), order=1, grid_mode=False)
    return 0.5 * image + 0.5 * 255 * matplotlib.colormaps["jet"](large / top)[..., :3]


PLACES = [(row, column) for row in (6, 13, 30, 41) for column in (5, 12, 35, 42)]


def test_images_are_drawn_as_they_are():
    images = images_of(3)
    figure = figures.figure_images(images, TITLES[:3], title="Input images")
    pixels = drawn(figure)
    assert len(figure.axes) == 3
    for panel, image in zip(figure.axes, images, strict=True):
        wanted = [image[place] for place in PLACES]
        np.testing.assert_allclose(seen(pixels, panel, PLACES), wanted, atol=6)
    assert {"Input images", "goose 97.1 %"} <= set(texts_of(figure))


def test_grad_cam_panels_are_the_overlays():
    images, cams = images_of(3), cams_of(3)
    cams[1] = 0
    figure = figures.figure_grad_cam(images, cams, None, title="Grad-CAM")
    pixels = drawn(figure)
    for index in (0, 2):
        cam = cams[index] - cams[index].min()
        wanted = overlay_by_scipy(images[index], cam, cam.max())
        found = seen(pixels, figure.axes[index], PLACES)
        np.testing.assert_allclose(found, [wanted[place] for place in PLACES], atol=8)
    found = seen(pixels, figure.axes[1], PLACES)
    np.testing.assert_allclose(found, [images[1][place] for place in PLACES], atol=6)
    assert texts_of(figure).count("nothing positive") == 1
    assert "nothing positive" in [text.get_text() for text in figure.axes[1].texts]


def test_saliency_maps_are_under_their_images_each_on_its_own_scale():
    images, maps = images_of(3), saliency_of(3)
    maps[1], maps[2] = 0.25, 0
    figure = figures.figure_saliency(images, maps, TITLES[:3], title="Guided", colormap="viridis")
    pixels = drawn(figure)
    upper, lower = figure.axes[:3], figure.axes[3:]
    assert len(lower) == 3
    for above, below in zip(upper, lower, strict=True):
        upper_box, lower_box = above.get_position(), below.get_position()
        assert upper_box.x0 + upper_box.x1 == pytest.approx(lower_box.x0 + lower_box.x1, abs=2e-3)
        assert above.get_position().y0 > below.get_position().y1
    top = np.percentile(maps[0], 99.5)
    assert top < 0.99 * maps[0].max()  # else it would not matter to what it is scaled
    scaled = np.minimum((maps[0] - maps[0].min()) / (top - maps[0].min()), 1)
    wanted = 255 * matplotlib.colormaps["viridis"](scaled)[..., :3]
    found = seen(pixels, lower[0], PLACES)
    np.testing.assert_allclose(found, [wanted[place] for place in PLACES], atol=8)
    assert "constant 0.25" in [text.get_text() for text in lower[1].texts]
    assert "nothing positive" in [text.get_text() for text in lower[2].texts]


def test_comparison_rows_share_a_raw_scale():
    images, cams, maps = images_of(3), cams_of(3), saliency_of(3)
    figure = figures.figure_comparison(images, None, map_rows({"guided": maps}, {"vanilla": cams}))
    pixels = drawn(figure)
    assert len(figure.axes) == 9
    assert [axes.get_ylabel() for axes in figure.axes[::3]] == [
        "input", "saliency: guided", "Grad-CAM: vanilla"
    ]  # fmt: skip
    top = np.percentile(maps, 99.5)
    for index in range(3):
        wanted = 255 * matplotlib.colormaps["jet"](np.clip(maps[index] / top, 0, 1))[..., :3]
        found = seen(pixels, figure.axes[3 + index], PLACES)
        np.testing.assert_allclose(found, [wanted[place] for place in PLACES], atol=8)
        wanted = overlay_by_scipy(images[index], cams[index], cams.max())
        found = seen(pixels, figure.axes[6 + index], PLACES)
        np.testing.assert_allclose(found, [wanted[place] for place in PLACES], atol=8)


def bars_of(figure):
    """The colour bar's axes of each row, None where it has none."""
    columns = figure.axes[0].get_gridspec().ncols
    last = figure.axes[columns - 1 :: columns]
    return [axes.child_axes[0] if axes.child_axes else None for axes in last]


def test_colour_bars_tell_the_scale():
    figure = comparison(4)
    figure.canvas.draw()
    nothing, vanilla, guided, cam, zero = bars_of(figure)
    assert nothing is None
    assert zero is None
    maps = saliency_of(4)
    for bar, top in [
        (vanilla, np.percentile(maps, 99.5)),
        (guided, 1e-5 * np.percentile(maps, 99.5)),
        (cam, cams_of(4).max()),
    ]:
        assert bar.get_ylim() == pytest.approx((0, top))
        ticks = [tick for tick in bar.get_yticks() if 0 <= tick <= top]
        assert 3 <= len(ticks) <= 5
        assert ticks[0] == 0
        labels = [label.get_text() for label in bar.get_yticklabels()]
        assert [float(label.replace("\N{MINUS SIGN}", "-")) for label in labels] == pytest.approx(
            list(bar.get_yticks())
        )
        assert max(map(len, labels)) <= 8
    extends = [bar._colorbar.extend for bar in (vanilla, guided, cam)]
    assert extends == ["max", "max", "neither"]


def test_comparison_of_odd_values():
    maps = saliency_of(2)
    lone = np.zeros((2, SIZE, SIZE))
    lone[1, 3, 3] = 7.0  # rarer than the percentile: the scale then ends at the largest value
    odd = map_rows({"signed": maps - maps.mean(), "negative": -maps, "lone": lone})
    figure = figures.figure_comparison(images_of(2), None, odd)
    figure.canvas.draw()
    _, signed, negative, one = bars_of(figure)
    assert signed._colorbar.extend == "both"
    assert negative is None
    assert texts_of(figure).count("nothing positive") == 3
    assert one.get_ylim() == (0, 7)
    assert one._colorbar.extend == "neither"
    blue = 255 * np.array(matplotlib.colormaps["jet"](0.0)[:3])
    np.testing.assert_allclose(figure.axes[4].images[0].get_array()[5, 5], blue, atol=1)


def signed_of(maps):
    """Maps of both signs, with zeros among them: what is below the median negative."""
    return maps - np.median(maps, axis=(1, 2), keepdims=True).round(1)


def around_zero(maps, ends, colormap="RdBu_r"):
    """The colours of signed values, by hand: 0 in the middle, -end and end at the ends."""
    return 255 * matplotlib.colormaps[colormap](np.clip(0.5 + maps / (2 * ends), 0, 1))[..., :3]


def per_map(maps, percentile):
    return np.percentile(np.abs(maps), percentile, axis=(1, 2), keepdims=True)


def pictures_in(axes):
    return np.stack([panel.images[0].get_array() for panel in axes]).astype(float)


def test_signed_maps_have_the_middle_of_diverging_colours_at_0():
    images, maps = images_of(3), signed_of(saliency_of(3))
    maps[1, :20] = 0
    maps[2] = 0
    figure = figures.figure_saliency(images, maps, None, title="Signed", signed=True)
    found = pictures_in(figure.axes[3:])
    wanted = around_zero(maps[:2], per_map(maps[:2], 99.5))
    np.testing.assert_allclose(found[:2], wanted, atol=1)
    neutral = found[1, :20]
    assert np.ptp(neutral, axis=-1).max() <= 2
    assert neutral.min() > 240
    assert found[0][maps[0] < -2][:, 0].mean() < found[0][maps[0] < -2][:, 2].mean()  # blue
    assert found[0][maps[0] > 2][:, 0].mean() > found[0][maps[0] > 2][:, 2].mean()  # red
    assert [panel.texts[0].get_text() for panel in figure.axes[3:]] == ["", "", "constant 0"]


def test_signed_overlays_have_the_middle_of_diverging_colours_at_0():
    images, cams = images_of(3), signed_of(cams_of(3))
    cams[1] = -cams_of(3)[1]  # nothing positive, and yet something to see
    cams[2] = 0
    figure = figures.figure_grad_cam(images, cams, None, title="Signed", alpha=0.7, signed=True)
    large = scipy.ndimage.zoom(cams[:2], (1, SIZE / 6, SIZE / 6), order=1)
    coloured = around_zero(large, per_map(large, 100))
    found = pictures_in(figure.axes[:3])
    np.testing.assert_allclose(found[:2], 0.3 * images[:2] + 0.7 * coloured, atol=2)
    np.testing.assert_array_equal(found[2], images[2])


def test_signed_rows_share_a_scale_around_0():
    images, maps, cams = images_of(3), signed_of(saliency_of(3)), signed_of(cams_of(3))
    maps = np.where(maps < 0, maps / 2, maps)
    rows = [MapRow("alone", maps, False, signed=True), MapRow("over", -cams, True, signed=True)]
    figure = figures.figure_comparison(images, None, rows)
    drawn(figure)
    end = np.percentile(np.abs(maps), 99.5)
    np.testing.assert_allclose(pictures_in(figure.axes[3:6]), around_zero(maps, end), atol=1)
    largest = np.abs(cams).max()
    large = scipy.ndimage.zoom(-cams, (1, SIZE / 6, SIZE / 6), order=1)
    wanted = 0.5 * images + 0.5 * around_zero(large, largest)
    np.testing.assert_allclose(pictures_in(figure.axes[6:9]), wanted, atol=2)
    _, alone, over = bars_of(figure)
    assert alone.get_ylim() == pytest.approx((-end, end))
    assert over.get_ylim() == pytest.approx((-largest, largest))
    assert maps.min() > -end
    assert (alone._colorbar.extend, over._colorbar.extend) == ("max", "neither")


@pytest.mark.parametrize(
    ("signed", "lab", "asked", "wanted"),
    [
        (False, True, None, "jet"),
        (False, False, None, "inferno"),
        (True, True, None, "RdBu_r"),
        (True, False, None, "RdBu_r"),
        (False, True, "cividis", "cividis"),
        (False, False, "cividis", "cividis"),
        (True, False, "cividis", "cividis"),
    ],
)
def test_colours_are_those_asked_for_or_fit_the_maps(signed, lab, asked, wanted):
    images, maps, cams = images_of(2), saliency_of(2), cams_of(2)
    rows = [MapRow("", maps, False, signed, lab), MapRow("", cams, True, signed, lab)]
    figure = figures.figure_comparison(images, None, rows, colormap=asked)
    large = scipy.ndimage.zoom(cams, (1, SIZE / 6, SIZE / 6), order=1)
    shares = [maps / np.percentile(maps, 99.5), large / cams.max()]
    if signed:
        shares = [0.5 + share / 2 for share in shares]
    coloured = [255 * matplotlib.colormaps[wanted](np.clip(a, 0, 1))[..., :3] for a in shares]
    np.testing.assert_allclose(pictures_in(figure.axes[2:4]), coloured[0], atol=1)
    over = 0.5 * images + 0.5 * coloured[1]
    np.testing.assert_allclose(pictures_in(figure.axes[4:6]), over, atol=2)
    assert {bar._colorbar.cmap.name for bar in bars_of(figure) if bar} == {wanted}
    if lab:  # of the lab are the other two figures where nothing is asked for
        signs = {"title": None, "colormap": asked, "signed": signed}
        of_maps = pictures_in(figures.figure_saliency(images, maps, None, **signs).axes[2:4])
        of_cams = pictures_in(figures.figure_grad_cam(images, cams, None, **signs).axes[:2])
        top = per_map(maps, 99.5)
        low = maps.min(axis=(1, 2), keepdims=True)
        own = 0.5 + maps / top / 2 if signed else (maps - low) / (top - low)
        own = 255 * matplotlib.colormaps[wanted](np.clip(own, 0, 1))[..., :3]
        np.testing.assert_allclose(of_maps, own, atol=1)
        low, high = (q(large, axis=(1, 2), keepdims=True) for q in (np.min, np.max))
        own = 0.5 + large / high / 2 if signed else (large - low) / (high - low)
        own = 255 * matplotlib.colormaps[wanted](own)[..., :3]
        np.testing.assert_allclose(of_cams, 0.5 * images + 0.5 * own, atol=2)


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_shows_what_present_does(name):
    images, maps, cams = images_of(2), signed_of(saliency_of(2)), signed_of(cams_of(2))
    alone, over = present(maps, name), present(cams, name, images=images)
    titles = {"title": None, "preset": name}
    rows = [MapRow("a", maps, False, lab=True), MapRow("b", cams, True)]
    grid = figures.figure_comparison(images, None, rows, preset=name)
    one = figures.figure_saliency(images, maps, None, **titles)
    other = figures.figure_grad_cam(images, cams, None, **titles)
    np.testing.assert_array_equal(pictures_in(grid.axes[2:4]), alone)
    np.testing.assert_array_equal(pictures_in(grid.axes[4:6]), over)
    np.testing.assert_array_equal(pictures_in(one.axes[2:4]), alone)
    np.testing.assert_array_equal(pictures_in(other.axes[:2]), over)
    words = {"negative", "0", "positive"} if "signed" in name else set()
    for figure in (grid, one, other):
        drawn(figure)
        assert set(texts_of(figure)) & {"negative", "0", "positive"} == words


def test_colours_and_alpha_of_a_preset_can_be_others():
    images, maps, cams = images_of(2), saliency_of(2), cams_of(2)
    looks = {"preset": "captum", "colormap": "cividis", "title": None}
    alone = present(maps, "captum", colormap="cividis")
    over = present(cams, "captum", images=images, colormap="cividis", alpha=0.9)
    rows = [MapRow("a", maps, False), MapRow("b", cams, True)]
    grid = figures.figure_comparison(images, None, rows, alpha=0.9, **looks)
    one = figures.figure_saliency(images, maps, None, **looks)
    other = figures.figure_grad_cam(images, cams, None, alpha=0.9, **looks)
    np.testing.assert_array_equal(pictures_in(grid.axes[2:4]), alone)
    np.testing.assert_array_equal(pictures_in(grid.axes[4:6]), over)
    np.testing.assert_array_equal(pictures_in(one.axes[2:4]), alone)
    np.testing.assert_array_equal(pictures_in(other.axes[:2]), over)


@pytest.mark.parametrize("name", ["signed", "captum signed"])
def test_the_bar_of_signs_has_the_colours_of_the_maps(name):
    """Its top those of the largest value, its bottom those of the smallest, between them 0's."""
    maps = np.zeros((1, SIZE, SIZE))
    maps[0, :16], maps[0, 32:] = 1, -1
    figure = figures.figure_saliency(images_of(1), maps, None, title=None, preset=name)
    pixels = drawn(figure)
    panel = figure.axes[1]
    (bar,) = panel.child_axes
    words = dict(zip(bar.get_yticks(), bar.get_yticklabels(), strict=True))
    found = {place: word.get_text() for place, word in words.items()}
    assert found == {-1: "negative", 0: "0", 1: "positive"}
    for row, height in ((8, 0.99), (24, 0.5), (40, 0.01)):
        x, y = bar.transAxes.transform((0.5, height))
        colour = pixels[round(len(pixels) - 1 - y), round(x), :3].astype(float)
        np.testing.assert_allclose(colour, seen(pixels, panel, [(row, 20)])[0], atol=12)


def test_nothing_positive_is_said_on_each_panel():
    figure = comparison(4)
    assert texts_of(figure).count("nothing positive") == 4
    for panel, image in zip(figure.axes[-4:], images_of(4), strict=True):
        assert [text.get_text() for text in panel.texts] == ["nothing positive"]
        np.testing.assert_array_equal(panel.images[0].get_array(), image)


def long_figures(count):
    images, titles = images_of(count), list(itertools.islice(itertools.cycle(TITLES), count))
    title = " ".join(TITLES)
    yield figures.figure_images(images, titles, title=title), 1
    yield figures.figure_saliency(images, saliency_of(count), titles, title=title), 2
    yield figures.figure_grad_cam(images, cams_of(count), titles, title=title), 1
    yield comparison(count), 5
    signs = {"title": title, "signed": True}
    yield figures.figure_saliency(images, signed_of(saliency_of(count)), titles, **signs), 2
    yield figures.figure_grad_cam(images, signed_of(cams_of(count)), titles, **signs), 1


@pytest.mark.parametrize("count", [1, 4, 7, 16])
def test_no_text_is_clipped_or_overlaps_and_no_panel_is_small(count):
    for number, (figure, rows) in enumerate(long_figures(count)):
        figure.canvas.draw()
        assert len(figure.axes) == len(panels_of(figure)) == rows * count
        # Matplotlib makes labels beyond the ends of a bar, and does not draw them.
        beyond = [
            tick.label2
            for bar in filter(None, bars_of(figure))
            for tick in bar.yaxis.get_major_ticks()
            if not bar.get_ylim()[0] <= tick.get_loc() <= bar.get_ylim()[1]
        ]
        boxes = [
            text.get_window_extent()
            for text in figure.findobj(Text)
            if text.get_text().strip() and text.get_visible() and text not in beyond
        ]
        assert len(boxes) > count
        width, height = figure.canvas.get_width_height()
        for box in boxes:
            assert box.x0 >= -1
            assert box.y0 >= -1
            assert box.x1 <= width + 1
            assert box.y1 <= height + 1
        for one, other in itertools.combinations(boxes, 2):
            shared = [
                min(one.x1, other.x1) - max(one.x0, other.x0),
                min(one.y1, other.y1) - max(one.y0, other.y0),
            ]
            assert min(shared) <= 1
        least = 200 if number != 3 or count == 1 else 143
        small = count if number in (1, 4) else 0  # images above their saliency maps
        widths = sorted(panel.get_window_extent().width for panel in figure.axes)
        assert widths[0] > 79
        assert widths[small] >= least
        used = figure.get_tightbbox()
        assert used.height > 0.9 * figure.get_figheight()
        assert used.width > 0.85 * figure.get_figwidth()


def places_of(pictures, paper):
    """Where each picture stands on the paper, (row, column), found pixel by pixel."""
    rows = [line.tobytes() for line in paper]
    found = []
    for picture in pictures:
        first, here = picture[0].tobytes(), []
        for row, line in enumerate(rows):
            start = line.find(first)
            while start >= 0:
                column, height, width = start // 3, *picture.shape[:2]
                if np.array_equal(paper[row : row + height, column : column + width], picture):
                    here.append((row, column))
                start = line.find(first, start + 1)
        found.append(here)
    return found


@pytest.mark.parametrize(("count", "columns"), [(17, 9), (30, 10)])
def test_a_sheet_of_many_images_shows_each_once(count, columns, tmp_path, monkeypatch):
    """At the pictures' own size, so that every pixel of the file is one of theirs."""
    monkeypatch.setattr(figures, "SMALL", sheet.SMALL._replace(cell=SIZE))
    monkeypatch.setattr(figures, "SHARE", 1)
    rng = np.random.default_rng(count)
    images = rng.integers(0, 256, (count, SIZE, SIZE, 3), dtype=np.uint8)
    maps, cams = rng.gamma(0.5, 1, (count, SIZE, SIZE)), rng.gamma(1, 1, (count, 6, 6))
    titles = [f"image {number}\ngoose 97.1 %" for number in range(count)]
    own = np.stack([np.minimum(a, np.percentile(a, 99.5)) for a in maps])
    own = render.heat_map(own, colormap="jet")
    over = render.overlay(images, render.upsample(cams, (SIZE, SIZE)), colormap="jet")
    row = np.clip(maps / np.percentile(maps, 99.5), 0, 1)
    row = matplotlib.colormaps["jet"](row, bytes=True)[..., :3]
    made = {
        "images": (figures.figure_images(images, titles, title="Inputs"), [images]),
        "saliency": (figures.figure_saliency(images, maps, titles, title="S"), [images, own]),
        "cams": (figures.figure_grad_cam(images, cams, titles, title="G"), [over]),
        "all": (
            figures.figure_comparison(images, titles, map_rows({"a": maps}), title="All"),
            [images, row],
        ),
    }
    for name, (figure, wanted) in made.items():
        path = render.save(figure, tmp_path / f"{name}.png")
        with Image.open(path) as picture:
            paper = np.asarray(picture.convert("RGB"))
        lines = [places_of(pictures, paper) for pictures in wanted]
        assert [len(here) for line in lines for here in line] == [1] * count * len(wanted), name
        for number, (above, *below) in enumerate(zip(*lines, strict=True)):
            assert all(one[0][1] == above[0][1] for one in below)  # maps are under their images
            first = lines[0][number - number % columns][0]
            assert above[0][0] == first[0]
            assert (above[0][1] > first[1]) == (number % columns > 0)


def test_without_axes_a_figure_shows_the_same(monkeypatch):
    """Pixel by pixel, where the panel of each is as large as its picture."""
    images, maps, cams = images_of(3), saliency_of(3), cams_of(3)
    monkeypatch.setattr(figures, "CELL", SIZE)
    monkeypatch.setattr(figures, "SMALL_CELL", SIZE)
    monkeypatch.setattr(figures, "SHARE", 1)
    rows = map_rows({"a": signed_of(maps)}, {"b": cams})
    for draw in (
        lambda axes: figures.figure_saliency(images, maps, None, title="S", axes=axes),
        lambda axes: figures.figure_grad_cam(images, cams, None, title="S", axes=axes),
        lambda axes: figures.figure_comparison(images, None, rows, axes=axes),
    ):
        with_axes = [panel.images[0].get_array() for panel in panels_of(draw(True))]
        paper = drawn(draw(False))[..., :3]
        found = places_of(with_axes, paper)
        expected = [sum(np.array_equal(a, b) for b in with_axes) for a in with_axes]
        assert [len(here) for here in found] == expected
        assert [here[0] for here in found] == sorted(here[0] for here in found)


def test_a_sheet_says_what_there_is_and_clips_nothing():
    count = 20
    titles = list(itertools.islice(itertools.cycle(TITLES), count))
    figure = comparison(count)
    signs = {"title": "Signed", "signed": True}
    signed = figures.figure_saliency(
        images_of(count), signed_of(saliency_of(count)), titles, **signs
    )
    for one in (figure, signed):
        one.canvas.draw()
        boxes = [text.get_window_extent() for text in one.findobj(Text) if text.get_text().strip()]
        width, height = one.canvas.get_width_height()
        for box in boxes:
            assert box.x0 >= -1
            assert box.y0 >= -1
            assert box.x1 <= width + 1
            assert box.y1 <= height + 1
        for a, b in itertools.combinations(boxes, 2):
            assert min(min(a.x1, b.x1) - max(a.x0, b.x0), min(a.y1, b.y1) - max(a.y0, b.y0)) <= 1
    assert texts_of(figure).count("nothing positive") == count
    assert {"input", "saliency: vanilla", "Grad-CAM: vanilla"} <= set(texts_of(figure))
    bars = [axes.child_axes[0] for axes in figure.axes if axes.child_axes]
    tops = [bar.get_ylim()[1] for bar in bars]
    maps = np.percentile(saliency_of(count), 99.5)
    assert tops == pytest.approx([maps, 1e-5 * maps, cams_of(count).max()])
    assert {"negative", "0", "positive"} <= set(texts_of(signed))


def test_a_sheet_in_another_size_or_format_shows_the_same(tmp_path):
    images = images_of(20)
    figure = figures.figure_images(images)
    figure.savefig(tmp_path / "own.png")
    figure.savefig(tmp_path / "half.png", dpi=75)
    figure.savefig(tmp_path / "drawing.svg")
    with Image.open(tmp_path / "own.png") as own, Image.open(tmp_path / "half.png") as half:
        wanted = np.asarray(own.convert("RGB").resize(half.size, Image.Resampling.BOX)).astype(int)
        assert np.abs(np.asarray(half.convert("RGB")) - wanted).mean() < 4
    assert "<image" in (tmp_path / "drawing.svg").read_text()


@pytest.mark.parametrize(
    ("count", "lines", "columns"), [(1, 1, 1), (5, 1, 5), (6, 2, 3), (7, 2, 4), (16, 4, 4)]
)
def test_images_go_on_in_lines_of_even_length(count, lines, columns):
    grid = figures.figure_images(images_of(count)).axes[0].get_gridspec()
    assert (grid.nrows, grid.ncols) == (lines, columns)


def test_a_map_of_one_point_is_shown_whole():
    """Its 99.5th percentile is its smallest value."""
    maps = np.zeros((1, *images_of(1).shape[1:3]))
    maps[0, 5, 6] = 3
    figure = figures.figure_saliency(images_of(1), maps, None, title=None)
    whole = render.heat_map(maps, colormap="jet")[0]
    np.testing.assert_array_equal(figure.axes[1].images[0].get_array(), whole)


def test_each_map_stays_under_its_image_in_every_line():
    images, maps = images_of(7), saliency_of(7)
    figure = figures.figure_saliency(images, maps, None, title=None)
    lines = [figure.axes[:4], figure.axes[4:8], figure.axes[8:11], figure.axes[11:]]
    shown = [[panel.images[0].get_array() for panel in line] for line in lines]
    clipped = np.stack([np.minimum(a, np.percentile(a, 99.5)) for a in maps])
    coloured = render.heat_map(clipped, colormap="jet")
    for found, wanted in zip(
        shown, [images[:4], coloured[:4], images[4:], coloured[4:]], strict=True
    ):
        np.testing.assert_array_equal(found, wanted)
    heights = [line[0].get_position().y0 for line in lines]
    assert heights == sorted(heights, reverse=True)


def test_titles_keep_their_probability_and_are_not_mathematics():
    figure = figures.figure_images(images_of(7), TITLES)
    drawn(figure)
    titles = [panel.get_title() for panel in figure.axes]
    assert titles[2].replace("\n", " ") == TITLES[2]
    assert titles[3].replace("\n", "").endswith("88.8 %")
    assert titles[5] == TITLES[5]
    assert titles[6].endswith(" ...") or titles[6].replace("\n", " ") == TITLES[6]
    assert all("\n%" not in title and title.count("\n") <= 2 for title in titles)


def test_figures_that_do_not_fit_are_refused():
    images = images_of(2)
    with pytest.raises(ValueError, match="2 images want as many titles; found 1"):
        figures.figure_images(images, ["one"])
    with pytest.raises(ValueError, match=r"must be uint8 .* found float64"):
        figures.figure_images(images / 255)
    with pytest.raises(ValueError, match=r"found uint8 \(0, 48, 48, 3\)"):
        figures.figure_images(images[:0])
    with pytest.raises(ValueError, match=r"cams: 2 images want maps .*\(2, height, width\)"):
        figures.figure_grad_cam(images, cams_of(3), None, title="")
    with pytest.raises(ValueError, match=r"maps: 2 images .* found \(48, 48\)"):
        figures.figure_saliency(images, saliency_of(1)[0], None, title="")
    with pytest.raises(ValueError, match="saliency: guided: 2 images"):
        figures.figure_comparison(images, None, map_rows({"guided": saliency_of(1)}))
    with pytest.raises(ValueError, match="Grad-CAM: my own: 2 images"):
        figures.figure_comparison(images, None, map_rows(cams={"my own": cams_of(1)}))
    with pytest.raises(ValueError, match=r"nothing to compare; pass maps.rows\(\)"):
        figures.figure_comparison(images, None, [])
    with pytest.raises(ValueError, match=r"at most 48 images; found 49\. Draw them in several"):
        figures.figure_comparison(images_of(49), None, map_rows(cams={"a": cams_of(49)}))
    with pytest.raises(ValueError, match=r"unknown colour map 'jte'\. Near names: jet"):
        figures.figure_comparison(images, None, map_rows(cams={"a": cams_of(2)}), colormap="jte")
    for draw in (figures.figure_saliency, figures.figure_grad_cam):
        with pytest.raises(ValueError, match="preset is 'captun'; .* Near names: captum"):
            draw(images, saliency_of(2), None, title="", preset="captun")
    with pytest.raises(ValueError, match="preset is ''"):
        figures.figure_comparison(images, None, map_rows(cams={"a": cams_of(2)}), preset="")
    with pytest.raises(ValueError, match="alpha must be from 0"):
        figures.figure_grad_cam(images, cams_of(2), None, title="", preset="pair", alpha=2)
    with pytest.raises(ValueError, match="not finite"):
        figures.figure_grad_cam(images, cams_of(2) * np.nan, None, title="")


def test_inputs_are_not_modified():
    images, cams = images_of(2), cams_of(2)
    cams[0] = 0
    kept = images.copy(), cams.copy()
    images.setflags(write=False)
    cams.setflags(write=False)
    figures.figure_grad_cam(images, cams, None, title="")
    figures.figure_comparison(images, None, map_rows(cams={"a": cams}))
    np.testing.assert_array_equal(images, kept[0])
    np.testing.assert_array_equal(cams, kept[1])


def test_threads_draw_the_same_bytes_and_leave_no_figure(tmp_path):
    def draw(index):
        return render.save(comparison(2), tmp_path / f"{index}.png").read_bytes()

    alone = draw("alone")
    with ThreadPoolExecutor(2) as pool:
        assert set(pool.map(draw, range(4))) == {alone}
    figure = comparison(1)
    reference = weakref.ref(figure)
    del figure
    gc.collect()
    assert reference() is None
    assert plt.get_fignums() == []
