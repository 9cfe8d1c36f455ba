"""Notebook 07: the pointing game, a bootstrap interval, rank correlation."""

import numpy as np

from jaxvis.course.check import NotYet, exercise
from jaxvis.course.compare import attempt, numbers, pair, refuse, same


def _spot(*places, shape=(30, 36)):
    one = np.zeros(shape)
    for place in places:
        one[place] = 1
    return one


@exercise(
    "rows, columns = np.nonzero(mask); np.hypot(rows - row, columns - column).min() <= tolerance and one.max() > 0."
)
def points_at(points_at):
    def hit(one, mask, *tolerance):
        answer = attempt(points_at, one.copy(), mask.copy(), *tolerance)
        found = numbers(answer, "points_at(...)", None)
        if found.size != 1:
            raise NotYet(
                f"points_at(...) has the shape {found.shape}; one True or False is expected.",
                "The nearest pixel of the mask decides.",
            )
        return bool(found)

    here = _spot((10, 10))
    near = {"on it": [(10, 10)], "3 rows, 4 columns": [(13, 14)], "4 rows, 4 columns": [(14, 14)]}
    game = {name: hit(here, _spot(*places) > 0, 5) for name, places in near.items()}
    two = hit(here, _spot((10, 11), (29, 29)) > 0, 5)
    ten = hit(here, _spot((10, 20)) > 0, 5)
    short = hit(here, _spot((13, 14)) > 0, 4.9)
    if not game["on it"]:
        raise NotYet(
            "the maximum on the object counts as a miss.", "Its distance is 0, and 0 <= tolerance."
        )
    if not game["3 rows, 4 columns"] and not two:
        raise NotYet(
            "the tolerance does nothing.",
            "How far is each pixel of the mask from (row, column)?",
            "rows, columns = np.nonzero(mask) are the mask's pixels.",
        )
    if not game["3 rows, 4 columns"]:
        if hit(here, _spot((13, 14)) > 0, 5.1):
            raise NotYet(
                "a distance of exactly the tolerance counts as a miss.",
                "At *most* `tolerance`: <=.",
            )
        raise NotYet(
            "3 rows and 4 columns away is a distance of 5, and a miss for a tolerance of 5.",
            "As the crow flies: the root of 3^2 + 4^2.",
        )
    if ten:
        raise NotYet(
            "10 pixels away is a hit, though only 5 are allowed.",
            "Use the tolerance that is handed in.",
        )
    if game["4 rows, 4 columns"]:
        raise NotYet(
            "4 rows and 4 columns away is a distance of 5.7, and a hit for a tolerance of 5.",
            "A circle, not a square: np.hypot.",
        )
    if short:
        raise NotYet(
            "a distance of 5 is a hit for a tolerance of 4.9.",
            "Compare the distance itself, not rounded.",
        )
    if not two:
        raise NotYet(
            "one pixel of the mask is near, another is far, and it counts as a miss.",
            "The nearest pixel counts.",
        )
    if hit(_spot((2, 20)), _spot((20, 2)) > 0, 5):
        raise NotYet("rows and columns are exchanged.", "np.nonzero(mask) gives rows first.")
    if hit(np.zeros((30, 36)), _spot((0, 0)) > 0, 5):
        raise NotYet(
            "a map of zeros points somewhere.", "It has no positive value: ask for that as well."
        )
    random = np.random.default_rng(0)
    for number in range(60):
        one, mask = random.normal(size=(20, 26)), random.random((20, 26)) < 0.01
        mask[random.integers(20), random.integers(26)] = True
        row, column = np.unravel_index(one.argmax(), one.shape)
        distance = min(
            np.sqrt((r - row) ** 2 + (c - column) ** 2)
            for r, c in zip(*np.nonzero(mask), strict=True)
        )
        tolerance = (3, 5.5, 15)[number % 3]
        if hit(one, mask, tolerance) != (distance <= tolerance):
            raise NotYet(
                f"a maximum {distance:.2f} pixels from the object, with a tolerance of {tolerance}, is "
                f"{'a miss' if distance <= tolerance else 'a hit'} for you.",
                "The distance as the crow flies to the nearest pixel of the mask, at most the tolerance.",
            )
        if hit(one, mask) != (distance <= 15):
            raise NotYet(
                "without a tolerance of its own it is not 15.",
                "Leave tolerance=15 in the first line.",
            )
    return "as two plain loops, on 60 random maps."


def _ends(values, draw, draws=8000):
    random = np.random.default_rng(3)
    return np.quantile([draw(random, values) for _ in range(draws)], [0.025, 0.975])


def _mean_of(random, values):
    return random.choice(values, len(values)).mean()


@exercise("means = [random.choice(values, len(values)).mean() for _ in range(resamples)].")
def interval(interval):
    sample = np.random.default_rng(5).gamma(2.0, size=40)

    def of(values):
        return np.array(
            [
                float(numbers(one, "an end of the interval", ()))
                for one in pair(
                    attempt(interval, values.copy()),
                    "what interval returns",
                    "Its two ends: np.quantile(means, [0.025, 0.975]).",
                )
            ]
        )

    low, high = found = of(sample)
    error = sample.std(ddof=1) / np.sqrt(len(sample))
    wanted = _ends(sample, _mean_of)

    def near(other, share=0.3):
        return bool(np.abs(found - other).max() < share * error)

    if np.isclose(low, high):
        raise NotYet(
            "every draw has the same mean.",
            "Drawing all of them without replacement only changes their order.",
            "random.choice(values, n) draws with replacement.",
        )
    if low > high:
        raise NotYet("the upper end comes first.", "np.quantile(means, [0.025, 0.975]).")
    if not near(wanted):
        others = {
            (lambda random, values: np.median(random.choice(values, len(values)))): (
                "these are medians of the draws.",
                "Their means.",
            ),
            (lambda random, values: random.choice(values)): (
                "this is the range of the values, not of their means.",
                "Draw len(values) of them, and take the mean of each draw.",
            ),
            (lambda random, values: random.choice(values, len(values) // 2).mean()): (
                "each draw has half as many values as there are.",
                "As many as there are.",
            ),
            (lambda random, values: random.choice(values, 10).mean()): (
                "each draw has too few values.",
                "As many as there are: len(values).",
            ),
            (lambda random, values: random.choice(values, len(values)).sum()): (
                "these are sums.",
                "The mean of each draw.",
            ),
        }
        for draw, words in others.items():
            wrong = _ends(sample, draw, 2000)
            if np.abs(found - wrong).max() < 0.15 * np.ptp(wrong):
                raise NotYet(*words)
        if near(
            np.quantile(np.random.default_rng(0).normal(sample.mean(), error, 20_000), [0.05, 0.95])
        ) or (low > wanted[0] and high < wanted[1] and low < sample.mean() < high):
            raise NotYet(
                "the interval is too narrow.",
                "The middle 95 % of the means lie between the quantiles 0.025 and 0.975; each draw has len(values) values.",
            )
        if not low < sample.mean() < high:
            raise NotYet("the mean is outside its interval.", "Draw from `values` itself.")
        raise NotYet(
            f"the interval of 40 values is [{low:.2f}, {high:.2f}]; about [{wanted[0]:.2f}, {wanted[1]:.2f}] is expected.",
            "Draw as many values as there are, with replacement, and note the mean.",
        )
    # Few values, few possible means: what is drawn otherwise cannot land on them.
    for values, ends in (
        (np.array([0.0, 0.0, 0.0, 1.0]), (0.0, 0.75)),
        (np.array([1.0, 5.0]), (1.0, 5.0)),
        (np.array([0.0] * 5 + [6.0]), (0.0, 3.0)),
    ):
        few = of(values)
        if np.allclose(few, ends, atol=1e-6):
            continue
        seen = f"of the values {values.tolist()} your interval is [{few[0]:.2f}, {few[1]:.2f}]; draws with replacement give [{ends[0]:.2f}, {ends[1]:.2f}]."
        if not np.allclose(few * len(values), (few * len(values)).round(), atol=1e-6):
            raise NotYet(
                seen + " No draw of these values has such a mean.",
                "A normal distribution is not asked: draw from the values themselves.",
            )
        raise NotYet(
            seen,
            "A draw has as many values as there are, *with* replacement: the same value may come several times.",
        )
    return "about as wide as the textbook's 2 x 1.96 standard errors, without asking how the values are distributed."


def _ranks(one):
    """For each pixel, how many are smaller, and half of those that are equal."""
    flat = one.ravel()
    return (flat[:, None] > flat).sum(axis=1) + (flat[:, None] == flat).sum(axis=1) / 2


@exercise("np.corrcoef(ranks(one), ranks(other))[0, 1].")
def rank_correlation(rank_correlation, ranks):
    def plain(one, other):
        return np.corrcoef(np.ravel(one), np.ravel(other))[0, 1]

    def argsorted(one):
        return np.argsort(np.ravel(one), kind="stable")

    random = np.random.default_rng(2)
    maps = [random.gamma(0.5, size=(2, 6, 7)) for _ in range(3)]
    maps += [random.integers(0, 4, (2, 5, 5)).astype(float) for _ in range(3)]  # many equal values
    maps += [
        np.stack([a, -(a**3)]) for a in random.normal(size=(2, 4, 6))
    ]  # one the reverse of the other
    found, wanted = [], []
    for one, other in maps:
        answer = attempt(
            rank_correlation,
            one.copy(),
            other.copy(),
            hints={"shape": ("ranks(one) is a long row already.",)},
        )
        value = numbers(answer, "rank_correlation(...)", None)
        if value.shape == (2, 2):
            raise NotYet(
                "this is a table of four numbers.",
                "[0, 1] takes one number out of the table that np.corrcoef returns.",
            )
        found.append(float(numbers(value, "rank_correlation(...)", ())))
        wanted.append(plain(_ranks(one), _ranks(other)))

    def each(rule):
        return [rule(one, other) for one, other in maps]

    refuse(
        found,
        (
            each(plain),
            "this is the correlation of the values.",
            "Take the ranks of both maps first.",
        ),
        (
            each(lambda a, b: plain(ranks(a), b)),
            "one of the two is still values.",
            "The ranks of both.",
        ),
        (
            each(lambda a, b: plain(a, ranks(b))),
            "one of the two is still values.",
            "The ranks of both.",
        ),
        (
            each(lambda a, b: plain(argsorted(a), argsorted(b))),
            "np.argsort says which pixel comes first, not which rank a pixel has.",
            "`ranks` is given.",
        ),
        (
            each(lambda a, b: plain(np.argsort(argsorted(a)), np.argsort(argsorted(b)))),
            "equal values got different ranks.",
            "`ranks` lets equal values share one.",
        ),
        (np.abs(wanted), "the sign is lost.", "A map and its reverse give -1."),
        tolerance=1e-3,
    )
    if not same(found, wanted, 2e-3):
        if same(found[:3], wanted[:3], 2e-3):
            raise NotYet(
                "right for maps without equal values, wrong with them.",
                "`ranks` lets equal values share a rank; a formula with squared differences does not hold then.",
            )
        raise NotYet(
            f"two random maps give {found[0]:.3f}; {wanted[0]:.3f} is expected.",
            "The usual correlation, of the ranks of both maps.",
        )
    return "as ev.spearman."
