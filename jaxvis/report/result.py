"""What a report is asked for, and all that it shows."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jaxvis.evaluate.questions.question import Question
from jaxvis.methods.one_pass import Maps
from jaxvis.models.labels import Prediction, softmax
from jaxvis.models.vgg16 import VGG16


class Options(NamedTuple):
    """How a report is made; the names are those of the command's options."""

    weights: str = "imagenet"
    class_name: str | None = None
    layer: str = "block5_conv3"
    labels: Sequence[str] | None = None
    precision: str | None = None
    resample: str = "nearest"
    colormap: str = "jet"
    alpha: float = 0.5
    boxes: str | None = None  # where the objects are: see jaxvis.evaluate.read_boxes
    evaluate: bool = True  # measure the maps, and end with a conclusion


class Result(NamedTuple):
    """All that a report shows: `classes` are the indices explained, one per image."""

    files: list[Path]
    images: np.ndarray
    model: VGG16
    classes: np.ndarray
    predictions: list[list[Prediction]]
    maps: Maps
    seconds: dict[str, float]
    options: Options
    questions: list[Question]
    conclusion: list[str]

    def class_titles(self) -> list[str]:
        """Return file, class and probability of every image, as its title in a figure."""
        return [
            f"{file.stem}\n{class_name(self.model, index)} {100 * shares[index]:.1f} %"
            for file, index, shares in zip(
                self.files, self.classes, softmax(self.maps.logits), strict=True
            )
        ]


def class_name(model: VGG16, index: int) -> str:
    """Return the name of a class, or "class 7" where the model has no names."""
    return model.labels[index] if model.labels else f"class {index}"
