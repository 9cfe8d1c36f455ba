"""What a saved model does to its pixels before the first convolution, followed symbolically.

People scale their images inside the network: with layers (Rescaling, Normalization), or with
operations, as Keras's `preprocess_input` writes them. All of it takes a channel of the input,
multiplies, and adds; so each channel is kept as (source, scale, offset) while it is followed.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

from jaxvis.models.heads import Affine

Channel = tuple[int, float, float]


class Pixels(NamedTuple):
    """The input after some layers: `channels` in terms of what `done` has left of it.

    Attributes:
        done: earlier steps that cannot be joined with what follows.
        channels: (source, scale, offset) of each.
        layers: names and kinds of the layers that made it so.
        alone: whether it is one channel without an axis, as x[..., 0].
    """

    done: tuple[Affine, ...]
    channels: tuple[Channel, ...]
    layers: tuple[tuple[str, str], ...] = ()
    alone: bool = False


class NotFollowedError(Exception):
    """What is done to the pixels is none of what is understood."""


def input_of(channels: int) -> Pixels:
    """The input as it comes."""
    return Pixels((), tuple((i, 1.0, 0.0) for i in range(channels)))


def front_of(pixels: Pixels) -> tuple[Affine, ...]:
    """Return what was done to the input, as the network's front; nothing if that was nothing."""
    if pixels.alone:
        raise NotFollowedError
    if not pixels.layers:
        return pixels.done
    first, last = pixels.layers[0], pixels.layers[-1]
    one = len(pixels.layers) == 1
    name = first[0] if one else f"{first[0]} to {last[0]}"
    kind = first[1] if one else f"{len(pixels.layers)} operations"
    sources, scale, offset = zip(*pixels.channels, strict=True)
    if not all(map(math.isfinite, scale + offset)):
        raise NotFollowedError
    return (*pixels.done, Affine(name, kind, sources, scale, offset))


def scaled(pixels: Pixels, name: str, kind: str, scale: Any, offset: Any) -> Pixels:
    """Multiply every channel by its scale, then add its offset; numbers, or lists of them."""
    count = len(pixels.channels)
    pairs = zip(_each(scale, count), _each(offset, count), strict=True)
    channels = tuple(
        (source, a * by, b * by + plus)
        for (source, a, b), (by, plus) in zip(pixels.channels, pairs, strict=True)
    )
    return pixels._replace(channels=channels, layers=(*pixels.layers, (name, kind)))


def normalized(pixels: Pixels, name: str) -> Pixels:
    """Leave a place for a Normalization whose mean and variance are arrays of the file."""
    done = (*front_of(pixels), Affine(name, "Normalization", (), (), ()))
    return input_of(len(pixels.channels))._replace(done=done)


def of_normalization(name: str, mean: list[float], variance: list[float], channels: int) -> Affine:
    """Return the step of a Normalization: (x - mean) / sqrt(variance), as Keras bounds it below."""
    deviations = [max(math.sqrt(one), 1e-7) for one in _each(variance, channels)]
    means = _each(mean, channels)
    return Affine(
        name, "Normalization", tuple(range(channels)),
        tuple(1 / one for one in deviations),
        tuple(-m / d for m, d in zip(means, deviations, strict=True)),
    )  # fmt: skip


def operation(name: str, kind: str, operands: list[Any]) -> Pixels:
    """Apply one of Keras's operations; operands are `Pixels`, numbers, nested lists, or an index.

    Raises:
        NotFollowedError: another operation, or not of the input and constants.
    """
    if kind == "stack":
        return _stacked(name, operands)
    if kind == "getitem":
        return _item(name, *operands)
    apply = _ARITHMETIC.get(kind)
    pair = [isinstance(operand, Pixels) for operand in operands]
    if apply is None or pair.count(True) != 1 or len(operands) != 2:
        raise NotFollowedError
    pixels, constant = operands if pair[0] else operands[::-1]
    return apply(pixels, name, _flat(constant), pair[0])


def _add(pixels: Pixels, name: str, constant: Any, first: bool) -> Pixels:
    return scaled(pixels, name, "Add", 1.0, constant)


def _subtract(pixels: Pixels, name: str, constant: Any, first: bool) -> Pixels:
    if first:
        return scaled(pixels, name, "Subtract", 1.0, _mapped(lambda c: -c, constant))
    return scaled(pixels, name, "Subtract", -1.0, constant)


def _multiply(pixels: Pixels, name: str, constant: Any, first: bool) -> Pixels:
    return scaled(pixels, name, "Multiply", constant, 0.0)


def _divide(pixels: Pixels, name: str, constant: Any, first: bool) -> Pixels:
    if not first:
        raise NotFollowedError
    return scaled(pixels, name, "Divide", _mapped(lambda c: 1 / c, constant), 0.0)


_ARITHMETIC: dict[str, Callable[[Pixels, str, Any, bool], Pixels]] = {
    "add": _add, "subtract": _subtract, "multiply": _multiply, "divide": _divide,
}  # fmt: skip


def _stacked(name: str, operands: list[Any]) -> Pixels:
    parts, axis = operands
    if axis not in (-1, 3) or not isinstance(parts, list) or not parts:
        raise NotFollowedError
    if not all(isinstance(part, Pixels) and part.alone for part in parts):
        raise NotFollowedError
    if any(part.done != parts[0].done for part in parts):
        raise NotFollowedError
    layers = tuple(dict.fromkeys(layer for part in parts for layer in part.layers))
    channels = tuple(part.channels[0] for part in parts)
    return Pixels(parts[0].done, channels, (*layers, (name, "Stack")))


def _item(name: str, pixels: Any, index: Any) -> Pixels:
    """x[..., 2] or x[..., ::-1]."""
    if not isinstance(pixels, Pixels) or pixels.alone:
        raise NotFollowedError
    if not isinstance(index, list) or len(index) != 2 or _kind(index[0]) != "__ellipsis__":
        raise NotFollowedError
    layers = (*pixels.layers, (name, "GetItem"))
    which = index[1]
    if isinstance(which, int) and not isinstance(which, bool):
        channel = pixels.channels[which]
        return pixels._replace(channels=(channel,), layers=layers, alone=True)
    given = which.get("config", which) if isinstance(which, dict) else {}
    whole = {"start", "stop"} <= given.keys() and given["start"] is given["stop"] is None
    if whole and given.get("step") in (-1, 1, None):
        step = given.get("step") or 1
        return pixels._replace(channels=pixels.channels[::step], layers=layers)
    raise NotFollowedError


def _kind(value: Any) -> Any:
    return value.get("class_name") if isinstance(value, dict) else None


def _flat(constant: Any) -> Any:
    """A number, or the one list of numbers in lists of one entry; a saved tensor's value."""
    if _kind(constant) in ("__tensor__", "__numpy__"):
        constant = constant["config"]["value"]
    while isinstance(constant, list) and len(constant) == 1:
        (constant,) = constant
    return constant


def _mapped(function: Callable[[float], float], constant: Any) -> Any:
    if isinstance(constant, list):
        return [function(_number(one)) for one in constant]
    return function(_number(constant))


def _each(constant: Any, count: int) -> list[float]:
    """One number for every channel."""
    constant = _flat(constant)
    values = constant if isinstance(constant, list) else [constant] * count
    if len(values) != count:
        raise NotFollowedError
    return [_number(value) for value in values]


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise NotFollowedError
    return float(value)
