"""Notebook 07."""

RIGHT = {
    "points_at": [
        """
        def points_at(one, mask, tolerance=15):
            if one.max() <= 0:
                return False
            row, column = np.unravel_index(one.argmax(), one.shape)
            return any((r - row) ** 2 + (c - column) ** 2 <= tolerance**2 for r, c in np.argwhere(mask))
        """,
        """
        def points_at(one, mask, tolerance=15):
            row, column = np.unravel_index(one.argmax(), one.shape)
            rows, columns = np.indices(one.shape)
            disc = np.sqrt((rows - row) ** 2 + (columns - column) ** 2) <= tolerance
            return int((disc & mask).any() and one.max() > 0)
        """,
        # a window of whole pixels, and a disc in it, at any tolerance
        """
        def points_at(one, mask, tolerance=15):
            row, column = divmod(int(one.argmax()), one.shape[1])
            t = int(np.ceil(tolerance))
            for r in range(max(row - t, 0), min(row + t + 1, len(one))):
                for c in range(max(column - t, 0), min(column + t + 1, one.shape[1])):
                    if mask[r, c] and np.hypot(r - row, c - column) <= tolerance:
                        return one[row, column] > 0
            return False
        """,
        "def points_at(one, mask, tolerance=15): return jv.evaluate.pointing_game(one[None], mask[None], tolerance=tolerance)[0]",
    ],
    "interval": [
        """
        def interval(values, resamples=2000):
            means = np.random.default_rng(7).choice(values, (resamples, len(values))).mean(axis=1)
            return list(np.quantile(means, [0.025, 0.975]))
        """,
        """
        def interval(values, resamples=2000):
            random = np.random.default_rng()
            means = [values[random.integers(0, len(values), len(values))].mean() for _ in range(resamples)]
            return np.percentile(means, 2.5), np.percentile(means, 97.5)
        """,
        """
        import random as library
        def interval(values, resamples=2000):
            means = sorted(sum(library.choices(list(values), k=len(values))) / len(values) for _ in range(resamples))
            return means[int(0.025 * resamples)], means[int(0.975 * resamples)]
        """,
        """
        def interval(values, resamples=2000):
            draws = jax.random.choice(jax.random.key(1), jnp.asarray(values), (resamples, len(values)))
            return jnp.quantile(draws.mean(axis=1), jnp.array([0.025, 0.975]))
        """,
    ],
    "rank_correlation": [
        "def rank_correlation(one, other): return jv.evaluate.spearman(one[None], other[None])[0]",
        """
        def rank_correlation(one, other):
            a, b = ranks(one), ranks(other)
            a, b = a - a.mean(), b - b.mean()
            return (a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum())
        """,
        "def rank_correlation(one, other): return np.cov(ranks(one), ranks(other))[0, 1] / ranks(one).std(ddof=1) / ranks(other).std(ddof=1)",
        "def rank_correlation(one, other): return jnp.corrcoef(jnp.asarray(ranks(one)), jnp.asarray(ranks(other)))[1, 0]",
    ],
}

GAME = "def points_at(one, mask, tolerance=15):\n    row, column = np.unravel_index(one.argmax(), one.shape)\n    rows, columns = np.nonzero(mask)\n    "
DRAW = "def interval(values, resamples=2000):\n    random = np.random.default_rng(0)\n    means = [{} for _ in range(resamples)]\n    return np.quantile(means, [0.025, 0.975])"
WRONG = {
    "points_at": [
        (
            GAME
            + "return np.hypot(rows - row, columns - column).min() < tolerance and one.max() > 0",
            "exactly|at \\*most\\*",
        ),
        (
            GAME
            + "return np.maximum(abs(rows - row), abs(columns - column)).min() <= tolerance and one.max() > 0",
            "circle|5.7",
        ),
        (
            GAME
            + "return (abs(rows - row) + abs(columns - column)).min() <= tolerance and one.max() > 0",
            "crow",
        ),
        (
            GAME + "return np.hypot(rows - row, columns - column).min() <= 15 and one.max() > 0",
            "handed in",
        ),
        (GAME + "return np.hypot(rows - row, columns - column).min() <= tolerance", "zeros"),
        (
            GAME
            + "return np.hypot(rows - row, columns - column).mean() <= tolerance and one.max() > 0",
            "nearest",
        ),
        (
            GAME
            + "return np.hypot(rows - column, columns - row).min() <= tolerance and one.max() > 0",
            "exchanged",
        ),
        (GAME + "return np.hypot(rows - row, columns - column) <= tolerance", "shape|nearest"),
        # an integer window: at a tolerance of 4.9 a traceback before
        (
            "def points_at(one, mask, tolerance=15):\n    row, column = np.unravel_index(one.argmax(), one.shape)\n    return mask[row - tolerance : row + tolerance + 1, column - tolerance : column + tolerance + 1].any()",
            "stops with|5.7|zeros",
        ),
    ],
    "interval": [
        (DRAW.format("random.permutation(values).mean()"), "same mean"),
        (
            DRAW.format("random.choice(values, len(values) // 2, replace=False).mean()"),
            "replacement",
        ),  # was taken
        (
            DRAW.format("random.normal(values.mean(), values.std(ddof=1) / np.sqrt(len(values)))"),
            "normal distribution",
        ),  # was praised
        (DRAW.format("np.median(random.choice(values, len(values)))"), "medians"),
        (DRAW.format("random.choice(values)"), "range of the values"),
        (DRAW.format("random.choice(values, len(values) // 2).mean()"), "half as many"),
        (DRAW.format("random.choice(values, len(values)).sum()"), "sums"),
        (
            DRAW.format("random.choice(values, len(values)).mean()").replace(
                "[0.025, 0.975]", "[0.05, 0.95]"
            ),
            "narrow|normal|replacement",
        ),
        (
            DRAW.format("random.choice(values, len(values)).mean()").replace(
                "[0.025, 0.975]", "[0.975, 0.025]"
            ),
            "upper end",
        ),
        (
            "def interval(values, resamples=2000): e = 1.96 * values.std(ddof=1) / np.sqrt(len(values)); return values.mean() - e, values.mean() + e",
            "normal distribution",
        ),
        (DRAW.format("random.choice(value, len(values)).mean()"), "NameError"),
        (
            DRAW.format("random.choice(values, len(values)).mean()").replace("return np", "np"),
            "nothing back",
        ),
    ],
    "rank_correlation": [
        (
            "def rank_correlation(one, other): return np.corrcoef(ranks(one), other.ravel())[0, 1]",
            "one of the two",
        ),
        (
            "def rank_correlation(one, other): return np.corrcoef(one.ravel(), ranks(other))[0, 1]",
            "one of the two",
        ),
        (
            "def rank_correlation(one, other): return np.corrcoef(np.argsort(one.ravel(), kind='stable'), np.argsort(other.ravel(), kind='stable'))[0, 1]",
            "argsort",
        ),
        (
            "def rank_correlation(one, other): return np.corrcoef(*(np.argsort(np.argsort(a.ravel(), kind='stable')) for a in (one, other)))[0, 1]",
            "equal values",
        ),
        ("def rank_correlation(one, other): return np.corrcoef(ranks(one), ranks(other))", "table"),
        (
            "def rank_correlation(one, other): return abs(np.corrcoef(ranks(one), ranks(other))[0, 1])",
            "sign",
        ),
        (
            "def rank_correlation(one, other): d = ranks(one) - ranks(other); n = len(d); return 1 - 6 * (d**2).sum() / (n * (n * n - 1))",
            "equal values",
        ),
        (
            "def rank_correlation(one, other): return np.corrcoef(ranks(one), ranks(one))[0, 1]",
            "expected|right for",
        ),
        (
            "def rank_correlation(one, other): return np.corrcoef(rank(one), rank(other))[0, 1]",
            "NameError",
        ),
    ],
}
