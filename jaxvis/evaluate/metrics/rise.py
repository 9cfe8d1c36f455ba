"""Does a map mark what matters to the network? Take pixels away, or bring them back, and look.

Deletion and insertion: Petsiuk, Das & Saenko, "RISE" (arXiv 1806.07421, 2018), section 4.2. A model
is any callable `model(x) -> logits`; the score is its probability of a class.
"""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float, Float32

from jaxvis.errors import InputError
from jaxvis.evaluate.metrics.checks import check_maps
from jaxvis.evaluate.metrics.ranks import strongest
from jaxvis.evaluate.metrics.removal import (
    OUTPUT,
    Curve,
    class_probability,
    probability_of,
    ranks,
    targets_of,
)
from jaxvis.gradients.compiled import Compiled
from jaxvis.gradients.target import check_inputs, check_logits, check_targets
from jaxvis.types import AnyArray

STEPS = 28  # unless told otherwise: of 224 x 224 pixels, eight rows' worth change at once
BLUR_SIZE, BLUR_SIGMA = 11, 5.0  # pixels; of the blurred image that insertion starts from

Images = Float[AnyArray, "n height width 3"]
RawMaps = Float[AnyArray, "n height width"]


def deletion(
    model: Callable[..., Any],
    x: Images,
    classes: ArrayLike,
    maps: RawMaps,
    *,
    step: int | None = None,
    output: str = OUTPUT,
) -> Curve:
    """Return the probability while the pixels of the largest values become 0, `step` at a time.

    0 is the mean colour of ImageNet. The area under the curve, by the trapezium rule over the
    share of pixels, is in [0, 1] and small for a good map. Pixels of equal value go in reading
    order. RISE, algorithm 1.

    Args:
        model, x, classes: as in `input_gradient`; one class or one per image.
        maps: of the images' height and width.
        step: pixels that change at once; by default so many that it takes 28 steps.
        output: what makes probabilities of the logits, "softmax" or "sigmoid", as in `Network`.

    Raises:
        TypeError, ValueError: as `input_gradient`; ValueError for maps of another shape, or not
            finite, and for a step below 1.
    """
    x = jnp.asarray(x)
    return _curve(model, x, jnp.zeros_like(x), classes, maps, step, output)


def deleted(
    model: Callable[..., Any],
    x: Images,
    classes: ArrayLike,
    maps: RawMaps,
    *,
    share: float = 0.2,
    output: str = OUTPUT,
) -> Float32[np.ndarray, " n"]:
    """Return one point of the curve of `deletion`: the probability when a share of the pixels is 0.

    One forward pass per map. Arguments and errors are those of `deletion`; ValueError for a share
    that is not between 0 and 1.
    """
    x = jnp.asarray(x)
    values = check_maps(maps, x)
    if not 0 < share < 1:
        raise InputError(f"share is {share}; wanted a number between 0 and 1")
    targets = targets_of(classes, len(x))
    count = round(share * values[0].size)
    left = np.array(x)
    left[np.stack([strongest(one, count) for one in values])] = 0
    probability, logits = class_probability(model, jnp.asarray(left), targets, output)
    check_targets(targets, logits)
    return np.asarray(probability)


def insertion(
    model: Callable[..., Any],
    x: Images,
    classes: ArrayLike,
    maps: RawMaps,
    *,
    step: int | None = None,
    output: str = OUTPUT,
) -> Curve:
    """Return the probability while the pixels of the largest values return to a blurred image.

    The blur is RISE's, `rise_kernel()`. The area is in [0, 1] and large for a good map. Arguments
    and errors are those of `deletion`.
    """
    x = jnp.asarray(x)
    return _curve(model, blur(x), x, classes, maps, step, output)


def blur(x: Images) -> Float[Array, "n height width 3"]:
    """Return images blurred by `rise_kernel()`, with zeros around them, as RISE does."""
    return _blur(jnp.asarray(x), jnp.asarray(rise_kernel()))


def rise_kernel() -> Float32[np.ndarray, "11 11"]:
    """Return RISE's kernel: a point in the middle of 11 x 11 pixels, blurred by sigma 5.

    RISE uses `scipy.ndimage.gaussian_filter`, which reflects at the edges what would leave the
    11 pixels, so this is flatter than a Gaussian.
    """
    reach = np.arange(-int(4 * BLUR_SIGMA), int(4 * BLUR_SIGMA) + 1)  # SciPy cuts at four sigma
    weights = np.exp(-(reach**2) / (2 * BLUR_SIGMA**2))
    place = (BLUR_SIZE // 2 + reach) % (2 * BLUR_SIZE)
    mirrored = np.minimum(place, 2 * BLUR_SIZE - 1 - place)
    row = np.bincount(mirrored, weights / weights.sum(), minlength=BLUR_SIZE)
    return np.outer(row, row).astype(np.float32)


def _curve(
    model: Callable[..., Any],
    first: Array,
    last: Array,
    classes: ArrayLike,
    maps: RawMaps,
    step: int | None,
    output: str,
) -> Curve:
    values = check_maps(maps, first)
    pixels = values[0].size
    if step is None:
        step = math.ceil(pixels / STEPS)
    if step < 1:
        raise InputError(f"step is {step}; wanted at least 1 pixel")
    targets = targets_of(classes, len(first))
    # Steps are the same for all images, and so the compiled code: one image and map at a time.
    changed = jnp.asarray(np.minimum(np.arange(0, pixels + step, step), pixels), jnp.int32)
    rows = []
    for number in range(len(first)):
        one = slice(number, number + 1)
        row, logits = _states(
            model, first[one], last[one], targets[one], jnp.asarray(values[one]), changed, output
        )
        check_targets(targets[one], logits)
        rows.append(np.asarray(row))
    curves = np.stack(rows)
    share = np.asarray(changed, np.float32) / np.float32(pixels)
    return Curve(curves, np.trapezoid(curves, share, axis=1).astype(np.float32))


@Compiled
def _states(
    model: Any,
    first: Array,
    last: Array,
    target: Array,
    maps: Array,
    changed: Array,
    output: str,
) -> tuple[Float[Array, " steps"], Float[Array, "steps classes"]]:
    check_inputs(first)
    done = ranks(maps) < changed[:, None, None]  # (steps, height, width)
    states = jnp.where(done[..., None], last, first)
    logits = model(states)
    check_logits(logits, states.shape[0])
    targets = jnp.broadcast_to(target, logits.shape[:1])
    return probability_of(logits, targets, output), logits


@jax.jit
def _blur(x: Array, kernel: Array) -> Array:
    channels = x.shape[-1]
    return jax.lax.conv_general_dilated(
        x,
        jnp.broadcast_to(kernel.astype(x.dtype)[:, :, None, None], (*kernel.shape, 1, channels)),
        (1, 1),
        "SAME",
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        feature_group_count=channels,
    )
