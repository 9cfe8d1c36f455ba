"""Notebook 14: one step against the network, many of them, and how well a detector does."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxvis.course.attacks import HIGHEST, LOWEST
from jaxvis.course.check import NotYet, exercise
from jaxvis.course.compare import attempt, finite, same


@exercise("jnp.clip(x + epsilon * jnp.sign(gradient), LOWEST, HIGHEST).")
def fgsm(fgsm):
    """fgsm(x, gradient, epsilon): the fast gradient sign method, kept a picture."""
    rng = np.random.default_rng(8)
    x = rng.uniform(-80, 100, (2, 5, 6, 3)).astype(np.float32)
    gradient = rng.normal(size=x.shape).astype(np.float32) * 0.01
    gradient[0, 0, 0] = 0
    found = finite(
        attempt(fgsm, jnp.asarray(x), jnp.asarray(gradient), 4.0), "the changed picture", x.shape
    )
    change = found - x
    sign = np.sign(gradient)
    if np.abs(change).max() == 0:
        raise NotYet("nothing has changed.", "x + epsilon * jnp.sign(gradient).")
    if same(change, 4 * gradient) or np.abs(change).max() < 1:
        raise NotYet("the gradient itself is added, and is tiny.", "Its sign: jnp.sign(gradient).")
    if same(change, -4 * sign, 1e-3):
        raise NotYet(
            "this makes the loss smaller: the network surer of the right answer.", "Plus, uphill."
        )
    if same(np.abs(change), np.abs(sign), 1e-3):
        raise NotYet("every number has moved by 1.", "Times epsilon.")
    if same(change, 4 * gradient / np.sqrt((gradient**2).sum(axis=(1, 2, 3), keepdims=True))):
        raise NotYet("the gradient divided by its length: L2.", "FGSM takes the sign alone.")
    if not same(change, 4 * sign, 1e-3):
        raise NotYet(
            f"a number has moved by {np.abs(change).max():.3g}, wanted 4, the epsilon handed in, up where the gradient is positive, down where negative.",
            "epsilon * jnp.sign(gradient).",
        )
    dark, bright = np.zeros_like(x) + LOWEST + 1, np.zeros_like(x) + HIGHEST - 1
    for start, name in ((dark, "blacker than black"), (bright, "whiter than white")):
        moved = finite(
            attempt(fgsm, jnp.asarray(start), jnp.asarray(gradient), 4.0),
            "the changed picture",
            x.shape,
        )
        if (moved < LOWEST - 1e-3).any() or (moved > HIGHEST + 1e-3).any():
            raise NotYet(f"a pixel is {name}.", "jnp.clip(..., LOWEST, HIGHEST) at the end.")
        legal = np.clip(start + 4 * sign, LOWEST, HIGHEST)
        if not same(moved, legal, 1e-3):
            raise NotYet(
                "near black or white other numbers are wanted.",
                "Clip the picture to LOWEST and HIGHEST, not the change, and not to 0 and 255.",
            )
    return "one step of epsilon in every number, uphill, and still a picture."


@exercise(
    "In every step: now + step * jnp.sign(gradient_of(now)), clipped to x - epsilon and x + epsilon, then to LOWEST and HIGHEST."
)
def pgd(pgd):
    """pgd(x, gradient_of, epsilon, step, steps): small steps, each brought back to near x."""
    start = np.array([[[[0.0, 50.0, -100.0]]]], np.float32)
    asked: list[np.ndarray] = []

    def up(x: Any) -> Any:
        asked.append(np.asarray(x))
        return jnp.ones_like(x) * 0.02

    found = finite(
        attempt(pgd, jnp.asarray(start), up, 3.0, 2.0, 4), "the changed picture", start.shape
    )
    if not asked:
        raise NotYet("no gradient is asked for.", "gradient_of(now), in every step.")
    if len(asked) != 4:
        raise NotYet(f"{len(asked)} gradients for 4 steps.", "One in each: range(steps).")
    if all(np.array_equal(one, start) for one in asked):
        raise NotYet("every gradient is taken at x.", "Take it where you are by now.")
    change = found - start

    def gone(by: float) -> bool:
        return same(change, np.full_like(change, by))

    if not gone(8) and max(np.abs(one - start).max() for one in asked) > 3.001:
        raise NotYet("between the steps it goes too far.", "Clip after every step.")
    if gone(8):
        raise NotYet(
            "4 steps of 2 have gone 8 away, further than epsilon = 3.",
            "After each step, jnp.clip(now, x - epsilon, x + epsilon).",
        )
    if gone(-3) or gone(-8):
        raise NotYet("downhill.", "now + step * jnp.sign(...).")
    if not gone(3):
        raise NotYet(
            f"with a gradient that always points up, wanted x + 3 at the end, not {change.ravel()} away.",
            "Steps of length `step`, by the sign; the limits are x - epsilon and x + epsilon, x the first picture.",
        )

    def there_and_back(x: Any) -> Any:  # up below 2, down above
        return jnp.where(x - start > 1.9, -1.0, 1.0)

    back = finite(
        attempt(pgd, jnp.asarray(start), there_and_back, 3.0, 2.0, 4), "the picture", start.shape
    )
    if not same(back, start):
        raise NotYet(
            "up, down, up, down should end where it began.",
            "The step starts at `now`, the limits are those of x.",
        )
    black = np.zeros((1, 1, 1, 3), np.float32) + LOWEST
    down = finite(
        attempt(pgd, jnp.asarray(black), lambda x: -jnp.ones_like(x), 3.0, 2.0, 2),
        "the picture",
        black.shape,
    )
    if not same(down, black):
        raise NotYet("blacker than black.", "jnp.clip(now, LOWEST, HIGHEST) as well.")
    return "small steps, a new gradient at each, never further than epsilon from x."


@exercise("(attacked[:, None] > clean).mean() + 0.5 * (attacked[:, None] == clean).mean().")
def roc_area(roc_area):
    """roc_area(clean, attacked): how often an attacked picture has the higher score."""
    rng = np.random.default_rng(11)
    clean, attacked = rng.normal(size=14), rng.normal(size=9) + 0.8

    def of(a: Any, b: Any) -> float:
        return float(
            finite(attempt(roc_area, np.array(a, float), np.array(b, float)), "the area", ())
        )

    wanted = float((attacked[:, None] > clean).mean())
    found = of(clean, attacked)
    if same(found, 1 - wanted):
        raise NotYet("this is how often the clean one scores higher.", "attacked > clean.")
    if not 0 <= found <= 1:
        raise NotYet(f"{found:.3g} is no share.", "The mean over all pairs, not the sum.")
    if same(found, (attacked > clean[: len(attacked)]).mean()):
        raise NotYet(
            "only pictures at the same place are compared.",
            "All pairs: attacked[:, None] > clean[None, :].",
        )
    if same(found, float(attacked.mean() > clean.mean())):
        raise NotYet("only the two means are compared.", "All pairs of single pictures.")
    if not same(found, wanted):
        raise NotYet(
            f"wanted {wanted:.3f} for 14 clean and 9 attacked scores, not {found:.3f}.",
            "The mean of attacked[:, None] > clean[None, :].",
        )
    tied = of([1, 1, 1], [1, 1])
    if not same(tied, 0.5):
        raise NotYet(
            f"equal scores tell nothing, and get {tied:g}; wanted 0.5.",
            "Add half of (attacked[:, None] == clean[None, :]).",
        )
    if not same(of([0, 1], [1, 2]), 0.875):
        raise NotYet("one tie among four pairs: wanted 0.875.", "A tie counts one half.")
    return "0.5 is a coin; at 1 every attacked picture is above every honest one."
