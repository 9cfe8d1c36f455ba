"""Notebook 13: how often an attack succeeds, what is under a map's maximum, which channels sleep."""

import numpy as np

from jaxvis.course.check import NotYet, exercise
from jaxvis.course.compare import attempt, finite, same, unchanged


@exercise("keep = truth != target; return (answers[keep] == target).mean().")
def attack_success(attack_success):
    """attack_success(answers, truth, target): how often pictures of other classes become target."""
    answers = np.array([2, 2, 0, 2, 1, 2, 0, 3, 1])
    truth = np.array([0, 2, 0, 1, 1, 2, 3, 3, 0])

    def of(target: int) -> float:
        answer = attempt(attack_success, answers.copy(), truth.copy(), target)
        return float(finite(answer, "the answer", ()))

    found = of(2)
    others = truth != 2
    wanted = float((answers[others] == 2).mean())
    if not 0 <= found <= 1:
        raise NotYet(f"{found:g} is no share; wanted 0 to 1.", "A mean, not a sum.")
    if same(found, (answers == 2).mean()):
        raise NotYet(
            "pictures that show the target anyway count as successes.",
            "Leave them out of both numbers: what is counted, and what it is divided by.",
        )
    if same(found, ((answers == 2) & others).mean()):
        raise NotYet(
            "divided by all pictures, also by those that could not be attacked.",
            "Take the mean over the pictures of other classes alone.",
        )
    if same(found, (answers[others] != truth[others]).mean()) and not same(found, wanted):
        raise NotYet("any wrong answer counts.", "Only answers == target are the attacker's.")
    if same(found, 1 - wanted):
        raise NotYet("this is how often the attack fails.", "answers == target.")
    if same(found, (answers == truth).mean()) or same(
        found, (answers[others] == truth[others]).mean()
    ):
        raise NotYet("this is the accuracy.", "Compare the answers with target, not with truth.")
    if not same(found, wanted):
        raise NotYet(
            f"here two of seven pictures of other classes become the target: {wanted:.3f} is wanted, not {found:.3g}.",
            "keep = truth != target, then (answers[keep] == target).mean().",
        )
    if not same(of(3), 0):
        raise NotYet("right for target 2, wrong for another one.", "Use the `target` handed in.")
    return "pictures of keys cannot be attacked, so they do not count."


@exercise(
    "row, column = np.unravel_index(one.argmax(), one.shape); from max(row - side // 2, 0) to row - side // 2 + side, and so for the columns."
)
def cover(cover):
    """cover(image, one, side): a square of the image's mean colour at the map's maximum."""
    rng = np.random.default_rng(4)
    image = (rng.integers(0, 256, (40, 50, 3)) * (1.0, 0.7, 0.4)).astype(np.uint8)
    mean = image.mean(axis=(0, 1))

    def told(row: int, column: int, side: int) -> tuple[np.ndarray, np.ndarray]:
        one = np.full((40, 50), -1.0)
        one[row, column] = 2.0
        given = image.copy()
        found = finite(attempt(cover, given, one, side), "the covered picture", image.shape)
        unchanged(given, image, "the picture")
        return found, np.abs(found - image).max(axis=2) > 0

    found, changed = told(20, 30, 11)
    if not changed.any():
        raise NotYet(
            "nothing is covered.", "Where is the map's maximum? A square round it gets one colour."
        )
    wanted = np.zeros((40, 50), bool)
    wanted[15:26, 25:36] = True
    if (changed & ~wanted).any() or changed.sum() < 0.9 * wanted.sum():
        rows, columns = np.nonzero(changed)
        if abs(rows.mean() - 30) < 3 and abs(columns.mean() - 20) < 3:
            raise NotYet("rows and columns are exchanged.", "np.unravel_index gives the row first.")
        if (rows.min(), columns.min()) == (20, 30):
            raise NotYet(
                "the maximum is at a corner of the square.",
                "Begin side // 2 rows and columns before it.",
            )
        if abs(rows.mean() - 20) > 1 or abs(columns.mean() - 30) > 1:
            raise NotYet(
                f"the square's middle is at row {rows.mean():.0f}, column {columns.mean():.0f}, the maximum at 20, 30.",
                "np.unravel_index(one.argmax(), one.shape).",
            )
        raise NotYet(
            f"rows {rows.min()} to {rows.max()} and columns {columns.min()} to {columns.max()} have changed; side 11 round 20, 30 is 15 to 25 and 25 to 35.",
            "From row - side // 2, `side` rows.",
        )
    inside = found[wanted]
    if np.ptp(inside.mean(axis=0)) < 2:
        raise NotYet("one colour for all channels.", "image.mean(axis=(0, 1)) has three numbers.")
    if np.abs(inside - mean).max() > 1:
        raise NotYet(
            f"the square's colour is {np.round(inside.mean(axis=0))}, wanted the picture's mean {np.round(mean)}.",
            "image.mean(axis=(0, 1)).",
        )
    _, edge = told(1, 48, 11)
    rows, columns = (np.flatnonzero(edge.any(axis=axis)) for axis in (1, 0))
    if not edge.any():
        raise NotYet(
            "with the maximum near the edge nothing is covered: a start below 0 counts from the end.",
            "max(row - side // 2, 0).",
        )
    if rows.max() > 6 or columns.min() < 43:
        raise NotYet(
            "near the edge the square has moved or wrapped round.",
            "max(..., 0) for the start; the end stays row - side // 2 + side.",
        )
    return "a square round the maximum, also at the edge, in the picture's mean colour."


@exercise("np.argsort(activations.mean(axis=(0, 1, 2)))[:count].")
def least_active(least_active):
    """least_active(activations, count): which channels are least active, on clean pictures."""
    rng = np.random.default_rng(6)
    strength = np.array([0.5, 3.0, 0.1, 2.0, 1.0, 0.3])
    activations = rng.exponential(size=(8, 4, 4, 6)) * strength
    activations[0, 0, 0, 2] = 40  # a channel that is nearly always off, and once very much on
    given = activations.copy()
    returned = attempt(least_active, given, 3)
    unchanged(given, activations, "the activations")
    if np.asarray(returned).dtype == bool:
        raise NotYet("a mask, where numbers of channels are wanted.", "np.flatnonzero, or argsort.")
    found = finite(returned, "the list of channels", (3,))
    mean = activations.mean(axis=(0, 1, 2))
    order = np.argsort(mean)
    if set(found) == set(order[-3:]):
        raise NotYet("these are the most active.", "argsort puts the smallest first.")
    if set(found) != set(order[:3]):
        if set(found) == set(np.argsort(activations.max(axis=(0, 1, 2)))[:3]):
            raise NotYet("by their maximum: one lucky place decides.", "By their mean.")
        if found.max() > 5 or same(np.sort(found), np.sort(mean)[:3]):
            raise NotYet("wanted the numbers of the channels, 0 to 5.", "np.argsort.")
        raise NotYet(
            f"channels {sorted(int(i) for i in found)}, where {sorted(int(i) for i in order[:3])} have the smallest mean.",
            "One mean for each channel: over pictures, rows and columns at once.",
        )
    one = finite(attempt(least_active, activations.copy(), 1), "the list of one channel", (1,))
    if one[0] != order[0]:
        raise NotYet("right for three channels, wrong for one.", "The first `count` of the order.")
    return "what clean pictures hardly use goes first."
