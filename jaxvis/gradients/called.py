"""Whether a model uses the ReLU that it is handed: if not, its map is vanilla under any name.

A model may swallow `relu=` without a word, as all that take keyword arguments of any name do. So
the ReLU notes, while the model is traced, that it was called.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import numpy as np

from jaxvis.errors import InputError, InputTypeError
from jaxvis.gradients.relu import Relu, Rule, vanilla_relu


def is_vanilla(rule: Rule | Relu) -> bool:
    """Whether a rule is known to be plain backpropagation, which needs no ReLU to be handed in.

    Of a traced rule, or a function of one's own, nothing is known: False.
    """
    if isinstance(rule, Rule):
        if any(isinstance(gate, jax.core.Tracer) for gate in rule):
            return False
        return bool(np.all(rule.gate_input)) and not np.any(rule.gate_gradient)
    return rule in (jax.nn.relu, vanilla_relu)


class Calls:
    """What is noted while a model is traced: a mark that each trace has its own of.

    Attributes:
        any: whether a ReLU was called.
        last: the name of the activation that the model's output comes out of, if one was seen.
    """

    def __init__(self) -> None:
        self.any = False
        self.last: str | None = None


@partial(jax.tree_util.register_dataclass, data_fields=["relu"], meta_fields=["calls"])
@dataclass(frozen=True, eq=False)
class NotedRelu:
    """A ReLU that notes that it was called.

    A model may swallow `relu=` without a word, as all that take keyword arguments of any name do,
    and its map under any rule is then the vanilla one. A pytree, as the ReLU inside it is.
    """

    relu: Relu
    calls: Calls

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the ReLU."""
        self.calls.any = True
        return self.relu(*args, **kwargs)


def check_called(called: bool, rules: Mapping[str, Rule | Relu]) -> None:
    """Raise ValueError if no ReLU was called under rules that would have changed its gradient."""
    others = [name for name, rule in rules.items() if not is_vanilla(rule)]
    if called or not others:
        return
    asked = ", ".join(filter(None, others)) or "one that is not vanilla"
    raise InputError(
        "the model never called the ReLU that it was handed, so that its map under the rules asked "
        f"for ({asked}) would be the vanilla one; wanted a model(x, relu=...) that uses `relu`: "
        "pass jv.expose_relu(model), which finds the ReLUs inside, or, if it has none "
        "(jv.count_relus tells), ask for jv.VANILLA alone"
    )


def without_note(relu: Any, called: bool) -> Any:
    """Return the ReLU inside a `NotedRelu`, noting whether it is called; any other as it is."""
    if not isinstance(relu, NotedRelu):
        return relu
    relu.calls.any |= called
    return relu.relu


def only_differentiated(relu: Any) -> bool:
    """Whether a model is handed this ReLU for a map, and so differentiated backwards, only.

    A `Rule` has no derivative forwards either.
    """
    return isinstance(relu, NotedRelu | Rule)


def note_last(relu: Any, kind: str | None) -> None:
    """Note, by a `NotedRelu`, which activation a model ends in; do nothing for another."""
    if isinstance(relu, NotedRelu) and kind is not None:
        relu.calls.last = kind


def handed(function: Callable[..., Any], relu: Relu) -> Callable[[Any], Any]:
    """Return `function`, a model or a part of one, as a function of its input that has this ReLU.

    It raises TypeError, when called, if the function takes no `relu=`.
    """

    def call(x: Any) -> Any:
        try:
            return function(x, relu=relu)
        except TypeError as error:
            if "unexpected keyword argument 'relu'" not in str(error):
                raise
            raise InputTypeError(takes_no_relu(function)) from error

    return call


def takes_no_relu(model: Any) -> str:
    """Say what to do about a model that takes no `relu=`."""
    name = getattr(model, "__name__", None) or f"a {type(model).__name__}"
    return (
        f"{name} takes no relu=; wanted model(x, relu=...), which uses the ReLU that it is handed: "
        "jv.expose_relu(model) makes one of it, its code untouched"
    )
