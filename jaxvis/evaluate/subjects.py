"""The images of an evaluation: drawn scenes with their masks, or files with boxes."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxvis.demo.images import demo_images
from jaxvis.demo.scenes import CLASSES, GEESE, held_out, scene
from jaxvis.demo.silhouettes import SIZE
from jaxvis.evaluate.boxes import box_masks, read_boxes
from jaxvis.evaluate.maps import Subjects
from jaxvis.models.preprocessing import preprocess
from jaxvis.pictures.files import Source, find_images, load_images


def scene_subjects(model: Any, count: int, *, class_name: str | None = None) -> Subjects:
    """Return the first `count` held-out scenes with the masks of their objects.

    Each is explained for its object, and with `class_name` all show an object of that class.

    Raises:
        ValueError: the model does not know the classes that scenes are drawn of, or the count is
            below 1.
    """
    missing = sorted(set(CLASSES) - set(model.labels or ()))
    if missing:
        raise ValueError(
            f"the model has no class {', '.join(missing)}, so it cannot be asked about drawn "
            "scenes; wanted the demo's weights, or images of your own"
        )
    if count < 1:
        raise ValueError(f"{count} scenes are asked for; wanted at least 1")
    pairs = list(held_out(count))
    if class_name is not None:
        name = model.labels[model.class_index(class_name)]
        pairs = [(seed, name) for seed, _ in pairs]
    drawn = [scene(seed, name) for seed, name in pairs]
    return Subjects(
        [f"{name} {seed}" for seed, name in pairs],
        np.stack([one.image for one in drawn]),
        np.array([model.class_index(name) for _, name in pairs]),
        np.stack([one.mask for one in drawn]),
        [seed for seed, _ in pairs],
    )


def file_subjects(
    model: Any,
    images: Source,
    *,
    boxes: str | os.PathLike[str] | None = None,
    class_name: str | None = None,
    resample: str = "nearest",
) -> Subjects:
    """Return images from files, explained for a class or for what the model predicts.

    With `boxes` (see `read_boxes`) every image has to have one, and its inside is the mask.

    Raises:
        ImageError, ValueError: as `load_images`, `read_boxes`, `box_masks` and `class_index`.
    """
    files = find_images(images)
    size = model.architecture.size
    pictures = load_images(files, (size, size), resample=resample)
    masks = masks_of(files, (size, size), boxes)
    if class_name is None:
        classes = predicted(model, pictures)
    else:
        classes = np.full(len(files), model.class_index(class_name))
    return Subjects([file.name for file in files], pictures, classes, masks, [*range(len(files))])


def predicted(model: Any, images: np.ndarray, batch: int = 16) -> np.ndarray:
    """Return the class of the largest logit of every image."""
    import jax

    logits = jax.jit(model.__call__)
    parts: Sequence[np.ndarray] = [
        np.asarray(logits(preprocess(images[start : start + batch])))
        for start in range(0, len(images), batch)
    ]
    return np.concatenate(parts).argmax(axis=1)


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
