"""Notebook 14."""

SIGN = """
def right_fgsm(x, gradient, epsilon):
    return jnp.clip(x + epsilon * jnp.sign(gradient), LOWEST, HIGHEST)
"""
STEPS = """
def right_pgd(x, gradient_of, epsilon, step, steps):
    now = x
    for _ in range(steps):
        now = now + step * jnp.sign(gradient_of(now))
        now = jnp.clip(jnp.clip(now, x - epsilon, x + epsilon), LOWEST, HIGHEST)
    return now
"""
RIGHT = {
    "fgsm": [
        """
        def fgsm(x, gradient, epsilon):
            return jnp.clip(x + epsilon * jnp.sign(gradient), LOWEST, HIGHEST)
        """,
        """
        def fgsm(x, gradient, epsilon):
            return np.minimum(np.maximum(np.array(x) + epsilon * np.sign(gradient), LOWEST), HIGHEST)
        """,
        """
        def fgsm(x, gradient, epsilon):
            moved = jnp.where(gradient > 0, x + epsilon, jnp.where(gradient < 0, x - epsilon, x))
            return jnp.clip(moved, LOWEST, HIGHEST)
        """,
    ],
    "pgd": [
        """
        def pgd(x, gradient_of, epsilon, step, steps):
            now = x
            for _ in range(steps):
                now = now + step * jnp.sign(gradient_of(now))
                now = jnp.clip(jnp.clip(now, x - epsilon, x + epsilon), LOWEST, HIGHEST)
            return now
        """,
        """
        def pgd(x, gradient_of, epsilon, step, steps):
            change = jnp.zeros_like(x)
            for _ in range(steps):
                change = jnp.clip(change + step * jnp.sign(gradient_of(x + change)), -epsilon, epsilon)
                change = jnp.clip(x + change, LOWEST, HIGHEST) - x
            return x + change
        """,
        """
        def pgd(x, gradient_of, epsilon, step, steps, now=None):
            now = x if now is None else now
            if steps == 0:
                return now
            now = attacks.near(now + step * jnp.sign(gradient_of(now)), x, epsilon)
            return pgd(x, gradient_of, epsilon, step, steps - 1, now)
        """,
    ],
    "roc_area": [
        """
        def roc_area(clean, attacked):
            more, same = attacked[:, None] > clean, attacked[:, None] == clean
            return (more + 0.5 * same).mean()
        """,
        """
        def roc_area(clean, attacked):
            total = 0.0
            for a in attacked:
                for c in clean:
                    total += 1 if a > c else 0.5 if a == c else 0
            return total / (len(clean) * len(attacked))
        """,
        """
        def roc_area(clean, attacked):
            return (np.sign(np.subtract.outer(attacked, clean)).mean() + 1) / 2
        """,
    ],
}

WRONG = {
    "fgsm": [
        (
            "fgsm = lambda x, g, e: x",
            "nothing",
        ),
        (
            "fgsm = lambda x, g, e: x + e * g",
            "tiny",
        ),
        (
            SIGN + "fgsm = lambda x, g, e: right_fgsm(x, -g, e)",
            "uphill",
        ),
        (
            SIGN + "fgsm = lambda x, g, e: right_fgsm(x, g, 1.0)",
            "epsilon",
        ),
        (
            "fgsm = lambda x, g, e: x + e * jnp.sign(g)",
            "black",
        ),
        (
            "fgsm = lambda x, g, e: jnp.clip(x + e * jnp.sign(g), 0, 255)",
            "epsilon",
        ),
        (
            "fgsm = lambda x, g, e: x + e * jnp.abs(jnp.sign(g))",
            "positive",
        ),
        (
            "fgsm = lambda x, g, e: x + e * g / jnp.sqrt((g**2).sum((1, 2, 3), keepdims=True))",
            "L2",
        ),
    ],
    "pgd": [
        (
            "pgd = lambda x, f, e, s, n: x",
            "no gradient",
        ),
        (
            "pgd = lambda x, f, e, s, n: attacks.near(x + s * jnp.sign(f(x)), x, e)",
            "1 gradients",
        ),
        (
            """
            pgd = lambda x, f, e, s, n: attacks.near(sum((s * jnp.sign(f(x)) for _ in range(n)), x), x, e)
            """,
            "at x",
        ),
        (
            STEPS + "pgd = lambda x, f, e, s, n: right_pgd(x, f, 100.0, s, n)",
            "further",
        ),
        (
            STEPS + "pgd = lambda x, f, e, s, n: right_pgd(x, lambda z: -f(z), e, s, n)",
            "downhill",
        ),
        (
            STEPS + "pgd = lambda x, f, e, s, n: right_pgd(x, f, e, s / 4, n)",
            "always points up",
        ),
        (
            STEPS
            + "pgd = lambda x, f, e, s, n: x + jnp.clip(right_pgd(x, f, 99.0, s, n) - x, -e, e)",
            "between",
        ),
    ],
    "roc_area": [
        (
            "roc_area = lambda c, a: (a[:, None] < c).mean()",
            "clean one",
        ),
        (
            "roc_area = lambda c, a: (a[:, None] > c).sum()",
            "no share",
        ),
        (
            "roc_area = lambda c, a: (a > c[: len(a)]).mean() if len(a) > 2 else 0.5",
            "same place",
        ),
        (
            "roc_area = lambda c, a: float(a.mean() > c.mean())",
            "means",
        ),
        (
            "roc_area = lambda c, a: (a[:, None] > c).mean()",
            r"0\.5",
        ),
        (
            "roc_area = lambda c, a: (a[:, None] >= c).mean()",
            r"0\.5",
        ),
        (
            "roc_area = lambda c, a: a[:, None] > c",
            "has the shape",
        ),
    ],
}
