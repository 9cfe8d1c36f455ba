"""Composites: which rule of relevance propagation for which layer, as plain data.

No single rule is good everywhere. Near the logits relevance has to follow what the network did
(`Epsilon`); in the convolutions that is as noisy as a gradient, and what speaks for a unit alone
counts (`ZPlus`), or counts more (`Gamma`); pixels, which unlike all other inputs may be below 0,
and whose 0 is no lack of anything, have rules of their own (`Flat`, `WSquare`, `Box`). Montavon
et al., "Layer-Wise Relevance Propagation: An Overview" (2019), section 10.3; Kohlbrenner et al.,
"Towards Best Practice in Explaining Neural Network Decisions with LRP" (arXiv 1910.09840, 2019).
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from jaxvis.errors import InputError, InputTypeError
from jaxvis.gradients.chain import Link
from jaxvis.gradients.relevance import (
    AlphaBeta,
    Box,
    Epsilon,
    Flat,
    Gamma,
    RelevanceRule,
    ZPlus,
    check_rule,
)


class Composite(NamedTuple):
    """Which rule for which layer with weights; the first that fits counts, in this order.

    Attributes:
        names: rules by the name of a layer: {"fc1": Epsilon(0.1)}.
        first: the rule of the first layer, which reads the pixels; None for none of its own.
        kinds: rules by kind, "Conv2D" and "Dense".
    """

    names: Mapping[str, RelevanceRule] = {}
    first: RelevanceRule | None = None
    kinds: Mapping[str, RelevanceRule] = {}


def _by_kind(convolutions: RelevanceRule, first: RelevanceRule | None = None) -> Composite:
    return Composite(first=first, kinds={"Conv2D": convolutions, "Dense": Epsilon()})


# By zennit's names, where it has them, with its numbers. "lrp_0" is the gradient times the input;
# "epsilon_plus_box" is deep Taylor decomposition's choice for convolutions and pixels.
COMPOSITES: Mapping[str, Composite] = MappingProxyType(
    {
        "lrp_0": Composite(kinds={"Conv2D": Epsilon(0.0), "Dense": Epsilon(0.0)}),
        "epsilon": _by_kind(Epsilon()),
        "epsilon_plus": _by_kind(ZPlus()),
        "epsilon_plus_flat": _by_kind(ZPlus(), Flat()),
        "epsilon_plus_box": _by_kind(ZPlus(), Box()),
        "epsilon_gamma_box": _by_kind(Gamma(), Box()),
        "epsilon_alpha2_beta1": _by_kind(AlphaBeta()),
        "epsilon_alpha2_beta1_flat": _by_kind(AlphaBeta(), Flat()),
    }
)


def composite_of(composite: str | Composite) -> Composite:
    """Return a composite by its name in `COMPOSITES`, or as it is, its rules checked.

    Raises:
        TypeError: neither a name nor a composite, or something in it is no rule.
        ValueError: an unknown name.
    """
    if isinstance(composite, str):
        if composite not in COMPOSITES:
            raise InputError(f"composite is {composite!r}; wanted one of {', '.join(COMPOSITES)}")
        return COMPOSITES[composite]
    if not isinstance(composite, Composite):
        raise InputTypeError(
            f"composite is {composite!r}; wanted one of {', '.join(COMPOSITES)}, or a "
            "jaxvis.methods.composites.Composite"
        )
    rules: list[Any] = [*composite.names.values(), *composite.kinds.values()]
    for rule in rules if composite.first is None else [composite.first, *rules]:
        check_rule(rule)
    return composite._replace(names=dict(composite.names), kinds=dict(composite.kinds))


def rules_of(composite: Composite, links: Iterable[Link]) -> dict[str, RelevanceRule]:
    """Return the rule of each layer that has a kernel, by its name.

    Raises:
        ValueError: a layer without a rule, or a rule for a layer that is not there.
    """
    layers = [link for link in links if "kernel" in link.arrays]
    unknown = set(composite.names) - {link.name for link in layers}
    if unknown:
        raise InputError(
            f"the composite has rules for {', '.join(sorted(unknown))}; wanted names of layers "
            f"with weights: {', '.join(link.name for link in layers)}"
        )
    rules = {}
    for link in layers:
        rule = composite.names.get(link.name)
        if rule is None and link is layers[0]:
            rule = composite.first
        if rule is None:
            rule = composite.kinds.get(link.kind)
        if rule is None:
            raise InputError(
                f"the composite has no rule for {link.name!r}, a {link.kind}; wanted one in kinds, "
                f"such as kinds={{{link.kind!r}: Epsilon()}}"
            )
        rules[link.name] = rule
    return rules
