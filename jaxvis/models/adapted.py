"""Networks of Keras, Flax Linen and Equinox -> `Network`: what the three have in common.

What a library writes is turned into a function of the input, its weights data and as at prediction;
then a last softmax is taken off, the ReLUs are exposed, and the layer is chosen for Grad-CAM.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from jaxvis.any_model.expose import expose_relu
from jaxvis.any_model.last_activation import without_last_activation
from jaxvis.models.network import Network, Preprocess, check_size, describe, one_input
from jaxvis.models.preprocessing import preprocessing

# What makes probabilities of the logits that are left when an activation was taken off.
OUTPUTS: Mapping[str | None, Literal["softmax", "sigmoid"] | None] = {
    None: None, "softmax": "softmax", "log_softmax": "softmax", "sigmoid": "sigmoid",
    "log_sigmoid": "sigmoid",
}  # fmt: skip


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
    check_size(size)
    function = preprocessing(preprocess)
    logits, kind = without_last_activation(call, one_input(size, function))
    return describe(
        expose_relu(logits, forms=forms), size=size, preprocess=function, labels=labels,
        layer=layer, name=name, output=OUTPUTS[kind],
    )  # fmt: skip
