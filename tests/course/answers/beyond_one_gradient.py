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
    "occlude": [
        """
        def occlude(score, image, window, fill=0.0):
            losses = np.zeros(image.shape[:2])
            before = score(image)
            for row in range(0, len(image), window):
                for column in range(0, image.shape[1], window):
                    covered = image.copy()
                    covered[row : row + window, column : column + window, :] = fill
                    losses[row : row + window, column : column + window] = before - score(covered)
            return losses
        """,
        """
        def occlude(score, image, window, fill=0.0):
            image = jnp.asarray(image)
            losses = np.zeros(image.shape[:2])
            for row in range(0, image.shape[0], window):
                for column in range(0, image.shape[1], window):
                    square = np.s_[row : row + window, column : column + window]
                    losses[square] = score(image) - score(image.at[square].set(fill))
            return losses
        """,
        """
        def occlude(score, image, window, fill=0.0):
            rows, columns = np.indices(image.shape[:2]) // window
            losses = np.zeros(image.shape[:2])
            for r in range(rows.max() + 1):
                for c in range(columns.max() + 1):
                    here = (rows == r) & (columns == c)
                    losses[here] = score(image) - score(np.where(here[..., None], fill, image))
            return losses
        """,
    ],
    "epsilon_rule": [
        """
        def epsilon_rule(x, W, R, epsilon=1e-6):
            z = x @ W
            sign = np.sign(z)
            sign[sign == 0] = 1
            return (x[:, None] * W / (z + epsilon * sign)) @ R
        """,
        "def epsilon_rule(a, W, R, epsilon=1e-6): z = a @ W; return jnp.einsum('m,mk,k->m', a, W, R / (z + jnp.where(z >= 0, epsilon, -epsilon)))",
        """
        def epsilon_rule(a, W, R, epsilon=1e-6):
            found = []
            for m in range(len(a)):
                total = 0.0
                for k in range(len(R)):
                    z = float(np.dot(a, W[:, k]))
                    total += a[m] * W[m, k] / (z + (epsilon if z >= 0 else -epsilon)) * R[k]
                found.append(total)
            return found
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
COVER = """
def occlude(score, image, window, fill=0.0):
    losses = np.zeros(image.shape[:2])
    for row in range(0, image.shape[0], window):
        for column in range(0, image.shape[1], window):
            covered = np.array(image)
            covered[row : row + window, column : column + window] = fill
            losses[row : row + window, column : column + window] = score(image) - score(covered)
    return losses
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


EPS = "def epsilon_rule(a, W, R, epsilon=1e-6):\n    z = a @ W\n    return "
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
    "occlude": [
        (COVER.replace("np.array(image)", "image"), "image itself"),
        (COVER.replace("score(image) - score(covered)", "score(covered) - score(image)"), "sign"),
        (COVER.replace("] = fill", "] = 0"), "wrong for 0.5"),
        (
            COVER.replace(
                "column : column + window] = fill", "column : column + window, 0] = fill"
            ),
            "one channel",
        ),
        (
            COVER.replace(
                "covered[row : row + window, column : column + window] = fill",
                "covered[...] = fill",
            ),
            "all is covered",
        ),
        (COVER.replace("np.array(image)", "jnp.array(image)"), "stops with"),
        (
            COVER.replace("            covered = np.array(image)\n", "").replace(
                "    losses = np", "    covered = np.array(image)\n    losses = np"
            ),
            "other ones",
        ),
        (COVER.replace("    return losses\n", ""), "nothing back"),
    ],
    "epsilon_rule": [
        (EPS + "a * (W @ R)", "not divided"),
        (EPS + "W @ (R / (z + np.where(z < 0, -epsilon, epsilon)))", "no summands"),
        (EPS + "a * (W @ (R / (z + epsilon)))", "nearer to 0"),
        (EPS + "a * (W @ (R / (z + epsilon * np.sign(z))))", "divides by 0"),
        (EPS + "a * (W @ (R / (z + np.where(z < 0, -1e-6, 1e-6))))", "no effect"),
        (EPS + "a * (W @ (R / (z - np.where(z < 0, -epsilon, epsilon))))", "wrong sign|inputs get"),
        (EPS + "(a * W) @ (R / z)", "stops with"),
        (EPS + "a @ W @ R", "shape"),
    ],
}
