"""What a model makes of an image with parts of it covered, a bounded number of masks at a time."""

from collections.abc import Callable, Iterator
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Float32, Int

from jaxvis.any_model.adapters import as_model
from jaxvis.errors import InputError
from jaxvis.gradients.compiled import Compiled
from jaxvis.gradients.onednn import bare
from jaxvis.gradients.target import Score, channels_last, check_targets
from jaxvis.methods.batches import filled
from jaxvis.methods.forward import outputs, scores_of_versions

BATCH = 16  # masked images in one compiled call

# From what it is made of, and the numbers of some, to masks. Compiled, so it has to be equal to
# itself when it is made anew: a function of a module, or a frozen dataclass.
Masks = Callable[[Any, Int[Array, " b"]], Float[Array, "b height width"]]


# Three compiled steps, of which the model's is the dear one: so it is compiled once, whatever masks
# come before it and whatever is made of its answers.
@Compiled
def _covered(
    image: Array, masks: Masks, made_of: Any, numbers: Int[Array, " b"], fill: Array, axis: int
) -> tuple[Array, Float[Array, "b height width"]]:
    """Return mask * image + (1 - mask) * fill, and the masks."""
    some = masks(made_of, numbers)
    wide = jnp.expand_dims(some.astype(image.dtype), axis)
    return wide * image[None] + (1 - wide) * fill, some


@Compiled
def _weighed(
    found: Any, some: Float[Array, "b height width"], there: Bool[Array, " b"],
    target: Array | None, score: Score | None, place: Array, plain: Any, of_all: bool,
    total: Float32[Array, "height width"],
) -> tuple[Float[Array, " b"], Float32[Array, "height width"]]:  # fmt: skip
    """Return the scores, and the sum of score * mask on top of `total`, over masks that are
    `there`."""
    values = scores_of_versions(found, target, score, image=place, plain=plain, of_all=of_all)
    counted = jnp.where(there, values.astype(jnp.float32), 0)
    weighed = bare(jnp.einsum("b,bhw->hw", counted, some.astype(jnp.float32), precision="highest"))
    return values, total + weighed


def under_masks(
    model: Any,
    x: Float[Array, "n ..."],
    targets: Int[Array, " n"] | None,
    masks: Masks,
    made_of: Callable[[int], Any],
    count: int,
    *,
    score: Score | None,
    batch_size: int,
    of_all: bool = False,
    fill: float = 0.0,
    channel_axis: int | None = None,
) -> Iterator[tuple[int, Float[Array, " count"], Float32[Array, "height width"]]]:
    """Yield (image, scores of its masks, sum of score * mask over them) for every image.

    Args:
        masks: 1 keeps a pixel, 0 puts `fill` in its place.
        made_of: from the number of an image to what `masks` takes: arrays of the same shapes.
        count: of the masks, for each image.
        batch_size: masked images in one compiled call, which bounds memory, however many masks.
        score, targets, of_all: as in `forward.scores_of_versions`.
    """
    sides = sides_of(x, channel_axis)
    model = as_model(model)
    size = min(batch_size, count)
    axis = -1 if channel_axis is None else channel_axis
    plain = None if score is None else outputs(model, x)
    background = jnp.asarray(fill, x.dtype)
    for image in range(len(x)):
        target = None if targets is None else targets[image]
        made, values = made_of(image), []
        total = jnp.zeros(sides, jnp.float32)
        for start, numbers in filled(count, size):
            total.block_until_ready()  # so that the model runs for one batch at a time
            covered, some = _covered(x[image], masks, made, jnp.asarray(numbers), background, axis)
            found = outputs(model, covered)
            if image == start == 0:
                check_targets(targets, found)
            there = jnp.arange(size) < count - start
            of_these, total = _weighed(
                found, some, there, target, score, jnp.asarray(image), plain, of_all, total
            )
            values.append(of_these)
        yield image, jnp.concatenate(values)[:count], total


def sides_of(x: Float[Array, "n ..."], channel_axis: int | None) -> tuple[int, int]:
    """Return the height and width of images."""
    if x.ndim != 4:
        raise InputError(
            f"x has shape {x.shape}; wanted images (n, height, width, channels), which a mask can "
            "cover"
        )
    height, width = channels_last(x, channel_axis, x).shape[1:3]
    return height, width
