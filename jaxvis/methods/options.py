"""What may be asked of a model, said once for the plain call, the compiled one and batches."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypedDict

from jaxvis.errors import InputError, InputTypeError
from jaxvis.gradients.relu import RULES, Relu, Rule
from jaxvis.gradients.target import Score
from jaxvis.methods.method import Method

Layer = str | int
Rules = Mapping[str, Rule | Relu]


class Options(TypedDict, total=False):
    """What may be asked of a model, whichever way it is called; all keyword-only.

    Attributes:
        layer: where layer-sized maps are taken: a name or number that the model's `cut` knows, or
            a sequence of these; default "block5_conv3". With a sequence each such map is a dict by
            layer.
        rules: ReLU rules by name, each a `Rule` or a ReLU function of your own, or a sequence of
            names in `RULES`; default all three. Another `Rule` under a name does not recompile.
        methods: names in `METHODS`, or `Method`s of your own; default the lab's two.
        score: instead of classes, a function from what the model returns to scores (n,): from
            logits (n, classes), or from the output of a segmentation, a tuple, a dict.
        signed: keep the signs that a method takes away at its end, as |.| or max(., 0).
        grid: (height, width) of the layer's tokens, for a transformer: see `gradients.cut.as_maps`.
        channel_axis: where the channels are, in images and in what a model's own `cut` returns: 1
            for a network of channels first, (n, channels, height, width). Default None, the last
            axis, and an error for images that are clearly channels first. What `cut_at` cuts has
            its channels last already.
    """

    layer: Layer | Sequence[Layer]
    rules: Rules | Sequence[str]
    methods: Sequence[str | Method]
    score: Score | None
    signed: bool
    grid: tuple[int, int] | None
    channel_axis: int | None


class OfLayer(TypedDict, total=False):
    """What may be asked of one map that is made of a layer; all keyword-only.

    Attributes:
        layer, score, grid, channel_axis: as in `Options`, and in `grad_cam`.
        rule: `VANILLA`, unless given, `RECTIFIED`, `GUIDED`, or a ReLU function of your own.
    """

    layer: Layer
    rule: Rule | Relu
    score: Score | None
    grid: tuple[int, int] | None
    channel_axis: int | None


class Asked(NamedTuple):
    """Options, checked, as the compiled call has them: all but the rules' gates is static."""

    layers: tuple[Layer, ...]
    by_layer: bool  # whether layer-sized maps are dicts, since a sequence of layers was given
    methods: tuple[Method, ...]
    score: Score | None
    signed: bool
    grid: tuple[int, int] | None
    channel_axis: int | None


def asked_for(
    known: Mapping[str, Method],
    *,
    layer: Layer | Sequence[Layer] = "block5_conv3",
    rules: Rules | Sequence[str] = RULES,
    methods: Sequence[str | Method],
    score: Score | None = None,
    signed: bool = False,
    grid: tuple[int, int] | None = None,
    channel_axis: int | None = None,
) -> tuple[Asked, Rules]:
    """Return `Options` checked, defaults filled in, methods looked up in `known`, and the rules.

    Raises:
        TypeError: an option of another name or type.
        ValueError: no rules, methods or layers, or unknown ones.
    """
    by_layer = isinstance(layer, Sequence) and not isinstance(layer, str)
    layers: tuple[Any, ...] = (*layer,) if by_layer else (layer,)  # type: ignore[misc]
    for one in layers:
        if isinstance(one, bool) or not isinstance(one, str | int):
            raise InputTypeError(
                f"layer is {layer!r}; wanted a name, a number, or a sequence of these"
            )
    if not layers or len(set(layers)) < len(layers):
        raise InputError(f"layer is {layer!r}; wanted at least one layer, each once")
    found = tuple(
        one if isinstance(one, Method) else _known(one, known) for one in _listed(methods)
    )
    if len({method.name for method in found}) < len(found):
        raise InputError(f"methods has a name twice: {', '.join(m.name for m in found)}")
    if not isinstance(channel_axis, int | None) or isinstance(channel_axis, bool):
        raise InputTypeError(f"channel_axis is {channel_axis!r}; wanted 1, or -1, the last axis")
    if channel_axis == 0:
        raise InputError("channel_axis is 0, the axis of the images; wanted 1, or -1, the last")
    return (
        Asked(layers, by_layer, found, score, bool(signed), _grid(grid), channel_axis),
        _rules(rules),
    )


def _grid(grid: Any) -> tuple[int, int] | None:
    if grid is None:
        return None
    sides = tuple(grid) if isinstance(grid, tuple | list) else ()
    if len(sides) != 2 or not all(type(side) is int and side > 0 for side in sides):
        raise InputError(f"grid is {grid!r}; wanted (height, width), two numbers of tokens")
    return sides


def _known(name: Any, known: Mapping[str, Method]) -> Method:
    if name not in known:
        raise InputError(f"methods has {name!r}; wanted some of {', '.join(known)}, or a Method")
    return known[name]


def _listed(methods: Sequence[str | Method]) -> Sequence[str | Method]:
    if isinstance(methods, str | Method):
        raise InputTypeError(f"methods is {methods!r}; wanted a sequence, such as ['grad_cam']")
    if not methods:
        raise InputError("methods is empty; wanted at least one, such as 'saliency'")
    return methods


def _rules(rules: Rules | Sequence[str]) -> Rules:
    if isinstance(rules, str | Rule):
        raise InputTypeError(f"rules is {rules!r}; wanted rules by name, or a sequence: ['guided']")
    if not isinstance(rules, Mapping):
        unknown = [name for name in rules if name not in RULES]
        if unknown:
            raise InputError(f"rules has {unknown[0]!r}; wanted some of {', '.join(RULES)}")
        rules = {name: RULES[name] for name in rules}
    if not rules:
        raise InputError("rules is empty; wanted at least one, such as jv.RULES")
    return rules
