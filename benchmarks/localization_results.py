"""What was found on each image, kept in a file, and the errors that follow from it."""

import json
import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from ilsvrc import DataError, Subject

RIGHT = 0.5  # IoU
METHODS = ("Grad-CAM", "backpropagation")
# Top-1 and top-5 error in per cent: Keras Applications' table of errors on single centre crops, and
# the Grad-CAM paper's for VGG-16, its classification error as a reproduction of it quotes that.
PUBLISHED = {
    "classification, centre": (28.7, 9.9),
    "classification, squeezed": (30.38, 10.89),
    "localisation, Grad-CAM": (56.51, 46.41),
}


class Found(NamedTuple):
    """What the network says of n images.

    Attributes:
        centre, squeezed: its best classes by the centre and by the whole image, (n, best).
        boxes: for the latter, by method, (n, best, 4): x_min, y_min, x_max, y_max in pixels of the
            network's input, upper ends exclusive.
    """

    centre: Any
    squeezed: Any
    boxes: dict[str, Any]


def iou(box: np.ndarray, others: np.ndarray) -> float:
    """Return the largest IoU of a box with any of the others, (boxes, 4)."""
    low, high = np.maximum(box[:2], others[:, :2]), np.minimum(box[2:], others[:, 2:])
    both = np.prod(np.maximum(high - low, 0), axis=1)
    areas = np.prod(box[2:] - box[:2]) + np.prod(others[:, 2:] - others[:, :2], axis=1)
    return float(np.max(both / (areas - both)))


def judge(subject: Subject, found: Found, size: int) -> dict[str, Any]:
    """Return, for the best classes in order, which are right and the IoU of those."""
    right = {
        name: [int(index) in subject.boxes for index in indices]
        for name, indices in (("centre", found.centre), ("squeezed", found.squeezed))
    }
    ious = {
        method: [
            round(iou(box, subject.boxes[int(index)] * size), 6) if good else 0.0
            for index, box, good in zip(found.squeezed, boxes, right["squeezed"], strict=True)
        ]
        for method, boxes in found.boxes.items()
    }
    return right | ious


class Results:
    """A file of JSON lines: the settings, then one line a batch; cut lines are taken back."""

    def __init__(self, path: Path, settings: dict[str, Any]) -> None:
        self.path, self.images = path, {}
        text = path.read_bytes() if path.exists() else b""
        whole = text[: text.rfind(b"\n") + 1]  # a line that a kill cut in two has no end
        if not whole and not json.dumps(settings).encode().startswith(text):
            raise DataError(f"--results {path}: no results of this script; name another file")
        try:
            first, *lines = [json.loads(line) for line in whole.splitlines()] or [settings]
            for line in lines:
                self.images |= line["images"]
        except (ValueError, TypeError, KeyError) as error:
            raise DataError(
                f"--results {path}: no results of this script ({error}); name another file"
            ) from error
        if first != settings:
            raise DataError(
                f"--results {path}: was made with {json.dumps(first)}, now asked for "
                f"{json.dumps(settings)}; name another file, or remove this one"
            )
        if whole != text:
            os.truncate(path, len(whole))
        if not whole:
            self._append(settings)

    def add(self, images: dict[str, Any]) -> None:
        """Write a batch, and wait until it is on the disk."""
        self._append({"images": images})
        self.images |= images

    def _append(self, line: dict[str, Any]) -> None:
        with self.path.open("ab") as file:
            file.write(json.dumps(line).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())


def errors(images: dict[str, Any]) -> dict[str, tuple[float, float]]:
    """Return top-1 and top-5 error in per cent."""
    measures = {f"classification, {name}": (name, 1) for name in ("centre", "squeezed")}
    measures |= {f"localisation, {name}": (name, RIGHT) for name in METHODS}
    found = {}
    for title, (name, least) in measures.items():
        right = np.array([image[name] for image in images.values()]) >= least
        found[title] = 100 * (1 - right[:, 0].mean()), 100 * (1 - right.any(axis=1).mean())
    return found


def table(images: dict[str, Any]) -> str:
    """Return the errors as Markdown, with their standard errors, beside the published ones."""
    lines = [
        f"| error in % of {len(images):,} images | top-1 | top-5 | published, VGG16 |",
        "|---|---|---|---|",
    ]
    for title, pair in errors(images).items():
        spread = [np.sqrt(error * (100 - error) / len(images)) for error in pair]
        cells = [
            f"{error:.2f} ± {deviation:.2f}" for error, deviation in zip(pair, spread, strict=True)
        ]
        published = " / ".join(map(str, PUBLISHED.get(title, ())))
        lines.append(f"| {title} | {cells[0]} | {cells[1]} | {published} |")
    return "\n".join(lines)
