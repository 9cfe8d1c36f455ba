"""What a file of a Keras VGG16 has to hold, and where in it the weights are: a checked `Plan`.

What the network is says the file itself, if `save_vgg16` or Keras has written that into it
(`description`); else it follows from names and shapes (`inferred`). Then every array is found
(`layouts`), and its shape, dtype and place are checked (`places`), before the first is read.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py

from jaxvis.errors import InputError
from jaxvis.models.layers import Architecture, architecture_of, layer_shapes
from jaxvis.weights.arrays import CONFIG, NORMALIZATION, Plan, Told
from jaxvis.weights.description import CONFIG as MODEL_CONFIG
from jaxvis.weights.description import Described, describe_model
from jaxvis.weights.errors import WeightsLayoutError, WeightsMismatchError
from jaxvis.weights.found import check_names
from jaxvis.weights.graph import Source, snake_case
from jaxvis.weights.hdf5 import child, has, open_h5, text_attribute
from jaxvis.weights.inferred import infer
from jaxvis.weights.layouts import (
    is_listed,
    listed_arrays,
    listed_layers,
    numbered_arrays,
    root_of,
    some,
)
from jaxvis.weights.opened import Identity
from jaxvis.weights.places import locate

# What JSON of the wrong shape, or numbers like infinity, can raise.
UNSUITABLE = (
    ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError
)  # fmt: skip


def make_plan(
    file: Path, *, top: bool | None = None, told: Told = Told(), description: str | None = None,  # noqa: B008
    identity: Identity | None = None,
) -> Plan:  # fmt: skip
    """Check every name, link, shape, dtype and place in a file against the network that it holds.

    Args:
        file: an .h5 file of a Keras VGG16.
        top: whether it must have a classifier; None is what the file says of itself, else yes.
        told: what the user says of the network.
        description: of the network, as JSON, where it came beside the file.
        identity: of the file that it must be, if others have looked at it.

    Raises:
        WeightsError: naming file and array, what was found and wanted, and what to do.
    """
    with open_h5(file, identity) as (opened, found_identity):
        labels: tuple[str, ...] | None = None
        facts: dict[str, Any] = {}
        checksums: dict[str, int] = {}
        keras = text_attribute(opened, MODEL_CONFIG) if description is None else [description]
        saved = None if keras is not None else _saved_by_jaxvis(opened)
        if keras is not None:
            where = f"attribute {MODEL_CONFIG!r}" if description is None else "config.json"
            described = describe_model(
                "".join(keras), top=top is not False, size=told.size, where=where
            )  # fmt: skip
            _check_told(told)
        elif saved is not None:
            arch, labels, facts, checksums = saved
            arch = arch._replace(head=()) if top is False else arch
            described = _as_saved(opened, arch, top)
        else:
            described = _inferred(opened, top is not False, told)
        return Plan(
            described.architecture, labels, facts, _places(opened, described),
            checksums, found_identity,
        )  # fmt: skip


def _saved_by_jaxvis(
    opened: h5py.File,
) -> tuple[Architecture, tuple[str, ...] | None, dict[str, Any], dict[str, int]] | None:
    """Architecture, labels, facts and checksums in the file's attribute, if it has one."""
    text = text_attribute(opened, CONFIG)
    if text is None:
        return None
    try:
        config = json.loads("".join(text))
        arch = architecture_of(config["architecture"])
        labels: Sequence[str] | None = config["labels"]
        if labels is not None:
            labels = tuple(str(name) for name in labels)
            if len(labels) != arch.classes:
                raise InputError(f"{len(labels)} labels for {arch.classes} classes")
        checksums = {str(name): int(value) for name, value in config.get("crc32", {}).items()}
        arrays = {f"{row.name}/{role}" for row in layer_shapes(arch) for role, _ in row.arrays}
        if checksums and checksums.keys() != arrays:
            raise InputError("crc32 names other arrays")
        return arch, labels, dict(config["facts"]), checksums
    except UNSUITABLE as error:
        raise WeightsLayoutError(f"attribute {CONFIG!r} does not describe a VGG16 ({error!r})",
            do="write the file with jaxvis.save_vgg16",
        ) from error  # fmt: skip


def _as_saved(opened: h5py.File, arch: Architecture, top: bool | None) -> Described:
    """The layers of a file that `save_vgg16` wrote, each a group of its own name."""
    names = [row.name for row in layer_shapes(arch) if row.arrays]
    if is_listed(opened):
        found = [layer.name for layer in listed_layers(root_of(opened)) if layer.arrays]
        if found != names or (top and not arch.top):
            check_names(found, arch.top if top is None else top, flat=True)
            raise WeightsLayoutError(f"found the layers {some(found)}; wanted {some(names)}",
                do="write the file with jaxvis.save_vgg16",
            )  # fmt: skip
    counts: dict[str, int] = {}
    sources = {}
    for row in layer_shapes(arch):
        stem = snake_case(row.kind)
        number = counts[stem] = counts.get(stem, -1) + 1
        path = f"layers/{stem}_{number}" if number else f"layers/{stem}"
        sources[row.name] = Source(row.name, row.name, path)
    for stem, number in counts.items() if not is_listed(opened) else ():
        if has(child(opened, "layers", dataset=False), f"{stem}_{number + 1}"):
            raise WeightsLayoutError(f"an extra layer, layers/{stem}_{number + 1}",
                do=f"wanted {some(names)}",
            )  # fmt: skip
    return Described(arch, sources, None)


def _inferred(opened: h5py.File, top: bool, told: Told) -> Described:
    try:
        return infer(opened, top=top, told=told)
    except WeightsLayoutError:
        raise
    except InputError as error:
        if isinstance(error, WeightsMismatchError):
            raise
        raise WeightsLayoutError(str(error), do="this is another network than VGG16") from error


def _check_told(told: Told) -> None:
    """What the file says needs no telling."""
    for name, value in (("pool", told.pool), ("activation", told.activation), ("last", told.last)):
        if value is not None:
            raise WeightsMismatchError(
                f"says itself what the network is, and {name}={value!r} was given",
                do=f"leave out {name}=",
            )


def _places(opened: h5py.File, described: Described) -> dict[str, Any]:
    """Find and check every array; return where each is, as "fc1/kernel"."""
    listed = is_listed(opened)
    root = root_of(opened)
    layers = {layer.name: layer for layer in listed_layers(root)} if listed else {}

    def arrays(source: Source, roles: tuple[str, ...]) -> tuple[h5py.Dataset, ...]:
        if not listed:
            return numbered_arrays(opened, source, roles)
        if source.top not in layers:
            raise WeightsLayoutError("not in the file", array=source.top[:40],
                do="save the weights again with Keras",
            )  # fmt: skip
        return listed_arrays(root, layers[source.top], source.name, roles)

    places = {}
    for row in layer_shapes(described.architecture):
        if row.arrays:
            roles = tuple(role for role, _ in row.arrays)
            found = arrays(described.sources[row.name], roles)
            for (role, shape), data in zip(row.arrays, found, strict=True):
                places[f"{row.name}/{role}"] = locate(f"{row.name}/{role}", data, shape)
    for affine in described.architecture.front:
        if not affine.sources and described.normalization is not None:  # its numbers are arrays
            shape = (described.architecture.channels,)
            found = arrays(described.normalization, NORMALIZATION)
            for role, data in zip(NORMALIZATION, found, strict=True):
                places[f"{affine.name}/{role}"] = locate(f"{affine.name}/{role}", data, shape)
    return places
