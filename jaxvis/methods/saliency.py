"""The gradient of a score with respect to the input, and the saliency map made of it.

Simonyan, Vedaldi & Zisserman, "Deep Inside Convolutional Networks" (arXiv 1312.6034, 2013),
section 3. Nothing here knows VGG16: a model is any callable `model(x, relu=...) -> logits`.
"""

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from jaxvis.gradients.compiled import Compiled
from jaxvis.gradients.relu import VANILLA, Relu, Rule, relu_under
from jaxvis.gradients.target import (
    Model,
    Score,
    as_targets,
    check_floats,
    check_logits,
    check_targets,
    logit_cotangent,
)
from jaxvis.types import AnyArray

Images = Float[Array, "n height width channels"]


def input_gradient(
    model: Model,
    x: Float[AnyArray, "n height width channels"],
    classes: ArrayLike | None = None,
    *,
    rule: Rule | Relu = VANILLA,
    score: Score | None = None,
) -> Float[Array, "n height width channels"]:
    """Return d score / d x, raw and signed, with the ReLUs' backward pass under `rule`.

    Args:
        model: a callable `model(x, relu=...) -> logits` that uses the ReLU it is handed.
        x: network input, one image or more; any shape (n, ...) that the model takes.
        classes: index of the logit to differentiate, one for all images or one per image, shape
            () or (n,); None takes each image's largest logit.
        rule: `VANILLA`, `RECTIFIED`, `GUIDED`, or a ReLU function of your own.
        score: instead of `classes`, a function from logits (n, classes) to scores (n,).

    Returns:
        The gradient, of the shape and dtype of x. Compiled on first use; a function that is used
        as a model or score is frozen then, with all that it captures, as in `jax.jit`.

    Raises:
        TypeError: the model cannot be called, or `rule` is no rule, or `classes` are no integers.
        ValueError: a class that the model does not have, classes as well as a score, or logits or
            scores of a wrong shape.
    """
    if not callable(model):
        raise TypeError(
            f"the model is a {type(model).__name__}; wanted a callable model(x, relu=...)"
        )
    relu, targets = relu_under(rule), as_targets(classes, score)
    gradient, logits = _input_gradient(model, jnp.asarray(x), targets, relu, score)
    check_targets(targets, logits)
    return gradient


def saliency(
    model: Model,
    x: Float[AnyArray, "n height width channels"],
    classes: ArrayLike | None = None,
    *,
    rule: Rule | Relu = VANILLA,
    score: Score | None = None,
) -> Float[Array, "n height width"]:
    """Return the saliency map max over channels of |d score / d x|, raw: at least 0, not scaled.

    Arguments and errors are those of `input_gradient`. Simonyan et al. (2013), section 3.1.
    """
    return largest_over_channels(input_gradient(model, x, classes, rule=rule, score=score))


def largest_over_channels(
    gradient: Float[Array, "... channels"], *, signed: bool = False
) -> Float[Array, "..."]:
    """Return max over channels of |gradient|; `signed`, that value as it was before |.|."""
    if not signed:
        return jnp.max(jnp.abs(gradient), axis=-1)
    high, low = jnp.max(gradient, axis=-1), jnp.min(gradient, axis=-1)
    return jnp.where(high >= -low, high, low)


@Compiled
def _input_gradient(
    model: Model, x: Images, targets: Array | None, relu: Relu, score: Score | None
) -> tuple[Images, Float[Array, "n classes"]]:
    check_floats(x)
    logits, pull_back = jax.vjp(lambda x: model(x, relu=relu), x)
    check_logits(logits, x.shape[0])
    (gradient,) = pull_back(logit_cotangent(logits, targets, score))
    return gradient, logits
