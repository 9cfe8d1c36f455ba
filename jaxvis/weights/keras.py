"""What a Keras .h5 file of VGG16 has to hold, and where in it the kernels and biases are.

Two layouts are read. Keras 1 and 2 (and its ImageNet files) list layers and arrays in attributes:

    /                      layer_names = block1_conv1, block1_conv2, block1_pool, ...
    /block1_conv1          weight_names = block1_conv1_W_1:0, block1_conv1_b_1:0
    /block1_conv1/block1_conv1_W_1:0   the kernel; a whole saved model has all under /model_weights

Keras 3 numbers the layers of a type: /layers/conv2d/vars/0 is the first kernel, .../1 its bias.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py

from jaxvis.errors import InputError
from jaxvis.models.layers import Architecture, LayerShape, architecture, layer_shapes
from jaxvis.weights.arrays import CONFIG, Plan
from jaxvis.weights.described import CONFIG as MODEL_CONFIG
from jaxvis.weights.described import ONE_BY_ONE, check_description
from jaxvis.weights.errors import WeightsLayoutError, WeightsMismatchError
from jaxvis.weights.hdf5 import child, has, locate, open_h5, text_attribute
from jaxvis.weights.opened import Identity

Pairs = dict[str, tuple[h5py.Dataset, ...]]
ROLES = ("kernel", "bias")
# What JSON of the wrong shape, or numbers like infinity, can raise.
UNSUITABLE = (
    ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError
)  # fmt: skip


def make_plan(
    file: Path, *, classes: int | None = None, top: bool | None = None,
    identity: Identity | None = None,
) -> Plan:  # fmt: skip
    """Check every name, link, shape, dtype and place in a file against the network it must hold.

    Args:
        file: a Keras .h5 file of VGG16; the full one of ImageNet unless `save_vgg16` wrote it.
        classes: another number of classes than ImageNet's.
        top: whether it must have a classifier; None is what the file says of itself, else yes.
        identity: of the file that it must be, if others have looked at it.

    Raises:
        WeightsError: naming file and array, what was found and wanted, and what to do.
    """
    with open_h5(file, identity) as (opened, found_identity):
        arch, labels, facts, checksums = _config(opened)
        if top is not None:
            arch = arch._replace(top=top)
        if classes is not None and classes != arch.classes:
            if CONFIG in opened.attrs:
                raise WeightsMismatchError(
                    f"has {arch.classes} classes, but labels= gives {classes} names",
                    do="leave out labels=, or give as many",
                )
            arch = arch._replace(classes=classes)
        if arch.top and arch.classes == 1:
            raise WeightsMismatchError(
                "has one output, of which a softmax makes 100 % whatever it is", do=ONE_BY_ONE
            )
        described = text_attribute(opened, MODEL_CONFIG)
        if described is not None:
            check_description("".join(described), top=arch.top)
        shapes = [shape for shape in layer_shapes(arch) if shape.kernel_shape is not None]
        found = find_datasets(opened, shapes)
        places = {
            f"{shape.name}/{role}": locate(f"{shape.name}/{role}", data, wanted or ())
            for shape in shapes
            for role, data, wanted in zip(
                ROLES, found[shape.name], (shape.kernel_shape, shape.bias_shape), strict=True
            )
        }
        return Plan(arch, labels, facts, places, checksums, found_identity)


def _config(
    opened: h5py.File,
) -> tuple[Architecture, tuple[str, ...] | None, dict[str, Any], dict[str, int]]:
    """Architecture, labels, facts and checksums in the file's attribute, or those of ImageNet."""
    text = text_attribute(opened, CONFIG)
    if text is None:
        return architecture(), None, {}, {}
    try:
        config = json.loads("".join(text))
        arch = architecture(**config["architecture"])
        labels: Sequence[str] | None = config["labels"]
        if labels is not None:
            labels = tuple(str(name) for name in labels)
            if len(labels) != arch.classes:
                raise InputError(f"{len(labels)} labels for {arch.classes} classes")
        checksums = {str(name): int(value) for name, value in config.get("crc32", {}).items()}
        names = [shape.name for shape in layer_shapes(arch) if shape.kernel_shape is not None]
        if checksums and checksums.keys() != {f"{name}/{role}" for name in names for role in ROLES}:
            raise InputError("crc32 names other arrays")
        return arch, labels, dict(config["facts"]), checksums
    except UNSUITABLE as error:
        raise WeightsLayoutError(f"attribute {CONFIG!r} does not describe a VGG16 ({error!r})",
            do="write the file with jaxvis.save_vgg16",
        ) from error  # fmt: skip


def find_datasets(opened: h5py.File, shapes: Sequence[LayerShape]) -> Pairs:
    """Find kernel and bias of every layer in `shapes`, whichever layout the file has.

    Raises:
        WeightsLayoutError: other layers or arrays than those, with a guess at what network it is.
    """
    root = opened
    if has(opened, "model_weights"):
        root = child(opened, "model_weights", dataset=False)
    names = text_attribute(root, "layer_names")
    if names is not None:
        return _listed(root, names, shapes)
    if has(opened, "layers"):
        return _numbered(child(opened, "layers", dataset=False), shapes)
    raise WeightsLayoutError(
        "this HDF5 file holds no Keras weights: neither an attribute 'layer_names' nor a "
        "group 'layers'",
        do="wanted a file written by Keras's save_weights",
    )


def _listed(root: h5py.Group, names: list[str], shapes: Sequence[LayerShape]) -> Pairs:
    """Keras 1 and 2: layers and arrays in the order of the attributes."""
    found: dict[str, list[str]] = {}
    for name in names:
        group = child(root, name, dataset=False)
        weights = text_attribute(group, "weight_names")
        if weights is None:
            raise WeightsLayoutError("no attribute 'weight_names'", array=name,
                do="save the weights again with Keras",
            )  # fmt: skip
        if name in found or len(set(weights)) != len(weights):
            what = "the layer" if name in found else f"an array of {_some(weights)}"
            raise WeightsLayoutError(f"{what} is listed twice; wanted each once", array=name,
                do="save the weights again with Keras",
            )  # fmt: skip
        found[name] = weights
    wanted = [shape.name for shape in shapes]
    with_weights = [name for name, weights in found.items() if weights]
    _check_names(with_weights, wanted)
    for name in wanted:
        _check_order(name, found[name])
    return {
        name: tuple(child(root, f"{name}/{weight}", dataset=True) for weight in found[name])
        for name in wanted
    }


def _check_order(name: str, weights: list[str]) -> None:
    """Arrays go by order, but a name that says it is the other one is not to be trusted."""
    if len(weights) != 2:
        raise WeightsLayoutError(
            f"found {len(weights)} arrays ({_some(weights)}), wanted a kernel and a bias",
            array=name,
            do="save the weights again with Keras",
        )
    leaves = [weight.rsplit("/", 1)[-1].removeprefix(f"{name}_") for weight in weights]
    if leaves[0].startswith(("bias", "b_", "b:")) or leaves[1].startswith(("kernel", "W")):
        raise WeightsLayoutError(
            f"'weight_names' are {_some(weights)}; wanted the kernel first",
            array=name,
            do="save the weights again with Keras",
        )


def _check_names(found: list[str], wanted: list[str]) -> None:
    if found == wanted:
        return
    missing = [name for name in wanted if name not in found]
    extra = [name for name in found if name not in wanted]
    parts = [f"missing {_some(missing)}"] if missing else []
    parts += [f"not in the network: {_some(extra)}"] if extra else []
    parts += [f"layers in another order: {_some(found)}"] if not parts else []
    looks, do = _looks_like(found)
    raise WeightsLayoutError("; ".join(parts) + (f"; this looks like {looks}" if looks else ""),
        do=_wanted(wanted) + do,
    )  # fmt: skip


def _some(names: list[str]) -> str:
    """At most five names, none of them long: a file may have a thousand."""
    return ", ".join(name[:40] for name in names[:5]) + ", ..." * (len(names) > 5)


def _wanted(names: list[str]) -> str:
    return f"wanted Keras's VGG16 {'with' if 'predictions' in names else 'without'} its classifier"


def _looks_like(names: list[str]) -> tuple[str, str]:
    """Name the network that a list of layers belongs to, where it is a common one, and the cure."""
    if "block5_conv4" in names:
        return "VGG19", ""
    if any(name.startswith(("conv2_block", "res2a")) for name in names):
        return "a ResNet", ""
    if names and names[-1] == "block5_conv3":
        return "VGG16 without its classifier ('notop')", ": pass top=False, or the other file"
    if names and names[-1] == "predictions" and "block5_conv3" in names:
        return "VGG16 with its classifier", ": leave out top=False"
    return "", ""


def _numbered(layers: h5py.Group, shapes: Sequence[LayerShape]) -> Pairs:
    """Keras 3: the layers of a type are numbered in the order of the model."""
    found: Pairs = {}
    counts = {"conv2d": 0, "dense": 0}
    for shape in shapes:
        stem = "conv2d" if shape.kind == "Conv2D" else "dense"
        number = counts[stem]
        counts[stem] += 1
        path = stem if number == 0 else f"{stem}_{number}"
        if not has(layers, path):
            raise WeightsLayoutError(f"not in the file (wanted layers/{path})", array=shape.name,
                do=_wanted([shape.name for shape in shapes]),
            )  # fmt: skip
        group = child(layers, f"{path}/vars", dataset=False)
        given = text_attribute(group, "name")
        if given and given != [shape.name]:
            raise WeightsLayoutError(f"layers/{path} is named {given[0]!r}, wanted {shape.name!r}",
                array=shape.name, do="save the weights again with Keras",
            )  # fmt: skip
        found[shape.name] = tuple(child(group, str(role), dataset=True) for role in range(2))
        if has(group, "2"):
            raise WeightsLayoutError(
                "more than kernel and bias", array=shape.name, do="wanted Keras's VGG16"
            )
    for stem, number in counts.items():
        extra = f"{stem}_{number}" if number else stem
        if has(layers, extra):
            raise WeightsLayoutError(f"an extra layer, layers/{extra}",
                do=_wanted([shape.name for shape in shapes]),
            )  # fmt: skip
    return found
