"""Jaxprs, the programs that JAX traces functions into: trace one, look inside it, run it again.

A jaxpr is a list of equations `outvars = primitive[params] invars`. Some primitives hold jaxprs
themselves: `jit`, `scan`, `cond`. Their parameters differ between releases of JAX. Only this file
uses `jax.extend`, and only it and `reenter` know the names of parameters.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.ad_checkpoint import checkpoint_name
from jax.extend import source_info_util
from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn, Literal

from jaxvis.any_model.training import in_plain_words

Function = Callable[..., Any]

JAX_FOLDER = str(Path(jax.__file__).parent) + os.sep  # "jax_models" lies beside it, not in it


class Traced(NamedTuple):
    """A function as a jaxpr, the arrays to run it on, and the pytree that its outputs make."""

    jaxpr: Any
    consts: Sequence[Any]
    values: list[Any]
    out_tree: Any


class Body(NamedTuple):
    """A jaxpr inside an equation; `operands` are the equation's, None where they vary."""

    jaxpr: Any
    consts: Sequence[Any]
    operands: tuple


ARRAYS = (jax.Array, np.ndarray, np.generic, jax.ShapeDtypeStruct, jax.core.ShapedArray)


def is_array(leaf: object) -> bool:
    """Whether JAX would trace this argument: an array, or the type of one."""
    return isinstance(leaf, ARRAYS)


def trace(f: Function, args: tuple, kwargs: dict) -> Traced:
    """Trace f; arrays in the arguments become inputs, all else (flags, names) stays as it is."""
    leaves, in_tree = jax.tree.flatten((args, kwargs))
    out_trees = []

    def on_arrays(*arrays: Any) -> list:
        rest = iter(arrays)
        merged = [next(rest) if is_array(leaf) else leaf for leaf in leaves]
        args, kwargs = jax.tree.unflatten(in_tree, merged)
        with in_plain_words():
            outputs, out_tree = jax.tree.flatten(f(*args, **kwargs))
        out_trees.append(out_tree)
        return outputs

    arrays = [leaf for leaf in leaves if is_array(leaf)]
    jaxpr, consts = open_jaxpr(jax.make_jaxpr(on_arrays)(*arrays))
    return Traced(jaxpr, consts, arrays, out_trees[0])


def open_jaxpr(jaxpr: Any) -> tuple[Any, Sequence[Any]]:
    """Return the jaxpr and the constants that it closes over; JAX 0.12 has one class for both."""
    return getattr(jaxpr, "jaxpr", jaxpr), getattr(jaxpr, "consts", ())


def start(jaxpr: Any, consts: Sequence[Any], values: Sequence[Any]) -> dict:
    """Return the environment, from variables to values, in which a jaxpr starts to run."""
    return dict(zip([*jaxpr.constvars, *jaxpr.invars], [*consts, *values], strict=True))


def read(environment: dict, atom: Any) -> Any:
    """Return the value of a variable or literal."""
    return atom.val if isinstance(atom, Literal) else environment[atom]


def bind(eqn: JaxprEqn, values: Sequence[Any]) -> list:
    """Run one equation as it is."""
    outputs = eqn.primitive.bind(*values, **eqn.primitive.get_bind_params(eqn.params))
    return outputs if eqn.primitive.multiple_results else [outputs]


@contextmanager
def at(eqn: JaxprEqn) -> Iterator[None]:
    """A context in which operations bear the name stack and the settings of the equation."""
    names = source_info_util.current_name_stack() + eqn.source_info.name_stack
    where = source_info_util.user_context(eqn.source_info.traceback, name_stack=names)
    with where, eqn.ctx.manager:
        yield


def is_jaxs_own(eqn: JaxprEqn) -> bool:
    """Whether an equation calls a function of JAX's own, as `jnp.where` is."""
    held = inside(eqn)
    if held is None or eqn.primitive.name not in {"jit", "pjit"} | CALLS:
        return False
    return JAX_FOLDER in (open_jaxpr(held[0])[0].debug_info.func_src_info or "")


def comes_from(eqn: JaxprEqn, function: str) -> bool:
    """Whether an equation is a part of a function of JAX's own that is no call by itself."""
    traceback: Any = eqn.source_info.traceback
    frames = traceback.frames if traceback is not None else ()
    return any(f.function_name == function and f.file_name.startswith(JAX_FOLDER) for f in frames)


def name_of(eqn: JaxprEqn) -> str:
    """Name of the function behind a `jit`, `custom_jvp` or `custom_vjp`, else of the primitive."""
    if eqn.primitive.name in ("custom_jvp_call", "custom_vjp_call"):
        return open_jaxpr(eqn.params["call_jaxpr"])[0].debug_info.func_name
    return eqn.params.get("name", eqn.primitive.name)


CALLS = {"closed_call", "core_call", "custom_jvp_call", "custom_vjp_call"}  # run in place
SAME_OPERANDS = CALLS | {"jit", "pjit", "remat2", "checkpoint"}


def bodies(eqn: JaxprEqn) -> list[Body]:
    """Return the jaxprs of an equation, and what they run on; none if `reenter` cannot run it."""
    held = inside(eqn)
    if held is None:
        return []
    name, params, operands = eqn.primitive.name, eqn.params, tuple(eqn.invars)
    given = [operands]
    if name == "cond":
        given = [operands[1:]] * len(held)
    elif name == "scan":
        given = [_only_first(operands, scan_counts(eqn)[0])]
    elif name == "shard_map":
        given = [_only_first(operands, 0)]
    elif name == "while":
        first = params["cond_nconsts"]
        both = first + params["body_nconsts"]
        given = [
            _only_first(operands[:first] + operands[both:], first),
            _only_first(operands[first:], both - first),
        ]
    return [Body(*open_jaxpr(jaxpr), atoms) for jaxpr, atoms in zip(held, given, strict=True)]


def inside(eqn: JaxprEqn) -> tuple | None:
    """Return the jaxprs of an equation, as it holds them; None if they cannot be run again."""
    name, params = eqn.primitive.name, eqn.params
    if name in SAME_OPERANDS:
        return (params["call_jaxpr"] if "call_jaxpr" in params else params["jaxpr"],)
    if name in ("scan", "shard_map"):
        return (params["jaxpr"],)
    if name == "cond":
        return tuple(params["branches"])
    if name == "while":
        return params["cond_jaxpr"], params["body_jaxpr"]
    return None


def _only_first(operands: tuple, count: int) -> tuple:
    return operands[:count] + (None,) * (len(operands) - count)


def scan_counts(eqn: JaxprEqn) -> tuple[int, int]:
    """Numbers of constants and carried values: those that have no axis to scan over."""
    jaxpr, _ = open_jaxpr(eqn.params["jaxpr"])

    def count(outside: Sequence[Any], inside: Sequence[Any]) -> int:
        pairs = zip(outside, inside, strict=True)
        return sum(a.aval.ndim == b.aval.ndim for a, b in pairs)

    carried = count(eqn.outvars, jaxpr.outvars)
    return count(eqn.invars, jaxpr.invars) - carried, carried


def held_jaxprs(params: Any) -> Iterator[Any]:
    """Yield every jaxpr in the parameters of an equation, however deep in tuples and dicts."""
    if isinstance(params, Jaxpr | ClosedJaxpr):
        yield params
    elif isinstance(params, dict):
        yield from held_jaxprs(tuple(params.values()))
    elif isinstance(params, tuple | list):
        for param in params:
            yield from held_jaxprs(param)


def is_zero(atom: Any) -> bool:
    """Whether a literal or a constant is known to be 0; large arrays are not looked at."""
    value = atom.val if isinstance(atom, Literal) else atom
    if isinstance(value, jax.core.Tracer) or np.size(value) > 2**16:
        return False
    return jnp.issubdtype(jnp.result_type(value), np.number) and not np.any(np.asarray(value))


def is_literal(atom: Any) -> bool:
    """Whether an operand is a literal, not a variable."""
    return isinstance(atom, Literal)


def number(atom: Any) -> float | None:
    """Return the value of a literal; None for a variable."""
    return float(atom.val) if isinstance(atom, Literal) and np.ndim(atom.val) == 0 else None


def variables(atoms: Iterable[Any]) -> list:
    """Return those operands that are no literals."""
    return [atom for atom in atoms if not isinstance(atom, Literal)]


class Visit(NamedTuple):
    """An equation, the numbers of equations that lead to it, and the primitives that hold it."""

    eqn: Any
    path: tuple[int, ...]
    holders: tuple[str, ...]


def walk(jaxpr: Any, path: tuple = (), holders: tuple = ()) -> Iterator[Visit]:
    """Visit every equation, those inside of other equations too, in the order in which they run."""
    for i, eqn in enumerate(open_jaxpr(jaxpr)[0].eqns):
        yield Visit(eqn, (*path, i), holders)
        for held in held_jaxprs(eqn.params):
            yield from walk(held, (*path, i), (*holders, eqn.primitive.name))


MARK = "the place of a cut"  # a name that is given to the value at the end of a path


def inline(
    traced: Traced, path: tuple[int, ...], marked: int | None = None
) -> tuple[Any, Sequence[Any]]:
    """Return a jaxpr, and its constants, in which the calls on a path are no calls any more.

    Result number `marked` of the equation at the end of the path is what an equation gives that
    `is_mark` knows, and that stands directly behind it.
    """

    def run(jaxpr: Any, consts: Sequence[Any], values: Sequence[Any], path: tuple) -> list:
        environment = start(jaxpr, consts, values)
        for i, eqn in enumerate(jaxpr.eqns):
            operands = [read(environment, atom) for atom in eqn.invars]
            with at(eqn):
                if path[1:] and i == path[0]:
                    (body,) = bodies(eqn)
                    outputs = run(body.jaxpr, body.consts, operands, path[1:])
                else:
                    outputs = bind(eqn, operands)
                if path == (i,) and marked is not None:
                    outputs = list(outputs)
                    outputs[marked] = checkpoint_name(outputs[marked], MARK)
            environment.update(zip(eqn.outvars, outputs, strict=True))
        return [read(environment, atom) for atom in jaxpr.outvars]

    on_values = partial(run, traced.jaxpr, traced.consts, path=path)
    return open_jaxpr(jax.make_jaxpr(lambda *values: on_values(values))(*traced.values))


def is_mark(eqn: JaxprEqn) -> bool:
    """Whether an equation gives the value that `inline` marked."""
    return eqn.primitive.name == "name" and eqn.params["name"] == MARK


def calls_exported(jaxpr: Any) -> bool:
    """Whether a program calls one that was exported, `jax.export`, into which nothing can look."""
    return any(visit.eqn.primitive.name == "call_exported" for visit in walk(jaxpr))


def channel_axis(convolution: JaxprEqn) -> int:
    """Return the axis of a convolution's result that holds the channels."""
    return convolution.params["dimension_numbers"].out_spec[1]
