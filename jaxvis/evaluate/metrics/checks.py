"""What the metrics ask of their arguments, checked before anything is compiled."""

from typing import Any

import numpy as np
from jaxtyping import Float

from jaxvis.errors import InputError
from jaxvis.pictures.checks import finite_maps


def check_maps(maps: Float[Any, "n height width"], x: Any) -> Float[np.ndarray, "n height width"]:
    """Return maps as float32, finite, one for every image of x and of its height and width.

    Raises:
        ValueError: they are not.
    """
    values = finite_maps(maps)
    if np.ndim(x) != 4 or values.shape != np.shape(x)[:3]:
        raise InputError(
            f"maps have shape {values.shape} for images of shape {np.shape(x)}; wanted "
            "(n, height, width) of the images: enlarge class activation maps with jv.upsample"
        )
    return values.astype(np.float32)
