"""What a picture is made to excite: a logit, a channel of a layer, or any score.

In contrast to a map there are no images to ask about; the pictures are told apart by what each is
to excite, one class or channel a picture.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float, Int

from jaxvis.errors import InputError, InputTypeError
from jaxvis.gradients.called import handed
from jaxvis.gradients.cut import activation_of, cut, is_pair
from jaxvis.gradients.relu import Relu
from jaxvis.gradients.target import Score, as_targets, check_logits
from jaxvis.methods.options import Layer


class Objective(NamedTuple):
    """What is to be excited.

    Attributes:
        which: index of the logits, or with a layer of its channels: one for all pictures, or (n,).
        layer: where the model is cut; None is its output.
        score: instead of an index, from the output, or the layer's activation, to scores (n,).
    """

    which: Int[Array, "..."] | None
    layer: Layer | None
    score: Score | None


def objective_of(
    classes: ArrayLike | None, layer: Layer | None, channel: ArrayLike | None, score: Score | None
) -> Objective:
    """Return the objective, checked as far as is possible before the model has run.

    Raises:
        TypeError: indices that are no integers, a score that is no function, a layer of a wrong
            type.
        ValueError: nothing or more than one thing is asked for.
    """
    given = {"classes": classes, "channel=": channel, "score=": score}
    names = [name for name, value in given.items() if value is not None]
    if len(names) != 1:
        raise InputError(
            f"what is to be excited is given by {' and '.join(names) or 'nothing'}; wanted one of "
            "classes, layer= with channel=, or score="
        )
    if layer is not None and (isinstance(layer, bool) or not isinstance(layer, str | int)):
        raise InputTypeError(f"layer is {layer!r}; wanted the name or number of one layer")
    if classes is not None and layer is not None:
        raise InputError(
            f"classes and layer={layer!r} are both given; wanted classes of the output, or channel="
            " of the layer"
        )
    if channel is not None and layer is None:
        raise InputError(f"channel is {channel!r}, but of which layer? Wanted layer=, too")
    if score is not None and not callable(score):
        raise InputTypeError(
            f"score is a {type(score).__name__}; wanted a function from what the model returns to "
            "one number for each picture"
        )
    if classes is not None:
        return Objective(_checked(classes, "classes"), None, None)
    return Objective(None if channel is None else _checked(channel, "channel"), layer, score)


def _checked(index: ArrayLike, name: str) -> Int[Array, "..."]:
    if name == "channel" and not jnp.issubdtype(np.asarray(index).dtype, jnp.integer):
        raise InputTypeError(f"channel is {index!r}; wanted integers")
    found = as_targets(index, None)
    assert found is not None
    if found.ndim > 1 or found.size == 0:
        raise InputError(
            f"{name} has shape {found.shape}; wanted one index, or one for each picture: (n,)"
        )
    return found


def reached(model: Any, relu: Relu, layer: Layer | None, x: Any) -> Any:
    """Return what the model makes of x at a layer, or at its output."""
    if layer is not None:
        return activation_of(handed(cut(model, layer)[0], relu)(x))
    if is_pair(model):
        body, head = model
        return handed(head, relu)(handed(body, relu)(x))
    return handed(model, relu)(x)


def scores_of(outputs: Any, objective: Objective, n: int) -> Float[Array, " n"]:
    """Return one score for each picture: a logit, the mean of a channel, or the score's own.

    Raises:
        ValueError: the output is no logits, the layer's is no maps, or the score is not one number
            for each picture.
    """
    if objective.score is not None:
        return _checked_scores(objective.score(outputs), outputs, n)
    if objective.layer is None:
        check_logits(outputs, n)
    elif outputs.ndim < 2 or len(outputs) != n:
        raise InputError(
            f"behind {objective.layer!r} there is shape {outputs.shape} for {n} pictures; wanted "
            f"({n}, ..., channels)"
        )
    if outputs.dtype.itemsize < 4:  # half precision adds up badly
        outputs = outputs.astype(jnp.float32)
    values = jnp.mean(outputs, axis=tuple(range(1, outputs.ndim - 1)))
    assert objective.which is not None
    index = jnp.broadcast_to(objective.which, (n,))
    return jnp.take_along_axis(values, index[:, jnp.newaxis], axis=1)[:, 0]


def _checked_scores(scores: Any, outputs: Any, n: int) -> Float[Array, " n"]:
    shape = getattr(scores, "shape", None)
    if shape != (n,):
        found = f"a {type(scores).__name__}" if shape is None else f"shape {shape}"
        shapes = ", ".join(str(leaf.shape) for leaf in jax.tree.leaves(outputs))
        raise InputError(
            f"score returned {found} for an output of {shapes}; wanted one score per picture, "
            f"shape ({n},)"
        )
    if not jnp.issubdtype(scores.dtype, jnp.inexact):
        raise InputError(f"score returned {scores.dtype}; wanted floats, which have a gradient")
    return scores


def check_index(objective: Objective, count: int | None) -> None:
    """Raise ValueError for a class or channel that is not one of `count`."""
    if objective.which is None or count is None:
        return
    indices = np.asarray(objective.which)
    if np.any((indices < 0) | (indices >= count)):
        name, owner, what = (
            ("classes", "the model", "classes") if objective.layer is None
            else ("channel", f"layer {objective.layer!r}", "channels")
        )  # fmt: skip
        raise InputError(
            f"{name} is {indices.tolist()}; wanted indices from 0 to {count - 1}, since {owner} "
            f"has {count} {what}"
        )
