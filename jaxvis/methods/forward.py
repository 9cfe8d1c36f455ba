"""A compiled forward pass, for methods that ask a model what it makes of other images."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxvis.any_model.adapters import as_model
from jaxvis.any_model.cut_at import AtCut
from jaxvis.errors import InputError
from jaxvis.gradients.compiled import Compiled
from jaxvis.gradients.cut import activation_of, as_maps, cut, is_pair
from jaxvis.gradients.target import (
    Score,
    channels_last,
    check_logits,
    check_scores,
    check_targets,
)
from jaxvis.methods.wide import widened


def whole(model: Any, x: Any) -> Any:
    """Return what a model, or a pair that is one after the other, returns for x."""
    return model[1](model[0](x)) if is_pair(model) else model(x)


_outputs = Compiled(whole)


@Compiled
def _body(model: Any, x: Any, layer: str | int) -> Any:
    return cut(model, layer)[0](x)


@Compiled
def _head(model: Any, at_cut: Any, layer: str | int) -> Any:
    return cut(model, layer)[1](at_cut)


def outputs(model: Any, x: Any) -> Any:
    """Return what the model returns for x: logits (n, classes), of most."""
    return _outputs(as_model(model), x)


def body(model: Any, x: Any, layer: str | int) -> Any:
    """Return what a layer returns for x, as the model's `cut` has it."""
    return _body(as_model(model), x, layer)


def head(model: Any, at_cut: Any, layer: str | int) -> Any:
    """Return what the model returns for what a layer returned."""
    return _head(as_model(model), at_cut, layer)


def maps_of(
    at_cut: Any, layer: str | int, x: Any, grid: tuple[int, int] | None, channel_axis: int | None
) -> tuple[Float[Array, "n *space channels"], int]:
    """Return a layer's activations as maps, channels last, and the axis where it has its channels.

    Arguments and errors are those of `grad_cam`; `at_cut` is what `body` returned.
    """
    axis = -1 if isinstance(at_cut, AtCut) else channel_axis  # AtCut has moved them already
    maps = as_maps(channels_last(activation_of(at_cut), axis, x), layer, grid)
    return widened(maps), -1 if axis is None else axis


def scores(
    found: Any, targets: Int[Array, " n"] | None, score: Score | None, *, of_all: bool = False
) -> Float[Array, " n"]:
    """Return one number for every image, from what a model returned.

    Args:
        found: what the model returned.
        targets: the class of each image, whose logit it is; None where there is a score.
        score: a function from what the model returned to the numbers.
        of_all: the class's share of all, softmax(logits), in the place of its logit.

    Raises:
        ValueError: no logits (n, classes), a class that is not there, or a score that is not one
            number for every image.
    """
    if score is not None:
        return check_scores(score(found), found, _rows(found))
    assert targets is not None
    check_logits(found, len(targets))
    check_targets(targets, found)
    values = jax.nn.softmax(found, axis=1) if of_all else found
    return jax.vmap(lambda row, index: row[index])(values, targets)


def scores_of_versions(
    found: Any,
    target: Int[Array, ""] | None,
    score: Score | None,
    *,
    image: int | Int[Array, ""],
    plain: Any,
    of_all: bool = False,
) -> Float[Array, " b"]:
    """Return one number for every version of one image, from what a model returned for them.

    A score of one's own may know the images by their places (a class for each), so every version
    is shown to it in its image's place, among the other images as they are.

    Args:
        found: what the model returned for the versions.
        target: the class of this image; None where there is a score.
        image: its place among all.
        plain: what the model returned for all images as they are; needed with a score alone.
        score, of_all: as in `scores`.

    Raises:
        ValueError: as `scores`.
    """
    if score is None:
        assert target is not None
        targets = jnp.broadcast_to(target, (_rows(found),))
        return scores(found, targets, None, of_all=of_all)
    n = _rows(plain)

    def of_one(version: Any) -> Float[Array, ""]:
        among = jax.tree.map(lambda every, one: every.at[image].set(one), plain, version)
        return check_scores(score(among), among, n)[image]

    return jax.vmap(of_one)(found)


def _rows(found: Any) -> int:
    """The number of images, as every array that a model returned has it."""
    shapes = [leaf.shape for leaf in jax.tree.leaves(found)]
    if not shapes or () in shapes or len({shape[0] for shape in shapes}) != 1:
        raise InputError(
            f"the model returned arrays of shapes {shapes}; wanted one row for every image in each"
        )
    return shapes[0][0]
