"""A jaxpr as one flat list of steps: what jit and checkpoint hold stands among the rest.

Scopes, paths from input to output and places to cut are facts about values, wherever the equation
that computes them lies. Nothing is traced again here; `jaxprs.inline` does that for one place.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import jax.numpy as jnp

from jaxvis.any_model import jaxprs

Scope = tuple[str, ...]

WHOLE = {"custom_jvp_call", "custom_vjp_call"}  # functions that have a gradient of their own


class Place(NamedTuple):
    """Where a value is computed: the way to an equation, which result, and what holds it."""

    path: tuple[int, ...]
    result: int
    holders: tuple[str, ...]


class Value:
    """A value of a program, the same one inside of a call and outside; told apart by identity."""

    __slots__ = ("aval", "places")

    def __init__(self, aval: Any) -> None:
        self.aval = aval
        self.places: list[Place] = []

    @property
    def differentiable(self) -> bool:
        """Whether a gradient can go through: what compares or counts has none."""
        return jnp.issubdtype(self.aval.dtype, jnp.inexact)


class Step(NamedTuple):
    """An equation that is run as a whole; `inputs` has None for a literal."""

    eqn: Any
    path: tuple[int, ...]
    scope: Scope
    inputs: tuple[Value | None, ...]
    outputs: tuple[Value, ...]


class Flat(NamedTuple):
    """A program: its steps in the order in which they run, its inputs and its outputs."""

    steps: list[Step]
    inputs: tuple[Value, ...]
    outputs: tuple[Value | None, ...]


def flatten(jaxpr: Any) -> Flat:
    """Return a jaxpr as one list of steps."""
    steps: list[Step] = []
    inputs = tuple(Value(variable.aval) for variable in jaxpr.invars)
    outputs = _flatten(jaxpr, inputs, (), (), (), steps)
    return Flat(steps, inputs, outputs)


def _flatten(
    jaxpr: Any, given: tuple, path: tuple, scope: Scope, holders: tuple, steps: list[Step]
) -> tuple:
    known = {variable: Value(variable.aval) for variable in jaxpr.constvars}
    known |= {
        v: Value(v.aval) if g is None else g for v, g in zip(jaxpr.invars, given, strict=True)
    }
    for i, eqn in enumerate(jaxpr.eqns):
        here, inner_scope = (*path, i), scope + scope_of(eqn)
        inputs = tuple(None if jaxprs.is_literal(a) else known[a] for a in eqn.invars)
        if _entered(eqn):
            (body,) = jaxprs.bodies(eqn)
            inside = (*holders, eqn.primitive.name)
            results = _flatten(body.jaxpr, inputs, here, inner_scope, inside, steps)
            outputs = tuple(
                Value(v.aval) if r is None else r for v, r in zip(eqn.outvars, results, strict=True)
            )
        else:
            outputs = tuple(Value(variable.aval) for variable in eqn.outvars)
            steps.append(Step(eqn, here, inner_scope, inputs, outputs))
        for number, value in enumerate(outputs):
            value.places.append(Place(here, number, holders))
        known |= dict(zip(eqn.outvars, outputs, strict=True))
    return tuple(None if jaxprs.is_literal(a) else known[a] for a in jaxpr.outvars)


def scope_of(eqn: Any) -> Scope:
    """Return the scopes that an equation's own name stack has, without those of transformations."""
    stack = eqn.source_info.name_stack.stack
    names = [item.name for item in stack if type(item).__name__ == "Scope"]
    return tuple(part for name in names for part in name.split("/") if part)


def _entered(eqn: Any) -> bool:
    """Whether a call is taken apart: a user's, or one inside of which something has a name."""
    if eqn.primitive.name not in jaxprs.SAME_OPERANDS:
        return False
    if eqn.primitive.name in WHOLE or jaxprs.is_jaxs_own(eqn):
        inside = [visit.eqn for visit in jaxprs.walk(jaxprs.bodies(eqn)[0].jaxpr)]
        return any(scope_of(eqn) or eqn.primitive.name == "name" for eqn in inside)
    return True


class Flow(NamedTuple):
    """Which values of a program lie between its inputs and its outputs.

    Attributes:
        between: values that depend on an input, and from which a gradient of an output comes back.
        users: the steps on the way to an output that use a value.
        ends: values that are outputs.
    """

    between: set[Value]
    users: dict[Value, list[Step]]
    ends: set[Value]


def flow(flat: Flat, sources: tuple[Value, ...] | None = None) -> Flow:
    """Return what lies between the inputs, or some of them, and the outputs."""
    depends = set(flat.inputs if sources is None else sources)
    for step in flat.steps:
        if depends.intersection(step.inputs):
            depends.update(value for value in step.outputs if value.differentiable)
    ends = {value for value in flat.outputs if value is not None}
    leads = set(ends)
    by_gradient = {value for value in ends if value.differentiable}
    for step in reversed(flat.steps):
        if leads.intersection(step.outputs):
            leads.update(values_of(step))
        if by_gradient.intersection(step.outputs):
            by_gradient.update(value for value in values_of(step) if value.differentiable)
    users: dict[Value, list[Step]] = {}
    for step in flat.steps:
        if leads.intersection(step.outputs):
            for value in values_of(step):
                users.setdefault(value, []).append(step)
    between = depends & by_gradient
    return Flow(between, users, ends)


def values_of(step: Step) -> Iterator[Value]:
    """Yield the values that a step uses, each once."""
    yield from dict.fromkeys(value for value in step.inputs if value is not None)


def bottlenecks(flat: Flat, between: Flow) -> set[Value]:
    """Return the values that every path from the inputs to the outputs goes through.

    Behind the step that computes such a value, nothing else that depends on an input is needed
    any more. (If u were needed besides, a path through u would go around the value.)
    """
    numbers = {step.path: number for number, step in enumerate(flat.steps)}
    last = {
        value: numbers[user.path]
        for value, users in between.users.items()
        for user in users
        if between.between.intersection(user.outputs)
    }
    last |= dict.fromkeys(between.ends, len(flat.steps))
    needed = {value for value in flat.inputs if value in between.between}
    found = set()
    for number, step in enumerate(flat.steps):
        needed.update(value for value in step.outputs if value in between.between)
        needed.difference_update(v for v in values_of(step) if last.get(v, number) <= number)
        if len(needed) == 1 and needed <= set(step.outputs):
            found |= needed
    return found


def place_to_cut(value: Value, between: Flow) -> Place:
    """Return the outermost place at which a value can be cut: nothing uses it before.

    A call returns a value that it has used itself: cut behind the call, those uses would be lost.
    """
    for place in sorted(value.places, key=lambda place: len(place.path)):
        length = len(place.path)
        if not any(user.path[:length] == place.path for user in between.users.get(value, ())):
            return place
    return value.places[0]
