"""Layer-wise relevance propagation: affine maps whose way back shares out relevance.

Bach et al., "On Pixel-Wise Explanations for Non-Linear Classifier Decisions by Layer-Wise Relevance
Propagation" (PLOS ONE 10(7), 2015); Montavon et al., "Layer-Wise Relevance Propagation: An
Overview" (in "Explainable AI", LNCS 11700, 2019), section 10.2. A unit j of a layer is a sum of
what the units i below gave to it, and of its bias: z_j = sum_i z_ij + c_j. Its relevance R_j goes
back to them in these shares,

    R_i = sum_j z_ij / z_j R_j

and the bias keeps c_j / z_j R_j. A rule says what counts as given, of x_i w_ij and of the bias b_j:

============ =================================================================== ==============
rule         z_ij                                                                c_j
============ =================================================================== ==============
`Epsilon`    x w, with epsilon sign(z) added to z; epsilon = 0 is LRP-0          b
`Gamma`      x w + gamma [x w]+ where x w + b is > 0, x w + gamma [x w]- where   b + gamma [b]+
             it is < 0; nothing at 0                                             (or [b]-)
`ZPlus`      [x w]+, also called alpha 1 beta 0                                  [b]+
`AlphaBeta`  alpha times the shares of [x w]+, minus beta times those of [x w]-  [b]+, [b]-
`Flat`       1                                                                   0
`WSquare`    w^2                                                                 0
`Box`        x w - low [w]+ - high [w]-, also called z^B                         0
============ =================================================================== ==============

with [a]+ = max(a, 0), [a]- = min(a, 0). Every rule but `Epsilon` adds 1e-6 sign(z) to z, so that
nothing is divided by 0; sign(0) is 1. The choices that the papers leave open (the constant, biases,
inputs below 0 in `Gamma` and `ZPlus`) are those of zennit (Anders et al., arXiv 2106.13200, 2021),
whose maps these are compared with in tests/methods/test_zennit.py.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxvis.errors import InputTypeError
from jaxvis.gradients.convolution import linear, row
from jaxvis.gradients.onednn import bare
from jaxvis.gradients.relu import Rule as ReluRule

STABILISER = 1e-6  # zennit's, which adds it in every rule
PASSES = ReluRule(gate_input=False, gate_gradient=False)  # a ReLU's relevance is its input's

# Rules are data, pytrees of their numbers. They are no named tuples, which would be equal to each
# other wherever their numbers are: `ZPlus()` to `Flat()`.
Number = Float[Array, ""] | float


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Epsilon:
    """Shares of x w + b; a larger epsilon leaves less relevance to units of many small parts.

    Bach et al. (2015), equation 58; Montavon et al. (2019), section 10.2.1.
    """

    epsilon: Number = STABILISER


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Gamma:
    """What speaks for a unit counts 1 + gamma times; Montavon et al. (2019), section 10.2.1.

    That is for inputs that are at least 0. For all others, and units below 0, it is the generalised
    rule of Andeol et al., "Learning Domain Invariant Representations by Joint Wasserstein Distance
    Minimization" (arXiv 2106.04923, 2021), as in zennit.
    """

    gamma: Number = 0.25


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class ZPlus:
    """Only what speaks for a unit counts; Montavon et al., arXiv 1512.02479 (2017), section 4.2."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class AlphaBeta:
    """What speaks for a unit, alpha times, minus what speaks against it, beta times.

    Bach et al. (2015), equation 60. Relevance is conserved if alpha - beta is 1.
    """

    alpha: Number = 2.0
    beta: Number = 1.0


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Flat:
    """All inputs of a unit get the same; Lapuschkin et al., arXiv 1902.10178 (2019)."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class WSquare:
    """Inputs count by their weights alone; Montavon et al., arXiv 1512.02479 (2017), section 4.1.

    Their rule has no biases. zennit counts b^2 among them unless it is told not to.
    """


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Box:
    """For pixels, between `low` and `high`; Montavon et al., arXiv 1512.02479 (2017), section 4.2.

    Attributes:
        low, high: the lowest and highest values that the layer's input can have: numbers, or one of
            each for every channel; None in a first layer are those of the network's input.
    """

    low: Any = None
    high: Any = None


RelevanceRule = Epsilon | Gamma | ZPlus | AlphaBeta | Flat | WSquare | Box
RULE_KINDS = (Epsilon, Gamma, ZPlus, AlphaBeta, Flat, WSquare, Box)
# These give relevance to inputs of 0 as well, so to units below 0 whose ReLU follows.
GIVE_TO_ZEROS = (Flat, WSquare, Box)


class Known(NamedTuple):
    """What is known beforehand, which saves convolutions and changes no share.

    Attributes:
        input_positive: no input is below 0, as behind a ReLU.
        output_positive: no relevance comes to units below 0, as from a ReLU whose outputs of 0
            have no share in what is behind.
    """

    input_positive: bool = False
    output_positive: bool = False


@partial(jax.custom_vjp, nondiff_argnums=(5, 6))
def affine(
    x: Float[Array, "n *inputs"],
    kernel: Float[Array, "..."] | None,
    bias: Float[Array, " features"] | None,
    absorbed: Float[Array, "n 2"],
    rule: RelevanceRule,
    precision: Any = None,
    known: Known = Known(),  # noqa: B008  (a tuple, which nobody changes)
) -> Float[Array, "n *outputs"]:
    """Return x W + b, whose way back turns relevance of outputs into relevance of x under `rule`.

    Args:
        x: of the dtype of all arrays here, float32 or float64.
        kernel: (inputs, features), of a dense layer; (rows, columns, channels, features), of a
            convolution at stride 1 with zeros around x, "SAME"; None for the mean over height and
            width, whose inputs all have the same weight.
        bias: None for none.
        absorbed: zeros. Its cotangent is what did not reach x, for every image: what biases kept,
            and what stabilisers did, or units without any share to give. Handed to several layers,
            it gathers the sums over all of them.
        rule: data: other numbers in it do not recompile.
        precision: of the products, as in `jax.lax.conv_general_dilated`.
    """
    z = _linear(x, kernel, precision)
    return z if bias is None else z + row(bias, z)


def _forward(
    x: Array, kernel: Any, bias: Any, absorbed: Array, rule: Any, precision: Any, known: Known
) -> tuple[Array, tuple]:
    check_rule(rule)
    z = affine(x, kernel, bias, absorbed, rule, precision, known)
    return z, (x, kernel, bias, z, rule)


def _backward(precision: Any, known: Known, saved: tuple, relevance: Array) -> tuple:
    x, kernel, bias, z, rule = saved
    to_x, kept, given = jnp.zeros_like(x), jnp.zeros_like(z), jnp.zeros_like(z)
    for share in _shares(rule, x, kernel, bias, z, known):
        sums, pulls = [], []
        for term in share.terms:
            product, pull = jax.vjp(lambda u, v=term.v: _linear(u, v, precision), term.u)
            sums.append(product)
            pulls.append(pull)
        # A relevance is its unit's z times something: where there is a z of the forward pass, R / z
        # takes that very number. A sum made anew costs a product, and may be rounded otherwise.
        biases = [row(term.c, z) for term in share.terms if term.c is not None]
        total = z if share.is_z else sum([*sums, *biases], jnp.zeros_like(z))
        s = _divided(share.of * relevance, _stabilised(total, share.epsilon))
        for term, pull in zip(share.terms, pulls, strict=True):
            to_x += term.u * bare(pull(s)[0])
        bias_part = sum(biases, jnp.zeros_like(z))
        kept += s * bias_part
        given += s * (total - bias_part)
    axes = tuple(range(1, z.ndim))
    by_bias, by_stabiliser = (a.sum(axis=axes) for a in (kept, relevance - kept - given))
    # Neither weights nor a rule have relevance.
    return to_x, None, None, jnp.stack([by_bias, by_stabiliser], axis=1), None


affine.defvjp(_forward, _backward)


class _Term(NamedTuple):
    """One product u v + c; all of a share's together are its z."""

    u: Array
    v: Array | None
    c: Array | None


class _Share(NamedTuple):
    """How much of a unit's relevance is shared out over which terms."""

    of: Any
    terms: list[_Term]
    epsilon: Any = STABILISER
    is_z: bool = False  # whether the terms' sum is the layer's own output


def _shares(rule: Any, x: Array, kernel: Any, bias: Any, z: Array, known: Known) -> list[_Share]:
    """Return the rows of the table above, as products that a layer can compute."""
    one = jnp.ones((), z.dtype)

    def split(for_x: Any, against_x: Any, of_bias: Any) -> list[_Term]:
        """Terms of x's two signs; a product of two negative numbers is positive."""
        terms = [_Term(_plus(x), for_x(kernel), None if bias is None else of_bias(bias))]
        if not known.input_positive:
            terms.append(_Term(_minus(x), against_x(kernel), None))
        return terms

    match rule:
        case Epsilon(epsilon):
            return [_Share(one, [_Term(x, kernel, bias)], epsilon, is_z=True)]
        case Gamma(gamma):
            more_plus = partial(_more, gamma=gamma, part=_plus)
            more_minus = partial(_more, gamma=gamma, part=_minus)
            shares = [_Share((z > 0).astype(z.dtype), split(more_plus, more_minus, more_plus))]
            if not known.output_positive:
                below = split(more_minus, more_plus, more_minus)
                shares.append(_Share((z < 0).astype(z.dtype), below))
            return shares
        case ZPlus():
            return [_Share(one, split(_plus, _minus, _plus))]
        case AlphaBeta(alpha, beta):
            return [
                _Share(jnp.asarray(alpha, z.dtype), split(_plus, _minus, _plus)),
                _Share(-jnp.asarray(beta, z.dtype), split(_minus, _plus, _minus)),
            ]
        case Flat():
            return [_Share(one, [_Term(jnp.ones_like(x), jnp.ones_like(kernel), None)])]
        case WSquare():
            return [_Share(one, [_Term(jnp.ones_like(x), kernel**2, None)])]
        case Box(low, high):
            low, high = (jnp.broadcast_to(row(a, x), x.shape)
                         for a in (low, high))  # fmt: skip
            terms = [_Term(x, kernel, None), _Term(-low, _plus(kernel), None)]
            return [_Share(one, [*terms, _Term(-high, _minus(kernel), None)])]
    raise AssertionError(rule)  # `check_rule` has seen it


def _said(rule: Any) -> str:
    return (
        f"{rule.__name__} (a class, not one of its kind)" if isinstance(rule, type) else repr(rule)
    )


def check_rule(rule: Any) -> None:
    """Raise TypeError unless this is a rule of this file."""
    if not isinstance(rule, RULE_KINDS):
        listed = ", ".join(kind.__name__ for kind in RULE_KINDS)
        raise InputTypeError(
            f"{rule!r} is no rule of relevance propagation; wanted one of "
            f"jaxvis.gradients.relevance, with its numbers: {listed}"
        )


@jax.custom_vjp
def passed(x: Float[Array, "..."], y: Float[Array, "..."]) -> Float[Array, "..."]:
    """Return y, made of x number by number, whose relevance is that of x: it has but one input."""
    return y


passed.defvjp(lambda x, y: (y, None), lambda _, relevance: (relevance, None))


def _linear(x: Array, kernel: Array | None, precision: Any) -> Array:
    if kernel is None:
        return x.mean(axis=(1, 2))
    return linear(x, kernel, precision)


def _plus(a: Array) -> Array:
    return jnp.maximum(a, jnp.zeros((), a.dtype))


def _minus(a: Array) -> Array:
    return jnp.minimum(a, jnp.zeros((), a.dtype))


def _more(a: Array, gamma: Any, part: Any) -> Array:
    return a + jnp.asarray(gamma, a.dtype) * part(a)


def _stabilised(z: Array, epsilon: Any) -> Array:
    """Return z, farther from 0 by epsilon; `jnp.sign(0)` would be 0."""
    epsilon = jnp.asarray(epsilon, z.dtype)
    return z + jnp.where(z < 0, -epsilon, epsilon)


def _divided(a: Array, b: Array) -> Array:
    """Return a / b, and 0 where b is 0, or so near to it that 1 / b may be infinite."""
    safe = jnp.abs(b) >= jnp.finfo(b.dtype).tiny
    return jnp.where(safe, a / jnp.where(safe, b, jnp.ones((), b.dtype)), jnp.zeros((), b.dtype))
