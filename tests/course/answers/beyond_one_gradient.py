"""Notebook 12."""

RIGHT = {
    "mean_gradient": [
        "def mean_gradient(gradient, noisy, image, samples): return sum(gradient(noisy(image, k)) for k in range(samples)) / samples",
        "def mean_gradient(gradient, noisy, image, samples): return np.mean([gradient(noisy(image, k)) for k in range(samples)], axis=0)",
        """
        def mean_gradient(gradient, noisy, image, samples):
            mean = 0
            for number in range(samples):
                mean = mean + (gradient(noisy(image, number)) - mean) / (number + 1)
            return mean
        """,
    ],
    "integrated": [
        """
        def integrated(score, image, baseline, steps):
            total = jnp.zeros_like(image)
            for k in range(steps):
                total += jax.grad(score)(baseline + (k + 0.5) / steps * (image - baseline))
            R = (image - baseline) * total / steps
            return [R, float(R.sum() - score(image) + score(baseline))]
        """,
        """
        def integrated(score, image, baseline, steps):
            alphas = (jnp.arange(steps) + 0.5) / steps
            points = baseline + alphas[:, None] * (image - baseline)
            R = (image - baseline) * jax.vmap(jax.grad(score))(points).mean(axis=0)
            return R, R.sum() - (score(image) - score(baseline))
        """,
        """
        def integrated(score, image, baseline, steps):
            ends = np.linspace(0, 1, steps + 1)
            middles = (ends[1:] + ends[:-1]) / 2
            slopes = [np.asarray(jax.grad(score)((1 - a) * baseline + a * image)) for a in middles]
            R = np.asarray(image - baseline) * np.mean(slopes, 0)
            return R, np.sum(R) - (score(image) - score(baseline))
        """,
    ],
}

MEAN = "def mean_gradient(gradient, noisy, image, samples):\n    return "
WAY = """
def integrated(score, image, baseline, steps):
    gradient = jax.grad(score)
    alphas = ALPHAS
    mean = sum(gradient(PLACE) for a in alphas) / steps
    R = FACTOR * mean
    return R, ERROR
"""


def way(
    alphas="(np.arange(steps) + 0.5) / steps",
    place="baseline + a * (image - baseline)",
    factor="(image - baseline)",
    error="R.sum() - (score(image) - score(baseline))",
):
    return (
        WAY.replace("ALPHAS", alphas)
        .replace("PLACE", place)
        .replace("FACTOR", factor)
        .replace("ERROR", error)
    )


WRONG = {
    "mean_gradient": [
        (MEAN + "sum(gradient(noisy(image, k)) for k in range(samples))", "sum"),
        (
            MEAN + "gradient(sum(noisy(image, k) for k in range(samples)) / samples)",
            "mean of the copies",
        ),
        (
            MEAN + "sum(jnp.abs(gradient(noisy(image, k))) for k in range(samples)) / samples",
            "cancel",
        ),
        (MEAN + "sum(gradient(noisy(image, k)) for k in range(samples)) / 5", "samples"),
        (MEAN + "sum(gradient(image) for k in range(samples)) / samples", "image itself"),
        (MEAN + "sum(gradient(noisy(image, 0)) for k in range(samples)) / samples", "every copy"),
        (
            MEAN + "sum(gradient(noisy(image, k)) for k in range(1, samples + 1)) / samples",
            "start at 0|samples - 1|first copy",
        ),
        (MEAN + "np.mean([gradient(noisy(image, k)) for k in range(samples)])", "shape"),
        (MEAN + "sum(gradient(noise(image, k)) for k in range(samples)) / samples", "NameError"),
    ],
    "integrated": [
        (way(factor="image"), "factor in front"),
        (way(factor="1"), "without the factor"),
        (way(place="a * image"), "starts at 0"),
        (way(alphas="np.arange(steps) / steps"), "ends of the steps"),
        (way(alphas="np.linspace(0, 1, steps)"), "ends of the steps"),
        (way(error="R.sum()"), "sum of R"),
        (way(error="score(image) - score(baseline) - R.sum()"), "wrong sign"),
        (way(error="abs(R.sum() - (score(image) - score(baseline)))"), "sign"),
        (way(error="R.sum() - score(image)"), "baseline"),
        (way().replace(" / steps\n    R", "\n    R"), "too large"),
        (way().replace("return R, ", "return "), "two things"),
    ],
}
