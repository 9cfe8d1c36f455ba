"""Where the ReLUs of a jaxpr are: its plan.

A ReLU may be `jax.nn.relu`, but also `maximum(x, 0)` or `where(x > 0, x, 0)`, whose parts lie in
different jaxprs, since `jnp.where` is a jit of its own. So every variable that matters gets a
meaning first: 0, "where x > 0", "the ReLU of x". A plan then says, equation by equation: run it as
it is (None), put a ReLU there (`Replace`), let the gradient of another activation obey the rule
(`Gate`), or go into the jaxprs that it holds (`Enter`).
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import jax.numpy as jnp

from jaxvis.any_model import jaxprs
from jaxvis.any_model.jaxprs import is_zero
from jaxvis.errors import InputError, NotSupportedError
from jaxvis.gradients.smooth import SMOOTH

FORMS = ("relu", "relu6", "maximum", "where", "clip", "product")

# JAX's own activations that hold a gate at 0, or a maximum with it, and are no ReLUs.
NO_RELUS = {
    "leaky_relu", "elu", "selu", "celu", "gelu", "silu", "hard_silu", "hard_sigmoid", "hard_tanh",
    "softplus", "logaddexp", "squareplus", "mish", "log_sigmoid",
}  # fmt: skip

# The bare forms are ReLUs inside of these, but not in others of JAX's functions, whose code is not
# the network's: random numbers, resizing and quantiles take a maximum with 0 too.
WRAPPERS = ("relu", "relu6", "clip", "_where")


@dataclass(frozen=True)
class Site:
    """One ReLU of a function, or what looks like one.

    Attributes:
        index: its place among the ReLUs, in the order in which they run.
        form: one of `FORMS` or of `SMOOTH`, or why it is left alone.
        name_stack: the scopes it lies in, such as "Net/Dense_0/scan".
        shape, dtype: of its input.
    """

    index: int
    form: str
    name_stack: str
    shape: tuple[int, ...]
    dtype: str


class Replace(NamedTuple):
    """Put a ReLU of operand number `operand`; then a cap, a number or operand `cap_operand`."""

    site: Site
    operand: int
    cap: Any = None
    cap_operand: int | None = None


class Gate(NamedTuple):
    """Let the gradient of the result obey the rule; `x` is the activation's input, a variable."""

    site: Site
    x: Any


class Enter(NamedTuple):
    """Go into the jaxprs of the equation, with a plan for each."""

    plans: tuple


class Found(NamedTuple):
    """What a planner is looking for, where it is, and what it has found so far.

    `halves` are the meanings x of which `relu(x)` is a half of a PReLU, relu(x) - a relu(-x): as
    little a ReLU as leaky_relu is, though Keras writes it with two.
    """

    forms: tuple[str, ...]
    name_stack: str
    form: str | None  # of a maximum here: "clip" inside jnp.clip
    guard: bool  # whether the jaxpr's result goes into a square root
    relus: list[Site]
    left_alone: list[Site]
    halves: frozenset = frozenset()


def plan_relus(jaxpr: Any, consts: Sequence[Any], forms: tuple[str, ...]) -> tuple[tuple, Found]:
    """Return the plan of a jaxpr, one step for each equation, and the ReLUs found.

    Raises:
        NotImplementedError: a ReLU lies inside a primitive that cannot be entered.
    """
    found = Found(forms, "", None, False, [], [])
    return _plan(jaxpr, _meanings(jaxpr, consts, [None] * len(jaxpr.invars)), found), found


# Meanings are tuples: ("zero",), ("positive", x), ("not positive", x), ("relu", x, form),
# ("capped", x, form, cap), whose cap is None unless it is a number, ("negative", x), which is -x,
# ("scaled", x), a multiple of the ReLU of x, and ("prelu", x). All others mean themselves.


def _meanings(jaxpr: Any, consts: Sequence[Any], given: Sequence[Any]) -> dict:
    """Return the meaning of every variable that has one, given those of the inputs."""
    known: dict = {}
    known |= {v: ("zero",) for v, c in zip(jaxpr.constvars, consts, strict=True) if is_zero(c)}
    known |= {v: m for v, m in zip(jaxpr.invars, given, strict=True) if m is not None}
    for eqn in jaxpr.eqns:
        if eqn.primitive.name in jaxprs.SAME_OPERANDS:
            (body,) = jaxprs.bodies(eqn)
            inner = _meanings(body.jaxpr, body.consts, [_mean(a, known) for a in body.operands])
            results = [_mean(atom, inner) for atom in body.jaxpr.outvars]
        elif len(eqn.outvars) == 1:
            results = [_result(eqn, [_mean(atom, known) for atom in eqn.invars])]
        else:
            continue
        known |= {v: m for v, m in zip(eqn.outvars, results, strict=True) if m is not None}
    return known


def _mean(atom: Any, known: dict) -> Any:
    if atom is None or jaxprs.is_literal(atom):
        return ("zero",) if atom is not None and is_zero(atom) else None
    return known.get(atom, atom)


def _result(eqn: Any, operands: list) -> tuple | None:
    """Return the meaning of an equation's result, given those of its operands."""
    match eqn.primitive.name, *operands:
        case (
            "broadcast_in_dim" | "convert_element_type" | "reshape" | "squeeze" | "copy" | "pvary",
            (("zero",) | ("positive" | "not positive", _)) as same,
        ):
            return same
        case (("gt" | "ge"), x, ("zero",)) | (("lt" | "le"), ("zero",), x):
            return ("positive", x)
        case (("lt" | "le"), x, ("zero",)) | (("gt" | "ge"), ("zero",), x):
            return ("not positive", x)
        case ("max", x, ("zero",)) | ("max", ("zero",), x):
            return ("relu", x, "maximum")
        case ("select_n", ("positive", x), ("zero",), y) if x is y:
            return ("relu", x, "where")
        case ("select_n", ("not positive", x), y, ("zero",)) if x is y:
            return ("relu", x, "where")
        case ("mul", x, ("positive", y)) | ("mul", ("positive", y), x) if x is y:
            return ("relu", x, "product")
        case ("clamp", ("zero",), x, _):
            return ("capped", x, "clip", None)
        case ("neg", ("relu" | "scaled", x, *_)) | ("mul", ("relu" | "scaled", x, *_), _):
            return ("scaled", x)
        case "mul", _, ("relu" | "scaled", x, *_):
            return ("scaled", x)
        case "neg", x:
            return ("negative", x)
        case (("add" | "sub"), ("relu", x, _), ("scaled", ("negative", y))) if x is y:
            return ("prelu", x)
        case "add", ("scaled", ("negative", y)), ("relu", x, _) if x is y:
            return ("prelu", x)
        case ("min", ("relu", x, form), _):
            return ("capped", x, form, jaxprs.number(eqn.invars[1]))
        case ("min", _, ("relu", x, form)):
            return ("capped", x, form, jaxprs.number(eqn.invars[0]))
    return None


def _plan(jaxpr: Any, known: dict, found: Found) -> tuple:
    prelus = [meaning[1] for meaning in known.values() if _is_prelu(meaning)]
    if prelus:
        found = found._replace(halves=found.halves.union(prelus))
    gelus = dict(_gelus(jaxpr, found)) if "gelu" in found.forms else {}
    return tuple(
        _gate(eqn, "gelu", gelus[i], found) if i in gelus else _step(eqn, jaxpr, known, found)
        for i, eqn in enumerate(jaxpr.eqns)
    )


def _gate(eqn: Any, form: str, x: Any, found: Found) -> Gate:
    site = _site(eqn, x, form, found)
    found.relus.append(site)
    return Gate(site, x)


def _gelus(jaxpr: Any, found: Found) -> Iterator[tuple[int, Any]]:
    """Yield the number of the equation that gives the result of each gelu, and the gelu's input.

    JAX's gelu is no call, but x * (0.5 * (1 + tanh(...))), or (0.5 * x) * erfc(...).
    """
    for number, eqn in enumerate(jaxpr.eqns):
        if not _is_of_gelu(eqn):
            continue
        tanh = eqn.primitive.name == "tanh"
        chain = _chain(jaxpr, number, ["add", "mul", "mul"] if tanh else ["mul"])
        x = None
        if chain:
            last = jaxpr.eqns[chain[-1]]
            before = jaxpr.eqns[chain[-2] if chain[1:] else number].outvars[0]
            (x,) = [atom for atom in last.invars if atom is not before][:1] or [None]
            if not tanh:
                half = next((e for e in jaxpr.eqns if x in e.outvars), None)
                operands = [] if half is None else jaxprs.variables(half.invars)
                x = operands[0] if len(operands) == 1 else None
        if x is None or jaxprs.is_literal(x) or x.aval.shape != last.outvars[0].aval.shape:
            where = _scope(eqn, found) or "no scope"
            raise NotSupportedError(
                f"forms= names 'gelu', but the one in {where} is not written as JAX's releases up "
                "to 0.12 do, so that its input is not found; wanted forms= without 'gelu'"
            )
        yield chain[-1], x


def _is_of_gelu(eqn: Any) -> bool:
    return jaxprs.name_of(eqn) in ("tanh", "erfc") and jaxprs.comes_from(eqn, "gelu")


def _chain(jaxpr: Any, number: int, names: list[str]) -> list[int]:
    """Return the equations of these names that use, one after another, only each other's result."""
    found: list[int] = []
    for name in names:
        (variable,) = jaxpr.eqns[number].outvars
        users = [i for i, eqn in enumerate(jaxpr.eqns) if variable in jaxprs.variables(eqn.invars)]
        if len(users) != 1 or jaxpr.eqns[users[0]].primitive.name != name:
            return []
        (number,) = users
        found.append(number)
    return found


def _step(eqn: Any, jaxpr: Any, known: dict, found: Found) -> Replace | Enter | Gate | None:
    name = jaxprs.name_of(eqn)
    step = _replace(eqn, known, found)
    if step is not None:
        bare = eqn.primitive.name in PRIMITIVES
        if step.site.form not in found.forms:
            found.left_alone.append(step.site)
        elif _half(known[eqn.outvars[0]], found):
            found.left_alone.append(replace(step.site, form="half of a PReLU"))
        elif bare and _feeds_root(jaxpr, eqn.outvars, found.guard):
            found.left_alone.append(replace(step.site, form="guard of a square root"))
        else:
            found.relus.append(step.site)
            return step
        return None
    own = jaxprs.is_jaxs_own(eqn)
    gelu = _is_of_gelu(eqn)
    if gelu and "gelu" in found.forms:
        return None  # a part of it; the whole was gated
    if own and name in SMOOTH and name in found.forms:
        return _gate(eqn, name, eqn.invars[0], found)
    if gelu or (own and name in NO_RELUS):
        found.left_alone.append(_site(eqn, eqn.invars[0], "gelu" if gelu else name, found))
        return None
    if name == "call_exported":
        site = _site(eqn, next(iter(jaxprs.variables(eqn.invars)), eqn.outvars[0]), "", found)
        found.left_alone.append(replace(site, form="exported function, closed to us"))
        return None
    inside = jaxprs.bodies(eqn)
    if not inside:
        _check_no_relus(eqn, found)
        return None
    plans = []
    for body in inside:
        deeper = found._replace(
            forms=_named(found.forms) if own and name not in WRAPPERS else found.forms,
            name_stack=_scope(eqn, found),
            form=name if name in ("relu", "clip") else None,
            guard=len(eqn.outvars) == 1 and _feeds_root(jaxpr, eqn.outvars, found.guard),
        )
        given = [_mean(atom, known) for atom in body.operands]
        plans.append(_plan(body.jaxpr, _meanings(body.jaxpr, body.consts, given), deeper))
    return Enter(tuple(plans)) if any(step for plan in plans for step in plan) else None


def _is_prelu(meaning: Any) -> bool:
    return isinstance(meaning, tuple) and meaning[0] == "prelu"


def _half(meaning: tuple, found: Found) -> bool:
    match meaning:
        case ("relu", ("negative", x), *_) | ("relu", x, *_):
            return x in found.halves
    return False


PRIMITIVES = {"max", "select_n", "mul", "clamp"}


def _replace(eqn: Any, known: dict, found: Found) -> Replace | None:
    """Return the step for an equation that is a ReLU as a whole, counted or not."""
    custom = eqn.primitive.name in ("custom_jvp_call", "custom_vjp_call")
    if len(eqn.outvars) != 1 or not (custom or eqn.primitive.name in PRIMITIVES):
        return None
    match known.get(eqn.outvars[0]):
        case ("relu", x, form):
            form, cap = "relu" if custom else found.form or form, None
        case ("capped", x, form, cap) if not custom or cap is not None:
            form = "relu6" if custom else found.form or form
        case _:
            return None
    places = [i for i, atom in enumerate(eqn.invars) if _mean(atom, known) is x]
    if x is None or not places:
        return None
    atom, out = eqn.invars[places[0]], eqn.outvars[0]
    if atom.aval.shape != out.aval.shape or not jnp.issubdtype(out.aval.dtype, jnp.floating):
        return None
    site = _site(eqn, atom, form, found)
    return Replace(site, places[0], cap, 2 if eqn.primitive.name == "clamp" else None)


def _site(eqn: Any, atom: Any, form: str, found: Found) -> Site:
    stack = "/".join(filter(None, (found.name_stack, str(eqn.source_info.name_stack))))
    return Site(len(found.relus), form, stack, atom.aval.shape, str(atom.aval.dtype))


def _named(forms: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(form for form in forms if form in ("relu", "relu6", *SMOOTH))


def _scope(eqn: Any, found: Found) -> str:
    """Return the name stack inside an equation: "block/scan", "block/jit(layer)"."""
    primitive, name = eqn.primitive.name, jaxprs.name_of(eqn)
    label = primitive if name == primitive else f"{primitive}({name})"
    if name in WRAPPERS:
        label = ""
    return "/".join(filter(None, (found.name_stack, str(eqn.source_info.name_stack), label)))


def _feeds_root(jaxpr: Any, variables: Sequence[Any], outside: bool) -> bool:
    """Whether values go into a square root: `max(variance, 0) + eps` in a normalisation."""
    reached = set(variables)
    for eqn in jaxpr.eqns:
        if any(atom in reached for atom in eqn.invars if not jaxprs.is_literal(atom)):
            if eqn.primitive.name in ("sqrt", "rsqrt"):
                return True
            if eqn.primitive.name in ("add", "reshape", "broadcast_in_dim", "squeeze"):
                reached.update(eqn.outvars)
    return outside and any(v in reached for v in jaxpr.outvars if not jaxprs.is_literal(v))


def _check_no_relus(eqn: Any, found: Found) -> None:
    for held in jaxprs.held_jaxprs(eqn.params):
        _, inside = plan_relus(*jaxprs.open_jaxpr(held), found.forms)
        if inside.relus:
            where = _scope(eqn, found)
            raise NotSupportedError(
                f"the primitive {eqn.primitive.name!r} ({where}) holds a ReLU "
                f"({inside.relus[0].form}), which expose_relu cannot reach; it reaches those in "
                "jit, checkpoint, scan, while_loop, cond, switch, shard_map and functions with a "
                "custom gradient: move the ReLU out of it, or leave its form out of forms="
            )


def check_forms(forms: Sequence[str]) -> tuple[str, ...]:
    """Return the forms as a tuple; raise ValueError for one that is unknown."""
    forms = (forms,) if isinstance(forms, str) else tuple(forms)
    for form in forms:
        if form not in (*FORMS, *SMOOTH):
            listed = ", ".join((*FORMS, *SMOOTH))
            raise InputError(f"forms has {form!r}; wanted some of {listed}")
    return forms


def no_relus(left_alone: Sequence[Site]) -> str:
    """Say that every rule will give the same map, and what there is instead of ReLUs."""
    others = Counter(site.form for site in left_alone)
    listed = ", ".join(f"{form} ({count})" for form, count in others.items()) or "nothing like one"
    text = (
        "expose_relu found no ReLU in the function, so every rule gives the same gradient, and "
        f"there is nothing to gain by asking for several; it found {listed}: see count_relus(f, x)"
    )
    smooth = [form for form in SMOOTH if form in others]
    if smooth:
        text += (
            f". forms={tuple(smooth)!r} lets the rules act on the gradients there, which is ours "
            "and no paper's"
        )
    return text
