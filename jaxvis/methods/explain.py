"""`explain`: any set of maps from one compiled call; by default the lab's six."""

from collections import OrderedDict
from typing import Any, Unpack

import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Float

from jaxvis.errors import InputError
from jaxvis.gradients.compiled import Executable
from jaxvis.gradients.relu import VANILLA
from jaxvis.gradients.target import as_inputs, check_inputs, check_logits
from jaxvis.methods.catalogue import LAB, METHODS
from jaxvis.methods.forward import outputs
from jaxvis.methods.maps import Maps
from jaxvis.methods.method import Method
from jaxvis.methods.one_pass import one_pass, ready, run
from jaxvis.methods.options import Asked, Layer, Options, Rules, asked_for
from jaxvis.types import AnyArray


def explain(
    model: Any,
    x: Float[AnyArray, "n height width channels"],
    classes: ArrayLike | None = None,
    **options: Unpack[Options],
) -> Maps:
    """Return the logits and, for every method and rule asked for, the maps of every image.

    `maps.saliency["guided"]` equals `saliency(model, x, classes, rule=GUIDED)` and
    `maps.grad_cam["guided"]` equals `grad_cam` likewise, up to rounding.

    Args:
        model, x, classes: as in `input_gradient` and `grad_cam`; without classes and score, each
            image is explained for the class that the model predicts. With classes (n, k), maps are
            (n, k, height, width), from one forward pass.
        options: `layer`, `rules`, `methods`, `score`, `signed` and `grid`: see
            `jaxvis.methods.options.Options`.

    Raises:
        TypeError, ValueError: as `grad_cam`; also for an option that there is not, and when
            there is no rule or method.
    """
    asked, rules = asked_of(options)
    passes = [method for method in asked.methods if method.kind == "one pass"]
    if len(passes) == len(asked.methods):
        return Maps(*run(one_pass, asked, ready(model, x, classes, asked, rules)))
    maps: dict[str, dict[str, Any]] = {}
    if passes:
        first = asked._replace(methods=tuple(passes))
        logits, maps = run(one_pass, first, ready(model, x, classes, first, rules))
    else:
        x = as_inputs(x)
        logits = outputs(model, x)
    if classes is None and asked.score is None:
        check_logits(logits, check_inputs(x))
        classes = jnp.argmax(logits, axis=1)
    for method in asked.methods:
        if method.kind != "one pass":
            maps[method.name] = one_by_one(method, model, x, classes, asked, rules)
    return Maps(logits, {method.name: maps[method.name] for method in asked.methods})


def one_by_one(
    method: Method, model: Any, x: Any, classes: Any, asked: Asked, rules: Rules
) -> dict[str, Any]:
    """Return the maps, by rule, of a method that makes its own passes."""

    def made(rule: Any, layer: Layer) -> Any:
        found = method.function(
            model, x, classes, rule=rule, layer=layer, score=asked.score, grid=asked.grid,
            channel_axis=asked.channel_axis,
        )  # fmt: skip
        return found if asked.signed else method.shown(found)

    maps: dict[str, Any] = {}
    for name in method.under(tuple(rules)):
        rule = rules.get(name, VANILLA)
        if asked.by_layer and method.of_layer:
            maps[name] = OrderedDict((layer, made(rule, layer)) for layer in asked.layers)
        else:
            maps[name] = made(rule, asked.layers[0])
    return maps


class CompiledExplain:
    """`explain`, compiled ahead of time for one kind of model and one shape of images."""

    def __init__(self, executable: Executable, asked: Asked, rules: Rules) -> None:
        self._executable, self._asked, self._rules = executable, asked, rules

    def __call__(
        self, model: Any, x: Float[AnyArray, "n height width channels"],
        classes: ArrayLike | None = None,
    ) -> Maps:  # fmt: skip
        """Return `explain(model, x, classes)`; raise TypeError for arguments of another kind."""
        given = ready(model, x, classes, self._asked, self._rules)
        return Maps(*run(self._executable, self._asked, given))

    @property
    def planned_bytes(self) -> int:
        """Memory that a call takes beside weights, images and maps, as the compiler plans it."""
        return self._executable.temporary_bytes


def compile_explain(
    model: Any,
    x: Float[AnyArray, "n height width channels"],
    classes: ArrayLike | None = None,
    **options: Unpack[Options],
) -> CompiledExplain:
    """Compile `explain` ahead of time, without running it.

    The result is called with model, x and classes of the same shapes and dtypes, other values
    allowed, and returns `Maps`. Arguments and errors are those of `explain`.
    """
    asked, rules = asked_of(options)
    for method in asked.methods:
        if method.kind != "one pass":
            raise InputError(
                f"methods has {method.name!r}, which runs the network many times, and is no single "
                "call to compile; wanted methods of one pass: ask for it by jv.explain"
            )
    given = ready(model, x, classes, asked, rules)
    return CompiledExplain(one_pass.compile(*given.arguments), asked, rules)


def asked_of(options: Options) -> tuple[Asked, Rules]:
    """Return what is asked for, checked, with the lab's two methods unless others are."""
    chosen: Options = {"methods": LAB, **options}
    return asked_for(METHODS, **chosen)
