"""Run an equation that holds jaxprs again, with other functions in their place.

Every such primitive is made anew through the public function that makes it, `jax.lax.scan` for a
scan, so that this does not depend on how a release of JAX represents it.
"""

import inspect
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxvis.any_model import cheaper, jaxprs
from jaxvis.any_model.relu_sites import Enter, Gate, Replace
from jaxvis.errors import InputError
from jaxvis.gradients.kept import Kept, merged, strong, weak
from jaxvis.gradients.relu import Relu
from jaxvis.gradients.smooth import gated, rule_of

Function = Callable[..., Any]

# What the public functions are given, besides functions and values.
OPTIONS = (
    "length", "reverse", "unroll", "cond_nconsts", "body_nconsts", "prevent_cse", "policy",
    "mesh", "in_specs", "out_specs", "check_vma", "newly_manual_axes",
)  # fmt: skip


class _Key(NamedTuple):
    """All that is no array: what is compiled for one equation is kept under it, weakly."""

    primitive: str
    jaxprs: tuple
    options: tuple
    counts: tuple[int, ...]
    run: Function
    plans: tuple
    extra_tree: Any
    extra_others: tuple


def enter(eqn: Any, run: Function, plans: tuple, extra: Any, values: Sequence[Any]) -> list:
    """Run an equation again, with `run(body, plan, extra, values)` in place of each of its jaxprs.

    What JAX compiles on its own (a jit, a loop) stays so, and is kept for the next call.

    Args:
        run: a function that is always the same object, for its sake.
        plans: something hashable for every body.
        extra: a pytree; its arrays are traced, and its other leaves must be hashable.
    """
    if eqn.primitive.name in jaxprs.CALLS:
        (body,) = jaxprs.bodies(eqn)
        return run(body, plans[0], extra, values)
    leaves, tree = jax.tree.flatten(extra)
    # A jaxpr holds the arrays that its function captured, and a ReLU may too.
    held = tuple(map(weak, jaxprs.inside(eqn) or ()))
    others = tuple(None if jaxprs.is_array(leaf) else weak(leaf) for leaf in leaves)
    key = _Key(
        primitive=eqn.primitive.name,
        jaxprs=held,
        options=tuple((name, eqn.params[name]) for name in OPTIONS if name in eqn.params),
        counts=jaxprs.scan_counts(eqn) if eqn.primitive.name == "scan" else (),
        run=run,
        plans=plans,
        extra_tree=tree,
        extra_others=others,
    )
    arrays = [leaf if jaxprs.is_array(leaf) else None for leaf in leaves]
    options = jaxprs.name_of(eqn), *_jit_options(eqn.params)
    again = _kept.get((key, options), held + others, lambda: _jitted(key, *options))
    return again(arrays, *values)


_kept: Kept[Function] = Kept()


def _jit_options(params: dict) -> tuple:
    """Return numbers of donated values, and shardings of values and results, of a jit."""
    donated = tuple(i for i, gone in enumerate(params.get("donated_invars", ())) if gone)
    shardings = [
        tuple(s if isinstance(s, jax.sharding.Sharding) else None for s in params.get(name, ()))
        for name in ("in_shardings", "out_shardings")
    ]
    return donated, *(s if any(s) else None for s in shardings)


def _jitted(
    key: _Key, name: str, donated: tuple, shardings: tuple | None, results: tuple | None
) -> Function:
    def call(arrays: list, *values: Any) -> list:
        extra = jax.tree.unflatten(key.extra_tree, merged(arrays, key.extra_others))

        def function(jaxpr: Any, plan: Any) -> Function:
            body = jaxprs.Body(*jaxprs.open_jaxpr(jaxpr), ())
            return lambda *values: key.run(body, plan, extra, values)

        held = map(strong, key.jaxprs)
        functions = [function(*pair) for pair in zip(held, key.plans, strict=True)]
        return list(AGAIN[key.primitive](functions, dict(key.options), key.counts, values))

    call.__name__ = name
    options: dict[str, Any] = {}
    if shardings is not None:
        options["in_shardings"] = (None, *shardings)
    if results is not None:
        options["out_shardings"] = list(results)
    return jax.jit(call, donate_argnums=tuple(1 + i for i in donated), **options)


def _jit(functions: list, options: dict, counts: tuple, values: tuple) -> Sequence[Any]:
    return functions[0](*values)


def _checkpoint(functions: list, options: dict, counts: tuple, values: tuple) -> Sequence[Any]:
    return jax.checkpoint(functions[0], **options)(*values)


def _cond(functions: list, options: dict, counts: tuple, values: tuple) -> Sequence[Any]:
    return jax.lax.switch(values[0], functions, *values[1:])


def _shard_map(functions: list, options: dict, counts: tuple, values: tuple) -> Sequence[Any]:
    options["axis_names"] = options.pop("newly_manual_axes")
    return jax.shard_map(lambda *values: tuple(functions[0](*values)), **options)(*values)


def _while(functions: list, options: dict, counts: tuple, values: tuple) -> Sequence[Any]:
    first = options["cond_nconsts"]
    both = first + options["body_nconsts"]
    return jax.lax.while_loop(
        lambda carry: functions[0](*values[:first], *carry)[0],
        lambda carry: tuple(functions[1](*values[first:both], *carry)),
        tuple(values[both:]),
    )


def _scan(functions: list, options: dict, counts: tuple, values: tuple) -> Sequence[Any]:
    consts, carried = counts

    def step(carry: tuple, scanned: tuple) -> tuple[tuple, tuple]:
        outputs = tuple(functions[0](*values[:consts], *carry, *scanned))
        return outputs[:carried], outputs[carried:]

    first, rest = tuple(values[consts : consts + carried]), tuple(values[consts + carried :])
    carry, stacked = jax.lax.scan(step, first, rest, **options)
    return *carry, *stacked


AGAIN: dict[str, Callable[[list, dict, tuple, tuple], Sequence[Any]]] = {
    "jit": _jit, "pjit": _jit, "remat2": _checkpoint, "checkpoint": _checkpoint, "cond": _cond,
    "scan": _scan, "while": _while, "shard_map": _shard_map,
}  # fmt: skip


def run_steps(
    eqns: Sequence[Any], plan: tuple, relu: Relu, environment: dict, *, cheaply: bool = False
) -> None:
    """Run equations by their plan, writing the results into the environment.

    `cheaply`, those that are not in the plan are run by `cheaper.bind`.
    """
    bind = cheaper.bind if cheaply else jaxprs.bind
    for eqn, step in zip(eqns, plan, strict=True):
        values = [jaxprs.read(environment, atom) for atom in eqn.invars]
        with jaxprs.at(eqn):
            if isinstance(step, Replace):
                outputs = [_replaced(step, relu, values)]
            elif isinstance(step, Enter):
                run = _run_body_cheaply if cheaply else _run_body
                outputs = enter(eqn, run, step.plans, relu, values)
            elif isinstance(step, Gate):
                (y,), x = jaxprs.bind(eqn, values), jaxprs.read(environment, step.x)
                outputs = [gated(y, x, rule_of(relu, step.site.form))]
            else:
                outputs = bind(eqn, values)
        environment.update(zip(eqn.outvars, outputs, strict=True))


def _run_body(
    body: jaxprs.Body, plan: tuple, relu: Relu, values: Sequence[Any], *, cheaply: bool = False
) -> list:
    environment = jaxprs.start(body.jaxpr, body.consts, values)
    run_steps(body.jaxpr.eqns, plan, relu, environment, cheaply=cheaply)
    return [jaxprs.read(environment, atom) for atom in body.jaxpr.outvars]


_run_body_cheaply = partial(_run_body, cheaply=True)  # `enter` wants one object


def _replaced(step: Replace, relu: Relu, values: list) -> Any:
    x = values[step.operand]
    function: Function = relu
    y = function(x, step.site) if _takes_where(relu) else function(x)
    if jnp.shape(y) != jnp.shape(x) or jnp.result_type(y) != jnp.result_type(x):
        raise InputError(
            f"relu returned {jnp.result_type(y)}{list(jnp.shape(y))} for "
            f"{jnp.result_type(x)}{list(jnp.shape(x))} ({step.site}); wanted the same shape and "
            "dtype"
        )
    if step.cap is None and step.cap_operand is None:
        return y
    cap = jnp.asarray(step.cap if step.cap_operand is None else values[step.cap_operand], y.dtype)
    return jnp.where(y >= cap, cap, y)  # no gradient at the cap itself, as in relu6 and clamp


def _takes_where(relu: Relu) -> bool:
    """Whether a ReLU must be given two arguments, or has one that is named `where`."""
    try:
        parameters = inspect.signature(relu).parameters.values()
    except ValueError:  # built-in functions have no signature
        return False
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    places = [p for p in parameters if p.kind in positional]
    required = [p for p in places if p.default is inspect.Parameter.empty]
    return len(required) == 2 or any(p.name == "where" for p in places[1:2])
