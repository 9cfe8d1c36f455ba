"""The maps that an evaluation compares, by name: those of any methods and rules, and controls.

A map's name is its method's title and its rule, "Grad-CAM guided"; a control's is a word of its
own.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, Unpack

import jax
import numpy as np
from jaxtyping import Float32

from jaxvis.errors import InputError
from jaxvis.evaluate.metrics.baselines import BASELINES, centre_maps, edge_maps, random_maps
from jaxvis.evaluate.subjects import Subjects
from jaxvis.methods.batches import filled
from jaxvis.methods.catalogue import METHODS
from jaxvis.methods.explain import explain
from jaxvis.methods.maps import MapName, Maps
from jaxvis.methods.method import ANY, Method
from jaxvis.methods.options import Options
from jaxvis.models.network import Network, as_network
from jaxvis.pictures.render import upsample

BATCH = 12  # images whose maps are computed, and whose removals are held, at once


class Named(NamedTuple):
    """What a map's name stands for."""

    method: Method
    rule: str


def name_of(map_name: MapName) -> str:
    """Return the name of a map: "Grad-CAM guided", or "RISE", which no rule changes."""
    title = METHODS[map_name.method].title
    return title if map_name.rule == ANY else f"{title} {map_name.rule}"


def named(name: str) -> Named | None:
    """Return the method and the rule that a name stands for; None for a control."""
    for method in METHODS.values():
        if name == method.title and not method.rules:
            return Named(method, ANY)
        if name.startswith(f"{method.title} "):
            return Named(method, name.removeprefix(f"{method.title} "))
    return None


def explanations(names: Iterable[str]) -> tuple[str, ...]:
    """Return the names that are no controls."""
    return tuple(name for name in names if name not in BASELINES)


def by_name(maps: Maps) -> dict[str, np.ndarray]:
    """Return what `explain` made by the maps' names, in their own size."""
    return {name_of(key): np.asarray(array) for key, array in maps.items()}


def baseline_maps(subjects: Subjects) -> dict[str, Float32[np.ndarray, "n height width"]]:
    """Return the maps that know no network, by name."""
    n, height, width = subjects.images.shape[:3]
    return {
        "random": random_maps(subjects.seeds, (height, width)),
        "image centre": centre_maps(n, (height, width)),
        "edge detector": edge_maps(subjects.images),
    }


def all_maps(
    network: Network | Any, subjects: Subjects, **options: Unpack[Options]
) -> dict[str, Float32[np.ndarray, "n height width"]]:
    """Return all maps and the baselines, of the images' size, raw values at least 0.

    Args:
        network: a `Network`, or a `VGG16`, which describes itself.
        subjects: what is explained.
        options: as in `explain`; the layer is the network's unless given.
    """
    network = as_network(network)
    maps = explained(network, network.preprocess(subjects.images), subjects.classes, **options)
    return enlarged(by_name(maps), subjects) | baseline_maps(subjects)


def explained(network: Network, x: Any, classes: Any, **options: Unpack[Options]) -> Maps:
    """Return `explain` of a network, at its own layer unless another is asked for.

    Raises:
        TypeError, ValueError: as `explain`; ValueError for several layers, whose maps would be of
            one name.
    """
    chosen: Options = {"layer": network.layer, **options}
    if not isinstance(chosen["layer"], str | int):
        raise InputError(f"layer is {chosen['layer']!r}; wanted one: an evaluation asks of one")
    total = jax.tree.leaves(x)[0].shape[0]
    size = min(BATCH, total)
    parts = []
    # Not `explain_batches`, which compiles ahead of time, for every call: `explain` compiles once
    # for a network and all its random relatives.
    for start, rows in filled(total, size):
        images = jax.tree.map(lambda leaf, rows=rows: np.asarray(leaf)[rows], x)
        maps = explain(network.model, images, np.asarray(classes)[rows], **chosen)
        count = min(size, total - start)
        parts.append(jax.tree.map(lambda a, count=count: np.asarray(a)[:count], maps))
    return jax.tree.map(lambda *arrays: np.concatenate(arrays), *parts)


def enlarged(
    maps: Mapping[str, np.ndarray], subjects: Subjects
) -> dict[str, Float32[np.ndarray, "n height width"]]:
    """Return maps of the images' size."""
    size = subjects.images.shape[1:3]
    return {name: a if a.shape[1:] == size else upsample(a, size) for name, a in maps.items()}
