"""Grad-CAM: where in a layer the evidence for a class is.

Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based
Localization" (arXiv 1610.02391, 2016), section 3. A model is cut in two behind the layer, and
Grad-CAM is one gradient of the second half.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from jaxvis.gradients.compiled import Compiled
from jaxvis.gradients.cut import activation_of, check_maps, cut
from jaxvis.gradients.relu import VANILLA, Relu, Rule, relu_under
from jaxvis.gradients.target import (
    Score,
    as_targets,
    check_floats,
    check_logits,
    check_targets,
    logit_cotangent,
)
from jaxvis.types import AnyArray


def grad_cam(
    model: Any,
    x: Float[AnyArray, "n height width channels"],
    classes: ArrayLike | None = None,
    *,
    layer: str | int = "block5_conv3",
    rule: Rule | Relu = VANILLA,
    score: Score | None = None,
) -> Float[Array, "n h w"]:
    """Return the class activation map relu(sum_c w_c A_c), w_c = mean over h, w of d score / d A_c.

    A are the layer's activations after its ReLU, (n, h, w, c): (n, 14, 14, 512) for block5_conv3
    of VGG16, whose maps are (n, 14, 14), raw: at least 0, not scaled. `rule` governs the ReLUs
    above the cut only: in VGG16 those of fc1 and fc2.

    Args:
        model: a model with `cut(layer) -> (body, head)`, or such a pair, of callables that take
            `relu=`; with a pair, `layer` is not used.
        x, classes, score: as in `input_gradient`.
        layer: name of the layer to cut behind.
        rule: `VANILLA`, `RECTIFIED`, `GUIDED`, or a ReLU function of your own.

    Raises:
        TypeError: the model cannot be cut.
        ValueError: the layer's activations are no maps; otherwise as `input_gradient`.
    """
    relu, targets = relu_under(rule), as_targets(classes, score)
    cam, logits = _grad_cam(model, jnp.asarray(x), targets, layer, relu, score)
    check_targets(targets, logits)
    return cam


@Compiled
def _grad_cam(
    model: Any, x: Array, targets: Array | None, layer: str | int, relu: Relu, score: Score | None
) -> tuple[Float[Array, "n h w"], Float[Array, "n classes"]]:
    check_floats(x)
    body, head = cut(model, layer)
    at_cut = body(x)
    activation = activation_of(at_cut)
    check_maps(activation, layer)
    logits, pull_back = jax.vjp(lambda at_cut: head(at_cut, relu=relu), at_cut)
    check_logits(logits, x.shape[0])
    (gradient,) = pull_back(logit_cotangent(logits, targets, score))
    return class_activation_map(activation, activation_of(gradient)), logits


def class_activation_map(
    activation: Float[Array, "n h w c"], gradient: Float[Array, "n h w c"], *, signed: bool = False
) -> Float[Array, "n h w"]:
    """Return relu(sum_c w_c A_c) with w_c the mean of the gradient over height and width.

    `signed`, the sum before that ReLU.
    """
    if activation.dtype.itemsize < 4:  # half precision adds up badly
        activation, gradient = activation.astype(jnp.float32), gradient.astype(jnp.float32)
    weights = jnp.mean(gradient, axis=(1, 2), keepdims=True)
    cam = jnp.sum(weights * activation, axis=-1)
    return cam if signed else jnp.maximum(cam, jnp.zeros((), cam.dtype))
