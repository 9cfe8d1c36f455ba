"""`jax.jit` for functions of a model, whatever the model is made of.

A model may be a pytree of arrays (Flax NNX, Equinox), a plain function, or a pair of functions.
The arrays in the arguments are traced, so that new weights or images do not recompile; all that is
no array (functions, names, None) is part of the key under which the compiled code is `kept`, and so
are the arrays that functions hold (`captured`), which are constants in it.
"""

import threading
from collections.abc import Callable
from functools import partial, wraps
from typing import Any, Generic, ParamSpec, TypeVar

import jax
import numpy as np

from jaxvis.errors import InputTypeError, NotSupportedError
from jaxvis.gradients.captured import Captured
from jaxvis.gradients.kept import Kept, merged, weak
from jaxvis.gradients.onednn import compiler_options

P = ParamSpec("P")
R = TypeVar("R")


# Of one function whose arrays change behind it: each keeps all its arrays, as a network's weights.
MOST_VERSIONS = 2


class Compiled(Generic[P, R]):
    """A function wrapped for models: call it, or `compile` it ahead of time.

    Compiled code holds what a plain function captured, such as all weights of a network. One
    `jax.jit` with a static argument would keep both until 4,096 others have come; here a function's
    code goes with it: see `kept`.
    """

    def __init__(self, function: Callable[P, R]) -> None:
        wraps(function)(self)
        self.traces = 0  # how often it was traced, and so compiled

        def counted(*args: Any, **kwargs: Any) -> R:
            self.traces += 1
            return function(*args, **kwargs)

        self._function = counted
        self._programs: Kept[list[tuple[Captured, Callable[[list], R]]]] = Kept()
        self._lock = threading.RLock()

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run the function, compiling it when its arguments are of a new kind."""
        program, _, arrays = self._program(args, kwargs)
        return program(arrays)

    def compile(self, *args: P.args, **kwargs: P.kwargs) -> "Executable[P, R]":
        """Compile for arguments of this kind without running.

        A call with such arguments then has nothing left to compile: JAX keeps what was.
        """
        program, key, arrays = self._program(args, kwargs)
        return Executable(key, program.lower(arrays).compile())

    def _program(self, args: tuple, kwargs: dict) -> tuple[Any, tuple, list]:
        """Return the jitted function for such arguments, what it is kept under, and the arrays."""
        key, captured, arrays = _partition(args, kwargs)
        options = compiler_options(args, arrays)
        with self._lock:
            owners = (*key[1], *captured.referred)
            versions = self._programs.get((*key, options), owners, list)
            program = next((one for held, one in versions if held == captured), None)
            if program is None:
                program = _jit(self._function, key, options)
                versions[:] = [(captured, program), *versions[: MOST_VERSIONS - 1]]
        return program, (key, captured), arrays


def _jit(function: Callable[..., R], key: tuple, options: tuple) -> Any:
    structure, others = key

    @partial(jax.jit, compiler_options=dict(options))
    def run(arrays: list) -> R:
        args, kwargs = jax.tree.unflatten(structure, merged(arrays, others))
        return function(*args, **kwargs)

    return run


class Executable(Generic[P, R]):
    """A function compiled ahead of time, for arguments of one kind and shape."""

    def __init__(self, key: tuple, executable: jax.stages.Compiled) -> None:
        self._key, self._executable = key, executable

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run it; raise TypeError for arguments of another kind or shape."""
        *key, arrays = _partition(args, kwargs)
        if tuple(key) != self._key:
            raise InputTypeError("the arguments are not of the kind that this was compiled for")
        return self._executable(arrays)

    @property
    def temporary_bytes(self) -> int:
        """Memory that a run takes beside its arguments and results, as the compiler plans it."""
        plan = self._executable.memory_analysis()
        if plan is None:
            raise NotSupportedError("the compiler for this device does not tell its memory")
        return plan.temp_size_in_bytes


def _partition(args: tuple, kwargs: dict) -> tuple[tuple, Captured, list]:
    """Split arguments into a hashable key, arrays behind it, and arrays; None is in the other."""
    leaves, structure = jax.tree.flatten((args, kwargs))
    arrays: list[Any] = [leaf if _is_array(leaf) else None for leaf in leaves]
    others = tuple(None if _is_array(leaf) else weak(leaf) for leaf in leaves)
    return (structure, others), Captured((args, kwargs)), arrays


def _is_array(leaf: object) -> bool:
    return isinstance(leaf, jax.Array | np.ndarray)
