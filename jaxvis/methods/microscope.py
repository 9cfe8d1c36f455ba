"""The gradient on its way back: what arrives at every ReLU, and what the rule lets pass.

A gradient is taken with respect to an argument of a function, and the cotangents inside a network
belong to none. So each ReLU gets two arguments of its own, zeros that are added to its input and to
its output: they change nothing, and how the score depends on them is how it depends on the values
they were added to.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float, Float32

from jaxvis.any_model.adapters import as_model
from jaxvis.errors import InputError, InputTypeError, NotSupportedError
from jaxvis.gradients.called import Calls, NotedRelu, handed
from jaxvis.gradients.compiled import Compiled
from jaxvis.gradients.relu import VANILLA, Relu, Rule, relu_under
from jaxvis.gradients.target import (
    Model,
    Score,
    as_inputs,
    as_targets,
    check_inputs,
    check_logits,
    check_targets,
    cotangent_of,
    several,
)
from jaxvis.types import AnyArray


class AtRelu(NamedTuple):
    """The gradient of the score at one ReLU.

    Attributes:
        arrives: with respect to its output: the cotangent that comes from the side of the logits.
        passed: with respect to its input: what the rule has left of it.
        on: where the ReLU's input is positive.
    """

    arrives: Float[Array, "n ..."]
    passed: Float[Array, "n ..."]
    on: Bool[Array, "n ..."]


class Shares(NamedTuple):
    """What becomes of the cotangent at one ReLU, as shares that add up to 1 (all 0 if it is 0).

    Attributes:
        passes: what is passed on.
        switch_1: stopped by the gate at the input alone, which asks whether the unit is on.
        switch_2: stopped by the gate at the gradient alone, which asks whether it is positive.
        both: stopped by both, of which each alone would have.
    """

    passes: float
    switch_1: float
    switch_2: float
    both: float


def microscope(
    model: Model,
    x: Float[AnyArray, "n height width channels"],
    classes: ArrayLike | None = None,
    *,
    rule: Rule | Relu = VANILLA,
    score: Score | None = None,
) -> Mapping[str, AtRelu]:
    """Return the gradient before and after every ReLU, from the pixels up, by the ReLU's name.

    The name is that of the layer it belongs to in a `VGG16`, "ReLU 1" and so on elsewhere. Raw and
    signed. All arrays of all ReLUs are held at once: for VGG16 about 120 MB an image.

    Args:
        model, x, rule, score: as in `saliency`.
        classes: as in `saliency`, one for each image.

    Raises:
        TypeError, ValueError: as `saliency`; ValueError for several classes of an image, and for a
            model that calls no ReLU.
        NotImplementedError: a ReLU inside a loop, a branch or `jax.checkpoint`, from which nothing
            can be read.
    """
    model, x = as_model(model), as_inputs(x)
    targets = as_targets(classes, score)
    if several(targets):
        raise InputError("classes are several of every image; wanted one: call it once for each")
    getattr(model, "check_input", lambda x: None)(x)
    try:
        logits, found = _look(model, x, targets, relu_under(rule), score)
    except jax.errors.UnexpectedTracerError as error:
        raise NotSupportedError(
            "a ReLU of this model stands inside a loop, a branch or a checkpoint, where nothing "
            "can be read; wanted a model whose ReLUs are called one after the other"
        ) from error
    if score is None:
        check_targets(targets, logits)
    if not found:
        raise InputError(
            "the model never called the ReLU that it was handed; wanted a model(x, relu=...) that "
            "uses `relu`: pass jv.expose_relu(model), which finds the ReLUs inside"
        )
    return OrderedDict(zip(_names(model, len(found)), found, strict=True))


@Compiled
def _look(
    model: Any, x: Any, targets: Array | None, relu: Relu, score: Score | None
) -> tuple[Any, list[AtRelu]]:
    """Return the logits and what is seen at every ReLU, in the order of their calls."""
    n = check_inputs(x)

    def run(taps: list[tuple[Array, Array]] | None) -> tuple[Any, list[Array]]:
        """Return the output and the inputs of the ReLUs; without taps for their shapes alone."""
        given, inputs = iter(taps or ()), []

        def tapped(value: Array) -> Array:
            inputs.append(value)
            if taps is None:
                return relu(value)
            inside, outside = next(given)
            return relu(value + inside) + outside

        output = handed(model, NotedRelu(tapped, Calls()))(x)
        return output, inputs

    _, shapes = jax.eval_shape(lambda: run(None))
    taps = [(jnp.zeros(a.shape, a.dtype), jnp.zeros(a.shape, a.dtype)) for a in shapes]
    logits, pull, inputs = jax.vjp(run, taps, has_aux=True)
    if score is None:
        check_logits(logits, n)
    (seen,) = pull(cotangent_of(logits, targets, score, n))
    return logits, [
        AtRelu(arrives, passed, value > 0)
        for (passed, arrives), value in zip(seen, inputs, strict=True)
    ]


def shares(
    seen: AtRelu, rule: Rule, weigh: Callable[[AnyArray], AnyArray] = np.square
) -> list[Shares]:
    """Return what the switches of a rule stop at one ReLU, for every image.

    Args:
        seen: of `microscope`.
        rule: under which it was seen.
        weigh: what is added up of a cotangent: its squares, its energy, unless another is given;
            `lambda g: g != 0` counts.

    Raises:
        TypeError: a ReLU function, which has no switches.
    """
    if not isinstance(rule, Rule):
        raise InputTypeError(f"rule is {rule!r}; wanted a jv.Rule, which has two switches")
    found = []
    for g, on in zip(np.asarray(seen.arrives, np.float64), np.asarray(seen.on), strict=True):
        largest = np.abs(g).max(initial=0)
        weight = np.asarray(weigh(g / largest if largest > 0 else g), np.float64)  # in range
        first = ~on & bool(np.all(rule.gate_input))
        second = ~(g > 0) & bool(np.all(rule.gate_gradient))
        total = weight.sum()
        parts = [~first & ~second, first & ~second, ~first & second, first & second]
        of = [float(weight[part].sum() / total) if total > 0 else 0.0 for part in parts]
        found.append(Shares(*of))
    return found


def strongest_channels(
    values: Float[AnyArray, "height width channels"], count: int
) -> list[tuple[int, Float32[np.ndarray, "height width"]]]:
    """Return the channels whose sum of |values| is largest, by number, strongest first."""
    array = np.asarray(values, np.float32)
    sums = np.abs(array).sum(axis=(0, 1), dtype=np.float64)
    order = np.argsort(-sums, kind="stable")[:count]
    return [(int(number), array[..., number]) for number in order]


def _names(model: Any, count: int) -> list[str]:
    """Return a name for every ReLU: its layer's, where the model's layers say which have one."""
    named = [row.name for row in getattr(model, "rows", ()) if row.activation == "relu"]
    if len(named) == count:
        return named
    return [f"ReLU {number}" for number in range(1, count + 1)]
