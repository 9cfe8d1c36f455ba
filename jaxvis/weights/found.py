"""Which layers a file of weights alone has: those of VGG16's convolutions first, then the others.

In the first layout they are listed by name, in the second numbered by type (`layouts`).
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

import h5py

from jaxvis.models.heads import standard_head
from jaxvis.models.layers import LAYERS, NO_TOP
from jaxvis.weights.errors import WeightsLayoutError
from jaxvis.weights.graph import IDLE, Source, snake_case
from jaxvis.weights.hdf5 import child, has, names_in, text_attribute
from jaxvis.weights.layouts import (
    arrays_of,
    is_listed,
    listed_arrays,
    listed_layers,
    numbered_arrays,
    owner_and_role,
    root_of,
    some,
)
from jaxvis.weights.places import shape_of

CONVOLUTIONS = [row.name for row in LAYERS[:NO_TOP] if row.kind == "Conv2D"]
POOLS = [row.name for row in LAYERS[:NO_TOP] if row.kind != "Conv2D"]
STANDARD = [layer.name for layer in standard_head() if layer.kind == "Dense"]
WHOLE = "save the whole model, which tells: model.save('my_model.keras')"
# What Keras calls layers without weights that it was given no name for, by what they are.
SILENT = {
    "Flatten": ("flatten",),
    "GlobalAveragePooling2D": ("global_average_pooling2d",),
    "GlobalMaxPooling2D": ("global_max_pooling2d",),
    "idle": ("input", "dropout", *(snake_case(kind) for kind in IDLE)),
}  # fmt: skip


class Row(NamedTuple):
    """A layer that the file has: `kernel` is the shape of its kernel, if it has one."""

    source: Source
    kernel: tuple[int, ...] | None
    biased: bool = True


Silent = tuple[str, str | None]  # a layer without arrays: its name, and its kind as far as told


def found_layers(opened: h5py.File, top: bool) -> tuple[list[Row], list[Silent]]:
    """Return the layers with arrays, the thirteen convolutions first, and those without.

    Raises:
        WeightsLayoutError: other convolutions than VGG16's, or with `top` no layer behind them.
    """
    return _listed(opened, top) if is_listed(opened) else _numbered(opened, top)


def _listed(opened: h5py.File, top: bool) -> tuple[list[Row], list[Silent]]:
    root = root_of(opened)
    layers = listed_layers(root)
    body: dict[str, Row] = {}
    rest: list[Row] = []
    silent = [(layer.name, _silent(layer.name)) for layer in layers if not layer.arrays]
    silent = [pair for pair in silent if pair[0] not in POOLS]
    order: list[str] = []
    for layer in layers:
        owners = list(dict.fromkeys(owner_and_role(w)[0] or layer.name for w in layer.arrays))
        names = [layer.name] if len(owners) == 1 else owners
        for name in names if layer.arrays else ():
            order.append(name)
            if name in body or name in (row.source.name for row in rest):
                raise WeightsLayoutError("the layer is there twice", array=name[:40], do=WHOLE)
            source = Source(layer.name, name, "")
            if name in CONVOLUTIONS:
                body[name] = Row(source, None)
            else:
                rest.append(Row(source, None))
    flat = all(row.source.top == name for name, row in body.items())
    check_names(order, top, flat=flat)
    by_name = {layer.name: layer for layer in layers}

    def found(row: Row) -> Row:
        layer = by_name[row.source.top]
        biased = len(arrays_of(layer, row.source.name)) != 1
        roles = ("kernel", "bias") if biased else ("kernel",)
        arrays = listed_arrays(root, layer, row.source.name, roles)
        name = f"{row.source.name}/kernel"
        return Row(row.source, shape_of(name, arrays[0]), biased)

    rows = [*(body[name] for name in CONVOLUTIONS), *(rest if top else ())]
    return [found(row) for row in rows], silent


def check_names(found: list[str], top: bool, *, flat: bool) -> None:
    """Check the names of the layers with arrays; the error guesses at what network it is.

    Raises:
        WeightsLayoutError: convolutions are missing, or there are more, or none is left for a
            classifier.
    """
    body = [name for name in found if name in CONVOLUTIONS]
    rest = [name for name in found if name not in CONVOLUTIONS]
    missing = [name for name in CONVOLUTIONS if name not in body]
    foreign = [name for name in rest if re.fullmatch(r"block\d+_conv\d+", name)]
    alien = rest if missing else foreign
    if top and not missing and not foreign and set(rest) < set(STANDARD):
        missing = [name for name in STANDARD if name not in rest]
    if not top and rest:
        alien = rest
    turned = (flat and body != CONVOLUTIONS) or (set(rest) == set(STANDARD) and rest != STANDARD)
    if not missing and not alien and not turned:
        return
    if missing and len(missing) == len(CONVOLUTIONS) and top:
        missing = [*CONVOLUTIONS, *(name for name in STANDARD if name not in rest)]
    parts = [f"missing {some(missing)}"] if missing else []
    parts += [f"not in the network: {some(alien)}"] if alien else []
    parts += [f"layers in another order: {some(found)}"] if not parts else []
    looks, do = _looks_like(found)
    with_head = "with" if top else "without"
    raise WeightsLayoutError("; ".join(parts) + (f"; this looks like {looks}" if looks else ""),
        do=f"wanted Keras's VGG16 {with_head} its classifier{do}",
    )  # fmt: skip


def _looks_like(names: Sequence[str]) -> tuple[str, str]:
    """Name the network that a list of layers belongs to, where it is a common one, and the cure."""
    if "block5_conv4" in names:
        return "VGG19", ""
    if any(name.startswith(("conv2_block", "res2a")) for name in names):
        return "a ResNet", ""
    if names and names[-1] == "block5_conv3":
        return "VGG16 without its classifier ('notop')", ": pass top=False, or the other file"
    if names and "block5_conv3" in names[:-1]:
        return "VGG16 with its classifier", ": leave out top=False"
    return "", ""


def _silent(name: str) -> str | None:
    """What a layer without weights is, by the name that Keras gives it; None for another name."""
    stem = re.sub(r"_\d+$", "", name)
    for kind, stems in SILENT.items():
        if stem in stems or (kind == "idle" and stem.startswith(("input", "dropout"))):
            return kind
    return None


def _numbered(opened: h5py.File, top: bool) -> tuple[list[Row], list[Silent]]:
    leaves: list[Source] = []
    _collect(opened, "layers", leaves, 0)
    stems = [re.sub(r"_\d+$", "", leaf.path.rpartition("/")[2]) for leaf in leaves]
    convolutions = [leaf for leaf, stem in zip(leaves, stems, strict=True) if stem == "conv2d"]
    denses = [leaf for leaf, stem in zip(leaves, stems, strict=True) if stem == "dense"]
    for what, found in (("convolutions", convolutions), ("dense layers", denses)):
        if len({leaf.path.rpartition("/")[0] for leaf in found}) > 1:
            raise WeightsLayoutError(
                f"has {what} in several models, and does not tell their order", do=WHOLE
            )
    convolutions.sort(key=_number)
    denses.sort(key=_number)
    if len(convolutions) != len(CONVOLUTIONS):
        wanted = convolutions[-1].path if convolutions else "layers/conv2d"
        raise WeightsLayoutError(
            f"found {len(convolutions)} convolutions (the last is {wanted}), wanted the "
            f"{len(CONVOLUTIONS)} of VGG16",
            do="this is another network than VGG16",
        )
    named = [leaf.name for leaf in convolutions]
    if any(name and name in CONVOLUTIONS for name in named) and named != CONVOLUTIONS:
        check_names([*named, *(leaf.name for leaf in denses)], top, flat=True)
    if top and not denses:
        raise WeightsLayoutError(
            "this looks like VGG16 without its classifier ('notop'); wanted one with a dense layer",
            do="pass top=False, or the file with the classifier",
        )
    if not top and denses:
        raise WeightsLayoutError("this looks like VGG16 with its classifier",
            do="leave out top=False",
        )  # fmt: skip
    silent = []
    for leaf, stem in zip(leaves, stems, strict=True):
        if stem in ("conv2d", "dense", "max_pooling2d"):
            continue
        kind = _silent(stem)
        if kind is None and not _without_arrays(opened, leaf):
            raise WeightsLayoutError(
                f"a layer with arrays of its own, {leaf.path}, and the file does not tell where in "
                "the network it is",
                array=leaf.name[:40],
                do=WHOLE,
            )
        silent.append((leaf.name, kind))
    rows = [_of_numbered(opened, leaf) for leaf in (*convolutions, *denses)]
    return _with_kerass_names(rows), silent


def _with_kerass_names(rows: list[Row]) -> list[Row]:
    """Keras 2 leaves the names out; three dense layers of its own sizes are its own."""
    head = rows[len(CONVOLUTIONS) :]
    shapes = [row.kernel for row in head]
    wide = 8 * (rows[len(CONVOLUTIONS) - 1].kernel or (0,))[-1]  # 4096 to 512 channels
    match shapes:
        case [(_, a), (b, c), (d, _)] if a == b == c == d == wide and all(
            row.source.name == row.source.path.rpartition("/")[2] for row in head
        ):
            named = zip(head, STANDARD, strict=True)
            head = [row._replace(source=row.source._replace(name=name)) for row, name in named]
    return [*rows[: len(CONVOLUTIONS)], *head]


def _of_numbered(opened: h5py.File, leaf: Source) -> Row:
    group = child(opened, f"{leaf.path}/vars", dataset=False)
    biased = has(group, "1")
    roles = ("kernel", "bias") if biased else ("kernel",)
    arrays = numbered_arrays(opened, leaf, roles)
    return Row(leaf, shape_of(f"{leaf.name[:40]}/kernel", arrays[0]), biased)


def _collect(opened: h5py.File, path: str, leaves: list[Source], depth: int) -> None:
    """Find the layers of the second layout, in models inside of models too."""
    if depth > 3 or len(leaves) > 1000:
        raise WeightsLayoutError("models in models without end; wanted a VGG16", do=WHOLE)
    for key in names_in(child(opened, path, dataset=False)):
        group = child(opened, f"{path}/{key}", dataset=False)
        if has(group, "layers"):
            _collect(opened, f"{path}/{key}/layers", leaves, depth + 1)
            continue
        name = key
        if has(group, "vars"):
            given = text_attribute(child(group, "vars", dataset=False), "name")
            name = given[0] if given else key
        leaves.append(Source(name, name, f"{path}/{key}"))


def _without_arrays(opened: h5py.File, leaf: Source) -> bool:
    group = child(opened, leaf.path, dataset=False)
    return not has(group, "vars") or not names_in(child(group, "vars", dataset=False))


def _number(leaf: Source) -> int:
    match = re.search(r"_(\d+)$", leaf.path)
    return int(match[1]) if match else 0
