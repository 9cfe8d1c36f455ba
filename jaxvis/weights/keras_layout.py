"""Where in a Keras .h5 file the kernels and biases of VGG16 are.

Two layouts are read. Keras 1 and 2 (and its ImageNet files) list layers and arrays in attributes:

    /                      layer_names = block1_conv1, block1_conv2, block1_pool, ...
    /block1_conv1          weight_names = block1_conv1_W_1:0, block1_conv1_b_1:0
    /block1_conv1/block1_conv1_W_1:0   the kernel; a whole saved model has all under /model_weights

Keras 3 numbers the layers of a type: /layers/conv2d/vars/0 is the first kernel, .../1 its bias.
"""

from collections.abc import Sequence
from pathlib import Path

import h5py

from jaxvis.models.layers import LayerShape
from jaxvis.weights.errors import WeightsLayoutError
from jaxvis.weights.guarded_h5 import child, has, text_attribute

Pairs = dict[str, tuple[h5py.Dataset, ...]]


def find_datasets(file: Path, opened: h5py.File, shapes: Sequence[LayerShape]) -> Pairs:
    """Find kernel and bias of every layer in `shapes`, whichever layout the file has.

    Raises:
        WeightsLayoutError: other layers or arrays than those, with a guess at what network it is.
    """
    root = opened
    if has(opened, "model_weights"):
        root = child(file, opened, "model_weights", dataset=False)
    names = text_attribute(file, root, "layer_names")
    if names is not None:
        return _listed(file, root, names, shapes)
    if has(opened, "layers"):
        return _numbered(file, child(file, opened, "layers", dataset=False), shapes)
    raise WeightsLayoutError(
        file, "this HDF5 file holds no Keras weights: neither an attribute 'layer_names' nor a "
        "group 'layers'", do="wanted a file written by Keras's save_weights",
    )  # fmt: skip


def _listed(file: Path, root: h5py.Group, names: list[str], shapes: Sequence[LayerShape]) -> Pairs:
    """Keras 1 and 2: layers and arrays in the order of the attributes."""
    found: dict[str, list[str]] = {}
    for name in names:
        group = child(file, root, name, dataset=False)
        weights = text_attribute(file, group, "weight_names")
        if weights is None:
            raise WeightsLayoutError(
                file, "no attribute 'weight_names'", array=name,
                do="save the weights again with Keras",
            )  # fmt: skip
        if name in found or len(set(weights)) != len(weights):
            what = "the layer" if name in found else f"an array of {_some(weights)}"
            raise WeightsLayoutError(
                file, f"{what} is listed twice; wanted each once", array=name,
                do="save the weights again with Keras",
            )  # fmt: skip
        found[name] = weights
    wanted = [shape.name for shape in shapes]
    with_weights = [name for name, weights in found.items() if weights]
    _check_names(file, with_weights, wanted)
    for name in wanted:
        _check_order(file, name, found[name])
    return {
        name: tuple(child(file, root, f"{name}/{weight}", dataset=True) for weight in found[name])
        for name in wanted
    }


def _check_order(file: Path, name: str, weights: list[str]) -> None:
    """Arrays go by order, but a name that says it is the other one is not to be trusted."""
    if len(weights) != 2:
        raise WeightsLayoutError(
            file, f"found {len(weights)} arrays ({_some(weights)}), wanted a kernel and a bias",
            array=name, do="save the weights again with Keras",
        )  # fmt: skip
    leaves = [weight.rsplit("/", 1)[-1].removeprefix(f"{name}_") for weight in weights]
    if leaves[0].startswith(("bias", "b_", "b:")) or leaves[1].startswith(("kernel", "W")):
        raise WeightsLayoutError(
            file, f"'weight_names' are {_some(weights)}; wanted the kernel first", array=name,
            do="save the weights again with Keras",
        )  # fmt: skip


def _check_names(file: Path, found: list[str], wanted: list[str]) -> None:
    if found == wanted:
        return
    missing = [name for name in wanted if name not in found]
    extra = [name for name in found if name not in wanted]
    parts = [f"missing {_some(missing)}"] if missing else []
    parts += [f"not in the network: {_some(extra)}"] if extra else []
    parts += [f"layers in another order: {_some(found)}"] if not parts else []
    looks, do = _looks_like(found)
    raise WeightsLayoutError(
        file, "; ".join(parts) + (f"; this looks like {looks}" if looks else ""),
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


def _numbered(file: Path, layers: h5py.Group, shapes: Sequence[LayerShape]) -> Pairs:
    """Keras 3: the layers of a type are numbered in the order of the model."""
    found: Pairs = {}
    counts = {"conv2d": 0, "dense": 0}
    for shape in shapes:
        stem = "conv2d" if shape.kind == "Conv2D" else "dense"
        number = counts[stem]
        counts[stem] += 1
        path = stem if number == 0 else f"{stem}_{number}"
        if not has(layers, path):
            raise WeightsLayoutError(
                file, f"not in the file (wanted layers/{path})", array=shape.name,
                do=_wanted([shape.name for shape in shapes]),
            )  # fmt: skip
        group = child(file, layers, f"{path}/vars", dataset=False)
        given = text_attribute(file, group, "name")
        if given and given != [shape.name]:
            raise WeightsLayoutError(
                file, f"layers/{path} is named {given[0]!r}, wanted {shape.name!r}",
                array=shape.name, do="save the weights again with Keras",
            )  # fmt: skip
        found[shape.name] = tuple(child(file, group, str(role), dataset=True) for role in range(2))
        if has(group, "2"):
            raise WeightsLayoutError(
                file, "more than kernel and bias", array=shape.name, do="wanted Keras's VGG16"
            )
    for stem, number in counts.items():
        extra = f"{stem}_{number}" if number else stem
        if has(layers, extra):
            raise WeightsLayoutError(
                file, f"an extra layer, layers/{extra}",
                do=_wanted([shape.name for shape in shapes]),
            )  # fmt: skip
    return found
