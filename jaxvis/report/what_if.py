"""What if the strongest pixels were not there? The probability as they go, map by map.

For the page, which removes them in the picture while the reader moves a slider, and shows this
curve beside it: RISE's deletion (Petsiuk et al. 2018, section 4.2) of every map and every control.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float32, UInt8

from jaxvis.evaluate.maps import baseline_maps, by_name, enlarged
from jaxvis.evaluate.metrics.rise import deletion
from jaxvis.evaluate.subjects import Subjects
from jaxvis.methods.maps import Maps
from jaxvis.models.network import Network

STEPS = 20  # a point of the curve for every 5 % of the pixels


class WhatIf(NamedTuple):
    """What happens to a class while the pixels that a map marks most are removed.

    Attributes:
        shares: of the pixels that are gone, from 0 to 1.
        curves: the probability of the class, (n, shares), by the name of the map or control.
        colour: RGB of what is in the place of a pixel that is gone.
    """

    shares: Float32[np.ndarray, " shares"]
    curves: Mapping[str, Float32[np.ndarray, "n shares"]]
    colour: UInt8[np.ndarray, " 3"]


def what_if(
    network: Network, subjects: Subjects, maps: Maps, *, progress: Callable[[str], None]
) -> WhatIf:
    """Measure it for every map, of those that are shown, and for the controls.

    It takes 21 forward passes for each of them and each image.
    """
    x = network.preprocess(subjects.images)
    of_all = enlarged(by_name(maps), subjects) | baseline_maps(subjects)
    pixels = int(np.prod(subjects.images.shape[1:3]))
    step = -(-pixels // STEPS)
    curves = {}
    for number, (name, a) in enumerate(of_all.items()):
        progress(f"what if: map {number + 1} of {len(of_all)}")
        found = deletion(network.forward, x, subjects.classes, a, step=step, output=network.output)
        curves[name] = found.probability
    gone = np.minimum(np.arange(STEPS + 1) * step, pixels)
    return WhatIf((gone / pixels).astype(np.float32), curves, colour_of_zero(network))


def colour_of_zero(network: Network) -> UInt8[np.ndarray, " 3"]:
    """Return the colour that a network reads as zero, which deletion puts in a pixel's place.

    Preprocessing scales and shifts each channel, in some order: three colours and black tell how.
    Where zero is outside of what a picture can hold, it is the nearest colour that it can.
    """
    probes = np.zeros((4, *network.size, 3), np.uint8)
    for channel in range(3):
        probes[channel + 1, ..., channel] = 255
    read = np.asarray(network.preprocess(probes), np.float64)
    black, *ends = read.reshape(4, -1, read.shape[-1]).mean(axis=1)
    scale = np.stack([end - black for end in ends], axis=1) / 255  # of what is read, by RGB
    colour = np.linalg.lstsq(scale, -black, rcond=None)[0]
    return np.clip(np.rint(colour), 0, 255).astype(np.uint8)


def data(found: WhatIf, number: int) -> dict[str, Any]:
    """Return the curves of one image by name, as JSON can hold them."""
    return {name: [round(float(p), 4) for p in rows[number]] for name, rows in found.curves.items()}
