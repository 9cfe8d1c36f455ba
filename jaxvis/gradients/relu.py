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
from types import MappingProxyType
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from jaxvis.errors import InputTypeError

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
    raise InputTypeError(
        f"rule is {rule!r}; wanted jv.VANILLA, jv.RECTIFIED, jv.GUIDED, a jv.Rule of two booleans, "
        "or a ReLU function of your own"
    )
