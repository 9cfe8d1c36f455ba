"""Texts of figures: how they are broken into lines, and what room they take."""

import textwrap
from functools import lru_cache

from jaxvis.text import visible


@lru_cache(4096)  # the same titles stand in every figure of a report
def wrapped(text: str, inches: float, points: float, lines: int) -> str:
    """Return the text in at most so many lines of that width; a longer one ends in dots."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    # A percent sign stays with its number.
    words = visible(text, keep="\n").replace(" %", "\N{NO-BREAK SPACE}%").split(" ")
    font = FontProperties(size=points)
    for letters in range(max(6, int(inches * 72 / (0.5 * points))), 5, -1):
        # A class name too long for a line may end it after an underscore: a blank, for the while.
        parts = [word.replace("_", "_ ") if len(word) > letters else word for word in words]
        broken = textwrap.wrap(" ".join(parts), letters, max_lines=lines, placeholder=" ...")
        broken = [line.replace("_ ", "_").replace("\N{NO-BREAK SPACE}", " ") for line in broken]
        widths = [text_to_path.get_text_width_height_descent(a, font, False)[0] for a in broken]
        if max(widths, default=0) <= inches * 72:
            break
    return "\n".join(broken)


def text_height(text: str, points: float) -> float:
    """Return the inches that a text takes with the space around it."""
    return (text.count("\n") + 1.5) * 1.2 * points / 72 if text else 0.0
