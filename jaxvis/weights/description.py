"""What a saved Keras model says of itself: JSON, read as data by a closed schema.

Weights alone do not tell one network from another: layers without weights, activations and strides
leave no trace among the arrays, but other logits. A whole model that Keras saved has its layers in
the attribute `model_config` (.h5) or in config.json (.keras), a model inside a model among them.
They are followed here from the input to the output, as a chain; nothing is imported or executed,
and a layer that is not in the lists below is refused by its name.
"""

import json
import re
from typing import Any, NamedTuple

from jaxvis.errors import InputError
from jaxvis.models.heads import ACTIVATIONS, KINDS, MOMENTS, POOLINGS, HeadLayer
from jaxvis.models.layers import LAYERS, NO_TOP, Architecture, architecture
from jaxvis.weights.errors import WeightsLayoutError
from jaxvis.weights.pixels import (
    NotFollowedError,
    Pixels,
    front_of,
    input_of,
    normalized,
    of_normalization,
    operation,
    scaled,
)

CONFIG = "model_config"
AS_IT_IS = "this is no VGG16 as jaxvis reads it: hand the model itself over, with jv.from_keras"
MOST_LAYERS, MOST_DEPTH = 1000, 8

CONTAINERS = ("Sequential", "Functional", "Model")
# What does nothing to an image that is explained: training has ended.
IDLE = {
    "InputLayer", "Dropout", "SpatialDropout2D", "GaussianDropout", "GaussianNoise", "AlphaDropout",
    "ActivityRegularization", "RandomFlip", "RandomRotation", "RandomZoom", "RandomTranslation",
    "RandomContrast", "RandomBrightness", "RandomShear", "RandomHue", "RandomSaturation",
    "RandomColorJitter", "RandomColorDegeneration", "RandomGrayscale", "RandomInvert",
    "RandomPosterization", "RandomSharpness", "RandomErasing", "RandomGaussianBlur",
    "RandomPerspective", "RandomElasticTransform", "RandAugment",
}  # fmt: skip
OLD = {"Convolution2D": "Conv2D"}  # Keras 1
# Operations of Keras 3, and of tf.keras, by what they are called there.
OPERATIONS = {
    "GetItem": "getitem", "Stack": "stack", "Add": "add", "Subtract": "subtract",
    "Multiply": "multiply", "TrueDivide": "divide", "Divide": "divide",
    "__operators__.getitem": "getitem", "math.add": "add", "nn.bias_add": "add",
    "math.subtract": "subtract", "math.multiply": "multiply", "math.truediv": "divide",
    "math.divide": "divide", "__operators__.add": "add",
}  # fmt: skip
# Settings that a layer must have, if it says them at all; Keras 1 under names of its own.
SETTINGS: dict[str, dict[str, Any]] = {
    "Conv2D": {
        "kernel_size": [3, 3], "padding": "same", "strides": [1, 1], "dilation_rate": [1, 1],
        "groups": 1, "data_format": "channels_last", "use_bias": True, "nb_row": 3, "nb_col": 3,
        "border_mode": "same", "subsample": [1, 1], "dim_ordering": "tf", "bias": True,
    },
    "MaxPooling2D": {
        "pool_size": [2, 2], "strides": [2, 2], "padding": "valid", "data_format": "channels_last",
        "border_mode": "valid", "dim_ordering": "tf",
    },
    "Flatten": {"data_format": "channels_last", "dim_ordering": "tf"},
    "GlobalAveragePooling2D": {
        "data_format": "channels_last", "dim_ordering": "tf", "keepdims": False,
    },
    "GlobalMaxPooling2D": {
        "data_format": "channels_last", "dim_ordering": "tf", "keepdims": False,
    },
    "BatchNormalization": {"renorm": False, "mode": 0, "virtual_batch_size": None},
    "Softmax": {"axis": -1},
    "ReLU": {"max_value": None, "negative_slope": 0, "threshold": 0},
    "Normalization": {"invert": False},
}  # fmt: skip


class Source(NamedTuple):
    """Where a layer's arrays are in the file, whichever layout that has.

    Attributes:
        top: the layer of the outermost model that it is, or is in.
        name: its own.
        path: of its group where Keras numbers the layers of a type, "layers/functional/layers/
            conv2d_3".
    """

    top: str
    name: str
    path: str


class Described(NamedTuple):
    """A network, and for each of its layers with arrays the place in the file.

    `normalization` is that of a Normalization in the front, whose mean and variance are arrays.
    """

    architecture: Architecture
    sources: dict[str, Source]
    normalization: Source | None


class Node(NamedTuple):
    """A layer on the way: its kind and settings, as Keras has them, and where it comes from."""

    kind: str
    settings: dict[str, Any]
    source: Source


class Chain(NamedTuple):
    """A value behind the first convolution: what was done to the pixels, and the layers since."""

    pixels: Pixels
    nodes: tuple[Node, ...]
    normalization: Source | None


class Outline(NamedTuple):
    """A value on the way, before the first convolution, and a Normalization in it."""

    pixels: Pixels
    normalization: Source | None = None


def describe_model(
    text: str, *, top: bool, size: tuple[int, int] | None = None,
    where: str = f"attribute {CONFIG!r}",
) -> Described:  # fmt: skip
    """Return the VGG16 that a description is of.

    Args:
        text: the JSON of `model_config` or config.json.
        top: whether the classifier is wanted; without it, what is behind block5_pool is ignored.
        size: height and width of the input, where the description leaves them open.
        where: the description stands, for messages.

    Raises:
        WeightsLayoutError: no description, or of another network; the message names the layer.
    """
    try:
        entry = json.loads(text)
        kind, config = str(entry["class_name"]), entry["config"]
        if kind not in CONTAINERS:
            raise _other(kind[:40], "a class of somebody's own")
        shape = _input_shape(config)
        channels = _channels(shape)
        start = Outline(input_of(channels))
        (value,) = _run(kind, config, [start], "", "", 0)
        return _as_vgg16(value, shape, top, size)
    except WeightsLayoutError:
        raise
    except InputError as error:
        raise WeightsLayoutError(str(error), do=AS_IT_IS) from error
    except NotFollowedError:
        raise WeightsLayoutError("does something to its pixels that is not understood",
            do=AS_IT_IS,
        ) from None  # fmt: skip
    except (
        AttributeError, ArithmeticError, LookupError, RecursionError, TypeError, ValueError
    ) as error:  # fmt: skip
        raise WeightsLayoutError(f"{where} describes no Keras model ({str(error)[:200]!r})",
            do="save the model again with Keras",
        ) from error  # fmt: skip


# From the input to the output.


def _layers(config: Any) -> list[dict[str, Any]]:
    layers = config if isinstance(config, list) else config["layers"]  # Keras 1: a bare list
    if not isinstance(layers, list) or not layers or len(layers) > MOST_LAYERS:
        raise ValueError("no layers, or too many")
    return layers


def _input_shape(config: Any, depth: int = 0) -> list[Any]:
    """Return the shape of the outermost input, without the batch."""
    if depth > MOST_DEPTH:
        raise ValueError("models in models without end")
    first = _layers(config)[0]
    settings = first["config"]
    if isinstance(settings, dict):
        for key in ("batch_shape", "batch_input_shape"):
            if settings.get(key) is not None:
                return list(settings[key])[1:]
    if first["class_name"] in CONTAINERS:
        return _input_shape(settings, depth + 1)
    raise ValueError("no shape of the input")


def _channels(shape: list[Any]) -> int:
    if len(shape) != 3 or shape[-1] not in (1, 3):
        raise WeightsLayoutError(
            f"its input has shape {(None, *shape)}; wanted (None, height, width, 3), or 1 channel",
            do=AS_IT_IS,
        )
    return shape[-1]


def _run(kind: str, config: Any, inputs: list[Any], top: str, path: str, depth: int) -> list[Any]:
    """Return the outputs of a model for some inputs."""
    if depth > MOST_DEPTH:
        raise ValueError("models in models without end")
    layers = _layers(config)
    counts: dict[str, int] = {}
    entries = []
    for entry in layers:
        stem = snake_case(str(entry["class_name"]))
        number = counts.get(stem, -1) + 1
        counts[stem] = number
        settings = entry["config"]
        own = settings.get("name") if isinstance(settings, dict) else None
        name = str(entry.get("name") or own or stem)
        key = f"{path}layers/{stem}_{number}" if number else f"{path}layers/{stem}"
        entries.append((entry, Source(top or name, name, key)))
    if kind == "Sequential":
        value = inputs[0]
        for entry, source in entries:
            value = _apply(entry, source, [value], depth)
        return [value]
    values: dict[str, Any] = {}
    starts = _names(config["input_layers"])
    if len(starts) != 1 or len(inputs) != 1:
        raise _other(top or "the model", f"{len(starts)} inputs; wanted one")
    ends = _names(config["output_layers"])
    if len(ends) != 1:
        raise _other(top or "the model", f"{len(ends)} outputs; wanted one")
    values[starts[0]] = inputs[0]
    waiting = [pair for pair in entries if pair[1].name != starts[0]]
    while waiting and ends[0] not in values:
        later = []
        for entry, source in waiting:
            if all(name in values for name in _needed(entry)):
                values[source.name] = _apply(entry, source, _operands(entry, values), depth)
            else:
                later.append((entry, source))
        if len(later) == len(waiting):
            raise ValueError("layers that come from nowhere")
        waiting = later
    return [values[ends[0]]]


def _names(references: Any) -> list[str]:
    """["dense", 0, 0], or a list of such."""
    if references and isinstance(references[0], str):
        references = [references]
    return [str(reference[0]) for reference in references]


def _calls(entry: dict[str, Any]) -> Any:
    """Return the arguments of the one call of a layer, as they are saved."""
    nodes = entry["inbound_nodes"]
    if len(nodes) != 1:
        raise _other(str(entry.get("name"))[:40], f"it is called {len(nodes)} times; wanted once")
    return nodes[0]


def _needed(entry: dict[str, Any]) -> list[str]:
    node = _calls(entry)
    if isinstance(node, dict):  # Keras 3
        return _histories(node["args"])
    if node and isinstance(node[0], str):
        node = [node]
    return [str(reference[0]) for reference in node]


def _histories(args: Any) -> list[str]:
    if isinstance(args, dict):
        if args.get("class_name") == "__keras_tensor__":
            return [str(args["config"]["keras_history"][0])]
        return []
    if isinstance(args, list):
        return [name for one in args for name in _histories(one)]
    return []


def _operands(entry: dict[str, Any], values: dict[str, Any]) -> list[Any]:
    """Return what a layer is called on, and for an operation its constants."""

    def filled(one: Any) -> Any:
        if isinstance(one, dict) and one.get("class_name") == "__keras_tensor__":
            return values[str(one["config"]["keras_history"][0])]
        return [filled(part) for part in one] if isinstance(one, list) else one

    node = _calls(entry)
    if isinstance(node, dict):
        return [filled(argument) for argument in node["args"]]
    if node and isinstance(node[0], str):
        node = [node]
    found = [values[str(reference[0])] for reference in node]
    for reference in node:
        given = reference[3] if len(reference) > 3 else {}
        found += [given[key] for key in ("y", "bias", "slice_spec") if key in given]
    return found


def _apply(entry: dict[str, Any], source: Source, operands: list[Any], depth: int) -> Any:
    """Return a layer's output."""
    kind = str(entry["class_name"])
    kind = OLD.get(kind, kind)
    settings = entry["config"]
    name = source.name[:40]
    if kind in CONTAINERS:
        (value,) = operands
        (value,) = _run(
            kind, settings, [value], source.top, f"{source.path}/", depth + 1
        )  # fmt: skip
        return value
    if kind in IDLE:
        return operands[0]
    called = OPERATIONS.get(str(settings.get("function", kind)))
    if called is not None:
        return _operated(called, settings, source, operands)
    count = len(_flattened(operands))
    if count != 1 or isinstance(operands[0], list):
        raise _other(name, f"a layer {kind[:40]} of {count} inputs; wanted one")
    (value,) = operands
    if isinstance(value, Outline) and kind in ("Rescaling", "Normalization"):
        return _scaled(kind, settings, source, value)
    if isinstance(value, Outline):
        value = Chain(value.pixels, (), value.normalization)
    return value._replace(nodes=(*value.nodes, Node(kind, settings, source)))


def _operated(called: str, settings: dict[str, Any], source: Source, operands: list[Any]) -> Any:
    outlines = [one for one in _flattened(operands) if isinstance(one, Outline)]
    if not outlines or any(isinstance(one, Chain) for one in _flattened(operands)):
        raise _other(source.name[:40], f"an operation, {called}, behind the first convolution")
    given = [_pixels(one) for one in operands]
    if called == "stack":
        given = [given[0], settings.get("axis", given[1] if len(given) > 1 else None)]
    try:
        made = operation(source.name[:40], called, given)
    except NotFollowedError:
        raise _other(source.name[:40], f"an operation, {called}, that is not understood") from None
    return Outline(made, outlines[0].normalization)


def _flattened(values: Any) -> list[Any]:
    if isinstance(values, list):
        return [inner for one in values for inner in _flattened(one)]
    return [values]


def _pixels(value: Any) -> Any:
    if isinstance(value, list):
        return [_pixels(one) for one in value]
    return value.pixels if isinstance(value, Outline) else value


def _scaled(kind: str, settings: dict[str, Any], source: Source, value: Outline) -> Outline:
    name, pixels = source.name[:40], value.pixels
    _check(kind, name, settings)
    try:
        if kind == "Rescaling":
            scale, offset = settings["scale"], settings.get("offset", 0.0)
            return value._replace(pixels=scaled(pixels, name, kind, scale, offset))
        axis = settings.get("axis", -1)
        if axis not in (-1, 3, [-1], [3], None, []):
            raise NotFollowedError
        if settings.get("mean") is None:
            if value.normalization is not None:
                raise NotFollowedError
            return Outline(normalized(pixels, name), source)
        step = of_normalization(
            name, settings["mean"], settings["variance"], len(pixels.channels)
        )  # fmt: skip
        return value._replace(pixels=scaled(pixels, name, kind, [*step.scale], [*step.offset]))
    except NotFollowedError:
        raise _other(name, f"a {kind} with settings that are not understood") from None


def snake_case(kind: str) -> str:
    """The name that Keras gives the first layer of a type: "global_average_pooling2d"."""
    kind = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", re.sub(r"\W+", "", kind))
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", kind).lower()


# From the chain to the network.


def _as_vgg16(value: Any, shape: list[Any], top: bool, size: tuple[int, int] | None) -> Described:
    if not isinstance(value, Chain):
        raise WeightsLayoutError("the model has no layers with weights", do=AS_IT_IS)
    sources: dict[str, Source] = {}
    nodes = list(value.nodes)
    filters = 0
    for row in LAYERS[:NO_TOP]:
        if not nodes:
            raise WeightsLayoutError(
                f"the model ends before {row.name}; wanted the convolutions of VGG16",
                do=AS_IT_IS,
            )
        node = nodes.pop(0)
        _check_row(row.name, row.kind, node, nodes)
        if row.kind == "Conv2D":
            filters = filters or _filters(node)
            sources[row.name] = node.source
    head: list[HeadLayer] = []
    for node in nodes if top else ():
        flat = any(layer.kind in ("Flatten", *POOLINGS.values()) for layer in head)
        head.append(_head_layer(node, flat))
        if head[-1].arrays:
            sources[head[-1].name] = node.source
    if top and not any(layer.kind == "Dense" for layer in head):
        raise WeightsLayoutError(
            "this looks like VGG16 without its classifier ('notop'); wanted one with a dense layer",
            do="pass top=False, or the file with the classifier",
        )
    height, width = shape[:2]
    if size is not None and any(
        side is not None and side != given for side, given in zip(shape, size, strict=False)
    ):
        raise WeightsLayoutError(
            f"the model reads {height} x {width} pixels, but size= gives {size}",
            do="leave out size=",
        )
    sides = size or (height or 224, width or 224)
    arch = architecture(
        width=filters / 64, size=sides, channels=shape[-1], head=head, top=top,
        front=front_of(value.pixels),
    )  # fmt: skip
    return Described(arch, sources, value.normalization)


def _filters(node: Node) -> int:
    found = node.settings.get("filters", node.settings.get("nb_filter"))
    if not isinstance(found, int) or not 1 <= found <= 4096:
        raise _other(node.source.name[:40], f"filters is {str(found)[:40]!r}; wanted 64")
    return found


def _check_row(row: str, kind: str, node: Node, rest: list[Node]) -> None:
    """Check that a layer is the one that VGG16 has here; take a ReLU of its own with it."""
    name = node.source.name[:40]
    if node.kind != kind:
        raise _other(
            name, f"a layer {node.kind[:40]} that VGG16 does not have here; wanted {row}, {kind}"
        )
    _check(kind, name, node.settings)
    if kind != "Conv2D":
        return
    activation = _activation(node.settings.get("activation"))
    if activation == "linear" and rest and _of_activation(rest[0]) == "relu":
        rest.pop(0)
    elif activation != "relu":
        raise _other(name, f"activation is {activation!r}; wanted 'relu'")


def _head_layer(node: Node, flat: bool) -> HeadLayer:
    """Return a layer behind block5_pool as ours, or refuse it by its name.

    Args:
        node: the layer.
        flat: whether it works on features (n, units), and not on maps any more.
    """
    name, settings = node.source.name, node.settings
    if node.kind not in (*KINDS, "ReLU", "Softmax"):
        raise _other(
            name[:40],
            f"a layer {node.kind[:40]} behind block5_pool; wanted Flatten or a global pooling, "
            "then Dense, Dropout, BatchNormalization and Activation",
        )
    _check(node.kind, name[:40], settings)
    kept = _kept_name(name)
    activation = _of_activation(node)
    if activation is not None:
        if activation not in ACTIVATIONS:
            raise _unknown_activation(name, activation)
        return HeadLayer(kept, "Activation", activation=activation)
    if node.kind in ("Flatten", *POOLINGS.values()):
        return HeadLayer(kept, node.kind)
    if node.kind == "Dense":
        units = settings.get("units", settings.get("output_dim"))
        activation = _activation(settings.get("activation"))
        if activation not in ACTIVATIONS:
            raise _unknown_activation(name, activation)
        biased = settings.get("use_bias", settings.get("bias", True))
        arrays = ("kernel", "bias") if biased else ("kernel",)
        if not isinstance(units, int) or isinstance(units, bool):
            raise _other(name[:40], f"units is {str(units)[:40]!r}; wanted a number")
        return HeadLayer(kept, "Dense", units, activation, arrays)
    axis, last = settings.get("axis", -1), 1 if flat else 3
    if axis not in (-1, [-1], last, [last]):
        raise _other(name[:40], f"axis is {str(axis)[:40]!r}; wanted the last")
    arrays = (
        *(("gamma",) if settings.get("scale", True) else ()),
        *(("beta",) if settings.get("center", True) else ()),
        *MOMENTS,
    )
    return HeadLayer(kept, node.kind, arrays=arrays, numbers=(float(settings["epsilon"]),))


def _kept_name(name: str) -> str:
    """A name that a VGG16 can have: without slashes."""
    return name.replace("/", "_")[:80]


def _of_activation(node: Node) -> str | None:
    """What a layer that is an activation and nothing else computes; None for other layers."""
    if node.kind == "Activation":
        return _activation(node.settings.get("activation"))
    return {"ReLU": "relu", "Softmax": "softmax"}.get(node.kind)


def _activation(setting: Any) -> str:
    """The name of an activation, however Keras has saved it."""
    if isinstance(setting, dict):  # a function by its class and name
        setting = setting.get("config", setting.get("class_name"))
        if isinstance(setting, dict):
            setting = setting.get("name")
    return "linear" if setting is None else str(setting)[:40].lower()


def _check(kind: str, name: str, settings: dict[str, Any]) -> None:
    for setting, wanted in SETTINGS.get(kind, {}).items():
        found = settings.get(setting, wanted)
        if found is None and setting in ("strides", "data_format", "negative_slope", "threshold"):
            continue  # of a pooling: those of its window
        if found != wanted and not (setting == "axis" and found in (-1, [-1])):
            raise _other(name, f"{setting} is {str(found)[:40]!r}; wanted {wanted!r}")


def _unknown_activation(name: str, activation: str) -> WeightsLayoutError:
    return _other(
        name[:40], f"its activation is {activation!r}; wanted one of {', '.join(ACTIVATIONS)}"
    )


def _other(name: str, problem: str) -> WeightsLayoutError:
    return WeightsLayoutError(problem, array=name, do=AS_IT_IS)
