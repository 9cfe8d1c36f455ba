"""The ILSVRC-2015 CLS-LOC validation images and their boxes, read from the folders as published.

Data/CLS-LOC/val/ILSVRC2012_val_00000001.JPEG
Annotations/CLS-LOC/val/ILSVRC2012_val_00000001.xml
"""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

import numpy as np
from PIL import Image
from tqdm import tqdm

import jaxvis as jv
from jaxvis.models.labels import imagenet_labels, imagenet_wordnet_ids
from jaxvis.pictures.decode import decode
from jaxvis.pictures.files import RESAMPLING

EDGES = ("xmin", "ymin", "xmax", "ymax")
CROP = 256 / 224  # the shorter side before the centre is cut out, in sides of the crop
RESAMPLE = {name: Image.Resampling[name.upper()] for name in RESAMPLING}


class Subject(NamedTuple):
    """An image, and the boxes of each class in it.

    `boxes` are (boxes, 4), x_min, y_min, x_max, y_max as shares of width and height.
    """

    path: Path
    boxes: dict[int, np.ndarray]


class DataError(ValueError):
    """A folder or file that is missing or not as published; the message says what to do."""


def subjects(images: Path, annotations: Path, classes: Mapping[str, int]) -> list[Subject]:
    """Return all images of a folder with the boxes of their XML files.

    Raises:
        DataError: no such folder, no images, images without an annotation, or an annotation that
            cannot be read or names an unknown class.
    """
    for option, folder in (("--images", images), ("--annotations", annotations)):
        if not folder.is_dir():
            raise DataError(f"{option} {folder}: no such folder; wanted the one with its files")
    try:
        files = jv.find_images(images)
    except jv.ImageError as error:
        raise DataError(f"--images {error}") from None
    missing = [file.name for file in files if not _annotation(annotations, file).is_file()]
    if missing:
        raise DataError(
            f"{len(missing)} of {len(files)} images have no annotation, the first {missing[0]}; "
            f"wanted {_annotation(annotations, Path(missing[0]))} and so on"
        )
    bar = tqdm(files, desc="annotations", unit="file", leave=False, disable=None)
    return [Subject(file, read_boxes(_annotation(annotations, file), classes)) for file in bar]


def _annotation(annotations: Path, image: Path) -> Path:
    return annotations / f"{image.stem}.xml"


def read_boxes(path: Path, classes: Mapping[str, int]) -> dict[int, np.ndarray]:
    """Return the boxes of every class in an XML file, as shares of width and height.

    In the file the upper ends are the last pixels inside, so one pixel is added to them, as the
    challenge's own evaluation does. The size is the one in the file, so that images that were
    resized in the meantime keep their boxes.
    """
    boxes: dict[int, list] = {}
    try:
        root = ElementTree.parse(path).getroot()
        size = np.array([float(root.findtext(f"size/{side}", "")) for side in ("width", "height")])
        for item in root.iter("object"):
            name = (item.findtext("name") or "").strip()
            if name not in classes:
                raise DataError(f"{path}: unknown class {name!r}; wanted {_examples(classes)}")
            edges = [item.findtext(f"bndbox/{edge}", "") for edge in EDGES]
            low, high = np.array([float(edge) for edge in edges]).reshape(2, 2)
            if not (np.all(size > 0) and np.all(low >= 0) and np.all(low <= high)):
                raise ValueError(f"size {size.tolist()} with a box {[*low, *high]}")
            corners = [low / size, np.minimum((high + 1) / size, 1)]
            boxes.setdefault(classes[name], []).append(np.concatenate(corners))
    except DataError:
        raise
    except (OSError, ElementTree.ParseError, ValueError) as error:
        raise DataError(
            f"{path}: no annotation that can be read: {error}; wanted size/width, size/height and "
            "object/name, object/bndbox/xmin and so on: fetch it again"
        ) from error
    if not boxes:
        raise DataError(f"{path}: no object in it; wanted at least one with a box")
    return {index: np.array(found) for index, found in boxes.items()}


def class_indices(model: jv.VGG16) -> dict[str, int]:
    """Return index by WordNet id, or by class name where the network has not ImageNet's classes."""
    if model.labels is None:
        raise DataError("the weights have no class names; wanted ImageNet's, or a file with names")
    names = imagenet_wordnet_ids() if model.labels == imagenet_labels() else model.labels
    return {name: index for index, name in enumerate(names)}


def _examples(classes: Mapping[str, int]) -> str:
    some = list(classes)[:3]
    return f"one of {len(classes)}, such as {', '.join(some)}"


def load(path: Path, size: int, resample: str) -> np.ndarray:
    """Return the whole image squeezed to a square, and its centre: uint8 (2, size, size, 3)."""
    image = decode(path)
    scale = CROP * size / min(image.size)
    larger = image.resize([round(scale * side) for side in image.size], RESAMPLE[resample])
    left, top = ((side - size) // 2 for side in larger.size)
    centre = larger.crop((left, top, left + size, top + size))
    whole = image.resize((size, size), RESAMPLE[resample])
    return np.stack([np.asarray(whole), np.asarray(centre)])
