"""Weights alone, without a description of their network: what follows from names and shapes.

The convolutions are known by their names, or by their numbers and shapes; the dense layers behind
them by their order. What neither tells (average or maximum? what follows a hidden layer?) is asked
for by an error that names the argument.
"""

from collections.abc import Sequence

import h5py

from jaxvis.models.heads import ACTIVATIONS, POOLINGS, HeadLayer, dense
from jaxvis.models.layers import Architecture, architecture
from jaxvis.weights.arrays import Told
from jaxvis.weights.description import Described
from jaxvis.weights.errors import WeightsLayoutError, WeightsMismatchError
from jaxvis.weights.found import CONVOLUTIONS, STANDARD, WHOLE, Row, Silent, found_layers


def infer(opened: h5py.File, *, top: bool, told: Told) -> Described:
    """Return the VGG16 that a file of weights holds.

    Raises:
        WeightsLayoutError: other layers, or what has to be told and was not.
        WeightsMismatchError: kernels that do not follow on one another.
    """
    rows, silent = found_layers(opened, top)
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
            activation = told.last or ("softmax" if name == STANDARD[-1] else "linear")
        elif name in STANDARD[:-1]:
            activation = "relu"
        elif told.activation is None:
            raise WeightsLayoutError(
                "a hidden layer, and the file does not tell what follows it", array=name[:40],
                do='pass activation="relu" (--activation relu), or another of '
                f"{', '.join(ACTIVATIONS)}; or {WHOLE}",
            )  # fmt: skip
        else:
            activation = told.activation
        head.append(dense(name, kernel[1], activation, bias=row.biased))
    if told.activation is not None and all(row.source.name in STANDARD for row in rest[:-1]):
        raise WeightsMismatchError(
            f"activation={told.activation!r} is of hidden dense layers, and there are none of "
            "your own",
            do="leave it out",
        )
    return head


def _pooling(
    rest: Sequence[Row], silent: Sequence[Silent], features: int, told: Told
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
            do='pass pool="avg" (--pool avg) for GlobalAveragePooling2D, or pool="max" for '
            "GlobalMaxPooling2D",
        )  # fmt: skip
    if told.size is None:
        raise WeightsLayoutError(
            "behind a global pooling, which leaves nothing of the size of the input, and the file "
            "does not tell it", array=rest[0].source.name[:40],
            do="pass size=(height, width), such as size=(224, 224) (--size 224x224)",
        )  # fmt: skip
    name, kind = pools[0] if pools else ("pooling", None)
    return [HeadLayer(name, kind or POOLINGS[told.pool or ""])], told.size


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
        do="pass size=(height, width), such as size=(150, 150) (--size 150x150)",
    )
