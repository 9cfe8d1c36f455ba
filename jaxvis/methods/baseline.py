"""Where integrated gradients start: an image that is to say nothing.

Sturmfels, Lundberg & Lee, "Visualizing the Impact of Feature Attribution Baselines" (Distill 2020)
compare them: what is like the baseline gets nothing, whatever it means to the network.
"""

from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxvis.errors import InputError
from jaxvis.gradients.target import channels_last
from jaxvis.methods.samples import own_key
from jaxvis.types import AnyArray

Baseline = float | Literal["black", "blurred", "uniform"] | Float[AnyArray, "..."]
SIGMA = 0.05  # of the blurred image's Gaussian, as a share of the image's longer side


def baseline_of(
    model: Any,
    x: Float[Array, "n ..."],
    baseline: Baseline,
    *,
    key: Array | None = None,
    channel_axis: int | None = None,
) -> Float[Array, "n ..."]:
    """Return a baseline for every image, of the shape and dtype of x.

    Args:
        model: whose `preprocess` makes the "black" image what it reads.
        x: the network's input.
        baseline: a number; an array that broadcasts to x; "black", what the network's own
            preprocessing makes of a black image; "blurred", x under a Gaussian of 5 % of its
            longer side; or "uniform", noise between the smallest and the largest value of each
            image.
        key: of the noise; `jax.random.key(0)` unless given.
        channel_axis: as in `saliency`.

    Raises:
        ValueError: an unknown word, an array of another shape, no finite number, or "black" for a
            model whose preprocessing is not known.
    """
    if isinstance(baseline, str):
        match baseline:
            case "black":
                return _black(model, x)
            case "blurred":
                return _blurred(x, channel_axis)
            case "uniform":
                return _uniform(x, jax.random.key(0) if key is None else key)
        raise InputError(
            f"baseline is {baseline!r}; wanted a number, an array, 'black', 'blurred' or 'uniform'"
        )
    values = np.asarray(baseline)
    try:
        found = np.broadcast_to(values, x.shape)
    except ValueError:
        found = None
    if found is None or not np.issubdtype(values.dtype, np.number) or not np.isfinite(values).all():
        raise InputError(
            f"baseline has shape {values.shape} and dtype {values.dtype}; wanted finite numbers "
            f"that broadcast to x, {x.shape}"
        )
    return jnp.asarray(found, x.dtype)


def _black(model: Any, x: Array) -> Array:
    preprocess = getattr(model, "preprocess", None)
    if preprocess is None or x.ndim != 4:
        raise InputError(
            f"baseline is 'black', but how a {type(model).__name__} reads a black image is not "
            "known; wanted the array itself: network.preprocess(np.zeros_like(images))"
        )
    black = preprocess(np.zeros((1, *x.shape[1:3], 3), np.uint8))
    return jnp.broadcast_to(jnp.asarray(black, x.dtype), x.shape)


def _blurred(x: Array, channel_axis: int | None) -> Array:
    last = channels_last(x, channel_axis, x)
    sides = last.shape[1:-1]
    sigma = SIGMA * max(sides)
    for axis, side in enumerate(sides, start=1):
        weights = jnp.asarray(_gaussian(side, sigma), x.dtype)
        last = jnp.moveaxis(
            jnp.tensordot(weights, last, axes=(1, axis), precision="highest"), 0, axis
        )
    return last if channel_axis is None else jnp.moveaxis(last, -1, channel_axis)


def _gaussian(side: int, sigma: float) -> Float[np.ndarray, "side side"]:
    """A matrix whose rows weigh what lies around each place, less at the edge, adding up to 1."""
    places = np.arange(side)
    weights = np.exp(-((places[:, None] - places[None]) ** 2) / (2 * sigma**2))
    return weights / weights.sum(axis=1, keepdims=True)


def _uniform(x: Array, key: Array) -> Array:
    def one(image: Array) -> Array:
        return jax.random.uniform(
            own_key(key, image),
            image.shape,
            image.dtype,
            minval=jnp.min(image),
            maxval=jnp.max(image),
        )

    return jax.vmap(one)(x)
