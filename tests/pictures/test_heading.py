"""Headings are what Matplotlib's own text draws, moved by a pixel at most, and drawn once."""

import io

import matplotlib
import numpy as np
import pytest
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from jaxvis.pictures.heading import Heading

SIZE = 4, 1  # inches
DPI = 100
TEXTS = ("goose_0001.png\ngoose 98.3 %", "Jellyfish, gjpqy", "x", "кот №5", "f", "$a$ _b_")


def drawn(text):
    """Return how black each pixel is, from 0 to 255, of a figure of that text."""
    figure = Figure(SIZE, dpi=DPI, facecolor="white")
    figure.add_artist(text)
    renderer = RendererAgg(SIZE[0] * DPI, SIZE[1] * DPI, DPI)
    figure.draw(renderer)
    return 255 - np.asarray(renderer.buffer_rgba())[..., 0].astype(int)


def middle(black):
    """Return where the middle of the letters is: down, across."""
    down, across = (black.sum(axis) for axis in (1, 0))
    return [(line * np.arange(len(line))).sum() / line.sum() for line in (down, across)]


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("place", [(0.5, 0.25), (0.5013, 0.263), (0.4988, 0.2417)])
def test_a_heading_is_matplotlibs_own_moved_by_a_pixel_at_most(text, place):
    theirs = drawn(Text(*place, text, fontsize=9, parse_math=False, ha="center", va="bottom"))
    ours = drawn(Heading(*place, text, 9))
    # By half of one; Matplotlib 3.10 puts letters on whole pixels itself, to which both round.
    np.testing.assert_allclose(middle(ours), middle(theirs), atol=1.05)
    assert ours.sum() == pytest.approx(theirs.sum(), rel=0.005)  # nothing is cut off
    # Apart from that they are the same letters: a shift between pixels is seen in them, no more.
    shifts = [np.roll(theirs, (dy, dx), (0, 1)) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
    assert min(np.abs(ours - shifted).sum() for shifted in shifts) < 0.65 * theirs.sum()


def test_a_heading_on_whole_pixels_is_matplotlibs_own():
    theirs, ours = (
        drawn(kind(0.5, 0.25, TEXTS[0], **how))
        for kind, how in (
            (Text, {"fontsize": 9, "parse_math": False, "ha": "center", "va": "bottom"}),
            (Heading, {"points": 9}),
        )
    )
    np.testing.assert_array_equal(ours, theirs)


def test_letters_are_drawn_once_for_any_number_of_figures(monkeypatch):
    asked, draw_text = [], RendererAgg.draw_text

    def counted(self, gc, x, y, text, *arguments, **options):
        asked.append(text)
        draw_text(self, gc, x, y, text, *arguments, **options)

    monkeypatch.setattr(RendererAgg, "draw_text", counted)
    first, second = (drawn(Heading(0.5, 0.25, "drawn only once", 9)) for _ in range(2))
    assert asked == ["drawn only once"]
    np.testing.assert_array_equal(first, second)
    assert drawn(Heading(0.5, 0.25, "drawn only once", 12)).sum() > 1.3 * first.sum()


def test_in_svg_the_letters_are_letters():
    figure = Figure(SIZE)
    figure.add_artist(Heading(0.5, 0.5, "these are letters", 9))
    file = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none"}):
        figure.savefig(file, format="svg")
    assert ">these are letters</text>" in file.getvalue()
