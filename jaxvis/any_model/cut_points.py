"""`cut_points`: where a function can be cut for Grad-CAM, and where it is cut if nobody says.

Grad-CAM shows what a layer tells all that comes behind it. Where another path goes around the
layer, as a residual connection does, it shows a part of the story, and which part is not seen in
the map. So the default is the last value that *all* paths go through.
"""

import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from jaxvis.any_model import jaxprs
from jaxvis.any_model.channels import convolves_channels_first
from jaxvis.any_model.flat import Flat, Flow, Scope, Step, Value, bottlenecks, flatten, flow
from jaxvis.any_model.needed import all_places_needed, is_elementwise, needed_parts
from jaxvis.any_model.scopes import LISTED, leaving, shortest_name
from jaxvis.errors import InputError, InputTypeError

LAST = "last"  # the layer that `cut_points(f, x).last` stands for
NUMBERED = "#"  # in front of the number of a value

# Values that are no new ones: the same numbers in another place, or with zeros around them.
LAYOUT = {"broadcast_in_dim", "expand_dims", "reshape", "squeeze", "transpose"}
PADS = {"pad", "_pad"}
SQUARES = {"square", "integer_pow"}  # inside of a normalisation


class CutPoint(NamedTuple):
    """One value at which a function can be cut.

    Attributes:
        number: "#3" for the third of the values that all paths go through, "#3.2" for the second
            between that and the next. Some programs differ between one image and several (JAX
            leaves out axes of length 1 in products), and with them numbers behind a point.
        name: of a scope that it leaves, or that `checkpoint_name` gave it; None if it has none.
        shape: of the value.
        all_paths: whether every path from the images to the output goes through it.
    """

    number: str
    name: str | None
    shape: tuple[int, ...]
    all_paths: bool

    @property
    def layer(self) -> str:
        """What `cut_at`, and `layer=`, take: the name, or else the number."""
        return self.name or self.number


class CutPoints(NamedTuple):
    """The values of a function at which Grad-CAM can be taken, and the default one.

    `last` is the last one that all paths go through, all places of which are used behind it, and
    that was not made smaller by a pooling only; None if there is no such value.
    """

    points: tuple[CutPoint, ...]
    last: CutPoint | None

    def __str__(self) -> str:
        """A table of one line for each."""
        rows = [("number", "layer", "shape", "all paths")]
        for point in self.points:
            mark = "yes" if point.all_paths else ""
            mark = f"yes, {LAST}" if point == self.last else mark
            shape = " x ".join(map(str, point.shape))
            rows.append((point.number, point.name or "", shape, mark))
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


def cut_points(f: Callable[..., Any], *args: Any, **kwargs: Any) -> CutPoints:
    """Return where f can be cut for Grad-CAM: values that have space axes, (n, *space, channels).

    Each is what a layer hands on: behind its normalisation and activation, before what is no
    arithmetic from place to place. Nothing is computed; `jax.ShapeDtypeStruct` will do for an
    array.

    Args:
        f: any function that JAX can trace, or what `expose_relu` returns.
        args, kwargs: its arguments, images first; weights among them would count as images: give
            them to f by `jax.tree_util.Partial`.

    Raises:
        TypeError: f cannot be called.
    """
    if not callable(f):
        raise InputTypeError(f"f is a {type(f).__name__}; wanted a function of arrays")
    traced = jaxprs.trace(f, args, kwargs)
    found = Points(traced.jaxpr)
    points = tuple(found.describe(value) for value in found.values)
    return CutPoints(points, found.describe(found.last()) if found.good else None)


class Points:
    """The values of a jaxpr at which it can be cut: looked for once, asked several questions."""

    def __init__(self, jaxpr: Any) -> None:
        self.flat: Flat = flatten(jaxpr)
        images = tuple(value for value in self.flat.inputs if _positions(value, -1) > 1)
        self.flow: Flow = flow(self.flat, images or None)
        self.scopes: dict[Scope, list[Value]] = leaving(self.flat, self.flow)
        self.all_paths = bottlenecks(self.flat, self.flow)
        self._first = convolves_channels_first(jaxpr)
        self._n = next((v.aval.shape[0] for v in self.flat.inputs if v.aval.ndim), None)
        self._made = {v: step for step in self.flat.steps for v in step.outputs}
        self.values = [value for value in self._made if self._is_one(value)]
        self._numbers = dict(zip(self.values, self._numbered(), strict=True))

    def _numbered(self) -> Iterator[str]:
        whole = part = 0
        for value in self.values:
            whole, part = (whole + 1, 0) if value in self.all_paths else (whole, part + 1)
            yield f"{NUMBERED}{whole}.{part}" if part else f"{NUMBERED}{whole}"

    def numbered(self, number: str) -> Value:
        """Return the value that "#12" stands for; raise ValueError if there is none."""
        for value, its_own in self._numbers.items():
            if number == its_own:
                return value
        numbers = [*self._numbers.values()]
        listed = f"{numbers[0]} to {numbers[-1]}" if numbers else "no values that have space axes"
        raise InputError(
            f"the function has no value {number!r}, but {listed}: jv.cut_points(f, x) lists them"
        )

    @property
    def good(self) -> list[Value]:
        """The values that all paths go through, and of which every place is used behind them."""
        parts = needed_parts(self.flat)
        return [
            value
            for value in self.values
            if value in self.all_paths and all_places_needed(value, parts, self._space(value))
        ]

    def last(self, why: str = "") -> Value:
        """Return the default, the last good value; raise ValueError, with why, if there is none."""
        good = self.good
        if not good:
            rows = [self.describe(value).layer for value in self.values]
            raise InputError(
                "no value with space axes lies on all paths from the images to the output, so that "
                "there is no layer that Grad-CAM is best taken of; wanted layer=, one of "
                f"{', '.join(rows[-LISTED:]) or 'none'}: jv.cut_points(f, x) lists them" + why
            )
        last = good[-1]
        while (larger := self._before_pooling(last)) in good:
            last = larger
        return last

    def describe(self, value: Value) -> CutPoint:
        """Return a value as a row of the table."""
        number, shape = self._numbers[value], value.aval.shape
        return CutPoint(number, self._name(value), shape, value in self.all_paths)

    def _is_one(self, value: Value) -> bool:
        step = self._made[value]
        if value not in self.flow.between or value in self.flow.ends:
            return False
        if jaxprs.name_of(step.eqn) in LAYOUT | PADS | SQUARES or not self._has_space(value):
            return False
        return any(self._is_handed_on(value, user, step) for user in self.flow.users[value])

    def _is_handed_on(self, value: Value, user: Step, step: Step) -> bool:
        """Whether a step takes a value for more than arithmetic of its own layer."""
        if is_elementwise(user):
            return False
        moved = user.outputs[0]
        if jaxprs.name_of(user.eqn) in LAYOUT and self._has_space(moved):
            later = self.flow.users.get(moved, ())
            return any(self._is_handed_on(moved, user, step) for user in later)
        return user.scope != step.scope or not step.scope

    def _has_space(self, value: Value) -> bool:
        return (
            value.aval.ndim >= 3
            and value.aval.shape[0] == self._n
            and math.prod(value.aval.shape[axis] for axis in self._space(value)) > 1
        )

    def _space(self, value: Value) -> tuple[int, ...]:
        ndim = value.aval.ndim
        channels = 1 if self._first and ndim > 3 else ndim - 1
        return tuple(axis for axis in range(1, ndim) if axis != channels)

    def _before_pooling(self, value: Value) -> Value | None:
        """Return the value that was only made smaller to give this one; None if there is none."""
        for step in self._back(value):
            operands = [v for v in step.inputs if v is not None and v.aval.ndim]
            if len(operands) == 1 and _positions(operands[0], -1) > _positions(value, -1) > 0:
                return operands[0]
        return None

    def _back(self, value: Value) -> Iterator[Step]:
        """Go back through steps of one operand that depends on the images."""
        while value in self._made:
            step = self._made[value]
            yield step
            operands = [v for v in step.inputs if v in self.flow.between]
            layout = step.eqn.primitive.name in LAYOUT
            if len(operands) != 1 or not (layout or is_elementwise(step)):
                return
            (value,) = operands

    def _name(self, value: Value) -> str | None:
        step = self._made[value]
        if step.eqn.primitive.name == "name":
            return step.eqn.params["name"]
        for length in range(len(step.scope), 0, -1):
            if self.scopes[step.scope[:length]] == [value]:
                return shortest_name(step.scope[:length], self.scopes)
        return None


def _positions(value: Value, channels: int) -> int:
    shape = list(value.aval.shape)
    if len(shape) < 3:
        return 0
    del shape[channels]
    return math.prod(shape[1:])
