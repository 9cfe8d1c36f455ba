"""VGG16 as one table, from which the module, the loader and the summary derive.

Configuration D of Simonyan & Zisserman, "Very Deep Convolutional Networks for Large-Scale Image
Recognition" (2014), table 1, under the layer names that Keras gave it.
"""

from typing import NamedTuple

from jaxvis.errors import InputError


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

    `width` multiplies the channels of every convolution, `fc` is the number of units of fc1 and
    fc2, `classes` the number of logits, `size` the height and width of the input in pixels. Without
    `top` the network ends behind block5_pool: Keras calls such weights 'notop'.
    """

    width: float = 1.0
    classes: int = 1000
    fc: int = 4096
    size: int = 224
    top: bool = True


FULL = Architecture()


class LayerShape(NamedTuple):
    """One row of the summary: shapes without the batch; `kernel_shape` is None without weights."""

    name: str
    kind: str
    output_shape: tuple[int, ...]
    kernel_shape: tuple[int, ...] | None

    @property
    def bias_shape(self) -> tuple[int, ...] | None:
        """One bias per output channel or unit."""
        return None if self.kernel_shape is None else self.kernel_shape[-1:]

    @property
    def parameters(self) -> int:
        """Number of weights and biases."""
        if self.kernel_shape is None:
            return 0
        weights = 1
        for axis in self.kernel_shape:
            weights *= axis
        return weights + self.kernel_shape[-1]


def architecture(
    *,
    width: float = 1.0,
    classes: int = 1000,
    fc: int | None = None,
    size: int = 224,
    top: bool = True,
) -> Architecture:
    """Return the checked `Architecture`; `fc` defaults to 4096 * width.

    Raises:
        ValueError: a width that leaves no whole number of channels, no class, or an input smaller
            than 32 pixels, of which five poolings leave nothing.
    """
    if width <= 0 or (64 * width) % 1:
        raise InputError(
            f"width {width!r} gives block1_conv1 {64 * width:g} channels; wanted a positive whole "
            "number: choose a multiple of 1/64, such as 1, 1/8 or 1/16"
        )
    fc = max(1, round(4096 * width)) if fc is None else fc
    for name, value, least in (("classes", classes, 1), ("fc", fc, 1), ("size", size, 32)):
        if value != int(value) or value < least:
            raise InputError(f"{name} is {value!r}; wanted a whole number of at least {least}")
    return Architecture(float(width), int(classes), int(fc), int(size), bool(top))


def layer_shapes(arch: Architecture = FULL) -> tuple[LayerShape, ...]:
    """Return the output and kernel shape of every layer in `LAYERS` that the network has."""
    shapes = []
    shape: tuple[int, ...] = (arch.size, arch.size, 3)
    for name, kind, features in LAYERS if arch.top else LAYERS[:NO_TOP]:
        kernel: tuple[int, ...] | None = None
        if kind == "Conv2D":
            channels = int(features * arch.width)
            kernel, shape = (3, 3, shape[-1], channels), (*shape[:2], channels)
        elif kind == "MaxPooling2D":
            shape = (shape[0] // 2, shape[1] // 2, shape[2])
        elif kind == "Flatten":
            shape = (shape[0] * shape[1] * shape[2],)
        else:
            units = arch.classes if name == "predictions" else arch.fc
            kernel, shape = (shape[0], units), (units,)
        shapes.append(LayerShape(name, kind, shape, kernel))
    return tuple(shapes)


def layer_index(name: str) -> int:
    """Return the position of a layer in `LAYERS`; raise ValueError, naming all, if not there."""
    names = [layer.name for layer in LAYERS]
    if name not in names:
        raise InputError(f"VGG16 has no layer {name!r}; it has {', '.join(names)}")
    return names.index(name)


def summary_table(arch: Architecture = FULL, *, bytes_per_parameter: int = 4) -> str:
    """Return the table of `keras.Model.summary`: layer, type, output shape, parameters, totals."""
    rows = [("Layer (type)", "Output shape", "Param #")]
    rows.append(("input (InputLayer)", str((None, arch.size, arch.size, 3)), "0"))
    shapes = layer_shapes(arch)
    for layer in shapes:
        output = str((None, *layer.output_shape))
        rows.append((f"{layer.name} ({layer.kind})", output, f"{layer.parameters:,}"))
    first, second, third = (max(len(row[i]) for row in rows) for i in range(3))
    lines = [f"{a:<{first}}  {b:<{second}}  {c:>{third}}" for a, b, c in rows]
    total = sum(layer.parameters for layer in shapes)
    size = _binary_size(total * bytes_per_parameter)
    rule = "-" * len(lines[0])
    totals = [
        f"Total params: {total:,} ({size})",
        f"Trainable params: {total:,} ({size})",
        "Non-trainable params: 0 (0.00 B)",
    ]
    return "\n".join([lines[0], rule, *lines[1:], rule, *totals])


def _binary_size(count: int) -> str:
    """Bytes as Keras's summary prints them: powers of 1024 under decimal names."""
    value, unit = float(count), "B"
    for unit in ("B", "KB", "MB", "GB"):
        if value < 1024 or unit == "GB":
            break
        value /= 1024
    return f"{value:.2f} {unit}"
