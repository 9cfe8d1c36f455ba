"""A text that stands in many figures, whose letters are drawn once."""

from functools import lru_cache
from math import ceil
from typing import Any

import numpy as np
from jaxtyping import UInt8
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

KEPT = 64  # texts: those of a page of images
PLACED: Any = {"ha": "center", "va": "bottom", "parse_math": False}
MARGIN = 2  # pixels, for what of a letter stands out of the room that it takes


class Heading(Text):
    """Black letters in the middle above a point, as `Text` has them, to within a pixel.

    Matplotlib takes 2 ms for each line of text, half of the time of a contact sheet; and all
    figures of a page have the same. Where pixels are drawn their picture is kept, and put where it
    belongs; elsewhere (SVG, PDF) this is a `Text`.
    """

    def __init__(self, x: float, y: float, text: str, points: float) -> None:
        super().__init__(x, y, text, fontsize=points, **PLACED)

    def draw(self, renderer: Any) -> None:
        """Draw the text."""
        if not isinstance(renderer, RendererAgg):
            super().draw(renderer)
            return
        picture = _letters(self.get_text(), self.get_fontsize(), renderer.dpi)
        x, y = self.get_transform().transform(self.get_unitless_position())
        place = renderer.new_gc()
        renderer.draw_image(place, round(x - picture.shape[1] / 2), round(y) - MARGIN, picture)
        place.restore()
        self.stale = False


@lru_cache(KEPT)
def _letters(text: str, points: float, dpi: float) -> UInt8[np.ndarray, "height width 4"]:
    """Return the pixels of a text, bottom row first as `draw_image` has them, clear around it."""
    figure = Figure(dpi=dpi)
    one = Text(0, 0, text, fontsize=points, **PLACED)
    figure.add_artist(one)
    box = one.get_window_extent(RendererAgg(1, 1, dpi))
    renderer = RendererAgg(ceil(box.width) + 2 * MARGIN, ceil(box.height) + 2 * MARGIN, dpi)
    one.set_transform(None)
    one.set_position((renderer.width / 2, MARGIN))
    one.draw(renderer)
    return np.asarray(renderer.buffer_rgba())[::-1].copy()
