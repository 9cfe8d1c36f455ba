"""Notebook 12: SmoothGrad's mean, integrated gradients, occlusion, LRP's epsilon rule."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxvis.course.check import NotYet, exercise
from jaxvis.course.compare import attempt, numbers, pair, refuse, same, unchanged


@exercise(
    "Add up gradient(noisy(image, number)) for number 0 to samples - 1, and divide by samples."
)
def mean_gradient(mean_gradient):
    for seed in range(2):
        random = np.random.default_rng(seed)
        image = jnp.array(random.normal(size=(2, 3)), jnp.float32)
        shifts = random.normal(0, 2, 6)

        def gradient(image):
            return image**3

        def noisy(image, number, shifts=shifts):
            return image + shifts[number]

        def with_all(samples, change=lambda one: one, shifts=shifts, image=image):
            return np.asarray(sum(change(gradient(image + shift)) for shift in shifts[:samples]))

        for samples in (5, 2, 1, 6):
            answer = attempt(
                mean_gradient,
                gradient,
                noisy,
                image,
                samples,
                hints={"IndexError": ("The numbers run from 0 to samples - 1.",)},
            )
            found = numbers(
                answer, "mean_gradient(...)", image.shape, "Arrays are added up, and no numbers."
            )
            if same(found, with_all(samples) / samples):
                continue
            refuse(
                found,
                (with_all(samples), "this is the sum.", "A mean: divide at the end."),
                (
                    samples * gradient(image),
                    "the gradient is taken at the image itself, and added up.",
                    "At a noisy copy, noisy(image, number); then divide the sum.",
                ),
                (
                    gradient(image),
                    "the gradient is taken at the image itself.",
                    "At a noisy copy: noisy(image, number).",
                ),
                (
                    gradient(image + shifts[:samples].mean()),
                    "this is the gradient at the mean of the copies.",
                    "First the gradient of each copy, then the mean.",
                ),
                (
                    with_all(samples, jnp.abs) / samples,
                    "positive and negative gradients no longer cancel.",
                    "Leave the signs; the absolute value comes after the mean.",
                ),
                (
                    gradient(image + shifts[0]),
                    "every copy is the same.",
                    "noisy(image, number): the number of this copy.",
                ),
                (
                    with_all(samples) / 5,
                    "right for five samples, wrong for others.",
                    "Divide by `samples`.",
                ),
                (
                    gradient(image + shifts[samples - 1]),
                    "only the last copy counts.",
                    "Add it to what there is.",
                ),
            )
            if len(shifts) > samples and same(
                found,
                np.asarray(sum(gradient(image + s) for s in shifts[1 : samples + 1])) / samples,
            ):
                raise NotYet(
                    "the first copy is left out.", "The numbers start at 0: range(samples)."
                )
            raise NotYet(
                f"wrong for {samples} samples.",
                "The mean of what the gradient is at each of the noisy copies.",
            )
    return "the mean of what the gradient is at the noisy copies."


@exercise(
    "alphas = (np.arange(steps) + 0.5) / steps; R = (image - baseline) * the mean of gradient(baseline + alpha * (image - baseline))."
)
def integrated(integrated):
    weights = jnp.array([1.0, -2.0, 0.5])

    def cubic(a):
        return (weights * a**3).sum() + a[0] * a[1]

    def lamps(both):
        return 1 - jax.nn.relu(1 - both[0] - both[1])

    cases = [
        (cubic, jnp.array([1.0, 2.0, -1.0]), jnp.array([0.5, -1.0, 1.0]), 4),
        (cubic, jnp.array([-0.5, 1.0, 2.0]), jnp.array([0.25, 0.5, -1.0]), 7),
        (lamps, jnp.ones(2), jnp.zeros(2), 6),
    ]
    for score, end, start, steps in cases:

        def by_rule(places, along=None, factor=None, score=score, end=end, start=start):
            factor = end - start if factor is None else factor
            along = along or (lambda alpha: start + alpha * (end - start))
            return np.asarray(
                factor * sum(jax.grad(score)(along(alpha)) for alpha in places) / len(places)
            )

        middles = (np.arange(steps) + 0.5) / steps
        rise = float(score(end) - score(start))
        both = pair(
            attempt(integrated, score, end, start, steps),
            "what integrated returns",
            "Return R, error.",
        )
        R = numbers(both[0], "R", end.shape, "R has one number for each of the image's.")
        error = numbers(both[1], "the error", (), "The error is one number: R.sum() less the rise.")
        wanted = by_rule(middles)
        if not same(R, wanted):
            refuse(
                R,
                (
                    end * jax.grad(score)(end),
                    "this is gradient x input.",
                    "The gradient is to be taken in the middles of the steps, and averaged.",
                ),
                (
                    (end - start) * jax.grad(score)(end),
                    "the gradient is taken at the image alone.",
                    "In the middle of each step, and averaged.",
                ),
                (
                    by_rule(middles, factor=end),
                    "the factor in front is the image.",
                    "image - baseline.",
                ),
                (
                    by_rule(middles, factor=1),
                    "a mean gradient, without the factor.",
                    "Times (image - baseline).",
                ),
                (
                    by_rule(middles, factor=start - end),
                    "the sign is the other way round.",
                    "image - baseline, from the baseline to the image.",
                ),
                (
                    by_rule(middles, along=lambda alpha, end=end: alpha * end),
                    "the way starts at 0.",
                    "It starts at the baseline: baseline + alpha * (image - baseline).",
                ),
                (
                    steps * wanted,
                    "`steps` times too large.",
                    "The mean of the gradients, not their sum.",
                ),
                *(
                    (
                        by_rule(places),
                        "these are ends of the steps, not their middles.",
                        "The middle of step k is (k + 1/2) / n.",
                    )
                    for places in (
                        np.arange(steps) / steps,
                        np.arange(1, steps + 1) / steps,
                        np.linspace(0, 1, steps),
                    )
                ),
                (
                    by_rule(np.linspace(0, 1, steps + 1)),
                    "these are ends of the steps, not their middles.",
                    "The middle of step k is (k + 1/2) / n.",
                ),
            )
            if score is lamps:
                raise NotYet(
                    "the two lamps should get one half each.",
                    "Use the arguments, and no numbers of your own.",
                )
            raise NotYet(
                f"R is {R.round(3)}; the midpoint rule with {steps} steps gives {wanted.round(3)}.",
                "The formula has a factor, a mean, and points between baseline and image.",
            )
        missed = float(wanted.sum()) - rise
        if same(error, missed, 1e-3) or abs(float(error) - missed) < 1e-5:
            continue
        refuse(
            error,
            (R.sum(), "R is right; the error is the sum of R.", "What should R.sum() be?"),
            (
                -missed,
                "R is right; the error has the wrong sign.",
                "What was added up, less what it should be.",
            ),
            (abs(missed), "R is right; the error has lost its sign.", "No absolute value."),
            (
                R.sum() - float(score(end)),
                "R is right; the error forgets the score of the baseline.",
                "The rise is score(image) - score(baseline).",
            ),
            tolerance=1e-3,
        )
        raise NotYet(
            "R is right; the error is not.",
            "R.sum() less the rise, score(image) - score(baseline).",
        )
    return "R adds up to the rise but for the error; and the two lamps share their light, one half each."


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
