"""What is differentiated: the logits of some classes, or a score made of the logits."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float, Int

from jaxvis.errors import InputError, InputTypeError
from jaxvis.types import AnyArray

Model = Callable[..., Float[Array, "n classes"]]
Score = Callable[[Any], Float[Array, " n"]]  # from whatever the model returns


def as_targets(classes: ArrayLike | None, score: Score | None) -> Int[Array, "..."] | None:
    """Return `classes` as int32, checked as far as is possible before the model has run."""
    if classes is None:
        return None
    if score is not None:
        raise InputError("both classes and score= are given; wanted one: the score picks logits")
    if isinstance(classes, str) or (
        isinstance(classes, list | tuple) and any(isinstance(name, str) for name in classes)
    ):
        raise InputTypeError(f"classes is {classes!r}; wanted indices: model.class_index(name)")
    targets = jnp.asarray(classes)
    if not jnp.issubdtype(targets.dtype, jnp.integer):
        raise InputTypeError(f"classes have dtype {targets.dtype}; wanted integers")
    return targets.astype(jnp.int32)


def several(targets: Int[Array, "..."] | None) -> bool:
    """Whether k classes are asked for of every image, so that maps have an axis for them."""
    return targets is not None and targets.ndim == 2


def score_cotangent(outputs: Any, score: Score, n: int) -> Any:
    """Return d score / d outputs, in the form of what the model returned.

    Raises:
        ValueError: the score is not one number per image.
    """
    scores, pull_back = jax.vjp(score, outputs)
    check_scores(scores, outputs, n)
    return pull_back(jnp.ones_like(scores))[0]


def check_scores(scores: Any, outputs: Any, n: int) -> Float[Array, " n"]:
    """Return what a score made of a model's outputs; raise ValueError unless n floats, (n,)."""
    shape = getattr(scores, "shape", None)
    if shape != (n,):
        found = f"a {type(scores).__name__}" if shape is None else f"shape {shape}"
        shapes = ", ".join(str(leaf.shape) for leaf in jax.tree.leaves(outputs))
        raise InputError(
            f"score returned {found} for an output of {shapes}; wanted one score per image, shape "
            f"({n},)"
        )
    if not jnp.issubdtype(scores.dtype, jnp.inexact):
        raise InputError(f"score returned {scores.dtype}; wanted floats, which have a gradient")
    return scores


def logit_cotangents(
    logits: Float[Array, "n classes"], targets: Int[Array, "..."] | None
) -> Float[Array, "k n classes"]:
    """Return d logit / d logits for each of k classes: one-hot rows, the largest logit's for None.

    Targets are one index, one per image (n,), or k per image (n, k); k is 1 but for the last.

    Raises:
        ValueError: targets of another shape.
    """
    n, classes = logits.shape
    if targets is None:
        targets = jnp.argmax(logits, axis=1)
    check_target_shape(targets, n)
    rows = targets if targets.ndim == 2 else jnp.broadcast_to(targets, (n,))[:, None]
    # Inside jax.shard_map a cotangent has to vary between devices as the logits do, and a class
    # that is given does not; an index of theirs, times 0, does.
    rows = rows + 0 * jnp.argmax(logits, axis=1)[:, None].astype(rows.dtype)
    return jax.nn.one_hot(rows.T, classes, dtype=logits.dtype)


def cotangent_of(
    outputs: Any, targets: Int[Array, "..."] | None, score: Score | None, n: int
) -> Any:
    """Return what one way back starts with: d score / d outputs, or d logit / d logits.

    Without a score, outputs are logits and targets one class of each image.
    """
    if score is not None:
        return score_cotangent(outputs, score, n)
    return logit_cotangents(outputs, targets)[0]


def check_target_shape(targets: Int[AnyArray, "..."], n: int) -> None:
    """Raise ValueError unless targets are one index, (n,) or (n, k), for n images."""
    shape = targets.shape
    if shape not in ((), (n,)) and (len(shape) != 2 or shape[0] != n or shape[1] == 0):
        raise InputError(
            f"classes have shape {shape}; wanted one index, one per image: ({n},), or several of "
            f"every image: ({n}, k)"
        )


def check_targets(targets: Int[Array, "..."] | None, logits: Float[Array, "n classes"]) -> None:
    """Raise ValueError if a class is out of range; a traced one cannot be checked and gives 0."""
    if targets is None or isinstance(targets, jax.core.Tracer):
        return
    classes = logits.shape[1]
    indices = np.asarray(targets)
    if np.any((indices < 0) | (indices >= classes)):
        raise InputError(
            f"classes are {indices.tolist()}; wanted indices from 0 to {classes - 1}, since the "
            f"model has {classes} classes"
        )


def as_inputs(x: Any) -> Any:
    """Return the input of a model with its arrays as JAX arrays, in the form in which it came.

    A tuple or a dict of arrays is the input of a model that takes several; only arrays are
    converted, and nothing is stacked.

    Raises:
        TypeError: something in x is no array.
        ValueError: there are no images in it.
    """
    check_arrays(x)
    for leaf in jax.tree.leaves(x):
        if leaf.ndim and leaf.shape[0] == 0:
            raise InputError(f"x has shape {leaf.shape}, no image; wanted at least one")
    return jax.tree.map(jnp.asarray, x)


def check_arrays(x: Any) -> None:
    """Raise TypeError if something in the input of a model is no array."""
    for leaf in jax.tree.leaves(x):
        if not isinstance(leaf, jax.Array | np.ndarray):
            raise InputTypeError(
                f"x holds a {type(leaf).__name__}; wanted one array (n, ...), or a tuple or dict "
                "of arrays for a model of several inputs: np.stack(images) makes one array of a "
                "list"
            )


def check_inputs(x: Any) -> int:
    """Return the number of images in x.

    Raises:
        ValueError: an array of x cannot be differentiated or has no batch axis, or the arrays are
            not of one number of images.
    """
    leaves = jax.tree.leaves(x)
    alone = len(leaves) == 1
    for leaf in leaves:
        if not jnp.issubdtype(leaf.dtype, jnp.floating) or leaf.ndim < (2 if alone else 1):
            raise InputError(
                f"x has dtype {leaf.dtype} and shape {leaf.shape}; wanted floats (n, height, "
                "width, channels), as the network's own preprocessing makes them (VGG16's is "
                "jv.preprocess), with the batch axis even for one image"
            )
    sizes = {leaf.shape[0] for leaf in leaves}
    if len(sizes) != 1:
        shapes = ", ".join(str(leaf.shape) for leaf in leaves) or "nothing"
        raise InputError(
            f"x holds {shapes}; wanted arrays whose first axis is the same number of images"
        )
    return sizes.pop()


def check_logits(logits: Any, n: int) -> None:
    """Raise ValueError unless the model returned one row of logits per image."""
    shape = getattr(logits, "shape", None)
    if shape is None or len(shape) != 2 or shape[0] != n:
        found = f"shape {shape}" if shape is not None else f"a {type(logits).__name__}"
        raise InputError(
            f"the model returned {found} for {n} images; wanted logits ({n}, classes), or score=, "
            "a function from what the model returns to one number for each image"
        )


CHANNELS = (1, 3, 4)  # that images have
SMALLEST = 8  # pixels: what has fewer may as well be channels


def channels_first(shape: tuple[int, ...]) -> bool:
    """Whether images of this shape are clearly (n, channels, height, width)."""
    return len(shape) == 4 and shape[1] in CHANNELS and min(shape[2:]) >= SMALLEST


def channels_last(arrays: Any, channel_axis: int | None, images: Any) -> Any:
    """Return arrays with their channels as last axis, which is where None takes them to be.

    An array (n, features) has no channels, and stays as it is.

    Raises:
        ValueError: None, and `images` are clearly channels first; or an array without that axis.
    """
    if channel_axis is None:
        for leaf in jax.tree.leaves(images):
            if channels_first(leaf.shape):
                raise InputError(
                    f"x has shape {leaf.shape}, channels first; maps are made of what the channels "
                    "hold in one place: wanted channel_axis=1 if the network has them first "
                    "throughout, or -1 for the last axis, whatever it looks like"
                )
        return arrays

    def moved(leaf: Array) -> Array:
        if leaf.ndim < 3:
            return leaf
        if not -leaf.ndim < channel_axis < leaf.ndim:
            raise InputError(
                f"channel_axis is {channel_axis}, but there is shape {leaf.shape}; wanted 1 to "
                f"{leaf.ndim - 1}, or -1, the last axis"
            )
        return jnp.moveaxis(leaf, channel_axis, -1)

    return jax.tree.map(moved, arrays)
