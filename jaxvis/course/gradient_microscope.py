"""Notebook 05: a tap before a ReLU, and the summands of one cotangent."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxvis.course.check import NotYet, exercise
from jaxvis.course.compare import attempt, numbers, pair, refuse, same
from jaxvis.gradients.relu import guided_relu, rectified_relu, vanilla_relu

_RELUS = {"vanilla": vanilla_relu, "rectified": rectified_relu, "guided": guided_relu}


@exercise("a = relu(x @ W + inside) + outside.")
def two_taps(two_taps, W, v, x):
    zero = jnp.zeros(3)
    z, g = np.asarray(x @ W), np.asarray(v)
    wanted = {
        "vanilla": g * (z > 0),
        "rectified": g * (g > 0),
        "guided": g * (z > 0) * (g > 0),
    }
    output = numbers(attempt(two_taps, zero, zero), "the output", ())
    if not same(output, np.maximum(z, 0) @ g):
        raise NotYet(
            f"with zeros in both taps the output is {output:g}; without taps it is {np.maximum(z, 0) @ g:g}.",
            "A tap is added, so that a zero changes nothing.",
        )
    hints = {
        "shape": (
            "`inside` has one number for each of the three units; so has what the ReLU receives.",
        ),
        "broadcast": (
            "`inside` has one number for each of the three units; so has what the ReLU receives.",
        ),
    }
    found = {}
    for name, relu in _RELUS.items():
        both = attempt(jax.grad(two_taps, argnums=(0, 1)), zero, zero, relu, hints=hints)
        found[name] = [numbers(one, "a gradient", (3,)) for one in pair(both, "the gradients")]
    if not all(same(outer, g) for _, outer in found.values()):
        raise NotYet(
            "the gradient of `outside` is no longer what arrives.",
            "Leave the outer tap where it is.",
        )
    inner = {name: one for name, (one, _) in found.items()}
    if all(same(inner[name], wanted[name]) for name in wanted):
        return ", ".join(f"{name} {h + 0.0}" for name, h in inner.items())
    if not any(one.any() for one in inner.values()):
        raise NotYet(
            "the output does not depend on `inside`.", "h is what the ReLU hands to its *input*."
        )
    if all(same(one, g) for one in inner.values()):
        raise NotYet(
            "both taps read the same.",
            "One belongs behind the ReLU, the other in front of it.",
            "Inside the ReLU's brackets.",
        )
    if all(same(one, wanted["vanilla"]) for one in inner.values()):
        raise NotYet(
            "the inner tap reads vanilla's h under every rule.",
            "Which ReLU does your line call: jax.nn.relu, or the one that the function is handed?",
        )
    if all(same(inner[name], np.asarray(v) * 0 + wanted[name] * z) for name in wanted):
        raise NotYet("the tap is multiplied.", "A tap is added.")
    raise NotYet(
        "the inner tap reads something else than h.",
        "It is added to what the ReLU receives, after the product with W.",
    )


@exercise("patch[::-1, ::-1] * W[:, :, m, :].")
def summands(summands):
    for seed in range(3):
        random = np.random.default_rng(seed)
        h, W = random.normal(size=(7, 8, 4)), random.normal(size=(3, 3, 5, 4))
        for i, j, m in ((3, 4, 1), (1, 1, 0), (5, 6, 4)):
            answer = attempt(summands, h.copy(), W.copy(), i, j, m)
            found = numbers(
                answer, "summands(...)", (3, 3, 4), "Return the summands, not their sum."
            )
            wanted = np.zeros((3, 3, 4))
            for d in (-1, 0, 1):
                for e in (-1, 0, 1):
                    wanted[d + 1, e + 1] = h[i - d, j - e] * W[d + 1, e + 1, m]
            # In the order of the kernel, as was asked, or in that of the patch: both are a list of them.
            if same(found, wanted) or same(found, wanted[::-1, ::-1]):
                continue
            patch, kernel = h[i - 1 : i + 2, j - 1 : j + 2], W[:, :, m]
            rows = (
                "Which entry of the patch is h[i - d, j - e] for d = -1? And which of the kernel?"
            )
            refuse(
                found,
                (
                    patch * kernel,
                    "the kernel is not turned round.",
                    rows,
                    "W[0] must meet the patch's last row, and W[:, 0] its last column.",
                ),
                (
                    patch[::-1] * kernel,
                    "rows are turned round, columns are not.",
                    "The formula has a minus for both.",
                    rows,
                ),
                (
                    patch[:, ::-1] * kernel,
                    "columns are turned round, rows are not.",
                    "The formula has a minus for both.",
                    rows,
                ),
                (
                    patch.swapaxes(0, 1) * kernel,
                    "rows and columns are exchanged.",
                    "Turning round is [::-1, ::-1], not a transpose.",
                ),
                (
                    patch[::-1, ::-1, ::-1] * kernel,
                    "the channels are turned round as well.",
                    "Rows and columns only: two axes.",
                ),
            )
            if same(found.sum(), wanted.sum()):
                raise NotYet(
                    "the sum is right, but the summands are not where they belong.",
                    "Each stands at its place in the kernel: row, column, output channel.",
                )
            raise NotYet("the sums differ from g.", rows)
    return "their sums are what the microscope reads, and each stands at its place."
