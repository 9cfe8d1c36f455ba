"""What a report is asked for, and all that it shows."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from jaxvis.errors import InputError
from jaxvis.evaluate.evaluation import Evaluation
from jaxvis.evaluate.readable import in_brief
from jaxvis.gradients.cut import cut
from jaxvis.gradients.relu import RULES
from jaxvis.methods.catalogue import LAB, METHODS
from jaxvis.methods.maps import Maps
from jaxvis.models.labels import Prediction, probabilities
from jaxvis.models.network import Network
from jaxvis.pictures.palette import colormap_for
from jaxvis.pictures.presets import PRESETS
from jaxvis.report.other_classes import OtherClasses
from jaxvis.report.relus import Seen
from jaxvis.report.shown import Further, Shown, ShownMap
from jaxvis.report.what_if import WhatIf
from jaxvis.text import visible


class LabOptions(NamedTuple):
    """What the title page of the hand-in says, a blank line where it is None, and its language."""

    student: str | None = None
    group: str | None = None
    teacher: str | None = None
    language: str = "en"  # or "ru"


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
    colormap: str | None = None  # None: the preset's, or each method's own
    alpha: float | None = None  # None: the preset's, or 0.5
    preset: str | None = None  # of PRESETS: how another library shows maps
    figures: str = "png"  # of jaxvis.pictures.kinds.ASKED_FOR: how figures are saved
    boxes: str | None = None  # where the objects are: see jaxvis.evaluate.read_boxes
    evaluate: bool = True  # measure the maps, and end with a conclusion
    classes: int = 1  # of each image: the one explained, and the most probable others, on the page
    what_if: bool = False  # measure how the class fares as the strongest pixels go, for the page
    microscope: bool = False  # look at the gradient before and after every ReLU, for the page
    told: Mapping[str, Any] = MappingProxyType({})  # of the network: more arguments of `load`
    lab: LabOptions | None = None  # write the hand-in too


class Result(NamedTuple):
    """All that a report shows: `classes` are the indices explained, one per image."""

    files: list[Path]
    images: np.ndarray
    masks: np.ndarray | None  # where the objects are, if that is known
    network: Network
    classes: np.ndarray
    predictions: list[list[Prediction]]
    maps: Maps  # as methods show them
    signed: Maps  # as they were made
    seconds: dict[str, float]
    options: Options
    evaluation: Evaluation | None
    others: OtherClasses | None = None
    what_if: WhatIf | None = None
    relus: Sequence[Mapping[str, Sequence[Seen]]] | None = None

    def drawn(self) -> Maps:
        """Return the maps that figures show: with their signs, if that is how the preset does."""
        preset = self.options.preset
        return self.signed if preset is not None and PRESETS[preset].signed else self.maps

    def colormaps(self) -> list[str]:
        """Return in which colours each of `maps` is drawn, where no preset is asked for."""
        return [
            colormap_for(self.options.colormap, lab=row.lab, signed=row.signed)
            for row in self.maps.rows()
        ]

    def for_page(self) -> Shown:
        """Return what the page shows."""
        network = self.network
        return Shown(
            [file.name for file in self.files], self.images, self.masks,
            [network.class_name(int(index)) for index in self.classes], self.predictions,
            [
                ShownMap(method, rule, maps, colours)
                for ((method, rule), maps), colours in zip(
                    self.maps.items(), self.colormaps(), strict=True
                )
            ],
            network.name, network.layer_name, self.options.colormap, self._further(), self.what_if,
            self.relus,
            None if self.evaluation is None else in_brief(self.evaluation, self.options.network),
        )  # fmt: skip

    def _further(self) -> list[list[Further]] | None:
        if self.others is None:
            return None
        classes, maps = self.others
        return [
            [
                Further(self.network.class_name(int(index)), [a[row, k] for a in maps.values()])
                for k, index in enumerate(indices)
            ]
            for row, indices in enumerate(classes)
        ]

    def class_titles(self, which: slice = slice(None)) -> list[str]:
        """Return file, class and probability of images, as their titles in a figure."""
        shares_of = probabilities(self.maps.logits[which], self.network.output)
        return [
            f"{visible(file.stem)}\n{visible(self.network.class_name(index))} "
            f"{100 * shares[index]:.1f} %"
            for file, index, shares in zip(
                self.files[which], self.classes[which], shares_of, strict=True
            )
        ]


def capitalised(title: str) -> str:
    """Return a title as it begins a sentence: "Saliency", "Grad-CAM"."""
    return title[:1].upper() + title[1:]


def check_layer(network: Network, methods: Sequence[str]) -> None:
    """Raise ValueError, before anything is computed, if a layer is wanted that is not there."""
    if not any(METHODS[name].of_layer for name in methods):
        return
    try:
        cut(network.model, network.layer)
    except TypeError as error:
        raise InputError(
            f"{network.name}: {error}, or ask for --methods without a layer"
        ) from error


def left_out_text(asked: Sequence[str], had: Sequence[str]) -> list[str]:
    """Return the sentence on methods, of those asked for, that the network cannot have; or none."""
    names = [name for name in asked if name not in had]
    if not names:
        return []
    titles = " and ".join(capitalised(METHODS[name].title) for name in names)
    return [f"Left out: {titles}, for which a network has to come apart into layers."]
