"""The rules on activations that are no ReLUs: gelu, silu, elu and leaky_relu.

An activation f with input x receives the gradient g of its output and passes back

    g * [g > 0 if gate_gradient] * (f'(x) if gate_input, else 1)

which is the formula of `gradients.relu`, with f'(x) in the place of [x > 0], a ReLU's own
derivative. So `VANILLA` is the true gradient, `GUIDED` stops what is not positive and then goes on
as usual, and `RECTIFIED` passes on what is positive, whatever x was. This is ours: the papers of
these rules know ReLUs only, and a derivative that is negative somewhere, as that of gelu is, lets
guided gradients be negative again. It is off unless `forms=` names the activation.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxvis.errors import InputTypeError
from jaxvis.gradients.relu import (
    GUIDED,
    RECTIFIED,
    VANILLA,
    Relu,
    Rule,
    guided_relu,
    rectified_relu,
    relu,
    vanilla_relu,
)

SMOOTH = ("gelu", "silu", "elu", "leaky_relu")


@jax.custom_vjp
def gated(y: Float[Array, "..."], x: Float[Array, "..."], rule: Rule) -> Float[Array, "..."]:
    """Return y = f(x), so that the gradient that goes back to x obeys `rule`.

    The way through f is that of y, which was computed as always; the way around it, that of x.
    """
    return y


def _forward(y: Array, x: Array, rule: Rule) -> tuple[Array, Rule]:
    return gated(y, x, rule), rule


def _backward(rule: Rule, g: Array) -> tuple[Array, Array, None]:
    gate_input, gate_gradient = (jnp.asarray(gate, bool) for gate in rule)
    zero = jnp.zeros((), g.dtype)
    kept = jnp.where((g > 0) | ~gate_gradient, g, zero)
    through, around = jnp.where(gate_input, kept, zero), jnp.where(gate_input, zero, kept)
    return through, around, None


gated.defvjp(_forward, _backward)

_KNOWN = (
    (jax.nn.relu, VANILLA), (vanilla_relu, VANILLA), (rectified_relu, RECTIFIED),
    (guided_relu, GUIDED),
)  # fmt: skip


def rule_of(function: Relu, form: str) -> Rule:
    """Return the rule of a ReLU that is made of one; `form` is the activation, for the message.

    Raises:
        TypeError: a function of one's own, of which only the way back at a ReLU is known.
    """
    keywords: dict[str, Any] = getattr(function, "keywords", {})
    if getattr(function, "func", None) is relu and "rule" in keywords:
        return keywords["rule"]
    for known, rule in _KNOWN:
        if function is known:
            return rule
    raise InputTypeError(
        f"forms= names {form!r}, and the rule is a ReLU function of your own, which says nothing "
        "of another activation; wanted a jv.Rule, such as jv.GUIDED, or forms= without it"
    )
