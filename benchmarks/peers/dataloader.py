"""A folder through PyTorch's DataLoader and Captum, or pytorch-grad-cam: six maps of every image.

    python dataloader.py captum|pytorch-grad-cam --weights FILE --folder FOLDER --out FOLDER
        --batch N

Reading, computing and writing as one writes them in an afternoon: DataLoader reads in processes of
its own, every batch is saved as an .npz. Prints seconds and images as JSON, the first batch left
out, in which libraries get warm.
"""

import argparse
import json
import os
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import worker

SIDE = 224


class Folder:
    """What DataLoader calls a dataset: uint8 RGB (224, 224, 3), squeezed, by nearest pixel."""

    def __init__(self, folder: Path) -> None:
        self.files = sorted(folder.iterdir())

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, number: int) -> np.ndarray:
        from PIL import Image

        with Image.open(self.files[number]) as image:
            squeezed = image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.NEAREST)
        return np.asarray(squeezed)


def captum(weights: Path) -> Any:
    """Return a function from images to the six maps."""
    import captum_maps

    warnings.filterwarnings("ignore", message="Setting")
    methods, _ = captum_maps.prepare(weights, np.zeros((1, SIDE, SIDE, 3), np.uint8))
    return lambda images, x: captum_maps.run((methods, x))


def pytorch_grad_cam(weights: Path) -> Any:
    """The same by the other library."""
    import pytorch_grad_cam_maps

    blank = np.zeros((1, SIDE, SIDE, 3), np.uint8)
    twins, cams, guided, (target,), _ = pytorch_grad_cam_maps.prepare(weights, blank)
    return lambda images, x: pytorch_grad_cam_maps.run(
        (twins, cams, guided, [target] * len(images), x)
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("library", choices=("captum", "pytorch-grad-cam"))
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--batch", type=int, required=True)
    options = parser.parse_args()
    answer = worker.answers()
    import torch_vgg16
    from torch.utils.data import DataLoader

    run = {"captum": captum, "pytorch-grad-cam": pytorch_grad_cam}[options.library](options.weights)
    data = DataLoader(
        Folder(options.folder), batch_size=options.batch, num_workers=max(1, os.cpu_count() // 2),
        collate_fn=np.stack,
    )  # fmt: skip
    options.out.mkdir(parents=True, exist_ok=True)
    start, count = None, 0
    for number, images in enumerate(data):
        maps = run(images, torch_vgg16.network_input(images))
        np.savez(options.out / f"{number:05d}.npz", **maps)
        if start is None:
            start = time.perf_counter()
        else:
            count += len(images)
    answer(**json.loads(json.dumps({"seconds": time.perf_counter() - start, "images": count})))


if __name__ == "__main__":
    main()
