"""What may be explained in the place of one class's logit: `score=` takes any of these.

A score is a function from logits (n, classes) to one number for every image, (n,). Those here are
plain data, so that asking for the same one again compiles nothing anew; another class does. Their
counterparts in tf-keras-vis are `CategoricalScore`, `BinaryScore` and `InactiveScore`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxvis.errors import InputError, InputTypeError

Class = int | Sequence[int]  # of all images, or of each


def logit(index: Class) -> "Logit":
    """Return the score z_index: what `classes=` asks for as well.

    Args:
        index: of the class, one for all images or one for each.
    """
    return Logit(_indices(index))


def several(indices: Sequence[int], weights: Sequence[float] | None = None) -> "Weighted":
    """Return the score sum_k weights_k z_indices_k; the mean of these logits without weights."""
    found = _indices(indices)
    if weights is None:
        weights = [1 / len(found)] * len(found)
    if len(weights) != len(found):
        raise InputError(f"there are {len(weights)} weights for {len(found)} classes")
    return Weighted(found, tuple(float(weight) for weight in weights))


def contrast(a: Class, b: Class) -> "Contrast":
    """Return the score z_a - z_b: what speaks for a rather than for b."""
    return Contrast(_indices(a), _indices(b))


def others(a: Class) -> "Others":
    """Return the score z_a - mean of all other logits: what speaks for a alone."""
    return Others(_indices(a))


def probability(index: Class) -> "Probability":
    """Return the score softmax(z)_index, which saturates: its gradient is small where it is sure.

    Of a network of sigmoids each logit stands for itself; its `logit` is the better score.
    """
    return Probability(_indices(index))


def binary(target: bool | Sequence[bool]) -> "Binary":
    """Return z where `target` is true and -z where it is not, of a network of one unit z.

    Its outputs are (n, 1), or the two logits (-z, z) that a `VGG16` of one unit returns.
    """
    targets = tuple(bool(one) for one in np.atleast_1d(np.asarray(target)))
    return Binary(targets)


def inactive() -> "Inactive":
    """Return the score 0, whose gradient is 0: for an image that is not to be explained."""
    return Inactive()


@dataclass(frozen=True)
class Logit:
    """See `logit`."""

    index: tuple[int, ...]

    def __call__(self, logits: Float[Array, "n classes"]) -> Float[Array, " n"]:
        """Return the scores, (n,)."""
        return _at(logits, self.index)


@dataclass(frozen=True)
class Weighted:
    """See `several`."""

    indices: tuple[int, ...]
    weights: tuple[float, ...]

    def __call__(self, logits: Float[Array, "n classes"]) -> Float[Array, " n"]:
        """Return the scores, (n,)."""
        _check_range(logits, self.indices)
        chosen = logits[:, np.array(self.indices)]
        return jnp.sum(chosen * jnp.asarray(self.weights, logits.dtype)[None], axis=1)


@dataclass(frozen=True)
class Contrast:
    """See `contrast`."""

    a: tuple[int, ...]
    b: tuple[int, ...]

    def __call__(self, logits: Float[Array, "n classes"]) -> Float[Array, " n"]:
        """Return the scores, (n,)."""
        return _at(logits, self.a) - _at(logits, self.b)


@dataclass(frozen=True)
class Others:
    """See `others`."""

    a: tuple[int, ...]

    def __call__(self, logits: Float[Array, "n classes"]) -> Float[Array, " n"]:
        """Return the scores, (n,)."""
        classes = _checked(logits).shape[1]
        if classes < 2:
            raise InputError("the model has one class; wanted others to compare it with")
        own = _at(logits, self.a)
        return own - (jnp.sum(logits, axis=1) - own) / (classes - 1)


@dataclass(frozen=True)
class Probability:
    """See `probability`."""

    index: tuple[int, ...]

    def __call__(self, logits: Float[Array, "n classes"]) -> Float[Array, " n"]:
        """Return the scores, (n,)."""
        return _at(jax.nn.softmax(_checked(logits), axis=1), self.index)


@dataclass(frozen=True)
class Binary:
    """See `binary`."""

    targets: tuple[bool, ...]

    def __call__(self, logits: Float[Array, "n units"]) -> Float[Array, " n"]:
        """Return the scores, (n,)."""
        n, units = _checked(logits).shape
        if units > 2:
            raise InputError(f"the model has {units} outputs; wanted a network of one unit")
        if len(self.targets) not in (1, n):
            raise InputError(f"there are {len(self.targets)} targets for {n} images")
        signs = np.broadcast_to(np.where(self.targets, 1, -1), (n,))
        return logits[:, -1] * jnp.asarray(signs, logits.dtype)


@dataclass(frozen=True)
class Inactive:
    """See `inactive`."""

    def __call__(self, logits: Float[Array, "n classes"]) -> Float[Array, " n"]:
        """Return the scores, (n,)."""
        return 0 * jnp.sum(_checked(logits), axis=1)


def _indices(index: Any) -> tuple[int, ...]:
    array = np.atleast_1d(np.asarray(index))
    if array.ndim != 1 or not array.size or not np.issubdtype(array.dtype, np.integer):
        raise InputTypeError(
            f"a class is {index!r}; wanted its index, or one for each image: "
            "model.class_index(name)"
        )
    return tuple(array.tolist())


def _checked(logits: Any) -> Array:
    if getattr(logits, "ndim", None) != 2:
        raise InputError(
            f"the model returned a {type(logits).__name__} of shape {np.shape(logits)}; this score "
            "wants logits (n, classes)"
        )
    return logits


def _check_range(logits: Any, indices: tuple[int, ...]) -> None:
    classes = _checked(logits).shape[1]
    if min(indices) < 0 or max(indices) >= classes:
        raise InputError(
            f"the score asks for the classes {list(indices)}; wanted indices from 0 to "
            f"{classes - 1}, since the model has {classes} classes"
        )


def _at(logits: Any, indices: tuple[int, ...]) -> Float[Array, " n"]:
    """The column of each row: JAX would clip an index out of range without a word."""
    _check_range(logits, indices)
    n = logits.shape[0]
    if len(indices) not in (1, n):
        raise InputError(f"the score has {len(indices)} classes for {n} images; wanted 1 or {n}")
    return logits[np.arange(n), np.broadcast_to(np.array(indices), (n,))]
