"""One forward pass and one backward pass a rule: everything that maps are made of, compiled.

The forward pass does not depend on the rule, so it runs once. Cut at a layer, the gradient at that
layer is the one that the gradient at the input carries on from, so each rule needs one backward
pass: three saliency maps and three Grad-CAM take one forward and three backward passes, where six
separate maps take six and three. A method (`methods.method`) is a function of what is then there,
so that further maps of the same pass cost next to nothing.

On a CPU the images of a network that says so (`images_are_independent`) go through the body in
small groups (`gradients.groups`): the same work in a better order.
"""

import warnings
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Int

from jaxvis.any_model.adapters import as_model
from jaxvis.any_model.cut_at import AtCut
from jaxvis.any_model.last_activation import probabilities_warning
from jaxvis.errors import InputError
from jaxvis.gradients.auto_mesh import on_auto_mesh
from jaxvis.gradients.called import Calls, NotedRelu, check_called, handed
from jaxvis.gradients.compiled import Compiled
from jaxvis.gradients.cut import activation_of, as_maps, cut, is_pair
from jaxvis.gradients.groups import group_size, on_several, vjp_in_groups
from jaxvis.gradients.relu import VANILLA, Relu, Rule, relu_under
from jaxvis.gradients.target import (
    as_inputs,
    as_targets,
    channels_last,
    check_inputs,
    check_logits,
    check_targets,
    cotangent_of,
    logit_cotangents,
    several,
)
from jaxvis.methods.method import ANY, Method, Pass
from jaxvis.methods.options import Asked, Layer, Rules, asked_for

AT_LAYER = ("activation", "activation_gradient", "plain_gradient")  # what a `Pass` has of it


@jax.tree_util.register_static
@dataclass(frozen=True)
class Called:
    """What was noted of the model; a static result, kept with the compiled code.

    Attributes:
        relu: whether it called the ReLU.
        last: the activation that its output comes out of, if that was seen.
    """

    relu: bool
    last: str | None


class Ready(NamedTuple):
    """The arguments of the compiled call, and what its results are checked against."""

    arguments: tuple
    rules: Rules
    targets: Int[Array, "..."] | None


def ready(model: Any, x: Any, classes: ArrayLike | None, asked: Asked, rules: Rules) -> Ready:
    """Return what the compiled call takes; raises what is wrong before anything runs."""
    model, x = on_auto_mesh(as_model(model)), on_auto_mesh(as_inputs(x))
    targets = on_auto_mesh(as_targets(classes, asked.score))
    # Groups are slices, of another shape: what is wrong is said of the whole.
    getattr(model, "check_input", lambda x: None)(x)
    if is_pair(model) and len(asked.layers) > 1:
        raise InputError(
            f"layers are {', '.join(map(repr, asked.layers))}, but the model is a pair, cut at one "
            "place already; wanted a model with cut(layer): jv.expose_relu makes one"
        )
    for rule in rules.values():
        relu_under(rule)  # a TypeError for what is no rule
    gates = [rule for rule in rules.values() if isinstance(rule, Rule)]
    stacked = None
    if gates:
        stacked = Rule(*(jnp.asarray(column, bool) for column in zip(*gates, strict=True)))
    functions = tuple(rule for rule in rules.values() if not isinstance(rule, Rule))
    group = None
    independent = getattr(model, "images_are_independent", False)
    if independent and isinstance(x, jax.Array) and x.ndim and len(asked.layers) == 1:
        group = group_size(x)
    apart = any(map(on_several, jax.tree.leaves(x)))
    return Ready((model, x, targets, stacked, functions, asked, group, apart), rules, targets)


def run(
    compiled: Callable[..., tuple], asked: Asked, given: Ready
) -> tuple[Any, dict[str, dict[str, Any]]]:
    """Run the compiled call and return logits and maps by method and rule, checked.

    With a score, what is called logits here is whatever the model returns.
    """
    logits, data, functions, called = compiled(*given.arguments)
    check_targets(given.targets, logits)
    check_called(called.relu, given.rules)
    if called.last is not None and asked.score is None:
        warnings.warn(probabilities_warning(called.last), stacklevel=4)
    rows = iter(data), iter(functions)
    by_rule = {
        name: next(rows[0 if isinstance(rule, Rule) else 1]) for name, rule in given.rules.items()
    }

    def named(method: Method, maps: Any) -> Any:
        by_layer = asked.by_layer and method.of_layer
        # JAX sorts the keys of a dict, and cannot sort names and numbers among each other.
        return OrderedDict(zip(asked.layers, maps, strict=True)) if by_layer else maps

    return logits, {
        method.name: {
            name: named(method, by_rule[next(iter(by_rule)) if name == ANY else name][place])
            for name in method.under(tuple(given.rules))
        }
        for place, method in enumerate(asked.methods)
    }


@Compiled
def one_pass(
    model: Any, x: Any, targets: Int[Array, "..."] | None, rules: Rule | None,
    functions: tuple[Relu, ...], asked: Asked, group: int | None, apart: bool,
) -> tuple[Any, list, list, Called]:  # fmt: skip
    """Return logits, maps for every rule that is data, for every function, and `Called`."""
    n = check_inputs(x)
    calls = Calls()

    def under(relu: Relu) -> tuple[Any, list]:
        logits, explain_with = _differentiated(model, x, NotedRelu(relu, calls), asked, group)
        if asked.score is None:
            check_logits(logits, n)
        if not several(targets):
            return logits, explain_with(cotangent_of(logits, targets, asked.score, n))
        cotangents = logit_cotangents(logits, targets)
        if apart:
            maps = jax.lax.map(explain_with, cotangents)
            return logits, jax.tree.map(lambda a: jnp.moveaxis(a, 0, 1), maps)
        # an axis for the classes, behind that of the images
        return logits, jax.vmap(explain_with, out_axes=1)(cotangents)

    by_data: list = []
    if rules is not None and apart:
        # vmap joins the axes of rules and images, and would gather those from their devices. XLA
        # computes one forward pass for all.
        for number in range(rules.gate_input.shape[0]):  # type: ignore[union-attr]
            one = jax.tree.map(lambda gates, number=number: gates[number], rules)
            logits, maps = under(relu_under(one))
            by_data.append(maps)
    elif rules is not None:
        # Only the cotangents depend on the rule, so vmap leaves the forward pass at batch n.
        logits, stacked = jax.vmap(lambda rule: under(relu_under(rule)), out_axes=(None, 0))(rules)
        count = rules.gate_input.shape[0]  # type: ignore[union-attr]
        by_data = [jax.tree.map(lambda a, i=i: a[i], stacked) for i in range(count)]
    by_function = []
    for function in functions:
        logits, maps = under(function)
        by_function.append(maps)
    return logits, by_data, by_function, Called(calls.any, calls.last)


def _differentiated(
    model: Any, x: Any, relu: NotedRelu, asked: Asked, group: int | None
) -> tuple[Any, Callable[[Any], list]]:
    """Run the model forward; return the logits and a function from their cotangent to maps."""
    wants_input = any(method.at == "input" for method in asked.methods)
    wants_layer = any(method.of_layer for method in asked.methods)
    wants_plain = any(method.of_both for method in asked.methods)
    if not wants_layer and not is_pair(model):
        logits, pull_to_input = jax.vjp(handed(model, relu), x)
        return logits, lambda g: _maps(asked, _at_input(asked, x, pull_to_input(g)[0]), [])
    halves: list[tuple[Layer, Any, Callable, Callable]] = []
    axis = asked.channel_axis
    plain = NotedRelu(relu_under(VANILLA), relu.calls)
    for layer in asked.layers:
        body, head = cut(model, layer)
        if wants_input and not halves:
            at_cut, pull_to_input = _vjp(handed(body, relu), x, group)
        else:
            at_cut = handed(body, relu)(x)
        logits, pull_to_cut = jax.vjp(handed(head, relu), at_cut)
        plainly = jax.vjp(handed(head, plain), at_cut)[1] if wants_plain else pull_to_cut
        halves.append((layer, activation_of(at_cut), pull_to_cut, plainly))
        axis = -1 if isinstance(at_cut, AtCut) else axis  # which has found them, and moved them

    def explain_with(cotangent: Any) -> list:
        gradients = [pull_to_cut(cotangent)[0] for _, _, pull_to_cut, _ in halves]
        at_input = _at_input(asked, x, pull_to_input(gradients[0])[0] if wants_input else None)
        by_layer = []
        for (layer, activation, _, plainly), gradient in zip(halves, gradients, strict=True):
            if wants_layer:
                found = [activation, activation_of(gradient)]
                if wants_plain:
                    found.append(activation_of(plainly(cotangent)[0]))
                found = channels_last(found, axis, x)
                maps = (as_maps(a, layer, asked.grid) for a in found)
                by_layer.append(at_input._replace(**dict(zip(AT_LAYER, maps, strict=False))))
        return _maps(asked, at_input, by_layer)

    return logits, explain_with


def _at_input(asked: Asked, x: Any, gradient: Any) -> Pass:
    """What is there at the input, channels last for methods that make maps of it."""
    if any(method.at == "input" for method in asked.methods):
        x, gradient = channels_last((x, gradient), asked.channel_axis, x)
    return Pass(x, gradient, None, None)


def _maps(asked: Asked, at_input: Pass, by_layer: list[Pass]) -> list:
    """Return the map of every method, as a list by layer where a sequence of layers was given."""
    maps: list = []
    for method in asked.methods:
        passes = by_layer if method.of_layer else [at_input]
        found = [method.function(given) for given in passes]
        if not asked.signed:
            found = [jax.tree.map(method.shown, one) for one in found]
        maps.append(found if method.of_layer and asked.by_layer else found[0])
    return maps


def _vjp(function: Callable[[Any], Any], x: Any, group: int | None) -> tuple[Any, Callable]:
    if group is None:
        return jax.vjp(function, x)
    return vjp_in_groups(function, x, group)


def one_map(
    method: Method, model: Any, x: Any, classes: ArrayLike | None, rule: Rule | Relu = VANILLA,
    **options: Any,
) -> Any:  # fmt: skip
    """Return the maps of one method under one rule."""
    asked, rules = asked_for({}, methods=[method], rules={"": rule}, **options)
    _, maps = run(one_pass, asked, ready(model, x, classes, asked, rules))
    (found,) = maps[method.name].values()
    return found
