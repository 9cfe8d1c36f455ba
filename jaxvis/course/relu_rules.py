"""Notebook 04: a guided ReLU, and one ReLU for all rules."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxvis.course.check import NotYet, exercise
from jaxvis.course.compare import attempt, numbers, refuse, same

_HINTS = {
    "truth value": (
        "`and`, `or`, `not`, `if` ask an array for one answer; it has one for every unit.",
        "For arrays: `&`, `|`, `~`, each comparison in brackets; or products, since True counts as 1.",
    ),
    "TracerBool": (
        "For arrays: `&`, `|`, `~` in the place of `and`, `or`, `not`, `if`, each comparison in brackets.",
    ),
    "unsupported operand type": (
        "`&` binds more tightly than `>`: put every comparison in brackets.",
    ),
    "bad operand type": ("`~` binds more tightly than `>`: put every comparison in brackets.",),
    "does not accept": ("`&` binds more tightly than `>`: put every comparison in brackets.",),
    "bitwise": ("`&` and `|` join conditions; put every comparison in brackets.",),
    "tuple": (
        "backward returns a tuple, one entry for each argument: a bracket and a comma, (..., ).",
    ),
    "pytree": (
        "backward returns a tuple, one entry for each argument: a bracket and a comma, (..., ).",
    ),
    "defvjp": ("The line with `.defvjp(...)` under the functions belongs to the answer.",),
}


def _passed(relu, z, g, *switches):
    """What a ReLU passes back of g: the sum of g * relu(z) has the cotangent g at relu(z)."""
    return jax.grad(lambda z: jnp.sum(g * relu(z, *switches)))(z)


def _samples():
    """Inputs and cotangents of 60 units, some of them exactly zero."""
    z, g = np.random.default_rng(0).normal(size=(2, 60)).astype(np.float32)
    z[:6], g[4:10] = 0, 0
    return z, g


@exercise("g * (z > 0) * (g > 0), in a tuple of one: (..., ).")
def guided(guided):
    z, g = _samples()
    forward = numbers(attempt(guided, z), "guided(z)", z.shape)
    if not same(forward, np.maximum(z, 0)):
        raise NotYet("the forward pass has changed.", "guided(z) itself stays max(z, 0).")
    found = numbers(attempt(_passed, guided, z, g, hints=_HINTS), "what is passed back", z.shape)
    wanted = np.where((z > 0) & (g > 0), g, 0)
    if same(found, wanted):
        return f"of {len(z)} cotangents {np.count_nonzero(wanted)} pass."
    refuse(
        found,
        (
            g,
            "everything passes.",
            "Two questions are asked, of z and of g. Which cotangents have to go?",
        ),
        (
            g * (z > 0),
            "negative cotangents still pass.",
            "That is vanilla. What does guided ask of g?",
        ),
        (
            g * (g > 0),
            "units that are off still pass.",
            "That is rectified. What does guided ask of z?",
        ),
        (
            np.where((z >= 0) & (g > 0), g, 0),
            "something passes where z = 0.",
            "Both comparisons are strict: > and not >=.",
        ),
        (
            np.where((z > 0) | (g > 0), g, 0),
            "units pass of which one condition holds.",
            "Both have to hold: `&`, or a product.",
        ),
        (
            (z > 0) & (g > 0),
            "ones pass instead of g.",
            "The conditions say where g passes; what passes is g.",
        ),
        (np.where((z > 0) & (g < 0), g, 0), "the negative ones pass.", "Positive g passes."),
        (
            np.abs(g) * (z > 0),
            "negative cotangents pass as positive ones.",
            "They are stopped; no absolute value.",
        ),
    )
    i = int(np.flatnonzero(~np.isclose(found, wanted))[0])
    raise NotYet(
        f"for z = {z[i]:.2f} and g = {g[i]:.2f} you pass back {found[i]:.2f}; {wanted[i]:.2f} is expected.",
        "g passes where both z > 0 and g > 0; elsewhere 0.",
    )


_RULES = {
    "vanilla": (True, False),
    "rectified": (False, True),
    "guided": (True, True),
    "neither": (False, False),
}


@exercise("keep = ((z > 0) | ~gate_input) & ((g > 0) | ~gate_gradient).")
def switch_relu(switch_relu):
    z, g = _samples()
    # jax.jit hides the values of the switches, as notebook 08 will: an `if` fails.
    run = jax.jit(lambda z, g, first, second: _passed(switch_relu, z, g, first, second))
    found = {}
    for name, switches in _RULES.items():
        forward = numbers(
            attempt(switch_relu, z, *map(jnp.array, switches)), "switch_relu(...)", z.shape
        )
        if not same(forward, np.maximum(z, 0)):
            raise NotYet(
                "the forward pass has changed.", "switch_relu(...) itself stays max(z, 0)."
            )
        answer = attempt(run, z, g, *map(jnp.array, switches), hints=_HINTS)
        found[name] = numbers(answer, "what is passed back", z.shape)

    def expected(first, second, z_is_good=z > 0, g_is_good=g > 0):
        return np.where((z_is_good | (not first)) & (g_is_good | (not second)), g, 0)

    def everywhere(rule):
        return all(same(found[name], rule(*switches)) for name, switches in _RULES.items())

    if everywhere(expected):
        return "two switches, four rules."
    if everywhere(lambda first, second: g):
        raise NotYet(
            "everything passes, whatever the switches say.",
            "`(z > 0) | ~gate_input` is True where the first switch lets g pass.",
        )
    if everywhere(lambda first, second: expected(second, first)):
        raise NotYet(
            "the switches are exchanged.",
            "gate_input asks z, the ReLU's input; gate_gradient asks g.",
        )
    if everywhere(lambda first, second: expected(not first, not second)):
        raise NotYet(
            "both switches work the wrong way round.",
            "A switch that is *on* makes its condition count.",
        )
    if everywhere(lambda first, second: expected(first, False)):
        raise NotYet(
            "the second switch does nothing.",
            "The condition on g, in the same form as the one on z.",
        )
    if everywhere(lambda first, second: expected(False, second)):
        raise NotYet(
            "the first switch does nothing.",
            "The condition on z, in the same form as the one on g.",
        )
    if everywhere(lambda first, second: expected(True, True)):
        raise NotYet(
            "every rule is guided.",
            "With a switch off, its condition holds everywhere: `| ~gate_input`.",
        )
    if everywhere(lambda first, second: expected(first, second, z_is_good=z >= 0)):
        raise NotYet("something passes where z is 0.", "> and not >=.")
    if everywhere(
        lambda first, second: np.where(((z > 0) | (not first)) | ((g > 0) | (not second)), g, 0)
    ):
        raise NotYet(
            "g passes where one condition holds.",
            "Both must hold, so join the two brackets with `&`.",
        )
    if everywhere(lambda first, second: np.where(((z > 0) & first) & ((g > 0) & second), g, 0)):
        raise NotYet(
            "with a switch off, nothing passes.",
            "With a switch off, its condition holds everywhere: `| ~gate_input`.",
        )
    wrong = [
        name for name, switches in _RULES.items() if not same(found[name], expected(*switches))
    ]
    raise NotYet(
        f"wrong for {', '.join(wrong)}.",
        "For each switch a bracket that is True where g may pass; where the switch is off, everywhere.",
    )
