"""Compute what the explorable's second part shows, into scenes.json.

    python3 docs/explorable/make_scenes.py        # a minute on two cores

One drawn scene of two objects, of which the goose walks from left to right; for each of its places
the demo's network is asked for both classes under three rules. Saliency maps are halved (112 x 112)
and kept as grey JPEGs, one strip for all places; Grad-CAM is kept as it is, 14 x 14.
"""

import base64
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import colormaps
from PIL import Image

import jaxvis as jv
from jaxvis.demo.scenes import _paint as paint  # a scene whose objects stand where we say
from jaxvis.demo.silhouettes import SIZE, Pose

FILE = Path(__file__).with_name("scenes.json")
SEED = 1_000_006  # held out from training; of 40 the one where both objects are seen best
PLACES = np.linspace(44, SIZE - 44, 24)
GOOSE, OTHER = "goose", "umbrella"
OTHER_POSE = Pose(138, 164, 84, -0.12, 1.0, False)
HALF = SIZE // 2
CELLS = 14


def scene(x: float) -> tuple[np.ndarray, list[np.ndarray]]:
    """Draw the scene with the goose at column x; all else is the same for all of them."""
    rng = np.random.Generator(np.random.PCG64(SEED))
    pose = Pose(float(x), 62.0, 84.0, 0.08, 1.0, True)
    return paint(rng, [(GOOSE, pose), (OTHER, OTHER_POSE)])


def halved(map_: np.ndarray) -> np.ndarray:
    return map_.reshape(HALF, 2, HALF, 2).mean(axis=(1, 3))


def jpeg(pixels: np.ndarray, quality: int) -> str:
    data = io.BytesIO()
    Image.fromarray(pixels).save(data, "JPEG", quality=quality, optimize=True)
    return base64.b64encode(data.getvalue()).decode()


def shares(values: np.ndarray, masks: list[np.ndarray]) -> list[float]:
    """Return which share of a map's sum lies on the goose, and on the other object."""
    total = values.sum()
    return [round(float(values[mask].sum() / total), 3) if total else 0.0 for mask in masks]


def made() -> dict[str, Any]:
    network = jv.load("demo")
    images, masks = zip(*(scene(x) for x in PLACES), strict=True)
    images = np.stack(images)
    x = network.preprocess(images)
    names = [GOOSE, OTHER]
    indices = [network.class_index(name) for name in names]
    maps, logits = {}, None
    for name, index in zip(names, indices, strict=True):
        found = jv.explain_batches(network.model, x, index, layer=network.layer, batch_size=8)
        logits = np.asarray(found.logits, np.float64)
        for rule in jv.RULES:
            saliency = np.asarray(found.saliency[rule], np.float64)
            cam = np.asarray(found.grad_cam[rule], np.float64)
            full = np.asarray(jv.upsample(cam, (SIZE, SIZE)))
            small = np.stack([halved(one) for one in saliency])
            tops = np.maximum([np.percentile(one, 99.5) for one in small], 1e-30)
            grey = np.clip(np.rint(255 * small / tops[:, None, None]), 0, 255).astype(np.uint8)
            peaks = cam.max(axis=(1, 2))
            cells = np.rint(255 * cam / np.maximum(peaks, 1e-30)[:, None, None]).astype(np.uint8)
            maps[f"{name} {rule}"] = {
                "saliency": jpeg(grey.reshape(-1, HALF), 82),
                "cam": base64.b64encode(cells.tobytes()).decode(),
                "positive": [bool(peak > 0) for peak in peaks],
                "saliencyOn": [shares(*one) for one in zip(saliency, masks, strict=True)],
                "camOn": [shares(*one) for one in zip(full, masks, strict=True)],
            }
    probabilities = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    colours = np.rint(255 * colormaps["inferno"](np.arange(256))[:, :3]).astype(np.uint8)
    return {
        "names": names,
        "rules": list(jv.RULES),
        "places": [round(float(place), 1) for place in PLACES],
        "size": SIZE, "half": HALF, "cells": CELLS,
        "scene": jpeg(images.reshape(-1, SIZE, 3), 82),
        "logits": [[round(float(row[i]), 2) for i in indices] for row in logits],
        "probabilities": [[round(float(row[i]), 3) for i in indices] for row in probabilities],
        "areas": [round(float(of[0].mean()), 3) for of in masks],
        "inferno": base64.b64encode(colours.tobytes()).decode(),
        "maps": maps,
    }  # fmt: skip


def main() -> None:
    FILE.write_text(json.dumps(made(), separators=(",", ":")) + "\n", encoding="utf-8")
    print(f"{FILE}: {FILE.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
