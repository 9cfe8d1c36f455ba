"""Notebook 12: SmoothGrad's mean, integrated gradients."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxvis.course.check import NotYet, exercise
from jaxvis.course.compare import attempt, numbers, pair, refuse, same


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
