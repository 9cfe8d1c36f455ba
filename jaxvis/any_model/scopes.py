"""Scopes of the name stack, and the values that leave them.

Keras opens one for every layer ("functional/vgg16/block5_conv3"), Flax Linen for every module
("Net/Block_0/Conv_0"), and `jax.named_scope` for whatever one likes. The value of a scope is the
one that is computed inside it and used outside. Equinox has one for every kind of layer, which
says little, and Flax NNX has none.
"""

import difflib
from collections.abc import Iterable, Iterator
from typing import Any

from jaxvis.any_model import jaxprs
from jaxvis.any_model.flat import Flat, Flow, Scope, Value, scope_of
from jaxvis.errors import InputError

LISTED = 12  # names in a message


def leaving(flat: Flat, between: Flow) -> dict[Scope, list[Value]]:
    """Return the values that leave each scope, in the order in which they are computed.

    Only those between inputs and outputs; a scope may have none. One that is opened several times
    under the same path is one scope.
    """
    found: dict[Scope, list[Value]] = {}
    for step in flat.steps:
        for length in range(1, len(step.scope) + 1):
            found.setdefault(step.scope[:length], [])
        for value in step.outputs:
            if value not in between.between:
                continue
            outside = [_common(step.scope, user.scope) for user in between.users.get(value, ())]
            outside += [0] if value in between.ends else []
            for length in range(min(outside) + 1, len(step.scope) + 1):
                found[step.scope[:length]].append(value)
    return found


def scopes_inside(jaxpr: Any, scope: Scope = (), holders: tuple = ()) -> Iterator[tuple]:
    """Yield every scope of a jaxpr with the primitives that hold it, those of loops too."""
    for eqn in jaxprs.open_jaxpr(jaxpr)[0].eqns:
        here = scope + scope_of(eqn)
        for length in range(len(scope) + 1, len(here) + 1):
            yield here[:length], holders
        for held in jaxprs.held_jaxprs(eqn.params):
            yield from scopes_inside(held, here, (*holders, eqn.primitive.name))


def _common(one: Scope, other: Scope) -> int:
    same = 0
    for a, b in zip(one, other, strict=False):
        if a != b:
            break
        same += 1
    return same


def matching(scopes: Iterable[Scope], name: str) -> list[Scope]:
    """Return the scopes whose path ends in a name, "block5_conv3" or "vgg16/block5_conv3".

    With a "/" in front the name is the whole path.
    """
    wanted = tuple(part for part in name.split("/") if part)
    if name.startswith("/"):
        return [scope for scope in scopes if scope == wanted]
    return [scope for scope in scopes if wanted and scope[-len(wanted) :] == wanted]


def shortest_name(scope: Scope, scopes: Iterable[Scope]) -> str:
    """Return the end of a scope's path that no other one has, or the whole path with a "/"."""
    scopes = list(scopes)
    for length in range(1, len(scope) + 1):
        name = "/".join(scope[-length:])
        if len(matching(scopes, name)) == 1:
            return name
    return "/" + "/".join(scope)


def value_of_scope(
    name: str, found: dict[Scope, list[Value]], names: Iterable[str], otherwise: str
) -> Value:
    """Return the one value of the one scope of this name.

    Args:
        name: as in `matching`.
        found: what `leaving` returns.
        names: that `checkpoint_name` gave, for messages.
        otherwise: what else a function can be cut at, for messages.

    Raises:
        ValueError: no scope, several, or one that no value leaves, or several do.
    """
    scopes = matching(found, name)
    if not scopes:
        raise InputError(_none(name, found, list(names), otherwise))
    if len(scopes) > 1:
        listed = ", ".join("/" + "/".join(scope) for scope in scopes[:LISTED])
        more = f" and {len(scopes) - LISTED} more" if len(scopes) > LISTED else ""
        raise InputError(
            f"{len(scopes)} scopes end in {name!r}: {listed}{more}; wanted one: give more of its "
            "path, or all of it, with the / in front"
        )
    path, values = "/".join(scopes[0]), found[scopes[0]]
    if not values:
        raise InputError(
            f"nothing that is computed in the scope {path!r} lies between the function's input and "
            f"its output, so that a map made there would be 0 everywhere; wanted {otherwise}"
        )
    if len(values) > 1:
        shapes = ", ".join(str(value.aval.shape) for value in values[:LISTED])
        raise InputError(
            f"{len(values)} values leave the scope {path!r}, of shapes {shapes}: it is used more "
            f"than once, or returns several; wanted a scope that one value leaves, or {otherwise}"
        )
    return values[0]


def _none(name: str, found: dict[Scope, list[Value]], names: list[str], otherwise: str) -> str:
    listed = ", ".join(names[:LISTED]) or "none"
    text = f"the function names 0 values {name!r} (checkpoint_name's are: {listed}) and "
    if not found:
        text += (
            "opens no scopes (Keras and Flax Linen open one for every layer; Flax NNX and plain "
            "JAX do not)"
        )
    paths = ["/".join(scope) for scope in found]
    ends = {scope[-1]: shortest_name(scope, found) for scope in found}
    ends |= {name: name for name in names}
    last = name.rpartition("/")[2]
    near = [ends[end] for end in difflib.get_close_matches(last, ends, n=5, cutoff=0.5)]
    near += [n for n in difflib.get_close_matches(name, paths, n=5, cutoff=0.7) if n not in near]
    if found:
        text += f"none of its {len(found)} scopes ends so"
    if near:
        text += f"; near it: {', '.join(near[:5])}"
    elif found:
        text += f"; it has, among others: {', '.join(paths[:5])}"
    return f"{text}; wanted one of its own, or {otherwise}"
