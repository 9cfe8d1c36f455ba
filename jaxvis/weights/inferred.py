"""Weights alone, without a description of their network: what follows from names and shapes.

The convolutions are known by their names, or by their numbers and shapes; the dense layers behind
them by their order. What neither tells (average or maximum? what follows a hidden layer?) is asked
for by an error that names the argument.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

import h5py

from jaxvis.models.heads import ACTIVATIONS, POOLINGS, HeadLayer, dense, standard_head
from jaxvis.models.layers import LAYERS, NO_TOP, Architecture, architecture
from jaxvis.weights.arrays import Told
from jaxvis.weights.description import IDLE, Described, Source, snake_case
from jaxvis.weights.errors import WeightsLayoutError, WeightsMismatchError
from jaxvis.weights.hdf5 import child, has, names_in, shape_of, text_attribute
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


def infer(opened: h5py.File, *, top: bool, told: Told) -> Described:
    """Return the VGG16 that a file of weights holds.

    Raises:
        WeightsLayoutError: other layers, or what has to be told and was not.
        WeightsMismatchError: kernels that do not follow on one another.
    """
    rows, silent = _listed(opened, top) if is_listed(opened) else _numbered(opened, top)
    body, rest = rows[: len(CONVOLUTIONS)], rows[len(CONVOLUTIONS) :]
    sources = {name: row.source for name, row in zip(CONVOLUTIONS, body, strict=True)}
    first, last = body[0].kernel, body[-1].kernel
    if first is None or last is None or len(first) != 4 or len(last) != 4:
        raise WeightsMismatchError(
            f"found shape {first if first is None or len(first) != 4 else last}, wanted kernels "
            "(3, 3, channels, features)", array=CONVOLUTIONS[0], do="wanted Keras's VGG16",
        )  # fmt: skip
    width, channels = first[-1] / 64, first[2]
    if channels not in (1, 3) or not 1 <= first[-1] <= 4096:
        raise WeightsMismatchError(f"found shape {first}, wanted (3, 3, 3, 64), or 1 channel",
            array=f"{CONVOLUTIONS[0]}/kernel", do="this is another network",
        )  # fmt: skip
    if not top:
        size = told.size or (224, 224)
        return Described(
            architecture(width=width, channels=channels, size=size, top=False), sources, None
        )
    features = int(512 * width)
    pooling, size = _pooling(rest, silent, features, told)
    head = [*pooling, *_dense_layers(rest, told)]
    names = {row.source.name: row.source for row in rest}
    arch: Architecture = architecture(width=width, channels=channels, size=size, head=head)
    return Described(arch, sources | names, None)


def _dense_layers(rest: Sequence[Row], told: Told) -> list[HeadLayer]:
    """The dense layers; what follows a hidden one is known of Keras's own alone."""
    head = []
    for row in rest:
        name, kernel = row.source.name, row.kernel
        if kernel is None or len(kernel) != 2:
            raise WeightsLayoutError(
                f"a layer with arrays of its own, whose kernel has shape {kernel}; wanted dense "
                "layers behind block5_pool, as far as weights alone can tell",
                array=name[:40], do=WHOLE,
            )  # fmt: skip
        if row is rest[-1]:
            activation = "softmax" if name == STANDARD[-1] else "linear"
        elif name in STANDARD[:-1]:
            activation = "relu"
        elif told.activation is None:
            raise WeightsLayoutError(
                "a hidden layer, and the file does not tell what follows it", array=name[:40],
                do=f'pass activation="relu", or another of {", ".join(ACTIVATIONS)}; or {WHOLE}',
            )  # fmt: skip
        else:
            activation = told.activation
        head.append(dense(name, kernel[1], activation, bias=row.biased))
    return head


def _pooling(
    rest: Sequence[Row], silent: Sequence[tuple[str, str | None]], features: int, told: Told
) -> tuple[list[HeadLayer], tuple[int, int]]:
    """What lies between block5_pool and the first dense layer, and the size of the input."""
    kernel = rest[0].kernel
    fan_in = kernel[0] if kernel else 0
    pools = [(name, kind) for name, kind in silent if kind in POOLINGS.values()]
    others = [name for name, kind in silent if kind is None]
    if len(others) == 1 and not pools and told.pool is not None and fan_in == features:
        pools, others = [(others[0], POOLINGS[told.pool])], []
    if others:
        raise WeightsLayoutError(
            "a layer without weights, and the file does not tell what it does",
            array=others[0][:40], do=WHOLE,
        )  # fmt: skip
    flat = next((name for name, kind in silent if kind == "Flatten"), "flatten")
    if fan_in != features:
        if pools or told.pool is not None:
            what = f"the layer {pools[0][0]!r}" if pools else f"pool={told.pool!r}"
            raise WeightsMismatchError(
                f"found {fan_in} inputs, but {what} would leave {features}",
                array=f"{rest[0].source.name[:40]}/kernel", do="see what the network is made of",
            )  # fmt: skip
        return [HeadLayer(flat, "Flatten")], _size_of(rest[0], fan_in, features, told)
    if pools and told.pool is not None and pools[0][1] != POOLINGS[told.pool]:
        raise WeightsMismatchError(
            f"the file has {pools[0][0]!r}, but pool={told.pool!r}", do="leave out pool="
        )
    if not pools and told.pool is None:
        if told.size is not None and max(told.size) < 64:
            return [HeadLayer(flat, "Flatten")], told.size  # of one place, all three are the same
        raise WeightsLayoutError(
            f"takes {fan_in} inputs, so there is a pooling before it, and the file does not tell "
            "which", array=rest[0].source.name[:40],
            do='pass pool="avg" for GlobalAveragePooling2D, or pool="max" for GlobalMaxPooling2D',
        )  # fmt: skip
    name, kind = pools[0] if pools else ("pooling", None)
    return [HeadLayer(name, kind or POOLINGS[told.pool or ""])], told.size or (224, 224)


def _size_of(row: Row, fan_in: int, features: int, told: Told) -> tuple[int, int]:
    """The size of the input of a network that flattens, from the number of places that are left."""
    array = f"{row.source.name[:40]}/kernel"
    cells = fan_in // features
    if fan_in % features or not cells:
        raise WeightsMismatchError(
            f"found {fan_in} inputs, wanted a multiple of the {features} channels of block5_pool",
            array=array, do="see what lies between the two",
        )  # fmt: skip
    if told.size is not None:
        height, width = (side // 32 for side in told.size)
        if height * width != cells:
            raise WeightsMismatchError(
                f"found {cells} places of block5_pool, but size={told.size} would leave "
                f"{height} x {width}",
                array=array,
                do="pass the size that the network reads",
            )
        return told.size
    if cells == 49:
        return 224, 224
    raise WeightsLayoutError(
        f"{cells} places of block5_pool are left of the input, and the file does not tell its size",
        array=array,
        do="pass size=(height, width), such as size=(150, 150)",
    )


# Which layers there are.


def _listed(opened: h5py.File, top: bool) -> tuple[list[Row], list[tuple[str, str | None]]]:
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


def _numbered(opened: h5py.File, top: bool) -> tuple[list[Row], list[tuple[str, str | None]]]:
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
