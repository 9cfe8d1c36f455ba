"""A picture that fills its axes, drawn pixel by pixel where the figure has as many."""

from typing import Any

import numpy as np
from jaxtyping import UInt8
from matplotlib.axes import Axes
from matplotlib.image import AxesImage


class WholePicture(AxesImage):
    """RGB of the size that its axes have in pixels: Matplotlib would resample it, in vain."""

    def __init__(self, axes: Axes, picture: UInt8[np.ndarray, "height width 3"]) -> None:
        height, width = picture.shape[:2]
        super().__init__(axes, interpolation="nearest", extent=(0, width, height, 0))
        self.set_data(picture)
        self._picture = picture
        axes.set(xlim=(0, width), ylim=(height, 0), aspect="auto")

    def make_image(
        self, renderer: Any, magnification: float = 1.0, unsampled: bool = False
    ) -> tuple[np.ndarray, float, float, Any]:
        """Return what `AxesImage` returns; of this size, the pixels as they are, bottom first."""
        height, width = self._picture.shape[:2]
        box = self.axes.bbox
        size = magnification * box.width, magnification * box.height
        if unsampled or np.abs(np.subtract(size, (width, height))).max() > 0.01:
            return super().make_image(renderer, magnification, unsampled)
        rgba = np.empty((height, width, 4), np.uint8)
        rgba[..., :3] = self._picture[::-1]
        rgba[..., 3] = 255
        return rgba, box.x0, box.y0, None
