"""What a report is asked for, and all that it shows."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from jaxvis.errors import InputError
from jaxvis.evaluate.evaluation import Evaluation
from jaxvis.gradients.cut import cut
from jaxvis.gradients.relu import RULES
from jaxvis.methods.catalogue import LAB, METHODS
from jaxvis.methods.maps import Maps
from jaxvis.models.labels import Prediction, probabilities
from jaxvis.models.network import Network
from jaxvis.text import visible


class Options(NamedTuple):
    """How a report is made; the names are those of the command's options."""

    network: str = "imagenet"
    class_name: str | None = None
    layer: str | int | None = None  # None: the network's own
    methods: Sequence[str] = LAB
    rules: Sequence[str] = tuple(RULES)
    labels: Sequence[str] | None = None
    precision: str | None = None
    resample: str | None = None  # None: the network's own
    colormap: str = "jet"
    alpha: float = 0.5
    boxes: str | None = None  # where the objects are: see jaxvis.evaluate.read_boxes
    evaluate: bool = True  # measure the maps, and end with a conclusion
    told: Mapping[str, Any] = MappingProxyType({})  # of the network: more arguments of `load`


class Result(NamedTuple):
    """All that a report shows: `classes` are the indices explained, one per image."""

    files: list[Path]
    images: np.ndarray
    network: Network
    classes: np.ndarray
    predictions: list[list[Prediction]]
    maps: Maps
    seconds: dict[str, float]
    options: Options
    evaluation: Evaluation | None

    def class_titles(self) -> list[str]:
        """Return file, class and probability of every image, as its title in a figure."""
        shares_of = probabilities(self.maps.logits, self.network.output)
        return [
            f"{visible(file.stem)}\n{visible(self.network.class_name(index))} "
            f"{100 * shares[index]:.1f} %"
            for file, index, shares in zip(self.files, self.classes, shares_of, strict=True)
        ]


def capitalised(title: str) -> str:
    """Return a title as it begins a sentence: "Saliency", "Grad-CAM"."""
    return title[:1].upper() + title[1:]


def check_layer(network: Network, methods: Sequence[str]) -> None:
    """Raise ValueError, before anything is computed, if a layer is wanted that is not there."""
    if not any(METHODS[name].at == "layer" for name in methods):
        return
    try:
        cut(network.model, network.layer)
    except TypeError as error:
        raise InputError(
            f"{network.name}: {error}, or ask for --methods without a layer"
        ) from error
