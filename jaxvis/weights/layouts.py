"""Where Keras puts the arrays of its layers in an .h5 file. Two layouts are read.

Keras 1 and 2, and Keras 3's .h5, list layers and arrays in attributes; a model inside a model is
one layer, whose arrays are named after the layers inside it, those that train first:

    /                      layer_names = vgg16, dense, ...
    /vgg16                 weight_names = block1_conv1/kernel:0, block1_conv1/bias:0, ...
    /vgg16/block1_conv1/kernel:0   the kernel; a whole saved model has all under /model_weights

.weights.h5, and the one inside .keras, number the layers of a type, in the order of the model:
/layers/conv2d/vars/0 is the first kernel, .../1 its bias; of a model inside a model it is
/layers/functional/layers/conv2d/vars/0.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

import h5py

from jaxvis.weights.errors import WeightsLayoutError
from jaxvis.weights.graph import Source
from jaxvis.weights.hdf5 import child, has, text_attribute

ROLES = (
    "kernel",
    "bias",
    "gamma",
    "beta",
    "moving_mean",
    "moving_variance",
    "mean",
    "variance",
    "count",
)
AGAIN = "save the weights again with Keras"
# What Keras 1 called them; its "running_std" held the variance.
_OLD = {
    "W": "kernel", "b": "bias", "gamma": "gamma", "beta": "beta", "running_mean": "moving_mean",
    "running_std": "moving_variance",
}  # fmt: skip
_OF_OLD = re.compile(rf"(?:(.*)_)?({'|'.join(_OLD)})(?:_\d+)?")


class Listed(NamedTuple):
    """A layer of the outermost model in the first layout, and the names of its arrays, in order."""

    name: str
    arrays: list[str]


def root_of(opened: h5py.File) -> h5py.Group:
    """Return the group that holds the layers."""
    if has(opened, "model_weights"):
        return child(opened, "model_weights", dataset=False)
    return opened


def is_listed(opened: h5py.File) -> bool:
    """Whether a file has the first layout, and not the second.

    Raises:
        WeightsLayoutError: it has neither.
    """
    if text_attribute(root_of(opened), "layer_names") is not None:
        return True
    if has(opened, "layers"):
        return False
    raise WeightsLayoutError(
        "this HDF5 file holds no Keras weights: neither an attribute 'layer_names' nor a "
        "group 'layers'",
        do="wanted a file written by Keras's save_weights",
    )


def listed_layers(root: h5py.Group) -> list[Listed]:
    """Return the layers of the first layout in their order, those without arrays too."""
    found: dict[str, Listed] = {}
    for name in text_attribute(root, "layer_names") or ():
        group = child(root, name, dataset=False)
        weights = text_attribute(group, "weight_names")
        if weights is None:
            raise WeightsLayoutError("no attribute 'weight_names'", array=name, do=AGAIN)
        if name in found or len(set(weights)) != len(weights):
            what = "the layer" if name in found else f"an array of {some(weights)}"
            raise WeightsLayoutError(
                f"{what} is listed twice; wanted each once", array=name, do=AGAIN
            )
        found[name] = Listed(name, weights)
    return list(found.values())


def owner_and_role(weight: str) -> tuple[str | None, str | None]:
    """Return which layer and role the name of an array says, as far as it says any."""
    *above, leaf = weight.split("/")
    leaf = re.sub(r":\d+$", "", leaf)
    owner = above[-1] if above else None
    if leaf in ROLES:
        return owner, leaf
    old = _OF_OLD.fullmatch(leaf)
    if old is not None:
        return old[1] or owner, _OLD[old[2]]
    return owner, None


def arrays_of(layer: Listed, name: str) -> list[str]:
    """Return the names of the arrays of a layer, or of the one of that name inside it."""
    if layer.name == name:  # alone in its group: what it is called in its arrays does not matter
        return layer.arrays
    owners = [owner_and_role(weight)[0] or "" for weight in layer.arrays]
    if name not in owners:  # the second network of that name in a session: block1_conv1_1
        owners = [name if re.fullmatch(re.escape(name) + r"_\d+", one) else "" for one in owners]
    return [weight for weight, one in zip(layer.arrays, owners, strict=True) if one == name]


def listed_arrays(
    root: h5py.Group, layer: Listed, name: str, roles: Sequence[str]
) -> tuple[h5py.Dataset, ...]:
    """Return the arrays of a layer, or of one of that name inside it, in the order of the roles.

    Those of a layer alone go by their order, but a name that says it is another is not trusted.

    Raises:
        WeightsLayoutError: other arrays than those, or names that contradict their order.
    """
    own = arrays_of(layer, name)
    if "mean" in roles:  # beside which Normalization keeps a count of images
        own = [weight for weight in own if owner_and_role(weight)[1] != "count"]
    where = name[:40] if layer.name == name else f"{layer.name[:40]}/{name[:40]}"
    if len(own) != len(roles):
        raise WeightsLayoutError(
            f"found {len(own)} arrays ({some(own)}), wanted {_listing(roles)}",
            array=where,
            do=AGAIN,
        )
    told = [owner_and_role(weight)[1] for weight in own]
    if layer.name != name and sorted(map(str, told)) == sorted(roles):
        own = [own[told.index(role)] for role in roles]
    elif any(one not in (None, role) for one, role in zip(told, roles, strict=True)):
        raise WeightsLayoutError(
            f"'weight_names' are {some(own)}; wanted {_listing(roles)}, in this order",
            array=where,
            do=AGAIN,
        )
    return tuple(child(root, f"{layer.name}/{weight}", dataset=True) for weight in own)


def _listing(roles: Sequence[str]) -> str:
    return " and ".join(f"a {role}" for role in roles)


def numbered_arrays(
    opened: h5py.File, source: Source, roles: Sequence[str]
) -> tuple[h5py.Dataset, ...]:
    """Return the arrays of a layer in the second layout.

    Raises:
        WeightsLayoutError: it is not there, has another name, or more arrays.
    """
    stem, _, key = source.path.rpartition("/")
    parent = child(opened, stem, dataset=False) if stem else opened
    if not has(parent, key):
        raise WeightsLayoutError(
            f"not in the file (wanted {source.path})", array=source.name[:40], do=AGAIN
        )
    group = child(parent, f"{key}/vars", dataset=False)
    given = text_attribute(group, "name")
    if given and given != [source.name]:
        raise WeightsLayoutError(
            f"{source.path} is named {given[0][:40]!r}, wanted {source.name[:40]!r}",
            array=source.name[:40],
            do=AGAIN,
        )
    if "mean" not in roles and has(group, str(len(roles))):  # beside which is a count
        raise WeightsLayoutError(
            f"more arrays than {_listing(roles)}",
            array=source.name[:40],
            do=AGAIN,
        )
    return tuple(child(group, str(number), dataset=True) for number in range(len(roles)))


def some(names: Sequence[str]) -> str:
    """At most five names, none of them long: a file may have a thousand."""
    return ", ".join(name[:40] for name in names[:5]) + ", ..." * (len(names) > 5)
