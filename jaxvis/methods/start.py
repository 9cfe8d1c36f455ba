"""Where an ascent begins: the shape of its pictures, the values they may have, the first ones."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from jaxvis.errors import InputError, InputTypeError
from jaxvis.gradients.target import channels_first
from jaxvis.methods.objective import Objective
from jaxvis.methods.parametrisation import Bounds, clipped

Pictures = Float[Array, "n height width channels"]
NOISE = 10.0  # grey levels, the deviation of the first picture's values
ROUNDING = 0.01  # grey levels outside the bounds that a first picture may be


def begin(
    model: Any,
    objective: Objective,
    start: Any,
    size: tuple[int, int] | None,
    preprocess: Callable[[Any], Any] | None,
    bounds: tuple[ArrayLike, ArrayLike] | None,
    key: Array,
) -> tuple[Pictures, Bounds]:
    """Return the first pictures, and the bounds of all.

    Raises:
        TypeError: neither the arguments nor the model say what a picture is.
        ValueError: pictures of a wrong shape, dtype or number, or outside the bounds.
    """
    given = None if start is None else _checked_start(start, size)
    named = None if bounds is None else _checked_bounds(bounds)
    ends = None
    said = size is not None and named is not None and named.ndim == 2  # all that there is to know
    if named is None or (given is None and not said):
        ends = _ends(model, preprocess, size if given is None else given.shape[1:3])
    shape: tuple[int, ...]
    if given is not None:
        shape = given.shape[1:]
    elif ends is not None:
        shape = ends.shape[1:]
    elif said:
        assert named is not None
        shape = (*_checked_size(size), named.shape[1])
    else:
        raise InputTypeError(
            f"a {type(model).__name__} does not say what a picture of it is; wanted size= and "
            "preprocess=, which a Network has (network.size, network.preprocess), or start= and "
            "bounds=(low, high)"
        )
    limits = _bounds(named, ends, shape[-1], jnp.float32 if given is None else given.dtype)
    count = _count(objective, given)
    if given is not None:
        if float(jnp.max(jnp.abs(given - clipped(given, limits)))) > ROUNDING * limits.grey.min():
            raise InputError(
                f"start has values from {given.min():.4g} to {given.max():.4g}; wanted them inside "
                f"the bounds, {_in_words(limits)}: they are those of the network's input, not of "
                "an image file"
            )
        return jnp.broadcast_to(clipped(given, limits), (count, *shape)), limits
    if not bool(jnp.all(jnp.isfinite(limits.high - limits.low))):
        raise InputError(
            f"bounds are {_in_words(limits)}, which have no middle to begin at; wanted start=, too"
        )
    return _noise(key, count, shape, limits), limits


def _noise(key: Array, count: int, shape: tuple[int, ...], limits: Bounds) -> Pictures:
    """Return pictures of normal noise about the middle; picture i does not depend on `count`."""
    keys = jax.vmap(lambda i: jax.random.fold_in(key, i))(jnp.arange(count))
    noise = jax.vmap(lambda k: jax.random.normal(k, shape, limits.low.dtype))(keys)
    low, high, grey = (a.reshape(1, 1, 1, -1) for a in limits)
    return clipped((low + high) / 2 + NOISE * grey * noise, limits)


def _checked_start(start: Any, size: Any) -> Pictures:
    if not isinstance(start, jax.Array | np.ndarray):
        raise InputTypeError(
            f"start is a {type(start).__name__}; wanted one array (n, height, width, channels)"
        )
    start = jnp.asarray(start)
    if start.ndim != 4 or start.size == 0 or not jnp.issubdtype(start.dtype, jnp.floating):
        raise InputError(
            f"start has dtype {start.dtype} and shape {start.shape}; wanted floats (n, height, "
            "width, channels), as the network's own preprocessing makes them"
        )
    if not bool(jnp.all(jnp.isfinite(start))):
        raise InputError("start holds NaN or infinite values; wanted finite ones")
    if channels_first(start.shape):
        raise InputError(
            f"start has shape {start.shape}, channels first; wanted (n, height, width, channels), "
            "and a model that moves them: model(jnp.moveaxis(x, -1, 1))"
        )
    if size is not None and tuple(size) != start.shape[1:3]:
        raise InputError(
            f"size is {size!r}, and start has shape {start.shape}; wanted one of the two"
        )
    return start


def _checked_size(size: Any) -> tuple[int, int]:
    sides = tuple(size) if isinstance(size, tuple | list) else ()
    if len(sides) != 2 or not all(type(side) is int and side > 0 for side in sides):
        raise InputError(f"size is {size!r}; wanted (height, width) in pixels, such as (224, 224)")
    return sides


def _ends(model: Any, preprocess: Any, size: Any) -> Float[np.ndarray, "2 ..."] | None:
    """Return what the preprocessing makes of black and white, or None where that is not known.

    Both images are half black and half white, each other's negative: a preprocessing that divides
    by an image's own deviation would make nothing of an even one.
    """
    if preprocess is None:
        preprocess = getattr(model, "preprocess", None)
    if size is None:
        size = getattr(getattr(model, "architecture", None), "size", None)
    if preprocess is None or size is None:
        return None
    if not callable(preprocess):
        raise InputTypeError(
            f"preprocess is a {type(preprocess).__name__}; wanted a function of uint8 RGB images "
            "(n, height, width, 3)"
        )
    half = np.zeros((*_checked_size(size), 3), np.uint8)
    half[: max(1, size[0] // 2)] = 255
    ends = np.asarray(preprocess(np.stack([half, 255 - half])))
    if ends.ndim != 4 or len(ends) != 2 or not np.issubdtype(ends.dtype, np.floating):
        raise InputError(
            f"preprocess returned {ends.dtype} {ends.shape} for uint8 {(2, *half.shape)}; wanted "
            "floats (n, height, width, channels)"
        )
    if channels_first(ends.shape):
        raise InputError(
            f"preprocess returned {ends.shape}, channels first; wanted (n, height, width, "
            "channels), and a model that moves them: model(jnp.moveaxis(x, -1, 1))"
        )
    return ends


def _checked_bounds(bounds: Any) -> np.ndarray:
    """Return low and high as float64, of shape (2,) or (2, channels)."""
    if not isinstance(bounds, tuple | list) or len(bounds) != 2:
        raise InputTypeError(f"bounds is {bounds!r}; wanted (low, high)")
    low, high = (np.asarray(end, np.float64) for end in bounds)
    if max(low.ndim, high.ndim) > 1 or (low.ndim == high.ndim and low.shape != high.shape):
        raise InputError(
            f"bounds have shapes {low.shape} and {high.shape}; wanted a number each, or one for "
            "each channel"
        )
    if not np.all(low < high):  # nor where one is NaN
        raise InputError(
            f"bounds are {low.tolist()} to {high.tolist()}; wanted the low ones below the high ones"
        )
    return np.stack(np.broadcast_arrays(low, high))


def _bounds(named: np.ndarray | None, ends: np.ndarray | None, channels: int, dtype: Any) -> Bounds:
    if named is None:
        if ends is None:
            raise InputTypeError(
                "the values that a picture may have are not known; wanted bounds=(low, high), "
                "each a number or one for each channel (-inf and inf if any), or preprocess="
            )
        named = np.stack([ends.min(axis=(0, 1, 2)), ends.max(axis=(0, 1, 2))]).astype(np.float64)
        if not np.all(named[0] < named[1]):
            raise InputError(
                f"preprocess makes {named[0].tolist()} to {named[1].tolist()} of black and white; "
                "wanted values between which a picture can be, or bounds="
            )
    if named.ndim == 2 and named.shape[1] != channels:
        raise InputError(f"bounds are those of {named.shape[1]} channels; wanted {channels}")
    low, high = (np.broadcast_to(end, channels) for end in named)
    span = high - low
    grey = np.where(np.isfinite(span), span / 255, 1)
    return Bounds(*(jnp.asarray(values, dtype) for values in (low, high, grey)))


def _in_words(limits: Bounds) -> str:
    low, high = (", ".join(f"{end:.6g}" for end in ends.tolist()) for ends in limits[:2])
    return f"({low}) to ({high})"


def _count(objective: Objective, start: Pictures | None) -> int:
    asked = None if objective.which is None or objective.which.ndim == 0 else len(objective.which)
    if start is None or (asked is not None and len(start) == 1):
        return asked or 1
    if asked not in (None, len(start)):
        raise InputError(
            f"{asked} classes or channels are asked for, but start has {len(start)} pictures; "
            "wanted one for each, or one for all"
        )
    return len(start)
