"""The report's page in a notebook's output: `show`."""

import os
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Bool, UInt8

from jaxvis.errors import InputError
from jaxvis.folders import expanded
from jaxvis.methods.catalogue import LAB, METHODS
from jaxvis.methods.maps import Maps
from jaxvis.models.labels import imagenet_labels, top_k
from jaxvis.models.network import Network, as_network
from jaxvis.pictures.checks import check_images, maps_for
from jaxvis.pictures.palette import colormap_for
from jaxvis.report.page import page_html
from jaxvis.report.shown import Shown, ShownMap

HEIGHT = 860  # pixels of the cell; its lower edge can be drawn


class Viewer:
    """A page that a notebook shows in its output, or `save` writes to a file.

    Attributes:
        html: the page, a whole document that asks nobody for anything.
    """

    def __init__(self, html: str, about: str) -> None:
        self.html, self._about = html, about

    def __repr__(self) -> str:
        """What there is, and how to see it."""
        return f"<jaxvis viewer: {self._about}; a notebook shows it, .save('page.html') writes it>"

    def _repr_html_(self) -> str:
        """Return the page in a frame of its own, where it may run its script and nothing else."""
        return (
            f'<iframe title="jaxvis: {escape(self._about)}" sandbox="allow-scripts" '
            f'style="width:100%;height:{HEIGHT}px;border:0;resize:vertical;overflow:auto" '
            f'srcdoc="{escape(self.html)}"></iframe>'
        )

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the page to a file, replacing it, and return its path."""
        target = expanded(path)
        target.write_text(self.html, encoding="utf-8")
        return target


def show(
    maps: Maps,
    images: UInt8[np.ndarray, "n height width 3"],
    *,
    network: Network | Any = None,
    classes: ArrayLike | None = None,
    names: Sequence[str] | None = None,
    masks: Bool[np.ndarray, "n height width"] | None = None,
) -> Viewer:
    """Return the maps of some images as a page to explore, which a notebook shows in its output.

    The page is that of `jaxvis report`: it needs no server, and no network. With 224 x 224 pixels
    and six maps it takes about 0.1 MB an image, which the notebook then holds.

    Args:
        maps: what `explain` returned for these images, one class each, one layer.
        images: uint8 RGB, as `load_images` returns them.
        network: a `Network`, or a `VGG16`: for the names of the classes and of the layer.
        classes: the indices that were explained, one or one per image; the largest logits' unless
            given.
        names: of the images; "image 1" and so on unless given.
        masks: where the objects are, to outline them.

    Raises:
        ValueError: maps, images, classes, names or masks that do not belong together.
    """
    if not isinstance(maps, Maps):
        raise InputError(
            f"maps are a {type(maps).__name__}; wanted what jv.explain returned: jv.show(jv.explain"
            "(model, x), images)"
        )
    images = np.asarray(images)
    check_images(images)
    n, size = len(images), images.shape[1:3]
    described = None if network is None else as_network(network)
    logits = np.asarray(maps.logits)
    if logits.shape[:1] != (n,) or logits.ndim != 2:
        raise InputError(
            f"the maps' logits have shape {logits.shape}; wanted ({n}, classes) for {n} images"
        )
    chosen = np.argmax(logits, axis=1) if classes is None else np.asarray(classes)
    if chosen.shape not in ((), (n,)) or not np.issubdtype(chosen.dtype, np.integer):
        raise InputError(f"classes are {classes!r}; wanted one index, or one per image: ({n},)")
    chosen = np.broadcast_to(chosen, (n,))
    if chosen.min() < 0 or chosen.max() >= logits.shape[1]:
        raise InputError(
            f"classes are {chosen.tolist()}; wanted indices from 0 to {logits.shape[1] - 1}"
        )
    called = [f"image {i + 1}" for i in range(n)] if names is None else [str(a) for a in names]
    if len(called) != n:
        raise InputError(f"names are {len(called)}; wanted one per image: {n}")
    if masks is not None and np.shape(masks) != (n, *size):
        raise InputError(f"masks have shape {np.shape(masks)}; wanted {(n, *size)}, as the images")
    labels = None if described is None else described.labels
    if labels is None and logits.shape[1] == len(imagenet_labels()):
        labels = imagenet_labels()
    output = "softmax" if described is None else described.output
    shown = Shown(
        called, images, None if masks is None else np.asarray(masks, bool),
        [labels[i] if labels else f"class {i}" for i in chosen],
        top_k(logits, labels=labels, output=output), _rows(maps, images),
        "" if described is None else described.name,
        "" if described is None else described.layer_name,
    )  # fmt: skip
    return Viewer(page_html(shown), f"{n} image{'s' * (n > 1)}, {len(shown.maps)} maps each")


def _rows(maps: Maps, images: np.ndarray) -> list[ShownMap]:
    """Return the maps as the page's rows; raise ValueError for what it cannot show."""
    rows = []
    for (name, rule), values in maps.items():
        if isinstance(values, Mapping):
            raise InputError(
                f"the maps of {name} are of several layers, {', '.join(map(str, values))}; wanted "
                "those of one: jv.explain(..., layer=) with a single name"
            )
        if name not in METHODS:
            raise InputError(f"{name} is none of jv.METHODS, whose maps a page can show")
        values = maps_for(values, images, name)
        signed = bool((values < 0).any())
        rows.append(
            ShownMap(name, rule, values, colormap_for(None, lab=name in LAB, signed=signed))
        )
    return rows
