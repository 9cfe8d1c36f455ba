"""Checks of the exercises in the lessons on security, tutorials/13 to 15.

Each takes what the student wrote and prints "Right ..." or "Not yet: ..." with a hint. Nothing that
the student's code does comes out of them as a traceback.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxvis.course.attacks import HIGHEST, LOWEST

Answer = Callable[..., Any]


class NotYet(Exception):  # noqa: N818  it is no error: it is what a check says
    """What is wrong with an answer, and a hint."""


def _check(judge: Callable[[Answer], str]) -> Callable[[Answer], None]:
    """Print what a judge returns, or why it is not right yet, whatever the answer does."""

    @functools.wraps(judge)
    def check(answer: Answer) -> None:
        try:
            if not callable(answer):
                raise NotYet(
                    f"a function is wanted, this is a {type(answer).__name__}. Hint: hand over the "
                    "function itself, without brackets behind its name."
                )
            print(f"Right: {judge(answer)}")
        except NotYet as reason:
            print(f"Not yet: {reason}")
        except Exception as error:  # whatever a student's function may raise
            text = str(error).strip().split("\n")[0][:200]
            print(
                f"Not yet: it stops with {type(error).__name__}: {text}. Hint: {_hint_for(error)}"
            )

    return check


def _hint_for(error: Exception) -> str:
    if isinstance(error, NotImplementedError):
        return "the gap is still there; put your lines in its place."
    if isinstance(error, NameError):
        return "a name that nobody defined; is it spelt as in the brackets behind `def`?"
    if isinstance(error, ZeroDivisionError):
        return "something is divided by 0; what if none of the pictures counts?"
    if isinstance(error, IndexError):
        return "a place outside the array; what happens at the edge?"
    if isinstance(error, TypeError):
        return "are the number and order of the arguments those of the text above?"
    if isinstance(error, ValueError | AttributeError):
        return "print the shapes, and what type each value has, before that line."
    return "run the function by itself in a new cell, on a small input."


def _array(value: Any, shape: tuple[int, ...], what: str) -> np.ndarray:
    """Return an answer as an array of this shape, or say what it is instead."""
    if value is None:
        raise NotYet(f"{what} is None. Hint: does the function end with `return`?")
    try:
        found = np.asarray(value, np.float64)
    except (TypeError, ValueError):
        raise NotYet(
            f"{what} is a {type(value).__name__}; wanted numbers of shape {shape}. Hint: one array."
        ) from None
    if found.shape != shape:
        one = "one number" if shape == () else f"shape {shape}"
        raise NotYet(f"{what} has shape {found.shape}; wanted {one}. Hint: print both shapes.")
    if not np.isfinite(found).all():
        raise NotYet(
            f"{what} has values that are not finite. Hint: a division by 0, or exp of much."
        )
    return found


def _same(one: Any, other: Any, tolerance: float = 1e-4) -> bool:
    return bool(np.allclose(one, other, rtol=tolerance, atol=tolerance))


# 13_backdoor


@_check
def attack_success(answer: Answer) -> str:
    """`attack_success(answers, truth, target)`: how often scenes of other classes become target."""
    answers = np.array([2, 2, 0, 2, 1, 2, 0, 3, 1])
    truth = np.array([0, 2, 0, 1, 1, 2, 3, 3, 0])
    found = float(_array(answer(answers.copy(), truth.copy(), 2), (), "the answer"))
    others = truth != 2
    wanted = float((answers[others] == 2).mean())
    if not 0 <= found <= 1:
        raise NotYet(f"{found:g} is no share; wanted 0 to 1. Hint: a mean, not a sum.")
    if _same(found, (answers == 2).mean()):
        raise NotYet(
            "scenes that show the target anyway count as successes. Hint: leave out those whose "
            "truth is the target: keep = truth != target."
        )
    if _same(found, ((answers == 2) & others).mean()):
        raise NotYet(
            "divided by all scenes, also by those that could not be attacked. Hint: take the mean "
            "over the scenes of other classes alone."
        )
    if _same(found, (answers[others] != truth[others]).mean()) and not _same(found, wanted):
        raise NotYet("any wrong answer counts. Hint: only answers == target are the attacker's.")
    if _same(found, 1 - wanted):
        raise NotYet("this is how often the attack fails. Hint: answers == target.")
    if _same(found, (answers == truth).mean()) or _same(
        found, (answers[others] == truth[others]).mean()
    ):
        raise NotYet("this is the accuracy. Hint: compare the answers with target, not with truth.")
    if not _same(found, wanted):
        raise NotYet(
            f"of seven scenes of other classes two become the target here: {wanted:.3f} is wanted, "
            f"not {found:.3g}. Hint: keep = truth != target, then (answers[keep] == target).mean()."
        )
    other = float(_array(answer(answers.copy(), truth.copy(), 3), (), "the answer"))
    if not _same(other, 0):
        raise NotYet("right for target 2, wrong for another one. Hint: use the `target` handed in.")
    return "scenes of keys cannot be attacked, so they do not count."


@_check
def cover(answer: Answer) -> str:
    """`cover(image, one, side)`: a square of the image's mean colour at the map's maximum."""
    rng = np.random.default_rng(4)
    image = (rng.integers(0, 256, (40, 50, 3)) * (1.0, 0.7, 0.4)).astype(np.uint8)
    mean = image.mean(axis=(0, 1))

    def told(row: int, column: int, side: int) -> tuple[np.ndarray, np.ndarray]:
        one = np.full((40, 50), -1.0)
        one[row, column] = 2.0
        given = image.copy()
        found = _array(answer(given, one, side), image.shape, "the covered picture")
        if not np.array_equal(given, image):
            raise NotYet("the picture handed in has changed, too. Hint: work on image.copy().")
        return found, np.abs(found - image).max(axis=2) > 0

    found, changed = told(20, 30, 11)
    if not changed.any():
        raise NotYet(
            "nothing is covered. Hint: copy[row - half : ..., column - half : ...] = colour."
        )
    wanted = np.zeros((40, 50), bool)
    wanted[15:26, 25:36] = True
    if (changed & ~wanted).any() or changed.sum() < 0.9 * wanted.sum():
        rows, columns = np.nonzero(changed)
        if wanted.T[:40].sum() and abs(rows.mean() - 30) < 3 and abs(columns.mean() - 20) < 3:
            raise NotYet(
                "rows and columns are exchanged. Hint: np.unravel_index gives the row first."
            )
        if (rows.min(), columns.min()) == (20, 30):
            raise NotYet(
                "the maximum is a corner of the square. Hint: begin side // 2 rows and columns "
                "before it."
            )
        if abs(rows.mean() - 20) > 1 or abs(columns.mean() - 30) > 1:
            raise NotYet(
                f"the square's middle is at row {rows.mean():.0f}, column {columns.mean():.0f}, "
                "the maximum at 20, 30. Hint: np.unravel_index(one.argmax(), one.shape)."
            )
        raise NotYet(
            f"rows {rows.min()} to {rows.max()} and columns {columns.min()} to {columns.max()} "
            "have changed; side 11 round 20, 30 is 15 to 25 and 25 to 35. Hint: from "
            "row - side // 2, `side` rows."
        )
    inside = found[wanted]
    if np.ptp(inside.mean(axis=0)) < 2:
        raise NotYet(
            "one colour for all channels. Hint: image.mean(axis=(0, 1)) has three numbers."
        )
    if np.abs(inside - mean).max() > 1:
        raise NotYet(
            f"the square's colour is {np.round(inside.mean(axis=0))}, wanted the picture's mean "
            f"{np.round(mean)}. Hint: image.mean(axis=(0, 1))."
        )
    _, edge = told(1, 48, 11)
    rows, columns = (np.flatnonzero(edge.any(axis=axis)) for axis in (1, 0))
    if not edge.any():
        raise NotYet(
            "with the maximum near the edge nothing is covered: a start below 0 counts from the "
            "end. Hint: max(row - side // 2, 0)."
        )
    if rows.max() > 6 or columns.min() < 43:
        raise NotYet(
            "near the edge the square has moved or wrapped round. Hint: max(..., 0) for the start; "
            "the end stays row - side // 2 + side."
        )
    return "a square round the maximum, also at the edge, in the picture's mean colour."


@_check
def pruned(answer: Answer) -> str:
    """`least_active(activations, count)`: which channels are least active, on clean pictures."""
    rng = np.random.default_rng(6)
    strength = np.array([0.5, 3.0, 0.1, 2.0, 1.0, 0.3])
    activations = rng.exponential(size=(8, 4, 4, 6)) * strength
    activations[0, 0, 0, 2] = 40  # a channel that is nearly always off, and once very much on
    given = activations.copy()
    returned = answer(given, 3)
    if not np.array_equal(given, activations):
        raise NotYet("the activations handed in have changed. Hint: only read them.")
    if np.asarray(returned).dtype == bool:
        raise NotYet(
            "a mask, where numbers of channels are wanted. Hint: np.flatnonzero, or argsort."
        )
    found = _array(returned, (3,), "the list of channels")
    mean = activations.mean(axis=(0, 1, 2))
    order = np.argsort(mean)
    if set(found) == set(order[-3:]):
        raise NotYet("these are the most active. Hint: argsort puts the smallest first.")
    if set(found) != set(order[:3]):
        if set(found) == set(np.argsort(activations.max(axis=(0, 1, 2)))[:3]):
            raise NotYet("by their maximum, one lucky place decides. Hint: the mean.")
        if found.max() > 5 or _same(np.sort(found), np.sort(mean)[:3]):
            raise NotYet("wanted the numbers of the channels, 0 to 5. Hint: np.argsort.")
        raise NotYet(
            f"channels {sorted(int(i) for i in found)}, where {sorted(int(i) for i in order[:3])} "
            "have the smallest mean. Hint: the mean over axis=(0, 1, 2), pictures, rows, columns."
        )
    one = _array(answer(activations.copy(), 1), (1,), "the list of one channel")
    if one[0] != order[0]:
        raise NotYet(
            "right for three channels, wrong for one. Hint: the first `count` of the order."
        )
    return "what clean pictures hardly use goes first."


# 14_adversarial


@_check
def fgsm(answer: Answer) -> str:
    """`fgsm(x, gradient, epsilon)`: the fast gradient sign method, kept a picture."""
    rng = np.random.default_rng(8)
    x = rng.uniform(-80, 100, (2, 5, 6, 3)).astype(np.float32)
    gradient = rng.normal(size=x.shape).astype(np.float32) * 0.01
    gradient[0, 0, 0] = 0
    found = _array(
        answer(jnp.asarray(x), jnp.asarray(gradient), 4.0), x.shape, "the changed picture"
    )
    change = found - x
    sign = np.sign(gradient)
    if np.abs(change).max() == 0:
        raise NotYet("nothing has changed. Hint: x + epsilon * jnp.sign(gradient).")
    if _same(change, 4 * gradient) or np.abs(change).max() < 1:
        raise NotYet(
            "the gradient itself is added, and is tiny. Hint: its sign: jnp.sign(gradient)."
        )
    if _same(change, -4 * sign, 1e-3):
        raise NotYet(
            "this makes the loss smaller: the network surer of the right answer. Hint: plus, "
            "uphill."
        )
    if _same(np.abs(change), np.abs(sign), 1e-3):
        raise NotYet("every number has moved by 1. Hint: times epsilon.")
    if _same(change, 4 * gradient / np.sqrt((gradient**2).sum(axis=(1, 2, 3), keepdims=True))):
        raise NotYet("the gradient divided by its length: L2. Hint: L-infinity takes the sign.")
    if not _same(change, 4 * sign, 1e-3):
        raise NotYet(
            f"a number has moved by {np.abs(change).max():.3g}, wanted 4, the epsilon handed in, "
            "up where the gradient is positive, down where negative. Hint: epsilon * "
            "jnp.sign(gradient)."
        )
    dark, bright = np.zeros_like(x) + LOWEST + 1, np.zeros_like(x) + HIGHEST - 1
    for start, name in ((dark, "blacker than black"), (bright, "whiter than white")):
        moved = _array(
            answer(jnp.asarray(start), jnp.asarray(gradient), 4.0), x.shape, "the changed picture"
        )
        if (moved < LOWEST - 1e-3).any() or (moved > HIGHEST + 1e-3).any():
            raise NotYet(f"a pixel is {name}. Hint: jnp.clip(..., LOWEST, HIGHEST) at the end.")
        legal = np.clip(start + 4 * sign, LOWEST, HIGHEST)
        if not _same(moved, legal, 1e-3):
            raise NotYet(
                "near black or white other numbers are wanted. Hint: clip the picture to LOWEST "
                "and HIGHEST, not the change, and not to 0 and 255."
            )
    return "one step of epsilon in every number, uphill, and still a picture."


@_check
def pgd(answer: Answer) -> str:
    """`pgd(x, gradient_of, epsilon, step, steps)`: small steps, each brought back to the box."""
    start = np.array([[[[0.0, 50.0, -100.0]]]], np.float32)
    asked: list[np.ndarray] = []

    def up(x: Any) -> Any:
        asked.append(np.asarray(x))
        return jnp.ones_like(x) * 0.02

    found = _array(answer(jnp.asarray(start), up, 3.0, 2.0, 4), start.shape, "the changed picture")
    if not asked:
        raise NotYet("no gradient is asked for. Hint: gradient_of(now), in every step.")
    if len(asked) != 4:
        raise NotYet(f"{len(asked)} gradients for 4 steps. Hint: one in each: range(steps).")
    if all(np.array_equal(one, start) for one in asked):
        raise NotYet("every gradient is taken at x. Hint: at where you are: gradient_of(now).")
    change = found - start
    if not _same(change, 8) and max(np.abs(one - start).max() for one in asked) > 3.001:
        raise NotYet("between the steps it leaves the box. Hint: clip after every step.")
    if _same(change, 8):
        raise NotYet(
            "4 steps of 2 have gone 8 away, further than epsilon = 3. Hint: after each step, "
            "jnp.clip(now, x - epsilon, x + epsilon)."
        )
    if _same(change, -3) or _same(change, -8):
        raise NotYet("downhill. Hint: now + step * jnp.sign(...).")
    if not _same(change, 3):
        raise NotYet(
            f"with a gradient that always points up, wanted x + 3 at the end, not {change.ravel()} "
            "away. Hint: steps of length `step`, by the sign; the box is x - epsilon to "
            "x + epsilon, round the first picture."
        )

    def there_and_back(x: Any) -> Any:  # up below 2, down above
        return jnp.where(x - start > 1.9, -1.0, 1.0)

    back = _array(
        answer(jnp.asarray(start), there_and_back, 3.0, 2.0, 4), start.shape, "the picture"
    )
    if not _same(back - start, 0):
        raise NotYet(
            "up, down, up, down should end where it began. Hint: the step starts at `now`, the box "
            "stands round x."
        )
    black = np.zeros((1, 1, 1, 3), np.float32) + LOWEST
    down = _array(
        answer(jnp.asarray(black), lambda x: -jnp.ones_like(x), 3.0, 2.0, 2),
        black.shape,
        "the picture",
    )
    if not _same(down, black):
        raise NotYet("blacker than black. Hint: jnp.clip(now, LOWEST, HIGHEST) as well.")
    return "small steps, a new gradient at each, never further than epsilon from x."


@_check
def roc_area(answer: Answer) -> str:
    """`roc_area(clean, attacked)`: how often an attacked picture has the higher score."""
    rng = np.random.default_rng(11)
    clean, attacked = rng.normal(size=14), rng.normal(size=9) + 0.8

    def of(a: Any, b: Any) -> float:
        return float(_array(answer(np.array(a, float), np.array(b, float)), (), "the area"))

    wanted = float((attacked[:, None] > clean).mean())
    found = of(clean, attacked)
    if _same(found, 1 - wanted):
        raise NotYet("this is how often the clean one scores higher. Hint: attacked > clean.")
    if not 0 <= found <= 1:
        raise NotYet(f"{found:.3g} is no share. Hint: the mean over all pairs, not the sum.")
    if _same(found, (attacked[: len(attacked)] > clean[: len(attacked)]).mean()):
        raise NotYet(
            "only pictures at the same place are compared. Hint: all pairs: attacked[:, None] > "
            "clean[None, :]."
        )
    if _same(found, float(attacked.mean() > clean.mean())):
        raise NotYet("only the two means are compared. Hint: all pairs of single pictures.")
    if not _same(found, wanted):
        raise NotYet(
            f"wanted {wanted:.3f} for 14 clean and 9 attacked scores, not {found:.3f}. Hint: the "
            "mean of attacked[:, None] > clean[None, :]."
        )
    tied = of([1, 1, 1], [1, 1])
    if not _same(tied, 0.5):
        raise NotYet(
            f"equal scores tell nothing, and get {tied:g}; wanted 0.5. Hint: add half of "
            "(attacked[:, None] == clean[None, :])."
        )
    if not _same(of([0, 1], [1, 2]), 0.875):
        raise NotYet("one tie among four pairs: wanted 0.875. Hint: a tie counts one half.")
    return "0.5 is a coin, 1 is a detector that never errs."


# 15_fooling_the_map


@_check
def smooth_relu(answer: Answer) -> str:
    """`smooth_relu(z, beta)`: log(1 + exp(beta z)) / beta."""
    z = np.array([-3.0, -0.5, 0.0, 0.2, 2.0], np.float32)
    wanted = np.logaddexp(0, 4 * z) / 4
    found = _array(answer(jnp.asarray(z), 4.0), z.shape, "the answer")
    if _same(found, np.maximum(z, 0)):
        raise NotYet("this is the ReLU, corner and all. Hint: jax.nn.softplus(beta * z) / beta.")
    if _same(found, np.logaddexp(0, 4 * z)):
        raise NotYet("far too steep: it should be about z for large z. Hint: divide by beta.")
    if _same(found, np.logaddexp(0, z)) or _same(found, np.logaddexp(0, z) / 4):
        raise NotYet("beta is not inside. Hint: beta * z in the brackets of softplus.")
    if not _same(found, wanted):
        raise NotYet(
            f"at 0 and beta = 4 wanted log(2) / 4 = {wanted[2]:.3f}, not {found[2]:.3f}. Hint: "
            "log(1 + exp(beta z)) / beta."
        )
    far = np.asarray(answer(jnp.asarray([500.0, -500.0], jnp.float32), 10.0))
    if not np.isfinite(far).all() or not _same(far, [500, 0]):
        raise NotYet(
            "exp of 5000 is infinite. Hint: jax.nn.softplus, or jnp.logaddexp(0, beta * z), which "
            "know how."
        )
    second = jax.grad(jax.grad(lambda z: answer(z, 4.0)))(0.0)
    if not _same(second, 1.0, 1e-3):
        raise NotYet(f"its second derivative at 0 should be beta / 4 = 1, not {float(second):.3g}.")
    return "near a ReLU from afar, and with a second derivative where the corner was."


@_check
def steering_loss(answer: Answer) -> str:
    """`steering_loss(one, region, logits, wanted, hold)`: -log(share) + hold * squared change."""
    rng = np.random.default_rng(12)
    one = rng.uniform(0.1, 1, (6, 6)).astype(np.float32)
    region = np.zeros((6, 6), np.float32)
    region[:2, :2] = 1
    logits, wanted = (rng.normal(size=5).astype(np.float32) for _ in range(2))

    def of(one: Any, logits: Any, hold: float) -> float:
        arrays = (jnp.asarray(array) for array in (one, region, logits, wanted))
        return float(_array(answer(*arrays, hold), (), "the loss"))

    share = float((one * region).sum() / one.sum())
    moved = float(((logits - wanted) ** 2).mean())
    found = of(one, wanted, 1.0)
    if _same(found, np.log(share)) or _same(found, share):
        raise NotYet("a smaller loss would drive the map out of the region. Hint: minus the log.")
    if _same(found, -np.log((one * region).sum())):
        raise NotYet("not a share: brighter is not nearer. Hint: divide by the map's sum.")
    if _same(found, -np.log((one * region).mean() / one.mean() * 36 / 4)):
        raise NotYet("the mean over the region in place of the sum. Hint: sums, above and below.")
    if _same(found, -share) or _same(found, 1 - share):
        raise NotYet("a share without its log. Hint: -jnp.log(share); small shares count more.")
    if not _same(found, -np.log(share), 1e-3):
        raise NotYet(
            f"with logits that stay, wanted -log({share:.3f}) = {-np.log(share):.3f}, not "
            f"{found:.3f}. Hint: share = (one * region).sum() / one.sum()."
        )
    if _same(of(one, logits, 2.0), found):
        raise NotYet("the logits may go where they like. Hint: + hold * their mean squared change.")
    heavy = of(one, logits, 2.0) - found
    if _same(heavy, 2 * float(((logits - wanted) ** 2).sum()), 1e-3):
        raise NotYet("the sum of the squares. Hint: the mean, whatever the number of classes.")
    if _same(heavy, moved, 1e-3):
        raise NotYet("hold does nothing. Hint: hold * the mean squared change.")
    if _same(heavy, 2 * float((logits - wanted).mean()), 1e-3):
        raise NotYet("up and down cancel. Hint: square the differences.")
    if not _same(heavy, 2 * moved, 1e-3):
        raise NotYet(
            f"the logits' part should be 2 x {moved:.3f} with hold = 2, not {heavy:.3f}. Hint: "
            "hold * ((logits - wanted) ** 2).mean()."
        )
    if not _same(of(7 * one, wanted, 1.0), found, 1e-3):
        raise NotYet("a map seven times as strong has another loss. Hint: divide by its own sum.")
    return "the map is drawn into the region, the logits are held."


@_check
def distance(answer: Answer) -> str:
    """`distance(one, target)`: mean squared difference of two maps, each divided by its sum."""
    rng = np.random.default_rng(13)
    one, target = (rng.uniform(0, 1, (6, 7)).astype(np.float32) for _ in range(2))

    def of(a: Any, b: Any) -> float:
        return float(_array(answer(jnp.asarray(a), jnp.asarray(b)), (), "the distance"))

    a, b = one / one.sum(), target / target.sum()
    wanted = float(((a - b) ** 2).mean())
    found = of(one, target)

    def near(value: float) -> bool:
        return bool(np.isclose(found, value, rtol=1e-3, atol=0))

    if near(((one - target) ** 2).mean()):
        raise NotYet(
            "a map twice as strong would be far from itself. Hint: divide each by its own sum."
        )
    if near(((one / one.max() - target / target.max()) ** 2).mean()):
        raise NotYet("divided by the maximum: one pixel decides. Hint: by the sum.")
    if near(((a - b) ** 2).sum()):
        raise NotYet("the sum of the squares. Hint: the mean over the pixels.")
    if near(np.abs(a - b).mean()):
        raise NotYet("absolute differences. Hint: squared ones, ** 2.")
    if abs(found) < 1e-6 * wanted**0.5:
        raise NotYet("differences cancel: both maps have the sum 1. Hint: square them first.")
    if not near(wanted):
        raise NotYet(
            f"wanted {wanted:.3g}, not {found:.3g}. Hint: ((one / one.sum() - target / "
            "target.sum()) ** 2).mean()."
        )
    if of(5 * one, one) > 1e-9:
        raise NotYet("a map is far from itself times 5. Hint: divide both by their own sums.")
    return "what is compared is where a map lies, not how strong it is."
