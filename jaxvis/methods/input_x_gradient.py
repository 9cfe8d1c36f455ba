"""Gradient x input: what every pixel adds to the score, if the network were linear.

Shrikumar, Greenside, Shcherbina & Kundaje, "Not Just a Black Box: Learning Important Features
Through Propagating Activation Differences" (arXiv 1605.01713, 2016), section 3.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from jaxvis.gradients.relu import VANILLA, Relu, Rule
from jaxvis.gradients.target import Model, Score
from jaxvis.methods.method import Method, Pass
from jaxvis.methods.one_pass import one_map
from jaxvis.methods.wide import summed
from jaxvis.types import AnyArray


def input_x_gradient(
    model: Model,
    x: Float[AnyArray, "n height width channels"],
    classes: ArrayLike | None = None,
    *,
    rule: Rule | Relu = VANILLA,
    score: Score | None = None,
    channel_axis: int | None = None,
) -> Float[Array, "n *k height width"]:
    """Return the map sum over channels of x * d score / d x, raw and signed.

    x is the network's input, so that a pixel that is 0 there (of VGG16: the mean colour) adds
    nothing. Where all biases are 0 and the rule is `VANILLA`, a network of ReLUs, convolutions and
    max pooling is linear around x, and the map adds up to the logit. Arguments and errors are those
    of `saliency`. Shrikumar et al. (2016), section 3.
    """
    return one_map(
        INPUT_X_GRADIENT,
        model,
        x,
        classes,
        rule,
        score=score,
        channel_axis=channel_axis,
        signed=True,
    )


def products(x: Array, gradient: Array) -> Array:
    """Return the sum over channels of x * gradient; of (n, features), each product."""
    gradient = gradient.astype(x.dtype)
    return summed(x, gradient) if x.ndim > 2 else x * gradient


def _input_x_gradient(given: Pass) -> Any:
    return jax.tree.map(products, given.x, given.input_gradient)


INPUT_X_GRADIENT = Method(
    name="input_x_gradient",
    title="gradient x input",
    function=_input_x_gradient,
    shown=jnp.abs,
    kind="one pass",
    at="input",
    signed=False,
    rules=True,
    forward=1,
    backward=1,
    paper="Shrikumar et al., arXiv 1605.01713 (2016)",
    about="What every pixel would add to the class's logit if the network were linear, its "
    "absolute value.",
)
