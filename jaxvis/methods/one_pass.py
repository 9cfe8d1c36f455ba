"""All maps of the lab, three saliency and three Grad-CAM, from one compiled call.

The forward pass does not depend on the rule, so it runs once. Cut at the Grad-CAM layer, the
gradient that Grad-CAM averages is the one that the saliency map carries on from, so each rule
needs one backward pass: one forward and three backward, where six separate maps take six and three.
On a CPU the images go through in small groups (`gradients.groups`): the same work in better order.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float, Int

from jaxvis.gradients.compiled import Compiled
from jaxvis.gradients.cut import activation_of, check_maps, cut
from jaxvis.gradients.groups import group_size, vjp_in_groups
from jaxvis.gradients.relu import RULES, Rule, relu_under
from jaxvis.gradients.target import (
    Score,
    as_targets,
    check_floats,
    check_logits,
    check_targets,
    logit_cotangent,
)
from jaxvis.methods.grad_cam import class_activation_map
from jaxvis.methods.saliency import largest_over_channels
from jaxvis.types import AnyArray


class Maps(NamedTuple):
    """What `explain` returns: logits, and raw maps by the name of their rule."""

    logits: Float[AnyArray, "n classes"]
    saliency: dict[str, Float[AnyArray, "n height width"]]
    grad_cam: dict[str, Float[AnyArray, "n h w"]]


def explain(
    model: Any,
    x: Float[AnyArray, "n height width channels"],
    classes: ArrayLike | None = None,
    *,
    layer: str | int = "block5_conv3",
    rules: Mapping[str, Rule] = RULES,
    score: Score | None = None,
    signed: bool = False,
) -> Maps:
    """Return the logits and, under every rule, the saliency map and Grad-CAM of every image.

    `maps.saliency["guided"]` equals `saliency(model, x, classes, rule=GUIDED)` and
    `maps.grad_cam["guided"]` equals `grad_cam` likewise, up to rounding.

    Args:
        model, x, classes, layer, score: as in `grad_cam`; without classes and score, each image is
            explained for the class that the model predicts.
        rules: rules by name; another choice of the same number does not recompile.
        signed: keep the signs: of the largest channel's gradient, and of Grad-CAM's sum before its
            ReLU. |.| and max(., 0) of these are the maps otherwise returned.

    Raises:
        TypeError, ValueError: as `grad_cam`; ValueError too when there is no rule.
    """
    return _checked(_explain, model, x, classes, layer, rules, score, signed)


def compile_explain(
    model: Any,
    x: Float[AnyArray, "n height width channels"],
    classes: ArrayLike | None = None,
    *,
    layer: str | int = "block5_conv3",
    rules: Mapping[str, Rule] = RULES,
    score: Score | None = None,
) -> Callable[[Any, Float[AnyArray, "n height width channels"], ArrayLike | None], Maps]:
    """Compile `explain` ahead of time, without running it.

    The result is called with model, x and classes of the same shapes and dtypes, other values
    allowed, and returns `Maps`. Arguments and errors are those of `explain`.
    """
    run = _explain.compile(*_arguments(model, x, classes, layer, rules, score))

    def compiled(
        model: Any, x: Float[AnyArray, "n height width channels"], classes: ArrayLike | None = None
    ) -> Maps:
        return _checked(run, model, x, classes, layer, rules, score)

    return compiled


def planned_bytes(
    model: Any,
    x: Float[AnyArray, "n height width channels"],
    classes: ArrayLike | None = None,
    *,
    layer: str | int = "block5_conv3",
    rules: Mapping[str, Rule] = RULES,
    score: Score | None = None,
) -> int:
    """Return the bytes that `explain` takes beside weights, images and maps, without running it."""
    return _explain.compile(*_arguments(model, x, classes, layer, rules, score)).temporary_bytes


def _arguments(
    model: Any,
    x: AnyArray,
    classes: ArrayLike | None,
    layer: str | int,
    rules: Mapping[str, Rule],
    score: Score | None,
    signed: bool = False,
) -> tuple:
    if not rules:
        raise ValueError("rules is empty; wanted at least one, such as jv.RULES")
    gates = [jnp.asarray(gates) for gates in zip(*rules.values(), strict=True)]
    x = jnp.asarray(x)
    size = group_size(x) if x.ndim else 1
    return model, x, as_targets(classes, score), layer, Rule(*gates), score, size, signed


def _checked(
    run: Callable[..., tuple],
    model: Any,
    x: AnyArray,
    classes: ArrayLike | None,
    layer: str | int,
    rules: Mapping[str, Rule],
    score: Score | None,
    signed: bool = False,
) -> Maps:
    arguments = _arguments(model, x, classes, layer, rules, score, signed)
    logits, saliency, cams = run(*arguments)
    check_targets(arguments[2], logits)
    return Maps(
        logits,
        dict(zip(rules, saliency, strict=True)),
        dict(zip(rules, cams, strict=True)),
    )


@Compiled
def _explain(
    model: Any, x: Array, targets: Int[Array, "..."] | None, layer: str | int, rules: Rule,
    score: Score | None, group: int, signed: bool,
) -> tuple[Float[Array, "n classes"], list[Array], list[Array]]:  # fmt: skip
    check_floats(x)
    body, head = cut(model, layer)

    def under(rule: Rule) -> tuple[Array, Array, Array]:
        relu = relu_under(rule)
        at_cut, pull_to_input = vjp_in_groups(lambda x: body(x, relu=relu), x, group)
        activation = activation_of(at_cut)
        check_maps(activation, layer)
        logits, pull_to_cut = jax.vjp(lambda at_cut: head(at_cut, relu=relu), at_cut)
        check_logits(logits, x.shape[0])
        (gradient,) = pull_to_cut(logit_cotangent(logits, targets, score))
        (at_input,) = pull_to_input(gradient)
        return (
            logits,
            largest_over_channels(at_input, signed=signed),
            class_activation_map(activation, activation_of(gradient), signed=signed),
        )

    # Only the cotangents depend on the rule, so vmap leaves the forward pass at batch n.
    logits, saliency, cams = jax.vmap(under, out_axes=(None, 0, 0))(rules)
    return logits, list(saliency), list(cams)
