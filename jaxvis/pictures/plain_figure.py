"""A figure that looks the same wherever it is drawn: in a report, a notebook, `figure.savefig`."""

from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from jaxvis.pictures.style import plain_style


class PlainFigure(Figure):
    """A white figure that needs no display, drawn in Matplotlib's default style."""

    @plain_style()
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs, facecolor="white")
        FigureCanvasAgg(self)

    # Ticks, fonts and the layout are made as late as this.
    @plain_style()
    def draw(self, renderer: Any) -> None:
        """Draw the figure."""
        super().draw(renderer)

    @plain_style()
    def savefig(self, *args: Any, **kwargs: Any) -> None:
        """Save the figure; what is not given has Matplotlib's default, not the user's."""
        super().savefig(*args, **kwargs)
