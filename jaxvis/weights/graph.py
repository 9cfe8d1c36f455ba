"""The layers of a saved Keras model, followed from its input to its output.

A model is a list of layers, or a graph: each layer says from which ones it takes its input, and is
a model itself at times. What is followed is a value: first the pixels and what was done to them
(`pixels`), then a chain of layers. A value that forks and joins again is no chain, and refused.
"""

import re
from typing import Any, NamedTuple

from jaxvis.weights.errors import WeightsLayoutError
from jaxvis.weights.pixels import (
    NotFollowedError,
    Pixels,
    input_of,
    normalized,
    of_normalization,
    operation,
    scaled,
)
from jaxvis.weights.settings import AS_IT_IS, check_settings, other

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
# What is another function in training than at prediction, as a rule without a word.
TRAINED = {
    "Dropout", "SpatialDropout2D", "GaussianDropout", "GaussianNoise", "AlphaDropout",
    "BatchNormalization", *CONTAINERS,
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


def follow(entry: Any) -> tuple[Any, list[Any]]:
    """Return the value at the end of a model, and the shape of its input, without the batch.

    Args:
        entry: the model, as JSON has it: "class_name" and "config".

    Raises:
        WeightsLayoutError: a layer that is not understood, by its name.
        ValueError and the like: it is no model of Keras.
    """
    kind, config = str(entry["class_name"]), entry["config"]
    if kind not in CONTAINERS:
        raise other(kind[:40], "a class of somebody's own")
    shape = _input_shape(config)
    start = Outline(input_of(_channels(shape)))
    return _run(kind, config, start, "", "", 0), shape


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


def _run(kind: str, config: Any, value: Any, top: str, path: str, depth: int) -> Any:
    """Return the output of a model, which has one input and one output, for a value."""
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
        for entry, source in entries:
            value = _apply(entry, source, [value], depth)
        return value
    starts = _names(config["input_layers"])
    if len(starts) != 1:
        raise other(top or "the model", f"{len(starts)} inputs; wanted one")
    ends = _names(config["output_layers"])
    if len(ends) != 1:
        raise other(top or "the model", f"{len(ends)} outputs; wanted one")
    values = {starts[0]: value}
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
    return values[ends[0]]


def _names(references: Any) -> list[str]:
    """["dense", 0, 0], or a list of such."""
    if references and isinstance(references[0], str):
        references = [references]
    return [str(reference[0]) for reference in references]


def _calls(entry: dict[str, Any]) -> Any:
    """Return the arguments of the one call of a layer, as they are saved."""
    nodes = entry["inbound_nodes"]
    name = str(entry.get("name"))[:40]
    if len(nodes) != 1:
        raise other(name, f"it is called {len(nodes)} times; wanted once")
    (node,) = nodes
    if isinstance(node, list) and node and isinstance(node[0], str):
        node = [node]
    given = [node["kwargs"]] if isinstance(node, dict) else [one[3] for one in node if len(one) > 3]
    # Dropout would draw, statistics change. Augmentation says so by default, up to Keras 3.7.
    if entry["class_name"] in TRAINED and any(options.get("training") for options in given):
        raise other(name, "it is called with training=True; wanted it as at prediction")
    return node


def _needed(entry: dict[str, Any]) -> list[str]:
    node = _calls(entry)
    if isinstance(node, dict):  # Keras 3
        return _histories(node["args"])
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
        return _run(kind, settings, value, source.top, f"{source.path}/", depth + 1)
    if kind in IDLE:
        return operands[0]
    lambdas = ("TFOpLambda", "SlicingOpLambda")  # of tf.keras
    called = OPERATIONS.get(str(settings.get("function")) if kind in lambdas else kind)
    if called is not None:
        return _operated(called, settings, source, operands)
    count = len(_flattened(operands))
    if count != 1 or isinstance(operands[0], list):
        raise other(name, f"a layer {kind[:40]} of {count} inputs; wanted one")
    (value,) = operands
    if isinstance(value, Outline) and kind in ("Rescaling", "Normalization"):
        return _scaled(kind, settings, source, value)
    if isinstance(value, Outline):
        value = Chain(value.pixels, (), value.normalization)
    return value._replace(nodes=(*value.nodes, Node(kind, settings, source)))


def _operated(called: str, settings: dict[str, Any], source: Source, operands: list[Any]) -> Any:
    outlines = [one for one in _flattened(operands) if isinstance(one, Outline)]
    if not outlines or any(isinstance(one, Chain) for one in _flattened(operands)):
        raise other(source.name[:40], f"an operation, {called}, behind the first convolution")
    given = [_pixels(one) for one in operands]
    if called == "stack":
        given = [given[0], settings.get("axis", given[1] if len(given) > 1 else None)]
    try:
        made = operation(source.name[:40], called, given)
    except NotFollowedError:
        raise other(source.name[:40], f"an operation, {called}, that is not understood") from None
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
    check_settings(kind, name, settings)
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
        raise other(name, f"a {kind} with settings that are not understood") from None


def snake_case(kind: str) -> str:
    """The name that Keras gives the first layer of a type: "global_average_pooling2d"."""
    kind = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", re.sub(r"\W+", "", kind))
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", kind).lower()
