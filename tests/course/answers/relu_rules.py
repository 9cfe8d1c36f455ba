"""Notebook 04. WRONG and RIGHT differ in the line of `backward`."""

GUIDED = """
@jax.custom_vjp
def guided(z):
    return jnp.maximum(z, 0)


def guided_forward(z):
    return jnp.maximum(z, 0), z


def guided_backward(z, g):
    return LINE


guided.defvjp(guided_forward, guided_backward)
"""

SWITCH = """
@jax.custom_vjp
def switch_relu(z, gate_input, gate_gradient):
    return jnp.maximum(z, 0)


def switch_forward(z, gate_input, gate_gradient):
    return jnp.maximum(z, 0), (z, gate_input, gate_gradient)


def switch_backward(saved, g):
    z, gate_input, gate_gradient = saved
    keep = LINE
    return jnp.where(keep, g, 0), None, None


switch_relu.defvjp(switch_forward, switch_backward)
"""


def guided(line):
    return GUIDED.replace("LINE", line)


def switch(line):
    return SWITCH.replace("LINE", line)


RIGHT = {
    "guided": [
        guided("(jnp.where((z > 0) & (g > 0), g, 0),)"),
        guided("[jnp.maximum(g, 0) * jnp.sign(jnp.maximum(z, 0))]")
        .replace("[jnp", "(jnp")
        .replace("0))]", "0)),)"),
        guided("(jax.nn.relu(g) * jnp.greater(z, 0).astype(g.dtype),)"),
        "guided = jv.guided_relu",
        "def guided(z): return jv.relu(z, jv.Rule(True, True))",
    ],
    "switch_relu": [
        switch("jnp.where(gate_input, z > 0, True) & jnp.where(gate_gradient, g > 0, True)"),
        switch(
            "jnp.logical_and(jnp.logical_or(z > 0, jnp.logical_not(gate_input)), (g > 0) | ~gate_gradient)"
        ),
        switch("((z > 0) >= gate_input) & ((g > 0) >= gate_gradient)"),
        switch("~((gate_input & ~(z > 0)) | (gate_gradient & ~(g > 0)))"),
    ],
}

WRONG = {
    "guided": [
        (guided("(g * (z > 0),)"), "negative cotangents"),
        (guided("(g * (g > 0),)"), "units that are off"),
        (
            guided("(g * ((z > 0) and (g > 0)),)"),
            "ask an array for one answer|brackets",
        ),  # was told of a comma
        (guided("g * (z > 0) * (g > 0)"), "tuple"),
        (guided("(g * (z >= 0) * (g > 0),)"), "z = 0"),
        (guided("(g * ((z > 0) | (g > 0)),)"), "one condition"),
        (guided("((z > 0) * (g > 0) * jnp.ones_like(g),)"), "ones pass"),
        (
            GUIDED.replace("LINE", "(g * (z > 0) * (g > 0),)").replace(
                "guided.defvjp(guided_forward, guided_backward)", ""
            ),
            "defvjp|No VJP",
        ),
        (
            guided("(g * (z > 0) * (g > 0),)").replace(
                "    return jnp.maximum(z, 0)\n", "    return z * (z > 1)\n", 1
            ),
            "forward pass",
        ),
        (guided("(g * (x > 0) * (g > 0),)"), "stops with|passes"),
    ],
    "switch_relu": [
        (switch("((z > 0) | ~gate_gradient) & ((g > 0) | ~gate_input)"), "exchanged"),
        (switch("((z > 0) | ~gate_input) | ((g > 0) | ~gate_gradient)"), "one condition"),
        (switch("((z > 0) | ~gate_input)"), "second switch"),
        (switch("((g > 0) | ~gate_gradient)"), "first switch"),
        (switch("((z > 0) | gate_input) & ((g > 0) | gate_gradient)"), "wrong way round"),
        (switch("(z > 0) & (g > 0)"), "every rule is guided"),
        (switch("((z > 0) & gate_input) & ((g > 0) & gate_gradient)"), "nothing passes"),
        (switch("((z >= 0) | ~gate_input) & ((g > 0) | ~gate_gradient)"), "z is 0"),
        (
            switch("(z > 0 if gate_input else True) & (g > 0 if gate_gradient else True)"),
            "TracerBool",
        ),
        (switch("z > 0 | ~gate_input & g > 0 | ~gate_gradient"), "brackets"),
        (switch("((z > 0) or not gate_input) and ((g > 0) or not gate_gradient)"), "&|stand-ins"),
    ],
}
