"""Notebook 15: a ReLU with a second derivative, and losses that draw a map elsewhere."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxvis.course.check import NotYet, exercise
from jaxvis.course.compare import attempt, finite, same


@exercise("jax.nn.softplus(beta * z) / beta.")
def smooth_relu(smooth_relu):
    """smooth_relu(z, beta): log(1 + exp(beta z)) / beta."""
    z = np.array([-3.0, -0.5, 0.0, 0.2, 2.0], np.float32)
    wanted = np.logaddexp(0, 4 * z) / 4
    found = finite(attempt(smooth_relu, jnp.asarray(z), 4.0), "the answer", z.shape)
    if same(found, np.maximum(z, 0)):
        raise NotYet(
            "this is the ReLU, corner and all.",
            "Write the formula with a function that minds large numbers: look in jax.nn.",
        )
    if same(found, np.logaddexp(0, 4 * z)):
        raise NotYet("far too steep: it should be about z for large z.", "Divide by beta.")
    if same(found, np.logaddexp(0, z)) or same(found, np.logaddexp(0, z) / 4):
        raise NotYet("beta is not inside.", "beta * z in the brackets of softplus.")
    if not same(found, wanted):
        raise NotYet(
            f"at 0 and beta = 4 wanted log(2) / 4 = {wanted[2]:.3f}, not {found[2]:.3f}.",
            "log(1 + exp(beta z)) / beta.",
        )
    far = np.asarray(attempt(smooth_relu, jnp.asarray([500.0, -500.0], jnp.float32), 10.0))
    if not np.isfinite(far).all() or not same(far, [500, 0]):
        raise NotYet(
            "exp of 5000 is infinite.",
            "jax.nn.softplus, or jnp.logaddexp(0, beta * z), which avoid that.",
        )
    second = jax.grad(jax.grad(lambda z: smooth_relu(z, 4.0)))(0.0)
    if not same(second, 1.0, 1e-3):
        raise NotYet(f"its second derivative at 0 should be beta / 4 = 1, not {float(second):.3g}.")
    return "like a ReLU from afar, and with a second derivative where the corner was."


@exercise("-jnp.log((one * region).sum() / one.sum()) + hold * ((logits - wanted) ** 2).mean().")
def steering_loss(steering_loss):
    """steering_loss(one, region, logits, wanted, hold): -log(share) + hold * squared change."""
    rng = np.random.default_rng(12)
    one = rng.uniform(0.1, 1, (6, 6)).astype(np.float32)
    region = np.zeros((6, 6), np.float32)
    region[:2, :2] = 1
    logits, wanted = (rng.normal(size=5).astype(np.float32) for _ in range(2))

    def of(one: Any, logits: Any, hold: float) -> float:
        arrays = (jnp.asarray(array) for array in (one, region, logits, wanted))
        return float(finite(attempt(steering_loss, *arrays, hold), "the loss", ()))

    share = float((one * region).sum() / one.sum())
    moved = float(((logits - wanted) ** 2).mean())
    found = of(one, wanted, 1.0)
    if same(found, np.log(share)) or same(found, share):
        raise NotYet("a smaller loss would drive the map out of the region.", "Minus the log.")
    if same(found, -np.log((one * region).sum())):
        raise NotYet("not a share: brighter is not nearer.", "Divide by the map's sum.")
    if same(found, -np.log((one * region).mean() / one.mean() * 36 / 4)):
        raise NotYet("the mean over the region in place of the sum.", "Sums, above and below.")
    if same(found, -share) or same(found, 1 - share):
        raise NotYet("a share without its log.", "-jnp.log(share); small shares count more.")
    if not same(found, -np.log(share), 1e-3):
        raise NotYet(
            f"with logits that stay, wanted -log({share:.3f}) = {-np.log(share):.3f}, not {found:.3f}.",
            "share = (one * region).sum() / one.sum().",
        )
    if same(of(one, logits, 2.0), found):
        raise NotYet("the logits may go where they like.", "+ hold * their mean squared change.")
    heavy = of(one, logits, 2.0) - found
    if same(heavy, 2 * float(((logits - wanted) ** 2).sum()), 1e-3):
        raise NotYet("the sum of the squares.", "The mean, whatever the number of classes.")
    if same(heavy, moved, 1e-3):
        raise NotYet("hold does nothing.", "hold * the mean squared change.")
    if same(heavy, 2 * float((logits - wanted).mean()), 1e-3):
        raise NotYet("up and down cancel.", "Square the differences.")
    if not same(heavy, 2 * moved, 1e-3):
        raise NotYet(
            f"the logits' part should be 2 x {moved:.3f} with hold = 2, not {heavy:.3f}.",
            "hold * ((logits - wanted) ** 2).mean().",
        )
    if not same(of(7 * one, wanted, 1.0), found, 1e-3):
        raise NotYet("a map seven times as strong has another loss.", "Divide by its own sum.")
    return "the map is drawn into the region, the logits are held."


@exercise("((one / one.sum() - target / target.sum()) ** 2).mean().")
def distance(distance):
    """distance(one, target): mean squared difference of two maps, each divided by its sum."""
    rng = np.random.default_rng(13)
    one, target = (rng.uniform(0, 1, (6, 7)).astype(np.float32) for _ in range(2))

    def of(a: Any, b: Any) -> float:
        return float(finite(attempt(distance, jnp.asarray(a), jnp.asarray(b)), "the distance", ()))

    a, b = one / one.sum(), target / target.sum()
    wanted = float(((a - b) ** 2).mean())
    found = of(one, target)

    def near(value: float) -> bool:
        return bool(np.isclose(found, value, rtol=1e-3, atol=0))

    if near(((one - target) ** 2).mean()):
        raise NotYet(
            "a map twice as strong would be far from itself.", "Divide each by its own sum."
        )
    if near(np.abs(one - target).mean()):
        raise NotYet(
            "neither divided by its sum nor squared.",
            "Two maps of which one is twice as strong should have the distance 0.",
        )
    if near(((one / one.max() - target / target.max()) ** 2).mean()):
        raise NotYet("divided by the maximum: one pixel decides.", "By the sum.")
    if near(((a - b) ** 2).sum()):
        raise NotYet("the sum of the squares.", "The mean over the pixels.")
    if near(np.abs(a - b).mean()):
        raise NotYet("absolute differences.", "Squared ones, ** 2.")
    if abs(found) < 1e-6 * wanted**0.5:
        raise NotYet("differences cancel: both maps have the sum 1.", "Square them first.")
    if not near(wanted):
        raise NotYet(
            f"wanted {wanted:.3g}, not {found:.3g}.",
            "Each divided by its own sum; then the difference, its square, the mean.",
        )
    if of(5 * one, one) > 1e-9:
        raise NotYet("a map is far from itself times 5.", "Divide both by their own sums.")
    return "what is compared is where a map lies, not how strong it is."
