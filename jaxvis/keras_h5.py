"""A Keras .h5 file -> checked arrays -> VGG16, and back."""

import json
import os
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import h5py
import jax
import numpy as np
from flax import nnx
from jax.typing import DTypeLike

from jaxvis.errors import WeightsError, WeightsLayoutError, WeightsMismatchError
from jaxvis.guarded_h5 import check_storage, open_h5, read, text_attribute
from jaxvis.keras_layout import find_datasets
from jaxvis.layers import Architecture, architecture, layer_shapes
from jaxvis.vgg16 import VGG16

Arrays = dict[str, tuple[np.ndarray, np.ndarray]]
ROLES = ("kernel", "bias")
CONFIG = "jaxvis"  # the attribute in which save_vgg16 keeps architecture, labels and facts


def load_vgg16(
    weights: str | os.PathLike[str] = "demo",
    *,
    labels: Sequence[str] | None = None,
    precision: str | None = None,
    param_dtype: DTypeLike = np.float32,
) -> VGG16:
    """Load a VGG16 from "demo", "imagenet" or a Keras .h5 file, all of it or nothing.

    Every name, shape and dtype is checked against the network before the first array is read. The
    full network with 1000 classes is wanted unless the file, written by `save_vgg16`, says what
    else it is; `labels` names the classes of a network that was trained on others.

    Args:
        weights: "demo", the small network in the package; "imagenet", Keras's own file, fetched
            on first use; or the path of a file, float32 or float16, which is only read.
        labels: one name per class; default those in the file, or ImageNet's for 1000 classes.
        precision, param_dtype: as in `VGG16`.

    Raises:
        WeightsError: naming file and array, what was found and wanted, and what to do.
    """
    file = weights_file(weights)
    with open_h5(file) as opened:
        arch, stored_labels, _ = _config(file, opened)
        if labels is None:
            labels = stored_labels
        elif CONFIG in opened.attrs and len(labels) != arch.classes:
            raise WeightsMismatchError(
                file, f"has {arch.classes} classes, but labels= gives {len(labels)} names"
            )
        else:
            arch = arch._replace(classes=len(labels))
        shapes = [shape for shape in layer_shapes(arch) if shape.kernel_shape is not None]
        found = find_datasets(file, opened, shapes)
        for shape in shapes:
            for role, data in zip(ROLES, found[shape.name], strict=True):
                wanted = shape.kernel_shape if role == "kernel" else shape.bias_shape
                check_storage(file, f"{shape.name}/{role}", data, wanted or ())
        arrays = {
            shape.name: _read_layer(file, shape.name, found[shape.name], param_dtype)
            for shape in shapes
        }
    return _build(arch, labels, precision, arrays)


def weights_file(weights: str | os.PathLike[str]) -> Path:
    """Return the path behind "demo" or "imagenet"; anything else is a path already."""
    if weights == "demo":
        return Path(str(files("jaxvis") / "data" / "demo.h5"))
    if weights == "imagenet":
        raise WeightsError("imagenet", "fetching is not there yet", do="pass the path of the file")
    return Path(weights).expanduser()


def facts(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return what `save_vgg16` was told to keep with the weights; {} for other files.

    Raises:
        WeightsError: no such file, or no HDF5 file.
    """
    file = weights_file(path)
    with open_h5(file) as opened:
        return _config(file, opened)[2]


def _config(
    file: Path, opened: h5py.File
) -> tuple[Architecture, tuple[str, ...] | None, dict[str, Any]]:
    """Architecture, labels and facts in the file's attribute, or those of the ImageNet network."""
    text = text_attribute(file, opened, CONFIG)
    if text is None:
        return architecture(), None, {}
    try:
        config = json.loads("".join(text))
        arch = architecture(**config["architecture"])
        labels = config["labels"]
        if labels is not None:
            labels = tuple(str(name) for name in labels)
            if len(labels) != arch.classes:
                raise ValueError(f"{len(labels)} labels for {arch.classes} classes")
        return arch, labels, dict(config["facts"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise WeightsLayoutError(
            file, f"attribute {CONFIG!r} does not describe a VGG16 ({error!r})",
            do="write the file with jaxvis.save_vgg16",
        ) from error  # fmt: skip


def _read_layer(
    file: Path, name: str, data: tuple[h5py.Dataset, ...], dtype: DTypeLike
) -> tuple[np.ndarray, np.ndarray]:
    kernel, bias = (
        read(file, f"{name}/{role}", array).astype(dtype, copy=False)
        for role, array in zip(ROLES, data, strict=True)
    )
    if not kernel.any():
        warnings.warn(f"{file}: {name}/kernel is zero everywhere", stacklevel=4)
    return kernel, bias


def _build(
    arch: Architecture, labels: Sequence[str] | None, precision: str | None, arrays: Arrays
) -> VGG16:
    """Put arrays, which are used up, into a VGG16 that was never allocated."""
    model = nnx.eval_shape(lambda: VGG16(**arch._asdict(), labels=labels, precision=precision))
    while arrays:
        name, (kernel, bias) = arrays.popitem()
        part = getattr(model, name)
        part.kernel, part.bias = nnx.Param(jax.device_put(kernel)), nnx.Param(jax.device_put(bias))
    return model


def save_vgg16(
    model: VGG16,
    path: str | os.PathLike[str],
    *,
    dtype: DTypeLike = np.float32,
    facts: Mapping[str, Any] | None = None,
) -> None:
    """Write a VGG16 in the Keras 1/2 layout, whole or not at all.

    Args:
        model: the network; its architecture and labels go into an attribute.
        path: the file to write or replace.
        dtype: float32, or float16 for half the size.
        facts: more to keep with the weights, as JSON: how they were trained, say.

    Raises:
        WeightsError: another dtype, or a folder that cannot be written to.
    """
    target = Path(path).expanduser()
    if np.dtype(dtype) not in (np.float16, np.float32):
        raise WeightsError(target, f"dtype {np.dtype(dtype)}; wanted float32 or float16")
    shapes = layer_shapes(model.architecture)
    config = {
        "architecture": model.architecture._asdict(),
        "labels": model.labels,
        "facts": dict(facts or {}),
    }
    try:
        handle, temporary = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        os.close(handle)
    except OSError as error:
        raise WeightsError(target, f"cannot be written: {error.strerror}") from error
    try:
        with h5py.File(temporary, "w") as file:
            file.attrs["layer_names"] = [shape.name.encode() for shape in shapes]
            file.attrs[CONFIG] = json.dumps(config)
            for shape in shapes:
                group = file.create_group(shape.name)
                names = [f"{shape.name}_W_1:0", f"{shape.name}_b_1:0"]
                if shape.kernel_shape is None:
                    group.attrs["weight_names"] = np.array([], "S1")
                    continue
                group.attrs["weight_names"] = [name.encode() for name in names]
                part = getattr(model, shape.name)
                for name, value in zip(names, (part.kernel, part.bias), strict=True):
                    group.create_dataset(name, data=np.asarray(value[...], dtype))
        os.chmod(temporary, 0o644)
        os.replace(temporary, target)
    except BaseException:
        os.unlink(temporary)
        raise
