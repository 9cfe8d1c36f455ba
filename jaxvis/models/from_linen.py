"""A Flax Linen module and its variables -> `Network`."""

from collections.abc import Mapping, Sequence
from typing import Any

from jaxvis.any_model.adapters import keywords, linen_call
from jaxvis.any_model.relu_sites import FORMS
from jaxvis.models.adapted import adapted
from jaxvis.models.network import Network, Preprocess

# What modules call the difference between training and prediction, and its value at prediction.
AT_PREDICTION = {
    "train": False, "training": False, "is_training": False, "deterministic": True,
    "inference": True, "use_running_average": True,
}  # fmt: skip


def from_linen(
    module: Any,
    variables: Mapping[str, Any] | None = None,
    *,
    preprocess: str | Preprocess,
    size: tuple[int, int],
    labels: Sequence[str] | None = None,
    layer: str | int | None = None,
    forms: Sequence[str] = FORMS,
    name: str | None = None,
    arguments: Mapping[str, Any] | None = None,
) -> Network:
    """Return the `Network` of a Flax Linen module, as at prediction, a last softmax taken off.

    Args:
        module: a `flax.linen.Module`; its variables may be bound to it.
        variables: what `module.init` returned, or a training made of it: "params", "batch_stats".
        preprocess: from uint8 RGB (n, height, width, 3) to its input, or one of Keras's modes by
            its name, as in `describe`.
        size, labels, name: as in `Network`; the name is that of its class unless given.
        layer: the name of a module inside, "Block_3" or "ResNet/Block_3", or anything else that
            `cut_at` takes; unless given, `cut_points(module, x).last`.
        forms: what counts as a ReLU, as in `expose_relu`.
        arguments: keyword arguments of the module's call. Unless given, those of the names `train`,
            `training`, `is_training`, `deterministic`, `inference` and `use_running_average` that
            it has are set as for prediction.

    Raises:
        TypeError: there are no variables.
        ValueError: as `describe`; a module that runs as in training all the same.
    """
    if arguments is None:
        names, _ = keywords(type(module).__call__)
        arguments = {name: value for name, value in AT_PREDICTION.items() if name in names}
    return adapted(
        linen_call(module, variables, **arguments), size=size, preprocess=preprocess, labels=labels,
        layer=layer, forms=forms, name=name or module.name or type(module).__name__,
    )  # fmt: skip
