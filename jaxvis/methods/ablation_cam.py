"""Ablation-CAM: a channel weighs by what the score loses without it.

Desai & Ramaswamy, "Ablation-CAM: Visual Explanations for Deep Convolutional Network via
Gradient-free Localization" (IEEE/CVF Winter Conference on Applications of Computer Vision, 2020),
section 3. No gradient is taken, and only what stands above the layer is computed again.
"""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from jaxvis.any_model.adapters import as_model
from jaxvis.gradients.compiled import Compiled
from jaxvis.gradients.cut import activation_of, cut
from jaxvis.gradients.target import Score
from jaxvis.methods.batches import filled
from jaxvis.methods.forward import body, head, maps_of, scores, scores_of_versions
from jaxvis.methods.grad_cam import positive
from jaxvis.methods.masked import BATCH
from jaxvis.methods.method import Method
from jaxvis.methods.options import Layer
from jaxvis.methods.samples import check_count, each_class, one_array
from jaxvis.methods.wide import weighed
from jaxvis.types import AnyArray


@Compiled
def _without(
    model: Any, at_cut: Array, channels: Array, axis: int, layer: Layer, target: Array | None,
    score: Score | None, image: Array, plain: Any,
) -> Float[Array, " b"]:  # fmt: skip
    """Return the scores of one image's activations without each of some channels."""
    there = jnp.arange(at_cut.shape[axis - 1 if axis > 0 else axis])
    kept = (there[None] != channels[:, None]).astype(at_cut.dtype)
    shape = [1] * (at_cut.ndim + 1)
    shape[0], shape[axis] = kept.shape
    found = cut(model, layer)[1](at_cut[None] * kept.reshape(shape))
    return scores_of_versions(found, target, score, image=image, plain=plain)


def ablation_cam(
    model: Any,
    x: Float[AnyArray, "n height width channels"],
    classes: ArrayLike | None = None,
    *,
    layer: Layer = "block5_conv3",
    score: Score | None = None,
    batch_size: int = BATCH,
    grid: tuple[int, int] | None = None,
    channel_axis: int | None = None,
) -> Float[Array, "n h w"]:
    """Return relu(sum_c w_c A_c), w_c = (s - s_c) / |s|, with s_c the score where A_c is 0.

    Raw: at least 0, not scaled. The paper divides by s, which turns the map round where a logit is
    negative; the sign of s is left out here. Equation 3, section 3.1.

    Args:
        model, x, classes, layer, score, grid, channel_axis: as in `grad_cam`, but x is one array,
            and classes one for each image.
        batch_size: copies of an image's activations in one compiled call, which bounds memory.

    Raises:
        TypeError, ValueError: as `grad_cam`.
    """
    return positive(_ablation_cam(model, x, classes, layer, score, batch_size, grid, channel_axis))


def _ablation_cam(
    model: Any, x: Any, classes: Any, layer: Layer, score: Score | None = None,
    batch_size: int = BATCH, grid: tuple[int, int] | None = None, channel_axis: int | None = None,
) -> Float[Array, "n h w"]:  # fmt: skip
    """Return the map before its ReLU."""
    check_count("batch_size", batch_size)
    x = one_array(x)
    targets = each_class(model, x, classes, score)
    at_cut = body(model, x, layer)
    activation = activation_of(at_cut)
    maps, axis = maps_of(at_cut, layer, x, grid, channel_axis)
    returned = head(model, at_cut, layer)
    plain = scores(returned, targets, score)
    if at_cut is activation:
        rows = _image_by_image(model, activation, axis, layer, targets, score, returned, batch_size)
    else:
        rows = _channel_by_channel(model, at_cut, axis, layer, targets, score)
    lost = (plain[:, None] - rows).astype(maps.dtype)
    scale = jnp.abs(plain).astype(maps.dtype)[:, None]
    return weighed(maps, lost / jnp.where(scale > 0, scale, 1))


def _image_by_image(
    model: Any, activation: Array, axis: int, layer: Layer, targets: Array | None,
    score: Score | None, plain: Any, batch_size: int,
) -> Float[Array, "n channels"]:  # fmt: skip
    """Return the scores without each channel, from copies of one image's activations at a time."""
    model, every = as_model(model), activation.shape[axis]
    size = min(batch_size, every)
    rows = []
    for image in range(len(activation)):
        target = None if targets is None else targets[image]
        values = []
        for start, channels in filled(every, size):
            values.append(
                _without(
                    model, activation[image], jnp.asarray(channels), axis, layer, target, score,
                    jnp.asarray(image), plain if score is not None else None,
                )[: every - start]
            )  # fmt: skip
        rows.append(jnp.concatenate(values))
    return jnp.stack(rows)


def _channel_by_channel(
    model: Any, at_cut: Any, axis: int, layer: Layer, targets: Array | None, score: Score | None
) -> Float[Array, "n channels"]:
    """Return the same from all images at once, where more than activations crosses the cut."""
    leaves, tree = jax.tree.flatten(at_cut)
    columns = []
    for channel in range(leaves[0].shape[axis]):
        without = _zeroed(leaves[0], jnp.asarray(channel), axis)
        found = head(model, jax.tree.unflatten(tree, [without, *leaves[1:]]), layer)
        columns.append(scores(found, targets, score))
    return jnp.stack(columns, axis=1)


@partial(jax.jit, static_argnums=2)
def _zeroed(activation: Array, channel: Array, axis: int) -> Array:
    shape = [1] * activation.ndim
    shape[axis] = -1
    kept = jnp.arange(activation.shape[axis]) != channel
    return activation * kept.astype(activation.dtype).reshape(shape)


def _as_row(model: Any, x: Any, classes: Any, **options: Any) -> Array:
    names = ("layer", "score", "grid", "channel_axis")
    return _ablation_cam(model, x, classes, **{name: options[name] for name in names})


ABLATION_CAM = Method(
    name="ablation_cam",
    title="Ablation-CAM",
    function=_as_row,
    shown=positive,
    kind="masks",
    at="layer",
    signed=False,
    rules=False,
    forward=513,
    backward=0,
    paper="Desai & Ramaswamy, WACV (2020)",
    about="Where channels are active without which the class's logit falls.",
)
