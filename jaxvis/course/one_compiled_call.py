"""Notebook 08: one way back for two maps, and the work that saves."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxvis.course.check import NotYet, exercise
from jaxvis.course.compare import attempt, numbers, pair, refuse, same
from jaxvis.gradients.relu import RULES, Rule
from jaxvis.methods.explain import explain


def convolutions(jaxpr):
    """How many convolutions a jaxpr has, and the jaxprs inside it, each times its pictures."""
    found = 0
    for equation in jaxpr.eqns:
        if equation.primitive.name == "conv_general_dilated":
            found += equation.invars[0].aval.shape[0]
        for option in jax.tree.leaves(
            list(equation.params.values()), is_leaf=lambda one: hasattr(one, "eqns")
        ):
            inner = getattr(option, "jaxpr", option)
            if hasattr(inner, "eqns"):
                found += convolutions(inner)
    return found


@exercise("(at_pixels,) = through_body(at_A)")
def both_maps(both_maps, model, pixels, target):
    three = Rule(jnp.array([True, False, True]), jnp.array([False, True, True]))
    all_six = jax.vmap(both_maps, in_axes=(None, None, 0))
    given = jnp.asarray(pixels)[:2]
    hints = {
        "tuple": (
            "through_body returns a tuple with one entry: (at_pixels,) = ..., as in the line of through_head.",
        ),
        "shape": ("through_body takes a cotangent of its result: an array of the shape of A.",),
        "structure": (
            "through_body takes a cotangent of its result: one array, of the shape of A.",
        ),
    }
    answer = attempt(jax.jit(all_six), model, given, three, hints=hints)
    first, second = pair(
        answer, "what both_maps returns", "Return the saliency map and the class activation map."
    )
    n = len(given)
    found_saliency = numbers(
        first,
        "the saliency map",
        (3, *given.shape[:3]),
        "The saliency map comes first, then the class activation map.",
    )
    found_cam = numbers(second, "the class activation map", None)
    maps = explain(model, given, target)
    wanted_cam = np.stack([maps.grad_cam[rule] for rule in RULES])
    wanted = np.stack([maps.saliency[rule] for rule in RULES])
    if not same(found_cam, wanted_cam, 2e-3):
        raise NotYet(
            "the class activation map has changed.", "Only the line with at_pixels needs to."
        )
    refuse(
        found_saliency,
        (
            np.zeros_like(wanted),
            "the saliency map is zero everywhere.",
            "Take a cotangent back through the body.",
        ),
        (
            np.stack([wanted[0]] * 3),
            "the saliency maps of the three rules are the same.",
            "The rule has to act in the body as well: through_body has it already.",
        ),
    )
    if not same(found_saliency, wanted, 2e-3):
        raise NotYet(
            "the saliency maps are wrong.",
            "What travels down is a cotangent. Which one belongs to the place where the network is cut?",
        )
    work = convolutions(jax.make_jaxpr(all_six)(model, given, three).jaxpr) / n
    if work > 13 + 13 * 3 + 1e-6:
        raise NotYet(
            f"the maps are right, and the work is {work / 13:.0f} times 13 convolutions on all pictures; 4 times is enough.",
            "The gradient at the cut is there already: at_A. Nothing above the cut has to run again.",
        )
    return "six maps with 13 convolutions forward and 13 backward, on three times the pictures."


@exercise(
    "A saliency map takes two runs, a Grad-CAM one; together, one run forward for all and one back for each rule."
)
def runs(runs):
    found = {}
    for rules in (1, 2, 3, 4, 7):
        both = pair(attempt(runs, rules), "what runs returns", "Return separate, together.")
        found[rules] = [float(numbers(one, "a number of runs", ())) for one in both]

    def is_right(place, count):
        return all(found[rules][place] == count(rules) for rules in found)

    separate, together = is_right(0, lambda rules: 3 * rules), is_right(1, lambda rules: 1 + rules)
    if separate and together:
        return (
            ", ".join(f"{rules} rules {a:.0f} against {b:.0f}" for rules, (a, b) in found.items())
            + "."
        )
    seen = f"for 3 rules you have {found[3][0]:g} against {found[3][1]:g}"
    if is_right(0, lambda rules: 1 + rules) and is_right(1, lambda rules: 3 * rules):
        raise NotYet(
            seen + "; the two are exchanged.", "First each map by itself, then all together."
        )
    if found[3] == [9, 4]:
        raise NotYet(
            "right for 3 rules, wrong for others.", "Use the argument, the number of rules."
        )
    if together:
        raise NotYet(
            seen + "; the second is right.",
            "How many runs does one saliency map take, forward and back? How many a Grad-CAM?",
        )
    if separate:
        raise NotYet(
            seen + "; the first is right.",
            "What does a rule change: the way forward or the way back?",
        )
    raise NotYet(
        seen + ".",
        "A saliency map runs forward and back. Grad-CAM's way back ends above the convolutions.",
    )
