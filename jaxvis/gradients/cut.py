"""Where a model is cut in two: the body below a layer, the head above it."""

from collections.abc import Callable
from typing import Any

import jax
from jaxtyping import Array, Float

from jaxvis.errors import InputError, InputTypeError

Part = Callable[..., Any]


def cut(model: Any, layer: str | int) -> tuple[Part, Part]:
    """Return the model's `(body, head)` around a layer; a pair is taken as cut already.

    Raises:
        TypeError: the model is neither a pair nor has a method `cut`.
        ValueError: it has no such layer.
    """
    if is_pair(model):
        return model
    if hasattr(model, "cut"):
        try:
            return model.cut(layer)
        except KeyError as error:
            if error.args != (layer,):
                raise
            raise InputError(
                f"the {type(model).__name__} has no layer {layer!r}; wanted layer=, one that its "
                "cut(layer) knows: the default is VGG16's; of a model that was exposed, "
                "jv.cut_points(model, x) lists them"
            ) from error
    raise InputTypeError(
        f"a {type(model).__name__} cannot be cut; wanted a model with cut(layer) -> (body, head), "
        "or such a pair of callables: jv.expose_relu(model) can be cut, its code untouched"
    )


def is_pair(model: Any) -> bool:
    """Whether a model comes as `(body, head)`, cut already; the only one that is no callable."""
    return type(model) is tuple and len(model) == 2


def activation_of(at_cut: Any) -> Float[Array, "n ..."]:
    """Return the activation at a cut: all that a body returns, or its first leaf (see `AtCut`)."""
    return jax.tree.leaves(at_cut)[0]


def as_maps(
    activation: Float[Array, "n ..."], layer: str | int, grid: tuple[int, int] | None
) -> Float[Array, "n *space channels"]:
    """Return activations, or their gradient, with space axes: one for a signal, two, three.

    With `grid`, (height, width), tokens (n, tokens, channels) become (n, height, width, channels),
    read row by row; a class token before them is dropped.

    Raises:
        ValueError: there are no space axes, or the tokens do not fill the grid.
    """
    shape = activation.shape
    if grid is None:
        if activation.ndim < 3:
            raise InputError(
                f"a class activation map needs maps (n, height, width, channels), or (n, length, "
                f"channels) and the like, but behind {layer!r} there is shape {shape}; choose a "
                "convolution or pooling, such as 'block5_conv3'"
            )
        return activation
    height, width = grid
    extra = shape[1] - height * width if activation.ndim == 3 else -1
    if extra not in (0, 1):
        raise InputError(
            f"grid is {grid}, so wanted tokens (n, {height * width}, channels), or one more with a "
            f"class token in front, but behind {layer!r} there is shape {shape}; leave out grid= "
            "for maps that have height and width already"
        )
    return activation[:, extra:].reshape(shape[0], height, width, shape[2])
