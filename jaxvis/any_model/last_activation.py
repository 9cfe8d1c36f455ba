"""A softmax or sigmoid at the end of a network: found, and taken off.

Maps explain logits. The gradient of a probability mixes in all other classes, by softmax's own
derivative, and vanishes where the network is sure; under a ReLU's rule it is no multiple of that of
the logit either. Most networks of Keras end in one.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import jax

from jaxvis.any_model import jaxprs
from jaxvis.any_model.flat import Flat, Step, Value, flatten, flow, place_to_cut
from jaxvis.any_model.run import run_steps
from jaxvis.errors import InputError, InputTypeError

Function = Callable[..., Any]

# What may come behind an activation: the same numbers, in another form.
FORMS = {
    "broadcast_in_dim", "convert_element_type", "copy", "expand_dims", "name",
    "optimization_barrier", "reduce_precision", "reshape", "squeeze", "transpose",
}  # fmt: skip
OWN = ("softmax", "sigmoid", "log_softmax", "log_sigmoid")  # where JAX calls them by name
SPREAD = {"broadcast_in_dim", "convert_element_type", "expand_dims", "reshape"}


def without_last_activation(f: Function, *args: Any, **kwargs: Any) -> tuple[Function, str | None]:
    """Return f without the softmax or sigmoid that its output comes out of, and which it was.

    Found is what JAX's own functions compute: `jax.nn.softmax`, `sigmoid`, `log_softmax` and
    `log_sigmoid`, by which Keras, Flax and Equinox have theirs; a reshape or another dtype may
    follow. The result is f itself where there is none, and where f returns several arrays.

    Args:
        f: any function that JAX can trace; without `relu=`, so before `expose_relu`.
        args, kwargs: its arguments; `jax.ShapeDtypeStruct` will do for an array.

    Returns:
        A function that takes what f takes, a pytree that holds f; and "softmax", "sigmoid",
        "log_softmax", "log_sigmoid" or None.

    Raises:
        TypeError: f cannot be called.
    """
    if not callable(f):
        raise InputTypeError(f"f is a {type(f).__name__}; wanted a function of arrays")
    kind = last_activation(jaxprs.trace(f, args, kwargs).jaxpr)
    return (f if kind is None else jax.tree_util.Partial(_Without(kind), f)), kind


def last_activation(jaxpr: Any) -> str | None:
    """Return which activation the one output of a jaxpr comes out of; None if none is known."""
    found = _found(flatten(jaxpr))
    return None if found is None else found[0]


def probabilities_warning(kind: str) -> str:
    """Say that the outputs of a model are no logits, and what to do."""
    return (
        f"the model's output comes out of a {kind}, so that the maps explain that and not the "
        "logits, whose gradients are others; wanted logits: jv.from_keras(model), or from_linen, "
        "from_equinox, takes it off, as jv.without_last_activation(f, x) does; or say what is "
        "explained with score="
    )


@dataclass(frozen=True)
class _Without:
    """A function without the activation at its end; f is data, as its weights may be."""

    kind: str

    def __call__(self, f: Function, *args: Any, **kwargs: Any) -> Any:
        return _logits(f, self.kind, *args, **kwargs)


def _logits(f: Function, kind: str, *args: Any, **kwargs: Any) -> Any:
    traced = jaxprs.trace(f, args, kwargs)
    flat = flatten(traced.jaxpr)
    found = _found(flat)
    if found is None or found[0] != kind:
        raise InputError(
            f"for these arguments the function does not end in a {kind}; it did for those that "
            "jv.without_last_activation was given"
        )
    _, logits, behind = found
    place = place_to_cut(logits, flow(flat))
    jaxpr, consts = jaxprs.inline(traced, place.path, marked=place.result)
    end = 1 + next(i for i, eqn in enumerate(jaxpr.eqns) if jaxprs.is_mark(eqn))
    environment = jaxprs.start(jaxpr, consts, traced.values)
    run_steps(jaxpr.eqns[: end - 1], (None,) * (end - 1), jax.nn.relu, environment)
    (variable,) = jaxpr.eqns[end - 1].invars
    value = environment[variable]
    for step in behind:
        with jaxprs.at(step.eqn):
            (value,) = jaxprs.bind(step.eqn, [value])
    return jax.tree.unflatten(traced.out_tree, [value])


def _found(flat: Flat) -> tuple[str, Value, list[Step]] | None:
    """Return the activation's name, its input, and the steps behind it."""
    if len(flat.outputs) != 1 or flat.outputs[0] is None:
        return None
    made = {value: step for step in flat.steps for value in step.outputs}
    value, behind = flat.outputs[0], list[Step]()
    while value in made and made[value].eqn.primitive.name in FORMS:
        behind.insert(0, made[value])
        inside = made[value].inputs[0]
        if inside is None or inside.aval.size != value.aval.size:
            return None
        value = inside
    known = _activation(value, made)
    return None if known is None or known[1] in flat.inputs else (*known, behind)


def _activation(value: Value, made: dict[Value, Step]) -> tuple[str, Value] | None:
    """Return the activation that gives a value, and what it is given."""
    step = made.get(value)
    if step is None:
        return None
    name = step.eqn.primitive.name
    if jaxprs.is_jaxs_own(step.eqn) and jaxprs.name_of(step.eqn) in OWN:
        given = step.inputs[0]
        return None if given is None else (jaxprs.name_of(step.eqn), given)
    if name == "logistic":
        (given,) = step.inputs
        return None if given is None else ("sigmoid", given)
    if name == "div":
        x = _softmax_of(step, made)
        return None if x is None else ("softmax", x)
    if name in ("log", "exp"):  # of a softmax, or of the logarithm of one
        (given,) = step.inputs
        inside = None if given is None else _activation(given, made)
        if inside is None:
            return None
        pairs = {
            ("log", "softmax"): "log_softmax", ("log", "sigmoid"): "log_sigmoid",
            ("exp", "log_softmax"): "softmax", ("exp", "log_sigmoid"): "sigmoid",
        }  # fmt: skip
        kind = pairs.get((name, inside[0]))
        return None if kind is None else (kind, inside[1])
    return None


def _softmax_of(step: Step, made: dict[Value, Step]) -> Value | None:
    """Return x if a division is exp(x - c) / sum(exp(x - c)) along an axis."""
    above, below = step.inputs
    exponential = made.get(above) if above is not None else None
    total = next(_back(below, made, SPREAD), None)
    if exponential is None or exponential.eqn.primitive.name != "exp" or total is None:
        return None
    if total.eqn.primitive.name != "reduce_sum" or len(total.eqn.params["axes"]) != 1:
        return None
    summed = next(_back(total.inputs[0], made, {"convert_element_type"}), None)
    if summed is None or summed.eqn.primitive.name != "exp":
        return None
    if summed.inputs[0] is not exponential.inputs[0]:
        return None
    x = exponential.inputs[0]
    return _without_shift(x, made) if x is not None else None


def _without_shift(x: Value, made: dict[Value, Step]) -> Value:
    """Return z where x is z minus its own maximum, which no softmax depends on; else x."""
    step = made.get(x)
    if step is None or step.eqn.primitive.name != "sub" or step.inputs[0] is None:
        return x
    for largest in _back(step.inputs[1], made, SPREAD | {"stop_gradient", "max"}):
        if largest.eqn.primitive.name == "reduce_max" and largest.inputs[0] is step.inputs[0]:
            return step.inputs[0]
    return x


def _back(value: Value | None, made: dict[Value, Step], names: set[str]) -> Iterator[Step]:
    """Yield the step, before those of these names, that a value comes from."""
    while value is not None and value in made:
        step = made[value]
        if step.eqn.primitive.name not in names:
            yield step
            return
        value = next((v for v in step.inputs if v is not None), None)
