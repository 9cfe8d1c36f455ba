"""The gradient of a score with respect to the input, and the saliency map made of it.

Simonyan, Vedaldi & Zisserman, "Deep Inside Convolutional Networks" (arXiv 1312.6034, 2013),
section 3. Nothing here knows VGG16: a model is any callable `model(x, relu=...) -> logits`.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float, Int

from jaxvis.compiled import Compiled
from jaxvis.relu import VANILLA, AnyArray, Relu, Rule, relu_under

Model = Callable[..., Float[Array, "n classes"]]
Score = Callable[[Float[Array, "n classes"]], Float[Array, " n"]]
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


def logit_cotangent(
    logits: Float[Array, "n classes"], targets: Array | None, score: Score | None
) -> Float[Array, "n classes"]:
    """Return d score / d logits: a one-hot row for a class, the largest logit's for None."""
    if score is None:
        if targets is None:
            targets = jnp.argmax(logits, axis=1)
        if targets.shape not in ((), logits.shape[:1]):
            raise ValueError(
                f"classes have shape {targets.shape}; wanted one index, or one per image: "
                f"{logits.shape[:1]}"
            )
        indices = jnp.broadcast_to(targets, logits.shape[:1])
        return jax.nn.one_hot(indices, logits.shape[1], dtype=logits.dtype)
    scores, pull_back = jax.vjp(score, logits)
    if scores.shape != logits.shape[:1]:
        raise ValueError(
            f"score returned shape {scores.shape} for logits of shape {logits.shape}; wanted one "
            f"score per image, shape {logits.shape[:1]}"
        )
    return pull_back(jnp.ones_like(scores))[0]


def as_targets(classes: ArrayLike | None, score: Score | None) -> Int[Array, "..."] | None:
    """Return `classes` as int32, checked as far as is possible before the model has run."""
    if classes is None:
        return None
    if score is not None:
        raise ValueError("both classes and score= are given; wanted one: the score picks logits")
    if isinstance(classes, str) or (
        isinstance(classes, list | tuple) and any(isinstance(name, str) for name in classes)
    ):
        raise TypeError(f"classes is {classes!r}; wanted indices: model.class_index(name)")
    targets = jnp.asarray(classes)
    if not jnp.issubdtype(targets.dtype, jnp.integer):
        raise TypeError(f"classes have dtype {targets.dtype}; wanted integers")
    return targets.astype(jnp.int32)


def check_targets(targets: Int[Array, "..."] | None, logits: Float[Array, "n classes"]) -> None:
    """Raise ValueError if a class is out of range; a traced one cannot be checked and gives 0."""
    if targets is None or isinstance(targets, jax.core.Tracer):
        return
    classes = logits.shape[1]
    indices = np.asarray(targets)
    if np.any((indices < 0) | (indices >= classes)):
        raise ValueError(
            f"classes are {indices.tolist()}; wanted indices from 0 to {classes - 1}, since the "
            f"model has {classes} classes"
        )


def check_floats(x: Any) -> None:
    """Raise ValueError unless x can be differentiated and has a batch axis."""
    if not jnp.issubdtype(x.dtype, jnp.floating) or x.ndim < 2:
        raise ValueError(
            f"x has dtype {x.dtype} and shape {x.shape}; wanted floats (n, height, width, "
            "channels): jv.preprocess(images), with the batch axis even for one image"
        )


def check_logits(logits: Any, n: int) -> None:
    """Raise ValueError unless the model returned one row of logits per image."""
    if logits.ndim != 2 or logits.shape[0] != n:
        raise ValueError(
            f"the model returned shape {logits.shape} for {n} images; wanted logits ({n}, classes)"
        )
