"""What a saved Keras model says of itself: JSON, read as data by a closed schema.

Weights alone do not tell one network from another: layers without weights, activations and strides
leave no trace among the arrays, but other logits. A whole model that Keras saved has its layers in
the attribute `model_config` (.h5) or in config.json (.keras), a model inside a model among them.
They are followed from the input to the output (`graph`), and compared with VGG16 here; nothing is
imported or executed, and a layer that is not in a list is refused by its name.
"""

import json
from typing import Any, NamedTuple

from jaxvis.errors import InputError
from jaxvis.models.heads import ACTIVATIONS, KINDS, MOMENTS, POOLINGS, HeadLayer, dense
from jaxvis.models.layers import LAYERS, NO_TOP, Architecture, architecture
from jaxvis.weights.errors import WeightsLayoutError
from jaxvis.weights.graph import Chain, Node, Source, follow
from jaxvis.weights.pixels import NotFollowedError, front_of
from jaxvis.weights.settings import AS_IT_IS, check_settings, other

CONFIG = "model_config"


class Described(NamedTuple):
    """A network, and for each of its layers with arrays the place in the file.

    `normalization` is that of a Normalization in the front, whose mean and variance are arrays.
    """

    architecture: Architecture
    sources: dict[str, Source]
    normalization: Source | None


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
        value, shape = follow(json.loads(text))
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
        raise other(node.source.name[:40], f"filters is {str(found)[:40]!r}; wanted 64")
    return found


def _check_row(row: str, kind: str, node: Node, rest: list[Node]) -> None:
    """Check that a layer is the one that VGG16 has here; take a ReLU of its own with it."""
    name = node.source.name[:40]
    if node.kind != kind:
        raise other(
            name, f"a layer {node.kind[:40]} that VGG16 does not have here; wanted {row}, {kind}"
        )
    check_settings(kind, name, node.settings)
    if kind != "Conv2D":
        return
    activation = _activation(node.settings.get("activation"))
    if activation == "linear" and rest and _of_activation(rest[0]) == "relu":
        rest.pop(0)
    elif activation != "relu":
        raise other(name, f"activation is {activation!r}; wanted 'relu'")


def _head_layer(node: Node, flat: bool) -> HeadLayer:
    """Return a layer behind block5_pool as ours, or refuse it by its name.

    Args:
        node: the layer.
        flat: whether it works on features (n, units), and not on maps any more.
    """
    name, settings = node.source.name, node.settings
    if node.kind not in (*KINDS, "ReLU", "Softmax"):
        raise other(
            name[:40],
            f"a layer {node.kind[:40]} behind block5_pool; wanted Flatten or a global pooling, "
            "then Dense, Dropout, BatchNormalization and Activation",
        )
    check_settings(node.kind, name[:40], settings)
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
        if not isinstance(units, int) or isinstance(units, bool):
            raise other(name[:40], f"units is {str(units)[:40]!r}; wanted a number")
        return dense(kept, units, activation, bias=bool(biased))
    axis, last = settings.get("axis", -1), 1 if flat else 3
    if axis not in (-1, [-1], last, [last]):
        raise other(name[:40], f"axis is {str(axis)[:40]!r}; wanted the last")
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
    if isinstance(setting, dict):  # an object or a function, by its class and name
        own = str(setting.get("module")).partition(".")[0] not in ("keras", "tf_keras")
        setting = setting.get("class_name") if own else setting.get("config")
        if own or not isinstance(setting, str):
            return "an object of its own"
    return "linear" if setting is None else str(setting)[:40].lower()


def _unknown_activation(name: str, activation: str) -> WeightsLayoutError:
    return other(
        name[:40], f"its activation is {activation!r}; wanted one of {', '.join(ACTIVATIONS)}"
    )
