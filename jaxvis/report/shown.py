"""What a page shows: names, pictures and maps, wherever they come from."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, UInt8

from jaxvis.evaluate.readable import Brief
from jaxvis.models.labels import Prediction
from jaxvis.report.relus import Seen
from jaxvis.report.what_if import WhatIf
from jaxvis.types import AnyArray


class ShownMap(NamedTuple):
    """The maps of one method under one rule.

    Attributes:
        method: a name in `METHODS`.
        rule: a name in `RULES`, or `ANY`.
        maps: raw, (n, h, w), in the order of the images.
        colours: Matplotlib's name of those they are drawn in unless others are chosen.
    """

    method: str
    rule: str
    maps: AnyArray
    colours: str


class Further(NamedTuple):
    """One more class of an image: its name, and a map (h, w) for each row of the page."""

    name: str
    maps: Sequence[AnyArray]


class Shown(NamedTuple):
    """All that a page shows of n images.

    Attributes:
        names: of the images' files.
        pictures: at the size that the network reads.
        masks: where the objects are, or None if that is not known.
        classes: names of those explained, one an image.
        predictions: the most probable classes of each image.
        maps: a row for each method and rule.
        network, layer: their names.
        colormap: the colours asked for, which a reader may then choose; None if none were.
        further: of each image more classes, which a reader may choose; None if there are none.
        what_if: probabilities as the strongest pixels go, for the classes explained.
        relus: of each image and by rule, what the microscope sees, for the classes explained.
        brief: what was measured of the maps, and what follows; None if nothing was.
    """

    names: Sequence[str]
    pictures: UInt8[np.ndarray, "n height width 3"]
    masks: Bool[np.ndarray, "n height width"] | None
    classes: Sequence[str]
    predictions: Sequence[Sequence[Prediction]]
    maps: Sequence[ShownMap]
    network: str
    layer: str
    colormap: str | None = None
    further: Sequence[Sequence[Further]] | None = None
    what_if: WhatIf | None = None
    relus: Sequence[Mapping[str, Sequence[Seen]]] | None = None
    brief: Brief | None = None
