"""What is differentiated: a class's logit, or a score made of the logits."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float, Int

Model = Callable[..., Float[Array, "n classes"]]
Score = Callable[[Float[Array, "n classes"]], Float[Array, " n"]]


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
