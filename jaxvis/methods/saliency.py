"""The gradient of a score with respect to the input, and the saliency map made of it.

Simonyan, Vedaldi & Zisserman, "Deep Inside Convolutional Networks" (arXiv 1312.6034, 2013),
section 3. Nothing here knows VGG16: a model is any callable `model(x, relu=...) -> logits`.
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
from jaxvis.types import AnyArray


def input_gradient(
    model: Model,
    x: Float[AnyArray, "n height width channels"],
    classes: ArrayLike | None = None,
    *,
    rule: Rule | Relu = VANILLA,
    score: Score | None = None,
) -> Float[Array, "n *k height width channels"]:
    """Return d score / d x, raw and signed, with the ReLUs' backward pass under `rule`.

    Args:
        model: a callable `model(x, relu=...) -> logits` that uses the ReLU it is handed. A Keras
            model, a bound Flax Linen module, an Equinox or Flax NNX module without `relu=` is
            exposed as by `expose_relu`.
        x: network input, one image or more; any shape (n, ...) that the model takes, or a tuple or
            dict of arrays for a model of several inputs.
        classes: index of the logit to differentiate, one for all images, one per image, shape (n,),
            or k of every image, (n, k); None takes each image's largest logit.
        rule: `VANILLA`, `RECTIFIED`, `GUIDED`, or a ReLU function of your own.
        score: instead of `classes`, a function from what the model returns, logits (n, classes) or
            anything else, to scores (n,).

    Returns:
        The gradient, of the shape and dtype of x, in its form; with (n, k) classes, k axes behind
        the images'. Compiled on first use; a function that is used as a model or score is frozen
        then, with all that it captures, as in `jax.jit`.

    Raises:
        TypeError: the model cannot be called or takes no `relu=`, `rule` is no rule, or `classes`
            are no integers.
        ValueError: a class that the model does not have, classes as well as a score, logits or
            scores of a wrong shape, or a model that never calls its ReLU under another rule than
            `VANILLA`.
    """
    return one_map(GRADIENT, model, x, classes, rule, score=score, channel_axis=-1)


def saliency(
    model: Model,
    x: Float[AnyArray, "n height width channels"],
    classes: ArrayLike | None = None,
    *,
    rule: Rule | Relu = VANILLA,
    score: Score | None = None,
    channel_axis: int | None = None,
) -> Float[Array, "n *k height width"]:
    """Return the saliency map max over channels of |d score / d x|, raw: at least 0, not scaled.

    Arguments and errors are those of `input_gradient`; `channel_axis` is 1 for images (n, channels,
    height, width). Without it the channels are the last axis, and images that are clearly channels
    first, (n, 3, height, width), are a ValueError. An input (n, features), which has no channels,
    gives |d score / d x|. Simonyan et al. (2013), section 3.1.
    """
    return one_map(SALIENCY, model, x, classes, rule, score=score, channel_axis=channel_axis)


def largest_over_channels(gradient: Float[Array, "n ... channels"]) -> Float[Array, "n ..."]:
    """Return the value of the largest |gradient| over the channels, with its sign."""
    if gradient.ndim < 3:  # (n, features): nothing to take a maximum over
        return gradient
    high, low = jnp.max(gradient, axis=-1), jnp.min(gradient, axis=-1)
    return jnp.where(high >= -low, high, low)


def _saliency(given: Pass) -> Any:
    return jax.tree.map(largest_over_channels, given.input_gradient)


SALIENCY = Method(
    name="saliency",
    title="saliency",
    function=_saliency,
    shown=jnp.abs,
    kind="one pass",
    at="input",
    signed=False,
    rules=True,
    forward=1,
    backward=1,
    paper="Simonyan, Vedaldi & Zisserman, arXiv 1312.6034 (2013)",
    about="The gradient of the class's logit with respect to the pixels, its absolute value, the "
    "largest of the channels.",
)

# What `input_gradient` asks for: no map, and so no row of the catalogue.
GRADIENT = SALIENCY._replace(
    name="input_gradient", function=lambda given: given.input_gradient, shown=lambda map: map
)
