"""What a saved Keras model says of itself: weights alone do not tell one network from another.

A whole model that Keras saved has its layers in the attribute `model_config`. Layers without
weights, activations and strides leave no trace among the arrays, but other logits.
"""

import json
from itertools import zip_longest
from typing import Any

from jaxvis.models.layers import LAYERS, NO_TOP
from jaxvis.weights.errors import WeightsLayoutError

CONFIG = "model_config"
ONE_BY_ONE = (
    "describe the network with jv.describe, and explain one output with score=lambda logits: "
    "logits[:, 0]"
)
_IDLE = ("InputLayer", "Dropout")  # do nothing to an image that is explained
_OLD = {"Convolution2D": "Conv2D"}  # Keras 1
_WANTED: dict[str, dict[str, Any]] = {
    "Conv2D": {
        "padding": "same", "strides": [1, 1], "dilation_rate": [1, 1], "groups": 1,
        "data_format": "channels_last", "use_bias": True, "activation": "relu",
    },
    "MaxPooling2D": {
        "pool_size": [2, 2], "strides": [2, 2], "padding": "valid", "data_format": "channels_last",
    },
    "Flatten": {"data_format": "channels_last"},
    "Dense": {"use_bias": True, "activation": "relu"},
}  # fmt: skip


def check_description(text: str, *, top: bool) -> None:
    """Compare the layers of a description with those of VGG16, in order.

    Args:
        text: the JSON of `model_config`.
        top: whether the classifier is wanted; without it, layers behind block5_pool are ignored.

    Raises:
        WeightsLayoutError: another layer, or one with other settings; the message names it.
    """
    try:
        layers = [_layer(entry) for entry in json.loads(text)["config"]["layers"]]
    except (AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        raise WeightsLayoutError(f"attribute {CONFIG!r} describes no Keras model ({error!r})",
            do="save the model again with Keras",
        ) from error  # fmt: skip
    wanted = LAYERS if top else LAYERS[:NO_TOP]
    found = [layer for layer in layers if layer[0] not in _IDLE]
    for layer, row in zip_longest(found if top else found[:NO_TOP], wanted):
        if layer is None:
            return  # fewer layers: the arrays that are missing have a message of their own
        kind, name, settings = layer
        if row is None or kind != row.kind:
            what = "nothing more" if row is None else f"{row.name}, {row.kind}"
            raise _other(name, f"a layer {kind} that VGG16 does not have here; wanted {what}")
        _check_settings(name, settings, _WANTED[kind], last=row.name == "predictions")


def _layer(entry: dict[str, Any]) -> tuple[str, str, dict[str, Any]]:
    kind, settings = str(entry["class_name"])[:40], dict(entry["config"])
    return _OLD.get(kind, kind), str(settings.get("name", kind))[:40], settings


def _check_settings(
    name: str, settings: dict[str, Any], wanted: dict[str, Any], *, last: bool
) -> None:
    for setting, value in wanted.items():
        found = settings.get(setting)
        if setting == "strides" and found is None:
            found = value  # of a pooling: those of its window
        of_last = last and setting == "activation"
        if setting not in settings or (found == value and not of_last):
            continue
        if not of_last:
            raise _other(name, f"{setting} is {str(found)[:40]!r}; wanted {value!r}")
        if found in ("sigmoid", "hard_sigmoid"):
            raise WeightsLayoutError(
                "its activation is 'sigmoid'; wanted 'softmax' or none: as shares of a softmax its "
                "scores would be wrong", array=name, do=ONE_BY_ONE,
            )  # fmt: skip
        if found not in ("softmax", "linear", None):
            raise _other(name, f"activation is {str(found)[:40]!r}; wanted 'softmax' or none")


def _other(name: str, problem: str) -> WeightsLayoutError:
    return WeightsLayoutError(problem, array=name,
        do="this is another network than VGG16: hand it over as it is, with jv.describe",
    )  # fmt: skip
