"""Notebook 11: a ReLU found in a jaxpr, and a rule for some layers by their name."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxvis.any_model.expose import expose_relu
from jaxvis.course.check import NotYet, exercise
from jaxvis.course.compare import attempt, numbers, refuse, same
from jaxvis.gradients.relu import guided_relu, rectified_relu


@exercise("if isinstance(first, Literal) and np.all(first.val == 0): return second.")
def relu_input(relu_input):
    """Asked of single equations, of which we know what they are."""

    def equation(function, *arguments):
        (one,) = jax.make_jaxpr(function)(*arguments).jaxpr.eqns
        return one

    row = jnp.arange(3.0)
    variable, number = "neither operand is a number", "only a Literal has .val"
    hints = {
        "val": (
            f"A variable has no .val: {number}.",
            "isinstance(first, Literal) comes before first.val, with `and` between.",
        ),
    }
    cases = [
        (
            "jnp.maximum(z, 0)",
            equation(lambda z: jax.lax.max(z, jnp.float32(0)), jnp.float32(1)),
            0,
        ),
        (
            "jnp.maximum(0, z)",
            equation(lambda z: jax.lax.max(jnp.float32(0), z), jnp.float32(1)),
            1,
        ),
        (
            "jnp.maximum(1, z)",
            equation(lambda z: jax.lax.max(jnp.float32(1), z), jnp.float32(1)),
            None,
        ),
        (
            "jnp.maximum(z, 1)",
            equation(lambda z: jax.lax.max(z, jnp.float32(1)), jnp.float32(1)),
            None,
        ),
        ("jnp.maximum(z, y)", equation(jax.lax.max, row, row + 1), None),
        (
            "jnp.minimum(0, z)",
            equation(lambda z: jax.lax.min(jnp.float32(0), z), jnp.float32(1)),
            None,
        ),
        ("0 + z", equation(lambda z: jnp.float32(0) + z, jnp.float32(1)), None),
    ]
    found = {}
    for name, eqn, _ in cases:
        answer = attempt(relu_input, eqn, hints=hints)
        places = [place for place, operand in enumerate(eqn.invars) if answer is operand]
        if answer is not None and not places:
            raise NotYet(
                f"for {name} relu_input gives back {answer!r}.",
                "It gives back an operand of the equation, `first` or `second`, or None.",
            )
        found[name] = places[0] if places else None
    wanted = {name: place for name, _, place in cases}
    if found == wanted:
        return "both orders are found, and max(1, z) is left alone."
    if found["jnp.maximum(z, 0)"] is None:
        raise NotYet(
            "jnp.maximum(z, 0) is no longer found.",
            "Leave the lines that are there, and add to them.",
        )
    if found["jnp.maximum(0, z)"] is None:
        raise NotYet(
            "jnp.maximum(0, z) is not found.", "Ask of `first` what the code asks of `second`."
        )
    if found["jnp.maximum(0, z)"] == 0:
        raise NotYet(
            "for jnp.maximum(0, z) the 0 is given back.",
            "The other operand is what goes into the ReLU.",
        )
    if found["jnp.maximum(1, z)"] is not None or found["jnp.maximum(z, 1)"] is not None:
        raise NotYet("max(1, z) is no ReLU, but it was taken for one.", "Is the number 0?")
    if found["jnp.maximum(z, y)"] is not None:
        raise NotYet(
            f"jnp.maximum(z, y) was taken for a ReLU, and {variable}.",
            "isinstance(first, Literal).",
        )
    raise NotYet(
        "an equation that is no maximum was taken for a ReLU.", 'eqn.primitive.name == "max".'
    )


@exercise('jv.rectified_relu(z) if where.name_stack == "block2" else jax.nn.relu(z).')
def only_second(only_second):
    kernels = jnp.array(np.random.default_rng(1).normal(size=(6, 6, 6)), jnp.float32)

    def network(blocks, at):
        """A network of blocks (name, how many layers), whose ReLUs are what `at` returns for a name."""

        def run(row):
            number = 0
            for name, layers in blocks:
                with jax.named_scope(name):
                    for _ in range(layers):
                        row = at(name)(row @ kernels[number])
                        number += 1
            return row.sum() - 3 * row[0]

        return run

    # In the notebook block2 comes second; a network in which it comes first knows names from numbers.
    shapes = [
        (("block1", 2), ("block2", 2)),
        (("block2", 1), ("block1", 3)),
        (("block1", 1), ("block2", 2), ("block3", 2)),
    ]
    rows = jnp.array(np.random.default_rng(2).normal(size=(3, 6)), jnp.float32)
    found = []
    results = {}

    def relus(rule, chosen):
        return lambda name: rule if chosen(name) else jax.nn.relu

    others = {
        "right": relus(rectified_relu, lambda name: name == "block2"),
        "plain": relus(rectified_relu, lambda name: False),
        "all": relus(rectified_relu, lambda name: True),
        "others": relus(rectified_relu, lambda name: name != "block2"),
        "guided": relus(guided_relu, lambda name: name == "block2"),
    }
    for blocks in shapes:
        exposed = expose_relu(network(blocks, lambda name: jax.nn.relu))
        for row in rows:
            gradient = attempt(
                jax.grad(lambda row, exposed=exposed: exposed(row, relu=only_second)), row
            )
            found.extend(numbers(gradient, "the gradient", (6,)))
            for name, at in others.items():
                results.setdefault(name, []).extend(np.asarray(jax.grad(network(blocks, at))(row)))
    if same(found, results["right"]):
        return "only block2 is rectified, wherever it stands in the network."
    refuse(
        found,
        (
            results["plain"],
            "this is the plain gradient.",
            "where.name_stack holds the names of the scopes.",
        ),
        (results["all"], "every ReLU is rectified.", "For all other blocks, jax.nn.relu(z)."),
        (results["others"], "all blocks but block2 are rectified.", "The other way round."),
        (results["guided"], "the ReLUs of block2 are guided.", "Rectified: jv.rectified_relu."),
    )
    first = 3 * 6
    if same(found[:first], results["right"][:first]):
        raise NotYet(
            "right for the network above, wrong for one in which block2 stands at another place.",
            "By its name, where.name_stack, and not by its number, where.index.",
        )
    raise NotYet(
        "another rule, or other layers.", "jv.rectified_relu in block2, jax.nn.relu elsewhere."
    )
