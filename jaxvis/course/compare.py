"""What judges compare with: answers as arrays of floats, whatever they came as."""

from collections.abc import Callable, Mapping
from typing import Any, cast

import numpy as np

from jaxvis.course.attempt import explained
from jaxvis.course.check import NotYet

RETURN = "A function gives back what stands behind `return`."


def attempt(
    function: Callable[..., object],
    *arguments: object,
    hints: Mapping[str, tuple[str, ...]] | None = None,
) -> object:
    """Call it; an exception becomes `NotYet`, with the hints whose key is in its text."""
    try:
        return function(*arguments)
    except NotYet:
        raise
    except Exception as error:
        seen = explained(error)
        chosen = next((value for key, value in (hints or {}).items() if key in seen), ())
        raise NotYet(f"your code stops with {seen}", *chosen) from None


def numbers(
    answer: object, name: str, shape: tuple[int, ...] | None = None, *hints: str
) -> np.ndarray:
    """The answer as an array of 64-bit floats, of that shape."""
    if answer is None or answer is Ellipsis:
        raise NotYet(f"{name} gives nothing back.", RETURN)
    if callable(answer) and not hasattr(answer, "dtype"):
        raise NotYet(f"{name} is a function, and a number or an array is expected.", "Call it.")
    try:
        found = np.asarray(answer)
        if found.dtype.kind in "OUSc":
            raise TypeError(found.dtype)
        found = found.astype(float)
    except (TypeError, ValueError):
        kind = type(answer).__name__
        raise NotYet(
            f"{name} is of type {kind}; numbers of one shape are expected.", *hints
        ) from None
    if shape is not None and found.shape != shape:
        raise NotYet(f"{name} has the shape {found.shape}; {shape} is expected.", *hints)
    return found


def finite(answer: object, name: str, shape: tuple[int, ...]) -> np.ndarray:
    """The same, of numbers that are all finite."""
    found = numbers(answer, name, shape, "Print both shapes.")
    if not np.isfinite(found).all():
        raise NotYet(f"{name} has values that are not finite.", "A division by 0, or exp of much.")
    return found


def pair(answer: object, name: str, *hints: str) -> tuple[object, object]:
    """Two things, whether in a tuple, a list or an array."""
    if answer is None:
        raise NotYet(f"{name} gives nothing back.", RETURN)
    try:
        first, second = cast(Any, answer)
    except (TypeError, ValueError):
        raise NotYet(f"{name} is expected to be two things, (first, second).", *hints) from None
    return first, second


def same(one: object, other: object, tolerance: float = 1e-4) -> bool:
    """Equal but for rounding, of which the largest number decides how much there may be."""
    a, b = np.asarray(one, float), np.asarray(other, float)
    if a.shape != b.shape or not np.isfinite(a).all():
        return False
    largest = float(np.abs(b).max(initial=0.0))
    return bool(np.abs(a - b).max(initial=0.0) <= tolerance * largest + 1e-7)


def refuse(found: object, *mistakes: tuple[Any, ...], tolerance: float = 1e-4) -> None:
    """Raise `NotYet` for the first mistake whose result this is: (result, what is seen, hints)."""
    for wrong, *words in mistakes:
        if same(found, wrong, tolerance):
            raise NotYet(*words)


def unchanged(now: np.ndarray, before: np.ndarray, what: str) -> None:
    """Raise `NotYet` if the answer has written into what it was given."""
    if not np.array_equal(now, before):
        raise NotYet(
            f"your code has changed {what} that it was given.",
            "`a = a - b` makes a new array; `a -= b` and `a[...] = b` write into the old one.",
        )
