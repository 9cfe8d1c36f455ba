"""Which axis of a value holds its channels: that of the convolution that the value comes from."""

from collections.abc import Iterator
from typing import Any

from jaxvis.any_model import jaxprs

CONVOLUTION = "conv_general_dilated"
WINDOWS = ("reduce_window", "concatenate", "pad", "slice")  # keep axes, but not their lengths


def axis_of_channels(jaxpr: Any, variable: Any) -> int | None:
    """Return the axis of a variable's channels, or None if no convolution tells.

    Followed back from the value, through what keeps its axes or says how it permutes them.
    """
    found = set(_told(jaxpr, variable))
    return found.pop() if len(found) == 1 else None


def convolves_channels_first(jaxpr: Any) -> bool:
    """Whether a convolution in a jaxpr has its channels elsewhere than last."""
    convolutions = (v.eqn for v in jaxprs.walk(jaxpr) if v.eqn.primitive.name == CONVOLUTION)
    return any(jaxprs.channel_axis(eqn) != eqn.outvars[0].aval.ndim - 1 for eqn in convolutions)


def _told(jaxpr: Any, variable: Any) -> Iterator[int]:
    """Yield what each convolution that a variable comes from says."""
    eqn = next((eqn for eqn in jaxpr.eqns if variable in eqn.outvars), None)
    if eqn is None:
        return
    name = eqn.primitive.name
    if name == CONVOLUTION:
        yield jaxprs.channel_axis(eqn)
    elif name == "transpose":
        permutation = eqn.params["permutation"]
        for axis in _told(jaxpr, eqn.invars[0]):
            yield permutation.index(axis)
    elif name in ("reshape", "squeeze"):
        for axis in _told(jaxpr, eqn.invars[0]):
            yield from _without_ones(eqn.invars[0].aval.shape, variable.aval.shape, axis)
    elif jaxprs.bodies(eqn):
        yield from _told_inside(jaxpr, eqn, variable)
    else:
        for operand in jaxprs.variables(eqn.invars):
            shape, wanted = operand.aval.shape, variable.aval.shape
            if shape == wanted or (name.startswith(WINDOWS) and len(shape) == len(wanted)):
                yield from _told(jaxpr, operand)


def _without_ones(before: tuple, after: tuple, axis: int) -> Iterator[int]:
    """Yield where an axis is after axes of length 1 came or went, as around `vmap`."""
    places, left = ([i for i, side in enumerate(shape) if side != 1] for shape in (before, after))
    if [before[i] for i in places] == [after[i] for i in left] and axis in places:
        yield left[places.index(axis)]


def _told_inside(jaxpr: Any, eqn: Any, variable: Any) -> Iterator[int]:
    """The same of the result of a call: what its body says, or its operands of that shape."""
    (body,) = jaxprs.bodies(eqn)[:1]
    place = eqn.outvars.index(variable)
    inner = body.jaxpr.outvars[place] if place < len(body.jaxpr.outvars) else None
    if inner is not None and not jaxprs.is_literal(inner):
        yield from _told(body.jaxpr, inner)
    for operand in jaxprs.variables(eqn.invars):
        if operand.aval.shape == variable.aval.shape:
            yield from _told(jaxpr, operand)
