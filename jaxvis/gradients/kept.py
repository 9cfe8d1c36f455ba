"""What was made for a key, kept as long as what the key names: compiled code for a function.

A key that held the function would keep it alive, and the code, which the key belongs to, holds all
that the function captured. So both refer to it weakly, and the code goes when the function does.
"""

import threading
import weakref
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from types import MethodType
from typing import Any, Generic, TypeVar

T = TypeVar("T")

MOST = 128  # the one that was not used for longest goes


class _Weak(weakref.ref):
    """A reference that keeps nothing alive; hashed and compared as what it refers to."""

    when_gone: Callable[[], object] | None = None


class _WeakMethod(weakref.WeakMethod):
    """The same for a bound method, which is a new object every time: the object is referred to."""

    when_gone: Callable[[], object] | None = None


def _gone(reference: Any) -> None:
    # No lock: the garbage collector calls this in the midst of anything; a pop is one step.
    if reference.when_gone is not None:
        reference.when_gone()


def weak(value: Any) -> Any:
    """Return a weak reference to what is only equal to itself; else the value, which is kept.

    What is equal to others, such as a name, may come as a new object every time.
    """
    bound = isinstance(value, MethodType)
    owner = value.__self__ if bound else value
    if type(owner).__eq__ is not object.__eq__:
        return value
    try:
        return _WeakMethod(value, _gone) if bound else _Weak(value, _gone)
    except TypeError:  # it has no room for weak references
        return value


def merged(arrays: Sequence[Any], others: Sequence[Any]) -> list:
    """Return arrays, and where there is none the value that `weak` was given."""
    return [
        array if other is None else strong(other)
        for array, other in zip(arrays, others, strict=True)
    ]


def strong(value: Any) -> Any:
    """Return the value that `weak` was given."""
    return value() if isinstance(value, _Weak | _WeakMethod) else value


class Kept(Generic[T]):
    """What was made for each key, until one of the key's weak references dies."""

    def __init__(self) -> None:
        self._made: dict[Any, tuple[Any, T, tuple]] = {}
        self._lock = threading.RLock()

    def __len__(self) -> int:
        """How many there are."""
        return len(self._made)

    def get(self, key: Any, references: Iterable[Any], make: Callable[[], T]) -> T:
        """Return what was made for this key, or make it; it goes with what `references` mean."""
        with self._lock:
            found = self._made.pop(key, None)
            if found is None:
                found = key, make(), tuple(references)
                for reference in found[2]:
                    if isinstance(reference, _Weak | _WeakMethod):
                        reference.when_gone = partial(self._made.pop, key, None)
            self._made[found[0]] = found  # last, under the key that its references know
            for oldest in list(self._made)[:-MOST]:
                self._made.pop(oldest, None)
        return found[1]
