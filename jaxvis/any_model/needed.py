"""Which places of a value an output depends on, as far as shapes tell.

Behind the last attention of a vision transformer only the class token is read: the gradient at all
other tokens is 0, and a class activation map made there is empty. So the program is followed
backwards, with the part of every value that is still read, a range along each axis.
"""

from typing import Any

from jaxvis.any_model import jaxprs
from jaxvis.any_model.flat import Flat, Step, Value, flatten

Range = tuple[int, int]
Part = tuple[Range, ...]

# One equation for each place: the same place of every operand of the shape of the result.
ELEMENTWISE = {
    "abs", "add", "add_any", "cbrt", "clamp", "convert_element_type", "copy", "copy_p", "cos",
    "div", "erf", "erf_inv", "erfc", "exp", "exp2", "expm1", "integer_pow", "log", "log1p",
    "logistic", "max", "min", "mul", "name", "neg", "optimization_barrier", "pow", "pvary",
    "reduce_precision", "rsqrt", "select_n", "sign", "sin", "sqrt", "square", "stop_gradient",
    "sub", "tan", "tanh",
}  # fmt: skip
OWN_ELEMENTWISE = {
    "relu", "relu6", "clip", "_where", "leaky_relu", "elu", "selu", "celu", "gelu", "silu",
    "swish", "hard_silu", "hard_sigmoid", "hard_tanh", "softplus", "logaddexp", "squareplus",
    "mish", "log_sigmoid", "sigmoid", "soft_sign", "square", "true_divide",
}  # fmt: skip


def is_elementwise(step: Step) -> bool:
    """Whether a step computes every place of its result from the same place of its operands."""
    if len(step.outputs) != 1:
        return False
    eqn = step.eqn
    if eqn.primitive.name in ELEMENTWISE:
        return True
    own = jaxprs.is_jaxs_own(eqn) or eqn.primitive.name in ("custom_jvp_call", "custom_vjp_call")
    return own and jaxprs.name_of(eqn) in OWN_ELEMENTWISE


def needed_parts(flat: Flat) -> dict[Value, Part]:
    """Return of every value that leads to an output the hull of the places that are read."""
    return _backwards(flat, [None if v is None else _all(v) for v in flat.outputs])


def _backwards(flat: Flat, read: list[Part | None]) -> dict[Value, Part]:
    """The same, given the part of every output that is read."""
    parts: dict[Value, Part] = {}

    def also(value: Value | None, part: Part | None) -> None:
        if value is not None and part is not None:
            parts[value] = _hull(parts[value], part) if value in parts else part

    for value, part in zip(flat.outputs, read, strict=True):
        also(value, part)
    for step in reversed(flat.steps):
        if any(value in parts for value in step.outputs):
            for value, part in zip(step.inputs, _read(step, parts), strict=True):
                also(value, part)
    return parts


def all_places_needed(value: Value, parts: dict[Value, Part], axes: tuple[int, ...]) -> bool:
    """Whether the places along all these axes are read."""
    return value in parts and all(
        parts[value][axis] == (0, value.aval.shape[axis]) for axis in axes
    )


def _all(value: Value) -> Part:
    return tuple((0, side) for side in value.aval.shape)


def _hull(one: Part, other: Part) -> Part:
    return tuple((min(a, c), max(b, d)) for (a, b), (c, d) in zip(one, other, strict=True))


def _read(step: Step, parts: dict[Value, Part]) -> list[Part | None]:
    """Return which part of every operand a step reads, given the parts of its results."""
    if step.eqn.primitive.name in jaxprs.SAME_OPERANDS:  # a call, as `jnp.var` is one
        (body,) = jaxprs.bodies(step.eqn)
        inside = flatten(body.jaxpr)
        found = _backwards(inside, [parts.get(value) for value in step.outputs])
        return [found.get(value) for value in inside.inputs]
    if len(step.outputs) != 1:
        return [None if value is None else _all(value) for value in step.inputs]
    return [
        None if value is None else _read_of(step, place, value, parts[step.outputs[0]])
        for place, value in enumerate(step.inputs)
    ]


def _read_of(step: Step, place: int, value: Value, result: Part) -> Part:
    """Return which part of one operand a step reads, given the part of its result."""
    params, name, whole = step.eqn.params, step.eqn.primitive.name, _all(value)
    shape, wanted = value.aval.shape, step.outputs[0].aval.shape
    if name in ELEMENTWISE:
        if len(shape) != len(wanted):
            return whole
        return tuple(
            part if shape[axis] == wanted[axis] else whole[axis] for axis, part in enumerate(result)
        )
    if name == "slice":
        return _sliced(result, params)
    if name == "dynamic_slice" and place == 0:
        return tuple((0, size) for size in params["slice_sizes"])  # somewhere: all, or not all
    return tuple(
        whole[axis] if source is None or shape[axis] != wanted[source] else result[source]
        for axis, source in enumerate(_axes(name, params, place, shape, wanted))
    )


def _sliced(result: Part, params: dict[str, Any]) -> Part:
    steps = params["strides"] or (1,) * len(result)
    starts = params["start_indices"]
    rows = zip(result, starts, steps, strict=True)
    return tuple((start + a * by, start + (b - 1) * by + 1) for (a, b), start, by in rows)


def _axes(
    name: str, params: dict[str, Any], place: int, shape: tuple, wanted: tuple
) -> list[int | None]:
    """Return for every axis of an operand the axis of the result with the same places, or None."""
    found: list[int | None] = [None] * len(shape)
    if name in ("squeeze", "reduce_sum", "reduce_max", "reduce_min", "reduce_prod", "argmax"):
        gone = params["dimensions"] if name == "squeeze" else params["axes"]
        left = [axis for axis in range(len(shape)) if axis not in gone]
        for place_after, axis in enumerate(left):
            found[axis] = place_after
    elif name == "broadcast_in_dim":
        found = list(params["broadcast_dimensions"])
    elif name == "transpose":
        for after, before in enumerate(params["permutation"]):
            found[before] = after
    elif name == "reshape":
        for axis in range(min(len(shape), len(wanted))):
            if shape[axis] != wanted[axis]:
                break
            found[axis] = axis
        for back in range(1, min(len(shape), len(wanted)) + 1):
            if shape[-back] != wanted[-back] or found[-back] is not None:
                break
            found[-back] = len(wanted) - back
    elif name == "dot_general":
        found = _axes_of_product(params["dimension_numbers"], place, shape, len(wanted))
    return found


def _axes_of_product(numbers: tuple, place: int, shape: tuple, count: int) -> list[int | None]:
    """The result of a product has the batch axes first, then the free ones of left and right."""
    contracted, batch = (sides[place] for sides in numbers)
    free = [axis for axis in range(len(shape)) if axis not in (*contracted, *batch)]
    first = len(batch) if place == 0 else count - len(free)
    found: list[int | None] = [None] * len(shape)
    for after, axis in enumerate(batch):
        found[axis] = after
    for number, axis in enumerate(free):
        found[axis] = first + number
    return found
