"""`cut_at`: any function, cut at one of its values into `(body, head)`, for Grad-CAM.

Traced into a jaxpr, a function is a list of equations, so a cut is a place in that list. What is
computed before it and used after it, besides the value itself, crosses the cut elsewhere (a skip
connection), and goes along.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxvis.any_model import jaxprs
from jaxvis.any_model.channels import CONVOLUTION, axis_of_channels, convolves_channels_first
from jaxvis.any_model.cut_points import LAST, NUMBERED, Points
from jaxvis.any_model.flat import Place, Value, place_to_cut
from jaxvis.any_model.jaxprs import Function
from jaxvis.any_model.last_activation import last_activation
from jaxvis.any_model.relu_sites import FORMS, NO_RELUS, Replace, check_forms, no_relus, plan_relus
from jaxvis.any_model.run import run_steps
from jaxvis.any_model.scopes import matching, scopes_inside, value_of_scope
from jaxvis.errors import InputError, InputTypeError
from jaxvis.gradients.called import note_last, only_differentiated, without_note
from jaxvis.gradients.relu import Relu, Rule, relu_under


@partial(
    jax.tree_util.register_dataclass,
    data_fields=["activation", "carried"],
    meta_fields=["arguments"],
)
@dataclass(frozen=True, eq=False)
class AtCut:
    """What crosses a cut: a pytree, whose first leaf is the activation.

    Attributes:
        activation: the value at which the function was cut, channels last.
        carried: what else the head needs, such as the values of a skip connection.
        arguments: types of the function's arguments, from which the head is traced.
    """

    activation: Float[Array, "n h w c"]
    carried: tuple[Array, ...]
    arguments: tuple


class Cut(NamedTuple):
    """Where to cut, and what counts as a ReLU."""

    where: str | int
    forms: tuple[str, ...]
    channel_axis: int | None


def cut_at(
    f: Function,
    where: str | int,
    *,
    forms: Sequence[str] = FORMS,
    channel_axis: int | None = None,
) -> tuple[Function, Function]:
    """Cut f at a value into `(body, head)`, with `head(body(x)) == f(x)`, each taking `relu=`.

    `body(*args)` returns an `AtCut`: its `activation`, and all else that the head needs.

    Args:
        f: any function that JAX can trace, as in `expose_relu`.
        where: the name that `jax.ad_checkpoint.checkpoint_name` gave a value; or the name of a
            scope, which is what Keras calls a layer and Flax Linen a module ("block5_conv3", or
            more of its path, "vgg16/block5_conv3"): then the cut is behind the one value that
            leaves it; or "last", or "#12", which `cut_points` explains; or the number of a
            convolution, from 0, or from -1 backwards: then the cut is behind the bias, the
            normalisation and the ReLU that follow it directly. A scope that has the name of a
            value, or is called "last", is reached by its whole path with a / in front.
        forms: what counts as a ReLU, as in `expose_relu`.
        channel_axis: the axis of the value's channels, which becomes the last one; None takes that
            of the convolution, or of the one that a named value comes from; else the last axis, in
            a function whose convolutions all have their channels last.

    Raises:
        TypeError: f cannot be called, or where is neither a name nor a number.
        ValueError: when called, if there is no such value, more than one of the name, one that
            only exists inside a loop or branch, or one that the output does not depend on; or if
            nothing tells a named value's channels.
    """
    if not callable(f):
        raise InputTypeError(f"f is a {type(f).__name__}; wanted a function of arrays")
    if isinstance(where, bool) or not isinstance(where, str | int):
        raise InputTypeError(
            f"where is {where!r}; wanted the name given with checkpoint_name, the name of a scope, "
            "or the number of a convolution"
        )
    cut = Cut(where, check_forms(forms), channel_axis)
    # f is data, as its weights may be; where it is cut is not.
    return jax.tree_util.Partial(_Half(_body, cut), f), jax.tree_util.Partial(_Half(_head, cut), f)


@dataclass(frozen=True)
class _Half:
    """`_body` or `_head`, told where to cut."""

    run: Function
    cut: Cut

    def __call__(self, f: Function, *args: Any, **kwargs: Any) -> Any:
        return self.run(f, self.cut, *args, **kwargs)


def _body(
    f: Function, cut: Cut, *args: Any, relu: Relu | Rule = jax.nn.relu, **kwargs: Any
) -> AtCut:
    halves = _halves(f, cut, args, kwargs, relu)
    environment = jaxprs.start(halves.jaxpr, halves.consts, halves.values)
    _run_half(halves.steps(None, halves.end), relu, environment)
    activation = jnp.moveaxis(environment[halves.variable], halves.channel_axis, -1)
    leaves, tree = jax.tree.flatten((args, kwargs))
    types = tuple(jax.typeof(leaf) if jaxprs.is_array(leaf) else leaf for leaf in leaves)
    return AtCut(activation, tuple(environment[v] for v in halves.carried), (types, tree))


def _head(f: Function, cut: Cut, at_cut: AtCut, *, relu: Relu | Rule = jax.nn.relu) -> Any:
    leaves, tree = at_cut.arguments
    args, kwargs = jax.tree.unflatten(tree, leaves)
    halves = _halves(f, cut, args, kwargs, relu)
    note_last(relu, last_activation(halves.jaxpr))
    environment = dict(zip(halves.jaxpr.constvars, halves.consts, strict=True))
    environment.update(zip(halves.carried, at_cut.carried, strict=True))
    environment[halves.variable] = jnp.moveaxis(at_cut.activation, -1, halves.channel_axis)
    _run_half(halves.steps(halves.end, None), relu, environment)
    outputs = [jaxprs.read(environment, atom) for atom in halves.jaxpr.outvars]
    return jax.tree.unflatten(halves.out_tree, outputs)


def _run_half(steps: tuple[Sequence[Any], tuple], relu: Relu | Rule, environment: dict) -> None:
    """Run the equations of a half by their plan; a ReLU is called if the half has one."""
    eqns, plan = steps
    cheaply = only_differentiated(relu)
    relu = without_note(relu, any(step is not None for step in plan))
    run_steps(eqns, plan, relu_under(relu), environment, cheaply=cheaply)


class _Halves(NamedTuple):
    """A function as a jaxpr that is cut behind equation `end - 1`."""

    jaxpr: Any
    consts: Sequence[Any]
    values: list
    out_tree: Any
    plan: tuple
    end: int
    variable: Any
    carried: tuple
    channel_axis: int

    def steps(self, start: int | None, end: int | None) -> tuple[Sequence[Any], tuple]:
        return self.jaxpr.eqns[start:end], self.plan[start:end]


def _halves(f: Function, cut: Cut, args: tuple, kwargs: dict, relu: Any) -> _Halves:
    traced = jaxprs.trace(f, args, kwargs)
    jaxpr, consts, position = _with_the_place_outside(traced, cut.where)
    plan, found = plan_relus(jaxpr, consts, cut.forms)
    if relu is not jax.nn.relu and not found.relus:
        warnings.warn(no_relus(found.left_alone), stacklevel=5)
    axis = cut.channel_axis
    if isinstance(cut.where, int):
        axis = jaxprs.channel_axis(jaxpr.eqns[position]) if axis is None else axis
        position = _follow(jaxpr, plan, position)
    (variable,) = jaxpr.eqns[position].outvars
    if axis is None:
        axis = _axis_of_named(jaxpr, variable, cut.where)
    return _Halves(
        jaxpr, consts, traced.values, traced.out_tree,
        plan if relu is not jax.nn.relu else (None,) * len(plan),
        position + 1, variable, _carried(jaxpr, position + 1, variable), axis,
    )  # fmt: skip


def _axis_of_named(jaxpr: Any, variable: Any, where: str | int) -> int:
    """Return the axis of a named value's channels; the last, unless there is reason to doubt it."""
    axis = axis_of_channels(jaxpr, variable)
    if axis is None and convolves_channels_first(jaxpr):
        raise InputError(
            f"the function convolves with channels first, and {where!r}, of shape "
            f"{variable.aval.shape}, comes from no convolution that would say where it has them; "
            "wanted channel_axis=1, or -1 for the last: jv.cut_at(f, where, channel_axis=1)"
        )
    return -1 if axis is None else axis


def _carried(jaxpr: Any, end: int, variable: Any) -> tuple:
    """Variables that are known before equation `end` and used from there on, but for one."""
    before = set(jaxpr.invars).union(*(eqn.outvars for eqn in jaxpr.eqns[:end])) - {variable}
    used = [atom for eqn in jaxpr.eqns[end:] for atom in eqn.invars] + list(jaxpr.outvars)
    crossing = [atom for atom in used if not jaxprs.is_literal(atom) and atom in before]
    return tuple(dict.fromkeys(crossing))  # each once, in order


def _with_the_place_outside(
    traced: jaxprs.Traced, where: str | int
) -> tuple[Any, Sequence[Any], int]:
    """Return a jaxpr, its constants, and the number of the equation whose result is cut."""
    if isinstance(where, int):
        path = _find_convolution(traced.jaxpr, where)
        jaxpr, consts = jaxprs.inline(traced, path)
        (position,) = _find_convolution(jaxpr, where)
        return jaxpr, consts, position
    place = _find_value(traced.jaxpr, where)
    _check_reachable(where, place.holders)
    jaxpr, consts = jaxprs.inline(traced, place.path, marked=place.result)
    marks = [i for i, eqn in enumerate(jaxpr.eqns) if jaxprs.is_mark(eqn)]
    return jaxpr, consts, marks[0]


def _find_convolution(jaxpr: Any, where: int) -> tuple[int, ...]:
    """Return the way to a convolution: an equation's number, in every jaxpr on the way down."""
    convolutions = _convolutions(jaxpr)
    if not -len(convolutions) <= where < len(convolutions):
        raise InputError(
            f"where is {where}, but the function has {len(convolutions)} convolutions; wanted "
            + (f"a number from 0 to {len(convolutions) - 1}, or " if convolutions else "")
            + "a name, or a number with a #: jv.cut_points(f, x) lists them"
            + _closed(jaxpr)
        )
    _check_reachable(where, convolutions[where].holders)
    return convolutions[where].path


def _find_value(jaxpr: Any, where: str) -> Place:
    """Return where a value is, by its name, its scope or its number.

    Raises:
        ValueError: it is not there, not alone, or leads nowhere.
    """
    named = [v for v in jaxprs.walk(jaxpr) if v.eqn.primitive.name == "name"]
    wanted = [v for v in named if v.eqn.params["name"] == where]
    if len(wanted) > 1:
        raise InputError(
            f"the function names {len(wanted)} values {where!r}; wanted one of that name, or "
            f"{_otherwise(jaxpr)}"
        )
    if wanted:
        _check_reachable(where, wanted[0].holders)
    points = Points(jaxpr)
    if wanted:
        value = _named_value(wanted[0], points, where)
    elif where == LAST:
        value = points.last(_closed(jaxpr))
    elif where.startswith(NUMBERED):
        value = points.numbered(where)
    else:
        if not matching(points.scopes, where):
            for scope, holders in scopes_inside(jaxpr):
                if matching([scope], where):
                    _check_reachable(where, holders)
        names = dict.fromkeys(v.eqn.params["name"] for v in named)
        value = value_of_scope(where, points.scopes, names, _otherwise(jaxpr))
    return place_to_cut(value, points.flow)


def _named_value(visit: jaxprs.Visit, points: Points, where: str) -> Value:
    """Return the value that was given a name; raise ValueError if the output ignores it."""
    (value,) = next(step.outputs for step in points.flat.steps if step.path == visit.path)
    if value not in points.flow.users and value not in points.flow.ends:
        raise InputError(
            f"the output does not depend on the value {where!r}, so that a map made there would be "
            "0 everywhere; wanted one that is used: jv.cut_points(f, x) lists them"
        )
    return value


def _check_reachable(where: str | int, holders: tuple[str, ...]) -> None:
    for holder in holders:
        if holder not in jaxprs.SAME_OPERANDS:
            raise InputError(
                f"the value {where!r} lies inside the primitive {holder!r}, where it exists at "
                "every step or not at all; wanted one outside of loops, branches and shard_map"
            )


def _otherwise(jaxpr: Any) -> str:
    """Say what else a function can be cut at."""
    return (
        "'last', or a number with a #, as jv.cut_points(f, x) lists them, or without, one of its "
        f"{len(_convolutions(jaxpr))} convolutions, from 0; jax.ad_checkpoint.checkpoint_name "
        "names a value" + _closed(jaxpr)
    )


def _closed(jaxpr: Any) -> str:
    """Say that there is a part of a function that cannot be cut, if there is."""
    if not jaxprs.calls_exported(jaxpr):
        return ""
    return (
        "; it calls an exported function (jax.export), which is compiled code with no ReLU or "
        "layer to be found in it: hand over the function that was exported"
    )


def _convolutions(jaxpr: Any) -> list[jaxprs.Visit]:
    return [v for v in jaxprs.walk(jaxpr) if v.eqn.primitive.name == CONVOLUTION]


FOLLOWED = {
    "add", "sub", "mul", "div", "convert_element_type", "reshape", "squeeze", "copy",
    "optimization_barrier",
    "relu", "relu6", "_where", "clip", *NO_RELUS,
}  # fmt: skip


def _follow(jaxpr: Any, plan: tuple, position: int) -> int:
    """Return the last equation of a convolution's own bias, normalisation and ReLU.

    Such equations alone use the value so far, and nothing else in them depends on the image.
    """
    images = _from_image(jaxpr, position)
    (variable,) = jaxpr.eqns[position].outvars
    wanted, best = variable.aval.shape, position
    while True:
        users = [i for i, eqn in enumerate(jaxpr.eqns) if _uses(eqn, variable)]
        if len(users) != 1 or variable in jaxprs.variables(jaxpr.outvars):
            return best
        (position,) = users
        eqn = jaxpr.eqns[position]
        others = {v for v in jaxprs.variables(eqn.invars) if v.aval.dtype != bool} - {variable}
        is_relu = isinstance(plan[position], Replace)
        follows = is_relu or (jaxprs.name_of(eqn) in FOLLOWED and not others & images)
        if not follows or len(eqn.outvars) != 1:
            return best
        (variable,) = eqn.outvars
        if variable.aval.shape == wanted:
            best = position


def _uses(eqn: Any, variable: Any) -> bool:
    """Whether an equation uses a value, other than to compare it (the x > 0 of a ReLU)."""
    compares = all(v.aval.dtype == bool for v in eqn.outvars)
    return variable in jaxprs.variables(eqn.invars) and not compares


def _from_image(jaxpr: Any, position: int) -> set:
    """All values that depend on an argument on which a convolution's left operand depends."""
    sources = set(jaxprs.variables(jaxpr.eqns[position].invars[:1]))
    for eqn in reversed(jaxpr.eqns[:position]):
        if sources.intersection(eqn.outvars):
            sources.update(jaxprs.variables(eqn.invars))
    depends = sources.intersection(jaxpr.invars)
    for eqn in jaxpr.eqns:
        if depends.intersection(jaxprs.variables(eqn.invars)):
            depends.update(eqn.outvars)
    return depends
