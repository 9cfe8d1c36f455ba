"""Notebook 16: occlusion, LRP's epsilon rule."""

import numpy as np

from jaxvis.course.check import NotYet, exercise
from jaxvis.course.compare import attempt, numbers, refuse, same, unchanged


@exercise(
    "covered = np.array(image); covered[row : row + window, column : column + window] = fill."
)
def occlude(occlude):
    random = np.random.default_rng(0)
    for height, width, window in ((6, 9, 3), (8, 8, 4), (5, 7, 2)):
        image = random.uniform(1, 2, size=(height, width, 3))
        of_pixels = random.normal(size=image.shape)

        def score(image, of_pixels=of_pixels):
            return float((of_pixels * np.asarray(image)).sum())

        def losses(
            fill, factor=1.0, channels=slice(None), image=image, of_pixels=of_pixels, window=window
        ):
            each = (of_pixels * (image - fill))[..., channels].sum(axis=-1)
            result = np.zeros(each.shape)
            for row in range(0, each.shape[0], window):
                for column in range(0, each.shape[1], window):
                    square = slice(row, row + window), slice(column, column + window)
                    result[square] = each[square].sum()
            return factor * result

        hints = {
            "read-only": ("np.array(image) is a copy that can be written to.",),
            "immutable": ("np.array(image) is a copy that can be written to.",),
        }
        for fill in (0.0, 0.5):
            given = image.copy()
            arguments = (score, given, window) if fill == 0 else (score, given, window, fill)
            found = numbers(
                attempt(occlude, *arguments, hints=hints),
                "the losses",
                (height, width),
                "One number for each pixel.",
            )
            if not np.array_equal(given, image):
                raise NotYet(
                    "the image itself has been covered.",
                    "A fresh copy for each square, before you write into it.",
                    "covered = np.array(image).",
                )
            wanted = losses(fill)
            if same(found, wanted):
                continue
            refuse(
                found,
                (
                    np.zeros_like(wanted),
                    "nothing is lost.",
                    "Fill the square, in a copy of the image.",
                ),
                (
                    losses(fill, -1.0),
                    "the sign is turned round.",
                    "The score of the image, less that of the covered copy.",
                ),
                (
                    losses(0.0),
                    f"right for a fill of 0, wrong for {fill}.",
                    "Write `fill` into the square.",
                ),
                (
                    losses(fill, channels=slice(0, 1)),
                    "only one channel is covered.",
                    "All of a square's channels: no third index is needed.",
                ),
            )
            alone = np.full_like(wanted, score(image)) - score(np.full_like(image, fill))
            if same(found, alone):
                raise NotYet(
                    "all is covered every time.",
                    "One square at a time: rows from `row`, columns from `column`.",
                )
            raise NotYet(
                "the losses are other ones.",
                "Cover one square at a time, in a fresh copy, all its channels.",
            )
    return "of a score that is a weighted sum, each square loses its own part."


@exercise("a * (W @ (R / (z + np.where(z < 0, -epsilon, epsilon)))).")
def epsilon_rule(epsilon_rule):
    for seed in (21, 22, 23):
        random = np.random.default_rng(seed)
        a, W, R = random.normal(size=5), random.normal(size=(5, 4)), random.normal(size=4)
        W[:, 3], R[3] = 0, 0  # a unit whose z is 0, and which has no relevance

        def shared_out(epsilon, sign=lambda z: 1 if z >= 0 else -1, a=a, W=W, R=R):
            found = np.zeros(5)
            for m in range(5):
                for k in range(4):
                    z = sum(a[i] * W[i, k] for i in range(5))
                    found[m] += a[m] * W[m, k] / (z + epsilon * sign(z)) * R[k]
            return found

        given = a.copy(), W.copy(), R.copy()
        fine, coarse = (
            numbers(
                attempt(epsilon_rule, *given, epsilon),
                "epsilon_rule(...)",
                (5,),
                "One number for each input; W @ (one for each unit) has that shape.",
            )
            for epsilon in (1e-6, 0.5)
        )
        for now, before, what in zip(given, (a, W, R), ("a", "W", "R"), strict=True):
            unchanged(now, before, what)
        if not np.isfinite(fine).all():
            raise NotYet(
                "a unit whose z is 0 divides by 0.",
                "What is the sign of 0? np.sign(0) is 0; here it is 1.",
                "np.where(z < 0, -epsilon, epsilon).",
            )
        z = (a @ W)[:3]
        refuse(
            fine,
            (
                W @ R,
                "R is not divided by z, and the inputs are not asked.",
                "A summand is an input times its weight; its share is that over z.",
            ),
            (a * (W @ R), "R is not divided by z.", "A share is a summand over their sum, z."),
            (
                W[:, :3] @ (R[:3] / z),
                "weights alone are no summands.",
                "Each weight times its input.",
            ),
            (
                a @ W @ R / 4 * np.ones(5),
                "every input gets the same.",
                "Each according to its share.",
            ),
        )
        if same(fine, shared_out(1e-6), 1e-3) and same(coarse, shared_out(0.5)):
            continue
        if same(fine, shared_out(1e-6), 1e-3):
            refuse(
                coarse,
                (
                    shared_out(0.5, lambda z: 1),
                    "epsilon brings a negative z nearer to 0.",
                    "It has the sign of z.",
                ),
                (
                    shared_out(1e-6),
                    "epsilon has no effect.",
                    "Use the argument.",
                    "z + epsilon where z is 0 or more, z - epsilon where it is below.",
                ),
                (
                    shared_out(0.5, lambda z: -1 if z >= 0 else 1),
                    "epsilon has the wrong sign.",
                    "It makes the denominator larger: away from 0.",
                ),
                tolerance=1e-3,
            )
            raise NotYet(
                "right for a tiny epsilon, wrong for 0.5.",
                "z + epsilon where z is 0 or more, z - epsilon where it is below.",
            )
        raise NotYet(
            f"the inputs get {fine.round(3)}; {shared_out(1e-6).round(3)} is expected.",
            "Input m gets a_m W_mk / z_k of each R_k: the shares of all units added up.",
        )
    return "shares that add up to what came in, but for what epsilon keeps."
