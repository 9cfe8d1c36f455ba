"""What people put behind VGG16's convolutions, and before them: layers as data. No JAX needed.

A head is a pooling or `Flatten`, then any row of dense layers, normalisations and activations. The
closed list here is all that is understood; who reads a file refuses everything else by its name.
"""

import math
from collections.abc import Collection, Sequence
from math import prod
from typing import NamedTuple

from jaxvis.errors import InputError

Arrays = tuple[tuple[str, tuple[int, ...]], ...]

POOLINGS = {"avg": "GlobalAveragePooling2D", "max": "GlobalMaxPooling2D"}  # by Keras's pool=
OUTPUTS = ("softmax", "sigmoid")  # left off where they are the last
ACTIVATIONS = ("linear", "relu", *OUTPUTS)
KINDS = (
    "Flatten", *POOLINGS.values(), "Dense", "Dropout", "BatchNormalization", "Activation"
)  # fmt: skip
# Which arrays a layer may have.
MOMENTS = ("moving_mean", "moving_variance")
ROLES = {
    "Dense": (("kernel", "bias"), ("kernel",)),
    "BatchNormalization": (
        ("gamma", "beta", *MOMENTS), ("beta", *MOMENTS), ("gamma", *MOMENTS), MOMENTS
    ),
}  # fmt: skip
# What a layer of weights may be called by whoever trained it, and what would hide a part of VGG16.
TAKEN = {
    "architecture", "labels", "cut", "chain", "class_index", "summary", "images_are_independent",
    "preprocess", "reads", "rows",
}  # fmt: skip


class HeadLayer(NamedTuple):
    """One layer of a head.

    Attributes:
        name: by which `cut` and the tables know it.
        kind: one of `KINDS`, which are Keras's.
        units: of a dense layer.
        activation: of a dense layer or an `Activation`: one of `ACTIVATIONS`.
        arrays: which weights it has: a dense layer may lack its "bias", a batch normalisation its
            "gamma" or "beta".
        numbers: of a batch normalisation its epsilon.
    """

    name: str
    kind: str
    units: int = 0
    activation: str = "linear"
    arrays: tuple[str, ...] = ()
    numbers: tuple[float, ...] = ()

    def shapes(self, shape: tuple[int, ...]) -> tuple[tuple[int, ...], Arrays]:
        """Return the shape of one image's output, and of the weights, for an input of a shape."""
        if self.kind == "Flatten":
            return (prod(shape),), ()
        if self.kind in POOLINGS.values():
            return shape[-1:], ()
        if self.kind == "Dense":
            wanted = {"kernel": (shape[-1], self.units), "bias": (self.units,)}
            return (*shape[:-1], self.units), tuple((name, wanted[name]) for name in self.arrays)
        return shape, tuple((name, shape[-1:]) for name in self.arrays)


class Affine(NamedTuple):
    """What a network does to every pixel before its first convolution.

    Output channel i is `scale[i]` times input channel `sources[i]`, plus `offset[i]`.

    Attributes:
        name, kind: of the layers in the file that do it, for the summary.
    """

    name: str
    kind: str
    sources: tuple[int, ...]
    scale: tuple[float, ...]
    offset: tuple[float, ...]


def dense(name: str, units: int, activation: str = "linear", *, bias: bool = True) -> HeadLayer:
    """A dense layer."""
    arrays = ("kernel", "bias") if bias else ("kernel",)
    return HeadLayer(name, "Dense", units, activation, arrays)


def standard_head(classes: int = 1000, fc: int = 4096) -> tuple[HeadLayer, ...]:
    """Keras's own: flatten, fc1, fc2, and predictions, whose softmax is left off."""
    return (
        HeadLayer("flatten", "Flatten"),
        dense("fc1", fc, "relu"),
        dense("fc2", fc, "relu"),
        dense("predictions", classes, "softmax"),
    )


def check_head(head: Sequence[HeadLayer], names: Collection[str]) -> None:
    """Check a head against the closed list; `names` are those of the layers before it.

    Raises:
        ValueError: an unknown kind, activation or number, a name that is taken or twice there, no
            dense layer, or space axes that are left over.
    """
    seen = set(names)
    flat = False
    for layer in head:
        where = f"layer {layer.name!r} of the head"
        if layer.kind not in KINDS:
            raise InputError(f"{where} is a {layer.kind!r}; wanted one of {', '.join(KINDS)}")
        if layer.activation not in ACTIVATIONS:
            raise InputError(
                f"{where} has the activation {layer.activation!r}; wanted one of "
                f"{', '.join(ACTIVATIONS)}"
            )
        name = layer.name
        if not name or "/" in name or name.startswith("_") or name in TAKEN:
            raise InputError(f"{where} cannot be called so; wanted another name")
        if name in seen:
            raise InputError(f"two layers are called {name!r}; wanted each name once")
        seen.add(name)
        if layer.kind in ("Flatten", *POOLINGS.values()):
            flat = True
        if layer.kind == "Dense":
            if not flat:
                raise InputError(
                    f"{where} stands behind block5_pool directly; wanted Flatten, "
                    f"{' or '.join(POOLINGS.values())} before it"
                )
            if not isinstance(layer.units, int) or layer.units < 1:
                raise InputError(f"{where} has {layer.units!r} units; wanted at least 1")
        wanted = ROLES.get(layer.kind, ((),))
        if layer.arrays not in wanted:
            raise InputError(
                f"{where} has the arrays {layer.arrays}; wanted {' or '.join(map(str, wanted))}"
            )
        epsilons = [one for one in layer.numbers if 0 <= one < 1]
        if layer.kind == "BatchNormalization" and len(epsilons) != 1:
            raise InputError(f"{where} has the numbers {layer.numbers}; wanted its epsilon")
    if not any(layer.kind == "Dense" for layer in head):
        raise InputError("the head has no dense layer; wanted one, whose units are the classes")


def check_front(front: Sequence[Affine], channels: int) -> None:
    """Raise ValueError unless every step makes as many channels, of numbers, as there are."""
    for affine in front:
        lengths = {len(affine.sources), len(affine.scale), len(affine.offset)}
        if affine.kind == "Normalization" and lengths == {0}:
            continue  # its numbers are arrays of the file, and come with them
        finite = all(map(math.isfinite, affine.scale + affine.offset))
        if lengths != {channels} or not set(affine.sources) <= set(range(channels)) or not finite:
            raise InputError(
                f"the layer {affine.name!r} makes channels {affine.sources} times {affine.scale} "
                f"plus {affine.offset} of the input; wanted {channels} finite numbers of each"
            )
