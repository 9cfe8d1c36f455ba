"""Grad-CAM: where in a layer the evidence for a class is.

Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based
Localization" (arXiv 1610.02391, 2016), section 3. A model is cut in two behind the layer, and
Grad-CAM is one gradient of the second half.
"""

from typing import Any

import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from jaxvis.gradients.relu import VANILLA, Relu, Rule
from jaxvis.gradients.target import Score
from jaxvis.methods.method import Method, Pass
from jaxvis.methods.one_pass import one_map
from jaxvis.methods.options import Layer
from jaxvis.methods.wide import space, weighed, widened
from jaxvis.types import AnyArray


def grad_cam(
    model: Any,
    x: Float[AnyArray, "n height width channels"],
    classes: ArrayLike | None = None,
    *,
    layer: Layer = "block5_conv3",
    rule: Rule | Relu = VANILLA,
    score: Score | None = None,
    grid: tuple[int, int] | None = None,
    channel_axis: int | None = None,
) -> Float[Array, "n *k h w"]:
    """Return the class activation map relu(sum_c w_c A_c), w_c = mean over h, w of d score / d A_c.

    A are the layer's activations after its ReLU, (n, h, w, c): (n, 14, 14, 512) for block5_conv3
    of VGG16, whose maps are (n, 14, 14), raw: at least 0, not scaled. A signal's (n, length, c)
    give (n, length), a volume's likewise. `rule` governs the ReLUs above the cut only: in VGG16
    those of fc1 and fc2.

    Args:
        model: a model with `cut(layer) -> (body, head)`, or such a pair, of callables that take
            `relu=`; with a pair, `layer` is not used.
        x, classes, score: as in `input_gradient`.
        layer: name of the layer to cut behind.
        rule: `VANILLA`, `RECTIFIED`, `GUIDED`, or a ReLU function of your own.
        grid: (height, width) of a transformer's tokens (n, tokens, c); a class token is dropped.
        channel_axis: of the activations: 1 for (n, c, h, w). Default the last; where the images
            are clearly channels first, it has to be said.

    Raises:
        TypeError: the model cannot be cut.
        ValueError: the layer's activations are no maps; otherwise as `input_gradient`.
    """
    return one_map(
        GRAD_CAM, model, x, classes, rule, layer=layer, score=score, grid=grid,
        channel_axis=channel_axis,
    )  # fmt: skip


def class_activation_map(
    activation: Float[Array, "n *space c"], gradient: Float[Array, "n *space c"]
) -> Float[Array, "n *space"]:
    """Return sum_c w_c A_c, before its ReLU, with w_c the mean of the gradient over all places."""
    activation, gradient = widened(activation), widened(gradient)
    return weighed(activation, jnp.mean(gradient, axis=space(gradient)))


def positive(cam: Float[Array, "..."]) -> Float[Array, "..."]:
    """Return max(cam, 0): what speaks for the class, and not what speaks against it."""
    return jnp.maximum(cam, jnp.zeros((), cam.dtype))


def _grad_cam(given: Pass) -> Float[Array, "n *space"]:
    assert given.activation is not None
    assert given.activation_gradient is not None
    return class_activation_map(given.activation, given.activation_gradient)


GRAD_CAM = Method(
    name="grad_cam",
    title="Grad-CAM",
    function=_grad_cam,
    shown=positive,
    kind="one pass",
    at="layer",
    signed=False,
    rules=True,
    forward=1,
    backward=1,
    paper="Selvaraju et al., arXiv 1610.02391 (2016)",
    about="Where the layer's channels that speak for the class are active.",
)
