"""Networks of Keras, Flax Linen and Equinox -> `Network`: what the three have in common.

What a library writes is turned into a function of the input, its weights data and as at prediction;
then a last softmax is taken off, the ReLUs are exposed, and the layer is chosen for Grad-CAM.
"""

from collections.abc import Callable, Sequence
from typing import Any

from jaxvis.any_model.expose import expose_relu
from jaxvis.any_model.last_activation import without_last_activation
from jaxvis.errors import InputTypeError
from jaxvis.models.network import Network, Preprocess, describe, one_input


def adapted(
    call: Callable[[Any], Any],
    *,
    size: tuple[int, int],
    preprocess: str | Preprocess,
    labels: Sequence[str] | None,
    layer: str | int | None,
    forms: Sequence[str],
    name: str,
) -> Network:
    """Return the `Network` of a function from the input that `preprocess` makes to its outputs.

    Raises:
        TypeError, ValueError: as `describe` and `expose_relu`.
    """
    function = as_preprocess(preprocess)
    logits, _ = without_last_activation(call, one_input(size, function))
    return describe(
        expose_relu(logits, forms=forms), size=size, preprocess=function, labels=labels,
        layer=layer, name=name,
    )  # fmt: skip


def as_preprocess(preprocess: str | Preprocess) -> Preprocess:
    """Return a preprocessing by its name, or the function that it is.

    Raises:
        TypeError: neither.
    """
    if callable(preprocess):
        return preprocess
    raise InputTypeError(
        f"preprocess is {preprocess!r}; wanted a function from uint8 RGB (n, height, width, 3) to "
        "the input of the network"
    )
