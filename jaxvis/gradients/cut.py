"""Where a model is cut in two: the body below a layer, the head above it."""

from collections.abc import Callable
from typing import Any

import jax
from jaxtyping import Array, Float

Part = Callable[..., Any]


def cut(model: Any, layer: str | int) -> tuple[Part, Part]:
    """Return the model's `(body, head)` around a layer; a pair is taken as cut already.

    Raises:
        TypeError: the model is neither a pair nor has a method `cut`.
    """
    if isinstance(model, tuple) and len(model) == 2:
        return model
    if hasattr(model, "cut"):
        return model.cut(layer)
    raise TypeError(
        f"a {type(model).__name__} cannot be cut; wanted a model with cut(layer) -> (body, head), "
        "or such a pair of callables"
    )


def activation_of(at_cut: Any) -> Float[Array, "n h w c"]:
    """Return the activation at a cut: all that a body returns, or its first leaf (see `AtCut`)."""
    return jax.tree.leaves(at_cut)[0]


def check_maps(activation: Any, layer: str | int) -> None:
    """Raise ValueError unless the activations behind the cut have height and width."""
    if activation.ndim != 4:
        raise ValueError(
            f"Grad-CAM needs maps (n, height, width, channels), but behind {layer!r} there is "
            f"shape {activation.shape}; choose a convolution or pooling, such as 'block5_conv3'"
        )
