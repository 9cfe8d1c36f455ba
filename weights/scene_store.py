"""Training scenes on disk, and batches drawn from them."""

import multiprocessing
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int, UInt8
from tqdm import tqdm

from jaxvis.demo.scenes import CLASSES, SIZE, TRAINING_SEEDS, scene, two_objects

PAIR_EVERY = 4  # one scene in four shows two objects


class Store(NamedTuple):
    """Scenes as memory maps: images, classes of one or two objects, the box round all of them."""

    images: UInt8[np.ndarray, "n 224 224 3"]
    classes: Int[np.ndarray, "n 2"]
    boxes: Int[np.ndarray, "n 4"]  # top, bottom, left, right


def open_store(folder: Path, count: int, *, processes: int = 2) -> Store:
    """Draw scenes 0 to `count` of the training seeds into `folder`, or open them if there."""
    shapes = {"images": (SIZE, SIZE, 3), "classes": (2,), "boxes": (4,)}
    dtypes = {"images": np.uint8, "classes": np.int16, "boxes": np.int16}
    folder.mkdir(parents=True, exist_ok=True)
    done = folder / f"complete_{count}"
    mode = "r" if done.exists() else "w+"
    store = Store(
        *(
            np.lib.format.open_memmap(
                folder / f"{name}_{count}.npy",
                mode,
                dtypes[name],
                None if mode == "r" else (count, *shape),
            )
            for name, shape in shapes.items()
        )
    )
    if not done.exists():
        with multiprocessing.get_context("spawn").Pool(processes) as pool:
            drawn = pool.imap(draw, range(count), chunksize=64)
            for index, (image, classes, box) in enumerate(tqdm(drawn, "scenes", count)):
                store.images[index], store.classes[index], store.boxes[index] = image, classes, box
        done.touch()
    return store


def draw(index: int) -> tuple[np.ndarray, tuple[int, int], tuple[int, ...]]:
    """Draw training scene number `index`: its image, its classes (one twice if alone), its box."""
    seed = TRAINING_SEEDS[index]
    first, second = np.random.default_rng(seed).choice(len(CLASSES), 2, replace=False)
    if index % PAIR_EVERY:
        second = first
        image, mask = scene(seed, CLASSES[first])
    else:
        image, masks = two_objects(seed, CLASSES[first], CLASSES[second])
        mask = masks[0] | masks[1]
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    return image, (first, second), (rows[0], rows[-1] + 1, columns[0], columns[-1] + 1)


def batch(
    store: Store, rng: np.random.Generator, count: int, size: int
) -> tuple[UInt8[np.ndarray, "n size size 3"], Float[np.ndarray, "n classes"]]:
    """Draw `count` scenes, cropped round the objects, flipped, channels shuffled, at `size` pixels.

    A crop leaves the objects whole, so that at half the size they are not half as large. The
    targets are 1 for one object and 1/2 each for two.
    """
    images = np.empty((count, size, size, 3), np.uint8)
    targets = np.zeros((count, len(CLASSES)), np.float32)
    for row, index in enumerate(rng.integers(len(store.images), size=count)):
        top, bottom, left, right = (int(edge) for edge in store.boxes[index])
        least = min(SIZE, max(bottom - top, right - left) + 8)
        window = int(rng.integers(least if size < SIZE else max(least, 5 * SIZE // 6), SIZE + 1))
        offsets = [
            int(rng.integers(max(0, end - window), min(start, SIZE - window) + 1))
            for start, end in ((top, bottom), (left, right))
        ]
        steps = np.arange(size) * window // size
        columns = offsets[1] + (steps[::-1] if rng.random() < 0.5 else steps)
        image = store.images[index][offsets[0] + steps][:, columns]
        images[row] = image[..., rng.permutation(3)]
        for label in store.classes[index]:
            targets[row, label] += 0.5
    return images, targets
