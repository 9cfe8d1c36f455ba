"""Where the checked arrays of a Keras VGG16 file are: all of HDF5 that loading needs."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py

from jaxvis.models.layers import Architecture, architecture, layer_shapes
from jaxvis.weights.arrays import CONFIG, Plan
from jaxvis.weights.errors import WeightsLayoutError, WeightsMismatchError
from jaxvis.weights.guarded_h5 import open_h5, text_attribute
from jaxvis.weights.h5_storage import locate
from jaxvis.weights.keras_layout import find_datasets

ROLES = ("kernel", "bias")
# What JSON of the wrong shape, or numbers like infinity, can raise.
UNSUITABLE = (
    ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError
)  # fmt: skip


def make_plan(file: Path, *, classes: int | None = None, top: bool | None = None) -> Plan:
    """Check every name, link, shape, dtype and place in a file against the network it must hold.

    Args:
        file: a Keras .h5 file of VGG16; the full one of ImageNet unless `save_vgg16` wrote it.
        classes: another number of classes than ImageNet's.
        top: whether it must have a classifier; None is what the file says of itself, else yes.

    Raises:
        WeightsError: naming file and array, what was found and wanted, and what to do.
    """
    with open_h5(file) as opened:
        arch, labels, facts, checksums = _config(file, opened)
        if top is not None:
            arch = arch._replace(top=top)
        if classes is not None and classes != arch.classes:
            if CONFIG in opened.attrs:
                raise WeightsMismatchError(
                    file, f"has {arch.classes} classes, but labels= gives {classes} names",
                    do="leave out labels=, or give as many",
                )  # fmt: skip
            arch = arch._replace(classes=classes)
        shapes = [shape for shape in layer_shapes(arch) if shape.kernel_shape is not None]
        found = find_datasets(file, opened, shapes)
        places = {
            f"{shape.name}/{role}": locate(file, f"{shape.name}/{role}", data, wanted or ())
            for shape in shapes
            for role, data, wanted in zip(
                ROLES, found[shape.name], (shape.kernel_shape, shape.bias_shape), strict=True
            )
        }
        return Plan(arch, labels, facts, places, checksums)


def _config(
    file: Path, opened: h5py.File
) -> tuple[Architecture, tuple[str, ...] | None, dict[str, Any], dict[str, int]]:
    """Architecture, labels, facts and checksums in the file's attribute, or those of ImageNet."""
    text = text_attribute(file, opened, CONFIG)
    if text is None:
        return architecture(), None, {}, {}
    try:
        config = json.loads("".join(text))
        arch = architecture(**config["architecture"])
        labels: Sequence[str] | None = config["labels"]
        if labels is not None:
            labels = tuple(str(name) for name in labels)
            if len(labels) != arch.classes:
                raise ValueError(f"{len(labels)} labels for {arch.classes} classes")
        checksums = {str(name): int(value) for name, value in config.get("crc32", {}).items()}
        names = [shape.name for shape in layer_shapes(arch) if shape.kernel_shape is not None]
        if checksums and checksums.keys() != {f"{name}/{role}" for name in names for role in ROLES}:
            raise ValueError("crc32 names other arrays")
        return arch, labels, dict(config["facts"]), checksums
    except UNSUITABLE as error:
        raise WeightsLayoutError(
            file, f"attribute {CONFIG!r} does not describe a VGG16 ({error!r})",
            do="write the file with jaxvis.save_vgg16",
        ) from error  # fmt: skip
