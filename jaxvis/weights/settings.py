"""How the layers of a saved model must be set to be those of VGG16, and how to refuse others."""

from typing import Any

from jaxvis.weights.errors import WeightsLayoutError

AS_IT_IS = (
    "this is no VGG16 as jaxvis reads it: hand the model itself over, with jv.from_keras (to the "
    "command as --network my_module:my_function)"
)
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


def check_settings(kind: str, name: str, settings: dict[str, Any]) -> None:
    """Raise WeightsLayoutError if a layer is set to something else; `name` is its own."""
    for setting, wanted in SETTINGS.get(kind, {}).items():
        found = settings.get(setting, wanted)
        if found is None and setting in ("strides", "data_format", "negative_slope", "threshold"):
            continue  # of a pooling: those of its window
        if found != wanted and not (setting == "axis" and found in (-1, [-1])):
            raise other(name, f"{setting} is {str(found)[:40]!r}; wanted {wanted!r}")


def other(name: str, problem: str) -> WeightsLayoutError:
    """Return the error that refuses a layer, by its name."""
    return WeightsLayoutError(problem, array=name, do=AS_IT_IS)
