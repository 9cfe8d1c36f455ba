"""Grad-CAM++: several objects of a class weigh alike, however large they are.

Chattopadhay, Sarkar, Howlader & Balasubramanian, "Grad-CAM++: Improved Visual Explanations for Deep
Convolutional Networks" (arXiv 1710.11063, 2017), section 3.
"""

from functools import cache, partial
from typing import Any, Unpack

import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from jaxvis.errors import InputError
from jaxvis.methods.grad_cam import positive
from jaxvis.methods.method import Method, Pass
from jaxvis.methods.one_pass import one_map
from jaxvis.methods.options import OfLayer
from jaxvis.methods.wide import space, summed_over_space, weighed, wide
from jaxvis.types import AnyArray


def grad_cam_plus_plus(
    model: Any,
    x: Float[AnyArray, "n height width channels"],
    classes: ArrayLike | None = None,
    *,
    normalized: bool = False,
    epsilon: float = 0.0,
    **options: Unpack[OfLayer],
) -> Float[Array, "n *k h w"]:
    """Return relu(sum_c w_c A_c), w_c = sum over places of alpha relu(g), with g = d score / d A_c.

    alpha = g^2 / (2 g^2 + g^3 sum(A_c)), 0 where g is 0: equation 19, for a score that is the
    exponential of the logit, so that all derivatives are powers of g. The factor exp(logit) itself,
    one number for an image, is left out: it overflows float32 above 88.

    Raw: at least 0, not scaled. Arguments and errors are those of `grad_cam`, and

    Args:
        normalized: divide alpha by its sum over places, which the authors' code and tf-keras-vis do
            and the paper does not.
        epsilon: added to the denominator of alpha; 1e-6 in pytorch-grad-cam, where it damps
            gradients below 1e-3.
    """
    if not 0 <= epsilon < float("inf"):
        raise InputError(f"epsilon is {epsilon!r}; wanted a number, at least 0")
    method = _variant(bool(normalized), float(epsilon))
    return one_map(method, model, x, classes, **options)


def _alpha(activation: Array, gradient: Array, epsilon: float) -> Array:
    """Return equation 19, divided through by g^2, which so can neither overflow nor vanish."""
    total = jnp.sum(activation, axis=space(activation), keepdims=True)
    below = 2 + gradient * total
    if epsilon:
        square = gradient * gradient
        below = below + epsilon / jnp.where(square > 0, square, 1)
    usable = (gradient != 0) & (below != 0)
    return jnp.where(usable, 1 / jnp.where(usable, below, 1), 0)


def _grad_cam_plus_plus(
    given: Pass, normalized: bool = False, epsilon: float = 0.0
) -> Float[Array, "n *space"]:
    activation, gradient = wide(given)
    alpha = _alpha(activation, gradient, epsilon)
    if normalized:
        total = jnp.sum(alpha, axis=space(alpha), keepdims=True)
        alpha = alpha / jnp.where(total == 0, 1, total)
    return weighed(activation, summed_over_space(alpha, positive(gradient)))


GRAD_CAM_PLUS_PLUS = Method(
    name="grad_cam_plus_plus",
    title="Grad-CAM++",
    function=_grad_cam_plus_plus,
    shown=positive,
    kind="one pass",
    at="layer",
    signed=False,
    rules=True,
    forward=1,
    backward=1,
    paper="Chattopadhay et al., arXiv 1710.11063 (2017)",
    about="Grad-CAM with places weighed so that several objects count alike, large or small.",
)


@cache  # the same variant is the same function, and compiles nothing anew
def _variant(normalized: bool, epsilon: float) -> Method:
    if not normalized and not epsilon:
        return GRAD_CAM_PLUS_PLUS
    return GRAD_CAM_PLUS_PLUS._replace(
        function=partial(_grad_cam_plus_plus, normalized=normalized, epsilon=epsilon)
    )
