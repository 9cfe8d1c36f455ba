"""Maps that know nothing of the network: what any map has to beat, and an edge detector as control.

Adebayo et al., "Sanity Checks for Saliency Maps" (arXiv 1810.03292, 2018), section 4, compares with
an edge detector for the same reason: a map that looks like one may owe nothing to the network.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float32, UInt8

BASELINES = ("random", "image centre", "edge detector")
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601


def random_maps(
    seeds: Sequence[int], size: tuple[int, int]
) -> Float32[np.ndarray, "n height width"]:
    """Return one map of independent uniform values in [0, 1) for every seed."""
    maps = [np.random.Generator(np.random.PCG64(seed)).random(size, np.float32) for seed in seeds]
    return np.stack(maps)


def centre_maps(n: int, size: tuple[int, int]) -> Float32[np.ndarray, "n height width"]:
    """Return n equal maps that fall evenly from 1 at the image centre to 0 in the corners."""
    height, width = size
    y, x = np.mgrid[:height, :width] - np.array([(height - 1) / 2, (width - 1) / 2])[:, None, None]
    distance = np.hypot(y, x)
    cone = 1 - distance / distance.max()
    return np.broadcast_to(cone.astype(np.float32), (n, height, width))


def edge_maps(
    images: UInt8[np.ndarray, "n height width 3"],
) -> Float32[np.ndarray, "n height width"]:
    """Return the length of Sobel's gradient of the luma, in grey levels per pixel, at least 0."""
    luma = images.astype(np.float32) @ _LUMA
    padded = np.pad(luma, ((0, 0), (1, 1), (1, 1)), mode="edge")

    def sobel(a: np.ndarray) -> np.ndarray:
        """Differences along the last axis, smoothed along the one before it."""
        change = a[:, :, 2:] - a[:, :, :-2]
        return (change[:, :-2] + 2 * change[:, 1:-1] + change[:, 2:]) / 8

    down = sobel(padded.transpose(0, 2, 1)).transpose(0, 2, 1)
    return np.hypot(sobel(padded), down)
