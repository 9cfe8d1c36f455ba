"""A ReLU whose backward pass obeys a rule of two switches.

A ReLU with input x receives the gradient g of its output and passes back

    g * [x > 0 if gate_input] * [g > 0 if gate_gradient]

=========== ========== ============= ==========================================================
rule        gate_input gate_gradient known as
=========== ========== ============= ==========================================================
`VANILLA`   yes        no            backpropagation: Simonyan et al., arXiv 1312.6034 (2013)
`RECTIFIED` no         yes           deconvnet: Zeiler & Fergus, arXiv 1311.2901 (2013), 2.1
`GUIDED`    yes        yes           guided backpropagation: Springenberg et al., arXiv 1412.6806
                                     (2014), section 3.4
=========== ========== ============= ==========================================================

Both comparisons are strict: a gradient stops at x = 0 and at g = 0.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

Relu = Callable[[Float[Array, "..."]], Float[Array, "..."]]


class Rule(NamedTuple):
    """Which gates a ReLU applies to the gradient on its way back.

    A rule is data, a pytree of two booleans: `jax.jit` does not recompile for another rule, and
    `jax.vmap` over a stack of rules runs the forward pass once.
    """

    gate_input: Bool[Array, ""] | np.bool_ | bool
    gate_gradient: Bool[Array, ""] | np.bool_ | bool


VANILLA = Rule(gate_input=np.True_, gate_gradient=np.False_)
RECTIFIED = Rule(gate_input=np.False_, gate_gradient=np.True_)
GUIDED = Rule(gate_input=np.True_, gate_gradient=np.True_)

RULES: Mapping[str, Rule] = MappingProxyType(
    {"vanilla": VANILLA, "rectified": RECTIFIED, "guided": GUIDED}
)


@jax.custom_vjp
def relu(x: Float[Array, "..."], rule: Rule) -> Float[Array, "..."]:
    """Return max(x, 0), whose gradient obeys `rule`; any shape, the dtype of x."""
    return jnp.maximum(x, jnp.zeros((), x.dtype))


def _forward(x: Float[Array, "..."], rule: Rule) -> tuple[Float[Array, "..."], tuple]:
    return relu(x, rule), (x > 0, rule)


def _backward(saved: tuple, g: Float[Array, "..."]) -> tuple[Float[Array, "..."], None]:
    positive, rule = saved
    gate_input, gate_gradient = (jnp.asarray(gate, bool) for gate in rule)  # ~1 would be -2
    keep = (positive | ~gate_input) & ((g > 0) | ~gate_gradient)
    return jnp.where(keep, g, jnp.zeros((), g.dtype)), None  # None: a rule has no gradient


relu.defvjp(_forward, _backward)


def vanilla_relu(x: Float[Array, "..."]) -> Float[Array, "..."]:
    """ReLU with its true gradient, g * [x > 0]; any shape, the dtype of x."""
    return relu(x, VANILLA)


def rectified_relu(x: Float[Array, "..."]) -> Float[Array, "..."]:
    """ReLU that passes back g * [g > 0] (deconvnet); any shape, the dtype of x."""
    return relu(x, RECTIFIED)


def guided_relu(x: Float[Array, "..."]) -> Float[Array, "..."]:
    """ReLU that passes back g * [x > 0] * [g > 0]; any shape, the dtype of x."""
    return relu(x, GUIDED)


def relu_under(rule: Rule | Relu) -> Relu:
    """Return the ReLU to hand to a model: `relu` under a `Rule`, or a function as it is.

    A `Rule` stays data inside the result, which is a pytree: under `jax.jit` it is no constant.

    Raises:
        TypeError: `rule` is neither.
    """
    if isinstance(rule, Rule):
        return jax.tree_util.Partial(relu, rule=Rule(*(jnp.asarray(gate, bool) for gate in rule)))
    if callable(rule):
        return rule
    raise TypeError(
        f"rule is {rule!r}; wanted jv.VANILLA, jv.RECTIFIED, jv.GUIDED, a jv.Rule of two booleans, "
        "or a ReLU function of your own"
    )


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
    """Whether a ReLU was called while a model was traced: a mark that each trace has its own of."""

    def __init__(self) -> None:
        self.any = False


@partial(jax.tree_util.register_dataclass, data_fields=["relu"], meta_fields=["calls"])
@dataclass(frozen=True, eq=False)
class NotedRelu:
    """A ReLU that notes that it was called.

    A model may swallow `relu=` without a word, as all that take keyword arguments of any name do,
    and its map under any rule is then the vanilla one. A pytree, as the ReLU inside it is.
    """

    relu: Relu
    calls: Calls

    def __call__(self, *args: Any) -> Any:
        """Call the ReLU."""
        self.calls.any = True
        return self.relu(*args)


def check_called(called: bool, rules: Mapping[str, Rule | Relu]) -> None:
    """Raise ValueError if no ReLU was called under rules that would have changed its gradient."""
    others = [name for name, rule in rules.items() if not is_vanilla(rule)]
    if called or not others:
        return
    asked = ", ".join(filter(None, others)) or "one that is not vanilla"
    raise ValueError(
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
            raise TypeError(takes_no_relu(function)) from error

    return call


def takes_no_relu(model: Any) -> str:
    """Say what to do about a model that takes no `relu=`."""
    name = getattr(model, "__name__", None) or f"a {type(model).__name__}"
    return (
        f"{name} takes no relu=; wanted model(x, relu=...), which uses the ReLU that it is handed: "
        "jv.expose_relu(model) makes one of it, its code untouched"
    )
