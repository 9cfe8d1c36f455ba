"""Arrays that a function holds without handing them over: closed over, global, or its own.

`jax.jit` compiles such arrays in as constants. Were the function alone the key to the compiled
code, weights that changed behind it would go unseen, and its map would be that of the old ones.
"""

import functools
import types
import weakref
import zlib
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np

from jaxvis.errors import InputError
from jaxvis.gradients.kept import weak

MOST = 100_000  # things looked at; a model that holds more of them is no small closure
# What these packages keep in global names is no weight of a network.
LIBRARIES = {"jax", "jaxlib", "jaxvis", "numpy", "flax", "keras", "equinox", "haiku", "optax"}


class Captured:
    """The arrays that some arguments hold; equal if these are the same arrays with the same values.

    JAX arrays do not change, so that it matters which they are; NumPy's do, so that their values
    are summed up.

    Attributes:
        referred: what the arguments refer to weakly, such as a Keras model whose variables are
            handed over, as weak references; it is not looked into.
    """

    def __init__(self, arguments: Any) -> None:
        self.referred: list[Any] = []
        self._arrays = tuple(_arrays(arguments, self.referred))
        self._sums = tuple(
            zlib.crc32(a.tobytes()) if isinstance(a, np.ndarray) else 0 for a in self._arrays
        )

    @property
    def arrays(self) -> tuple[Any, ...]:
        """The arrays, in an order that the arguments' make settles."""
        return self._arrays

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Captured) or self._sums != other._sums:
            return False
        return len(self._arrays) == len(other._arrays) and all(
            a is b for a, b in zip(self._arrays, other._arrays, strict=True)
        )

    def __hash__(self) -> int:
        return hash((self._sums, *map(id, self._arrays)))


def _arrays(arguments: Any, referred: list[Any]) -> Iterator[Any]:
    """Yield every array behind the functions and objects that are no pytrees, each once."""
    seen: set[int] = set()
    inside = list(_behind_the_leaves(arguments))
    while inside:
        thing = inside.pop()
        if len(seen) > MOST:
            raise InputError(
                f"the model, or score, holds more than {MOST:,} things, in which its weights "
                "cannot be found; wanted them as data: jax.tree_util.Partial(f, weights)"
            )
        if id(thing) in seen:
            continue
        seen.add(id(thing))
        if isinstance(thing, jax.Array | np.ndarray):
            if not isinstance(thing, jax.core.Tracer) and thing.dtype != object:
                yield thing
        elif isinstance(thing, weakref.ref):
            referred.append(weak(thing()))
        else:
            inside.extend(_held_by(thing))


def _behind_the_leaves(arguments: Any) -> Iterator[Any]:
    """Yield what the arguments' functions hold; arrays that are leaves are handed over as such."""

    def is_function(thing: Any) -> bool:
        return isinstance(thing, functools.partial)

    for leaf in jax.tree.leaves(arguments, is_leaf=is_function):
        if isinstance(leaf, jax.tree_util.Partial):  # its arguments are leaves
            yield from _behind_the_leaves((leaf.args, leaf.keywords))
            yield leaf.func
        elif not isinstance(leaf, jax.Array | np.ndarray):
            yield leaf


def _held_by(thing: Any) -> Iterator[Any]:
    if isinstance(thing, type | types.ModuleType | types.BuiltinFunctionType | str | bytes | int):
        return
    if isinstance(thing, types.MethodType):
        yield from (thing.__self__, thing.__func__)
    elif isinstance(thing, types.FunctionType):
        yield from thing.__defaults__ or ()
        yield from (thing.__kwdefaults__ or {}).values()
        for cell in thing.__closure__ or ():
            try:
                yield cell.cell_contents
            except ValueError:  # a name that has no value yet
                continue
        yield from _globals_of(thing)
    elif isinstance(thing, functools.partial):
        yield from (thing.func, *thing.args, *thing.keywords.values())
    elif isinstance(thing, dict):
        yield from thing.values()
    elif isinstance(thing, tuple | list | set | frozenset):
        yield from thing
    else:
        yield from getattr(thing, "__dict__", {}).values()
        for cls in type(thing).__mro__:
            for name in getattr(cls, "__slots__", ()):
                if isinstance(name, str) and not name.startswith("__") and hasattr(thing, name):
                    yield getattr(thing, name)


def _globals_of(function: types.FunctionType) -> Iterator[Any]:
    """Yield what the global names stand for that a function mentions, as all do in a notebook."""
    if (function.__module__ or "").partition(".")[0] in LIBRARIES:
        return
    codes = [function.__code__]
    while codes:
        code = codes.pop()
        codes += [one for one in code.co_consts if isinstance(one, types.CodeType)]
        for name in code.co_names:
            if name in function.__globals__:
                yield function.__globals__[name]
