"""The images of an evaluation: drawn scenes with their masks, or files with boxes."""

import os
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import UInt8

from jaxvis.demo.images import demo_images
from jaxvis.demo.scenes import CLASSES, GEESE, held_out, held_out_pairs, scene, two_objects
from jaxvis.demo.silhouettes import SIZE
from jaxvis.errors import InputError
from jaxvis.evaluate.boxes import box_masks, read_boxes
from jaxvis.gradients.compiled import Compiled
from jaxvis.models.network import Network, as_network
from jaxvis.pictures.files import Source, find_images, load_images


class Subjects(NamedTuple):
    """What is explained.

    Attributes:
        names: of the images, for messages.
        images: uint8 RGB, of the network's size.
        classes: the index that each is explained for.
        masks: where the object of the class is, or None.
        seeds: one per image, of its random map and all else that is drawn for it.
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


def scene_subjects(
    network: Network | Any, count: int, *, class_name: str | None = None
) -> Subjects:
    """Return the first `count` held-out scenes with the masks of their objects.

    Each is explained for its object, and with `class_name` all show an object of that class.

    Raises:
        ValueError: the network does not know the classes that scenes are drawn of or reads another
            size, or the count is below 1.
    """
    network = as_network(network)
    _check_scenes(network, count)
    pairs = list(held_out(count))
    if class_name is not None:
        name = network.class_name(network.class_index(class_name))
        pairs = [(seed, name) for seed, _ in pairs]
    drawn = [scene(seed, name) for seed, name in pairs]
    return Subjects(
        [f"{name} {seed}" for seed, name in pairs],
        np.stack([one.image for one in drawn]),
        np.array([network.class_index(name) for _, name in pairs]),
        np.stack([one.mask for one in drawn]),
        [seed for seed, _ in pairs],
    )


def pair_subjects(
    network: Network | Any, count: int, *, class_name: str | None = None
) -> tuple[Subjects, Subjects]:
    """Return `count` held-out scenes of two objects twice: asked for the first, and the second.

    The two agree in everything but the class and its mask. With `class_name` the first object is
    always of that class. Errors as `scene_subjects`.
    """
    network = as_network(network)
    _check_scenes(network, count)
    first = None
    if class_name is not None:
        first = network.class_name(network.class_index(class_name))
    pairs = list(held_out_pairs(count, first))
    drawn = [two_objects(seed, *names) for seed, *names in pairs]
    images = np.stack([one.image for one in drawn])
    seeds = [seed for seed, *_ in pairs]

    def asked(which: int) -> Subjects:
        names = [names[which] for _, *names in pairs]
        return Subjects(
            [f"{name} {seed}" for name, seed in zip(names, seeds, strict=True)],
            images,
            np.array([network.class_index(name) for name in names]),
            np.stack([one.masks[which] for one in drawn]),
            seeds,
        )

    return asked(0), asked(1)


def file_subjects(
    network: Network | Any,
    images: Source,
    *,
    boxes: str | os.PathLike[str] | None = None,
    class_name: str | None = None,
    resample: str | None = None,
) -> Subjects:
    """Return images from files, explained for a class or for what the network predicts.

    With `boxes` (see `read_boxes`) every image has to have one, and its inside is the mask. Without
    `resample` images are resized as the network says.

    Raises:
        ImageError, ValueError: as `load_images`, `read_boxes`, `box_masks` and `class_index`.
    """
    network = as_network(network)
    files = find_images(images)
    pictures = load_images(files, network.size, resample=resample or network.resample)
    masks = masks_of(files, network.size, boxes)
    if class_name is None:
        classes = predicted(network, pictures)
    else:
        classes = np.full(len(files), network.class_index(class_name))
    names = [file.name for file in files]
    return Subjects(names, pictures, classes, masks, seeds_of(pictures))


def _check_scenes(network: Network, count: int) -> None:
    missing = sorted(set(CLASSES) - set(network.labels or ()))
    if missing:
        raise InputError(
            f"the network has no class {', '.join(missing)}, so it cannot be asked about drawn "
            "scenes; wanted the demo's weights, or images of your own"
        )
    if network.size != (SIZE, SIZE):
        raise InputError(f"the network reads {network.size} pixels; scenes have {SIZE} x {SIZE}")
    if count < 1:
        raise InputError(f"{count} scenes are asked for; wanted at least 1")


def seeds_of(images: UInt8[np.ndarray, "n height width 3"]) -> list[int]:
    """Return a seed for every image, made of its pixels, whatever its name and its place."""
    return [zlib.crc32(image.tobytes()) for image in images]


def predicted(network: Network, images: np.ndarray, batch: int = 16) -> np.ndarray:
    """Return the class of the largest logit of every image."""
    model = network.forward
    parts: Sequence[np.ndarray] = [
        np.asarray(_logits(model, network.preprocess(images[start : start + batch])))
        for start in range(0, len(images), batch)
    ]
    return np.concatenate(parts).argmax(axis=1)


@Compiled
def _logits(model: Any, x: Any) -> Any:
    return model(x)


def masks_of(
    files: Sequence[Path], size: tuple[int, int], boxes: str | os.PathLike[str] | None
) -> np.ndarray | None:
    """Return the masks of image files: from boxes; of the demo's own images; else None.

    Raises:
        ValueError: as `read_boxes` and `box_masks`.
    """
    if boxes is not None:
        return box_masks(read_boxes(boxes), files, size)
    known = {path.resolve(): seed for path, seed in zip(demo_images(), GEESE, strict=True)}
    seeds = [known.get(file.resolve()) for file in files]
    if size != (SIZE, SIZE) or None in seeds:
        return None
    return np.stack([scene(seed, "goose").mask for seed in seeds if seed is not None])
