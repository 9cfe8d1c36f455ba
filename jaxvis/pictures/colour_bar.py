"""The colour bar beside a row of maps: what the colours mean, in numbers or in words."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from jaxvis.pictures import render
from jaxvis.pictures.palette import Colours

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class Bar(NamedTuple):
    """What a colour bar says.

    Attributes:
        colours: from its bottom to its top.
        bottom, top: their values.
        extend: where values go on, with an arrow: "neither", "min", "max" or "both".
        words: at the bottom, between, and at the top, in the place of numbers.
    """

    colours: Colours
    bottom: float
    top: float
    extend: str = "neither"
    words: tuple[str, ...] = ()


def draw_bar(panel: "Axes", bar: Bar, points: float) -> None:
    """Draw it at the right of a panel, its numbers or words so many points high."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import LinearSegmentedColormap, Normalize
    from matplotlib.ticker import MaxNLocator

    if isinstance(bar.colours, str):
        colormap = render.colormap_named(bar.colours)
    else:
        colormap = LinearSegmentedColormap.from_list("of a preset", list(bar.colours))
    mappable = ScalarMappable(Normalize(bar.bottom, bar.top), colormap)
    beside = panel.inset_axes((1.04, 0, 0.05, 1))
    drawn = panel.figure.colorbar(mappable, cax=beside, extend=bar.extend)
    drawn.ax.tick_params(labelsize=points)
    if bar.words:
        places = np.linspace(bar.bottom, bar.top, len(bar.words))
        drawn.set_ticks(list(places), labels=bar.words)
    else:
        drawn.locator = MaxNLocator(4, steps=[1, 2, 2.5, 5, 10])
        drawn.ax.yaxis.set_major_formatter("{x:g}")
