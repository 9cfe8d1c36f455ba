"""VGG16 as one table, from which the module, the loader and the summary derive.

Configuration D of Simonyan & Zisserman, "Very Deep Convolutional Networks for Large-Scale Image
Recognition" (2014), table 1, under the layer names that Keras gave it. What stands before its
convolutions and behind them may be one's own (`models.heads`).
"""

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any, Literal, NamedTuple

from jaxvis.errors import InputError
from jaxvis.models.heads import (
    OUTPUTS,
    Affine,
    Arrays,
    HeadLayer,
    check_front,
    check_head,
    standard_head,
)


class Layer(NamedTuple):
    """A layer's name, its Keras type, and its channels or units in the full network (else 0)."""

    name: str
    kind: str
    features: int = 0


LAYERS = (
    Layer("block1_conv1", "Conv2D", 64),
    Layer("block1_conv2", "Conv2D", 64),
    Layer("block1_pool", "MaxPooling2D"),
    Layer("block2_conv1", "Conv2D", 128),
    Layer("block2_conv2", "Conv2D", 128),
    Layer("block2_pool", "MaxPooling2D"),
    Layer("block3_conv1", "Conv2D", 256),
    Layer("block3_conv2", "Conv2D", 256),
    Layer("block3_conv3", "Conv2D", 256),
    Layer("block3_pool", "MaxPooling2D"),
    Layer("block4_conv1", "Conv2D", 512),
    Layer("block4_conv2", "Conv2D", 512),
    Layer("block4_conv3", "Conv2D", 512),
    Layer("block4_pool", "MaxPooling2D"),
    Layer("block5_conv1", "Conv2D", 512),
    Layer("block5_conv2", "Conv2D", 512),
    Layer("block5_conv3", "Conv2D", 512),
    Layer("block5_pool", "MaxPooling2D"),
    Layer("flatten", "Flatten"),
    Layer("fc1", "Dense", 4096),
    Layer("fc2", "Dense", 4096),
    Layer("predictions", "Dense", 1000),
)

NO_TOP = 1 + [layer.name for layer in LAYERS].index("block5_pool")  # layers without a classifier


class Architecture(NamedTuple):
    """What may vary in a VGG16.

    Attributes:
        width: multiplies the channels of every convolution.
        size: height and width of the input in pixels.
        channels: of the input, 3 or 1.
        head: what stands behind block5_pool; none in what Keras calls 'notop'.
        front: what the network does to its input before the first convolution.
    """

    width: float
    size: tuple[int, int]
    channels: int
    head: tuple[HeadLayer, ...]
    front: tuple[Affine, ...] = ()

    @property
    def top(self) -> bool:
        """Whether there is a classifier behind block5_pool."""
        return bool(self.head)

    @property
    def units(self) -> int:
        """Units of the last dense layer; 0 without a classifier."""
        return next((layer.units for layer in reversed(self.head) if layer.kind == "Dense"), 0)

    @property
    def classes(self) -> int:
        """Number of logits: one per unit, and two of a single unit."""
        return 2 if self.units == 1 else self.units

    @property
    def left_off(self) -> HeadLayer | None:
        """The layer whose softmax or sigmoid is left off, so that the outputs are logits."""
        last = next((layer for layer in reversed(self.head) if layer.kind != "Dropout"), None)
        return last if last is not None and last.activation in OUTPUTS else None

    @property
    def output(self) -> Literal["softmax", "sigmoid"]:
        """What makes probabilities of the logits: "softmax", or "sigmoid" of each by itself."""
        last = self.left_off
        one_by_one = last is not None and last.activation == "sigmoid"
        return "sigmoid" if one_by_one or self.units == 1 else "softmax"


class LayerShape(NamedTuple):
    """One row of the summary: shapes without the batch; `kernel_shape` is None without weights.

    Attributes:
        arrays: names and shapes of the weights, in the order in which Keras keeps them.
        activation: what follows; not the softmax or sigmoid that is left off.
        numbers: of a layer that has some: the epsilon of a batch normalisation.
    """

    name: str
    kind: str
    output_shape: tuple[int, ...]
    kernel_shape: tuple[int, ...] | None
    arrays: tuple[tuple[str, tuple[int, ...]], ...] = ()
    activation: str = "linear"
    numbers: tuple[float, ...] = ()

    @property
    def bias_shape(self) -> tuple[int, ...] | None:
        """One bias per output channel or unit, where there are any."""
        return dict(self.arrays).get("bias")

    @property
    def parameters(self) -> int:
        """Number of weights and biases."""
        return sum(prod(shape) for _, shape in self.arrays)


def architecture(
    *,
    width: float = 1.0,
    classes: int = 1000,
    fc: int | None = None,
    size: int | Sequence[int] = 224,
    top: bool = True,
    channels: int = 3,
    head: Sequence[HeadLayer] | None = None,
    front: Sequence[Affine] = (),
) -> Architecture:
    """Return the checked `Architecture`.

    Args:
        width, channels, front: as there.
        size: height and width, or one number for both.
        classes, fc, top: of Keras's own head: the number of logits, the units of fc1 and fc2
            (4096 * width unless given), and whether there is a head at all.
        head: another head in its place.

    Raises:
        ValueError: a width that leaves no whole number of channels, no class, an input smaller
            than 32 pixels, of which five poolings leave nothing, or a head that cannot be.
    """
    if width <= 0 or (64 * width) % 1:
        raise InputError(
            f"width {width!r} gives block1_conv1 {64 * width:g} channels; wanted a positive whole "
            "number: choose a multiple of 1/64, such as 1, 1/8 or 1/16"
        )
    fc = max(1, round(4096 * width)) if fc is None else fc
    sides = (size, size) if not isinstance(size, Sequence) else tuple(size)
    if len(sides) != 2:
        raise InputError(f"size is {size!r}; wanted one number, or (height, width)")
    checked = [("classes", classes, 1), ("fc", fc, 1), *(("size", side, 32) for side in sides)]
    for name, value, least in checked:
        if isinstance(value, bool) or value != int(value) or value < least:
            raise InputError(f"{name} is {value!r}; wanted a whole number of at least {least}")
    if channels not in (1, 3):
        raise InputError(f"channels is {channels!r}; wanted 3, or 1 for grey images")
    if head is None:
        head = standard_head(int(classes), int(fc)) if top else ()
    height, width_ = int(sides[0]), int(sides[1])
    arch = Architecture(
        float(width), (height, width_), int(channels), tuple(head), tuple(front)
    )  # fmt: skip
    if head:
        check_head(arch.head, {layer.name for layer in LAYERS[:NO_TOP]})
    check_front(arch.front, arch.channels)
    return arch


FULL = architecture()


def as_config(arch: Architecture) -> dict[str, Any]:
    """Return an architecture as JSON can hold it; `architecture_of` reads it again.

    A network of Keras's own kind is written as version 0.1 wrote it.
    """
    config = arch._asdict()
    config["head"] = [layer._asdict() for layer in arch.head]
    config["front"] = [affine._asdict() for affine in arch.front]
    fc = arch.head[1].units if len(arch.head) > 1 else 4096
    plain = arch.head in ((), standard_head(arch.units, fc))
    if plain and not arch.front and arch.channels == 3 and arch.size[0] == arch.size[1]:
        size = arch.size[0]
        classes = arch.units or 1000
        return {"width": arch.width, "classes": classes, "fc": fc, "size": size, "top": arch.top}
    return config


def architecture_of(config: Mapping[str, Any]) -> Architecture:
    """Return the architecture that JSON describes, checked.

    Raises:
        ValueError: it describes none; TypeError, LookupError: it is of another form.
    """
    given = dict(config)
    if "head" in given:
        given["top"] = bool(given["head"])
        given["head"] = [
            HeadLayer(
                str(layer["name"]), str(layer["kind"]), int(layer["units"]),
                str(layer["activation"]), tuple(map(str, layer["arrays"])),
                tuple(map(float, layer["numbers"])),
            )
            for layer in given["head"]
        ]  # fmt: skip
        given["front"] = [
            Affine(
                str(affine["name"]), str(affine["kind"]), tuple(map(int, affine["sources"])),
                tuple(map(float, affine["scale"])), tuple(map(float, affine["offset"])),
            )
            for affine in given["front"]
        ]  # fmt: skip
    return architecture(**given)


def layer_shapes(arch: Architecture = FULL) -> tuple[LayerShape, ...]:
    """Return output shape and weights of every layer behind the input that the network has."""
    shapes = []
    shape: tuple[int, ...] = (*arch.size, arch.channels)
    arrays: Arrays
    for name, kind, features in LAYERS[:NO_TOP]:
        if kind == "Conv2D":
            channels = int(features * arch.width)
            kernel, shape = (3, 3, shape[-1], channels), (*shape[:2], channels)
            arrays = (("kernel", kernel), ("bias", (channels,)))
            shapes.append(LayerShape(name, kind, shape, kernel, arrays, "relu"))
        else:
            shape = (shape[0] // 2, shape[1] // 2, shape[2])
            shapes.append(LayerShape(name, kind, shape, None))
    for layer in arch.head:
        shape, arrays = layer.shapes(shape)
        activation = "linear" if layer is arch.left_off else layer.activation
        kernel_shape = dict(arrays).get("kernel")
        shapes.append(
            LayerShape(
                layer.name, layer.kind, shape, kernel_shape, arrays, activation, layer.numbers
            )
        )
    return tuple(shapes)


def layer_index(name: str, arch: Architecture = FULL) -> int:
    """Return the position of a layer in `layer_shapes`; raise ValueError, naming all, if not there.

    A layer of a model inside a model may be called by both: "vgg16/block5_conv3".
    """
    names = [row.name for row in LAYERS[:NO_TOP]] + [layer.name for layer in arch.head]
    found = name if name in names else str(name).rsplit("/", 1)[-1]
    if found not in names:
        raise InputError(f"VGG16 has no layer {name!r}; it has {', '.join(names)}")
    return names.index(found)


def summary_table(arch: Architecture = FULL, *, bytes_per_parameter: int = 4) -> str:
    """Return the table of `keras.Model.summary`: layer, type, output shape, parameters, totals.

    What is left off stands below it: the lab replaces the last softmax by a linear output.
    """
    rows = [("Layer (type)", "Output shape", "Param #")]
    shape = str((None, *arch.size, arch.channels))
    rows.append(("input (InputLayer)", shape, "0"))
    rows += [(f"{affine.name} ({affine.kind})", shape, "0") for affine in arch.front]
    shapes = layer_shapes(arch)
    for layer in shapes:
        output = str((None, *layer.output_shape))
        rows.append((f"{layer.name} ({layer.kind})", output, f"{layer.parameters:,}"))
    first, second, third = (max(len(row[i]) for row in rows) for i in range(3))
    lines = [f"{a:<{first}}  {b:<{second}}  {c:>{third}}" for a, b, c in rows]
    total = sum(layer.parameters for layer in shapes)
    running = sum(
        prod(shape) for layer in shapes for name, shape in layer.arrays if name.startswith("moving")
    )
    rule = "-" * len(lines[0])
    totals = [
        f"{what} params: {count:,} ({_binary_size(count * bytes_per_parameter)})"
        for what, count in (
            ("Total", total), ("Trainable", total - running), ("Non-trainable", running)
        )
    ]  # fmt: skip
    return "\n".join([lines[0], rule, *lines[1:], rule, *totals, *_about_outputs(arch)])


def _about_outputs(arch: Architecture) -> list[str]:
    """Say what the outputs are, where there are any."""
    said = []
    if arch.left_off is not None:
        said.append(
            f"The {arch.left_off.activation} of {arch.left_off.name} is left off: the outputs are "
            "logits."
        )
    elif arch.units > 1:
        said.append("Nothing follows the last layer: probabilities are a softmax of its outputs.")
    if arch.units == 1:
        said.append(
            f"Class 1 is the one unit of {arch.head[-1].name}, class 0 its negative."
            if arch.head[-1].kind == "Dense"
            else "Class 1 is the one unit, class 0 its negative."
        )
    return said


def _binary_size(count: int) -> str:
    """Bytes as Keras's summary prints them: powers of 1024 under decimal names."""
    value, unit = float(count), "B"
    for unit in ("B", "KB", "MB", "GB"):
        if value < 1024 or unit == "GB":
            break
        value /= 1024
    return f"{value:.2f} {unit}"
