"""All maps that an evaluation compares: the six of the lab, and three that know no network."""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float32, UInt8

from jaxvis.evaluate.metrics.baselines import centre_maps, edge_maps, random_maps
from jaxvis.gradients.relu import RULES
from jaxvis.methods.one_pass import Maps, explain
from jaxvis.models.preprocessing import preprocess
from jaxvis.pictures.render import upsample

SALIENCY = tuple(f"saliency {rule}" for rule in RULES)
GRAD_CAM = tuple(f"Grad-CAM {rule}" for rule in RULES)
SIX = SALIENCY + GRAD_CAM


class Subjects(NamedTuple):
    """What is explained.

    Attributes:
        names: of the images, for messages.
        images: uint8 RGB, of the network's size.
        classes: the index that each is explained for.
        masks: where the object of the class is, or None.
        seeds: one per image, of its random map.
    """

    names: list[str]
    images: UInt8[np.ndarray, "n height width 3"]
    classes: np.ndarray
    masks: np.ndarray | None
    seeds: list[int]

    def slice(self, start: int, end: int) -> "Subjects":
        """Return those from `start` up to `end`."""
        part = slice(start, end)
        masks = None if self.masks is None else self.masks[part]
        return Subjects(
            self.names[part], self.images[part], self.classes[part], masks, self.seeds[part]
        )

    def first(self, count: int) -> "Subjects":
        """Return the first `count` of them."""
        return self.slice(0, count)


def by_name(maps: Maps) -> dict[str, np.ndarray]:
    """Return what `explain` made, by the names in `SIX`, Grad-CAM not enlarged."""
    found = {f"saliency {rule}": np.asarray(a) for rule, a in maps.saliency.items()}
    return found | {f"Grad-CAM {rule}": np.asarray(a) for rule, a in maps.grad_cam.items()}


def unsigned(signed: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the maps that are shown, from those that `explain` made with `signed=True`."""
    return {name: np.abs(a) if name in SALIENCY else np.maximum(a, 0) for name, a in signed.items()}


def baseline_maps(subjects: Subjects) -> dict[str, Float32[np.ndarray, "n height width"]]:
    """Return the maps that know no network, by name."""
    n, height, width = subjects.images.shape[:3]
    return {
        "random": random_maps(subjects.seeds, (height, width)),
        "image centre": centre_maps(n, (height, width)),
        "edge detector": edge_maps(subjects.images),
    }


def all_maps(
    model: Any, subjects: Subjects, *, layer: str | int = "block5_conv3"
) -> dict[str, Float32[np.ndarray, "n height width"]]:
    """Return the six maps and the baselines, all of the images' size, raw values at least 0."""
    maps = explain(model, preprocess(subjects.images), subjects.classes, layer=layer)
    return enlarged(by_name(maps), subjects) | baseline_maps(subjects)


def enlarged(
    maps: dict[str, np.ndarray], subjects: Subjects
) -> dict[str, Float32[np.ndarray, "n height width"]]:
    """Return maps of the images' size."""
    size = subjects.images.shape[1:3]
    return {name: a if a.shape[1:] == size else upsample(a, size) for name, a in maps.items()}
