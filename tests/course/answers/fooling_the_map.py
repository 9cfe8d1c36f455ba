"""Notebook 15."""

LOSS = """
def steering(one, region, logits, wanted, hold):
    share = (one * region).sum() / one.sum()
    return -jnp.log(share) + hold * ((logits - wanted) ** 2).mean()
"""
RIGHT = {
    "smooth_relu": [
        """
        def smooth_relu(z, beta):
            return jax.nn.softplus(beta * z) / beta
        """,
        """
        def smooth_relu(z, beta):
            return jnp.logaddexp(0.0, beta * z) / beta
        """,
        "smooth_relu = lambda z, beta: -jax.nn.log_sigmoid(-beta * z) / beta",
    ],
    "steering_loss": [
        """
        def steering_loss(one, region, logits, wanted, hold):
            share = (one * region).sum() / one.sum()
            return -jnp.log(share) + hold * ((logits - wanted) ** 2).mean()
        """,
        """
        def steering_loss(one, region, logits, wanted, hold):
            return (
                jnp.log(jnp.sum(one))
                - jnp.log(jnp.sum(one * region))
                + hold * jnp.mean(jnp.square(wanted - logits))
            )
        """,
        """
        def steering_loss(one, region, logits, wanted, hold):
            share = jnp.where(region > 0, one, 0).sum() / one.sum()
            return hold * jnp.linalg.norm(logits - wanted) ** 2 / len(logits) - jnp.log(share)
        """,
    ],
    "distance": [
        """
        def distance(one, target):
            return ((one / one.sum() - target / target.sum()) ** 2).mean()
        """,
        """
        def distance(one, target):
            return jnp.linalg.norm(one / one.sum() - target / target.sum()) ** 2 / one.size
        """,
        """
        def distance(one, target):
            return jnp.mean(jnp.square(one / one.mean() - target / target.mean())) / one.size**2
        """,
    ],
}

WRONG = {
    "smooth_relu": [
        (
            "smooth_relu = lambda z, b: jnp.maximum(z, 0)",
            "corner",
        ),
        (
            "smooth_relu = lambda z, b: jax.nn.softplus(b * z)",
            "Divide",
        ),
        (
            "smooth_relu = lambda z, b: jax.nn.softplus(z)",
            "inside",
        ),
        (
            "smooth_relu = lambda z, b: jnp.log(1 + jnp.exp(b * z)) / b",
            "infinite",
        ),
        (
            "smooth_relu = lambda z, b: z * jax.nn.sigmoid(b * z)",
            r"log\(2\)",
        ),
        (
            "smooth_relu = lambda z, b: np.logaddexp(0, b * np.asarray(z)) / b",
            "Error",
        ),
    ],
    "steering_loss": [
        (
            LOSS + "steering_loss = lambda o, r, z, w, h: -steering(o, r, z, w, h)",
            "out of the region",
        ),
        (
            "steering_loss = lambda o, r, z, w, h: -jnp.log((o * r).sum())",
            "Divide",
        ),
        (
            "steering_loss = lambda o, r, z, w, h: -(o * r).sum() / o.sum()",
            "without its log",
        ),
        (
            LOSS + "steering_loss = lambda o, r, z, w, h: steering(o, r, w, w, h)",
            "where they like",
        ),
        (
            LOSS + "steering_loss = lambda o, r, z, w, h: steering(o, r, z, w, 1)",
            "hold does nothing",
        ),
        (
            LOSS + "steering_loss = lambda o, r, z, w, h: steering(o, r, z, w, h * len(z))",
            "sum of the squares",
        ),
        (
            LOSS
            + "steering_loss = lambda o, r, z, w, h: steering(o, r, w, w, h) + h * (z - w).mean()",
            "cancel",
        ),
        (
            "steering_loss = lambda o, r, z, w, h: o",
            "has the shape",
        ),
    ],
    "distance": [
        (
            "distance = lambda a, b: ((a - b) ** 2).mean()",
            "own sum",
        ),
        (
            "distance = lambda a, b: ((a / a.max() - b / b.max()) ** 2).mean()",
            "one pixel",
        ),
        (
            "distance = lambda a, b: ((a / a.sum() - b / b.sum()) ** 2).sum()",
            "The mean over",
        ),
        (
            "distance = lambda a, b: jnp.abs(a / a.sum() - b / b.sum()).mean()",
            "Squared",
        ),
        (
            "distance = lambda a, b: (a / a.sum() - b / b.sum()).mean()",
            "cancel",
        ),
        (
            "distance = lambda a, b: (a / a.sum() - b / b.sum()) ** 2",
            "has the shape",
        ),
    ],
}
