"""The exact paired test, beside all choices of signs one by one, SciPy's, and Holm by hand."""

import itertools

import numpy as np
import pytest
import scipy.stats

from jaxvis.evaluate.metrics.sign_flip import (
    STEPS,
    fewest_images,
    holm,
    images_needed,
    sign_flip,
)


def by_brute_force(differences):
    """Every choice of signs, one by one."""
    sums = [
        abs(sum(s * d for s, d in zip(signs, differences, strict=True)))
        for signs in itertools.product((-1, 1), repeat=len(differences))
    ]
    return np.mean([found >= abs(sum(differences)) for found in sums])


@pytest.mark.parametrize("n", [1, 2, 3, 7, 11])
def test_it_counts_all_choices_of_signs(n, rng):
    for shift in (0, 0.5, 2):
        # integers, so that rounding changes nothing and ties in the sums are true ties
        differences = np.rint(rng.normal(shift, 1, n) * 30).astype(int)
        differences[0] = STEPS  # the largest, a whole number of steps
        assert sign_flip(differences) == pytest.approx(by_brute_force(differences), abs=1e-12)


def test_it_is_scipys_permutation_test(rng):
    pairs = rng.integers(0, 51, (2, 12))
    pairs[:, 0] = 50, 0  # the largest difference is 50: four steps each
    wanted = scipy.stats.permutation_test(
        (pairs[0], pairs[1]), lambda a, b: np.mean(a - b), permutation_type="samples",
        n_resamples=np.inf,
    ).pvalue  # fmt: skip
    assert sign_flip(pairs[0] - pairs[1]) == pytest.approx(wanted, abs=1e-12)


def test_yes_and_no_give_the_exact_sign_test(rng):
    """Of hits and misses only the images count on which the two differ: McNemar's exact test."""
    hits, others = rng.random((2, 400)) < np.array([[0.6], [0.5]])
    ahead, behind = (hits & ~others).sum(), (others & ~hits).sum()
    wanted = scipy.stats.binomtest(int(ahead), int(ahead + behind)).pvalue
    found = sign_flip(hits.astype(float) - others.astype(float))
    assert found == pytest.approx(wanted, rel=1e-9)


def test_large_p_values_are_uniform_without_a_difference(rng):
    """At most its level of errors, at every level, whatever the differences look like."""
    draws = {
        "normal": lambda: rng.normal(size=9),
        "heavy": lambda: rng.standard_cauchy(9),
        "uneven": lambda: rng.normal(size=9) * np.arange(9) ** 2,
    }
    for draw in draws.values():
        p = np.array([sign_flip(draw()) for _ in range(2000)])
        for level in (0.01, 0.05, 0.2):
            errors = (p <= level).sum()
            assert scipy.stats.binomtest(int(errors), 2000, level, "greater").pvalue > 1e-4
        assert (p <= 0.2).mean() > 0.15  # and it is not empty words


def test_signs_order_and_scale_change_nothing(rng):
    differences = rng.normal(0.4, 1, 30)
    p = sign_flip(differences)
    assert 0 < p < 0.5
    assert sign_flip(-differences) == pytest.approx(p, rel=1e-9)
    assert sign_flip(differences[::-1] * 1e-30) == pytest.approx(p, rel=1e-9)


def test_what_does_not_exist_decides_nothing(rng):
    differences = rng.normal(1, 1, 8)
    holes = np.concatenate([[np.nan, 0.0], differences, [np.nan]])
    assert sign_flip(holes) == sign_flip(differences)
    assert sign_flip([]) == sign_flip([np.nan]) == sign_flip(np.zeros(50)) == 1


def test_the_tail_of_many_images_is_exact():
    """500 images that all agree: p = 2 / 2^500, and no rounding of the counts shows."""
    assert sign_flip(np.ones(500)) == pytest.approx(2.0**-499, rel=1e-9)


def test_holm_by_hand():
    # 0.004 <= 0.05 / 4, 0.011 <= 0.05 / 3, 0.03 > 0.05 / 2: the last two are out, 0.04 too
    assert holm([0.04, 0.004, 0.03, 0.011], 0.05) == [False, True, False, True]
    assert holm([0.02, 0.02], 0.04) == [True, True]
    assert holm([], 0.05) == []
    # what plain Bonferroni refuses: 0.02 > 0.05 / 3, and what no correction would take
    assert holm([0.001, 0.02, 0.9], 0.05) == [True, True, False]
    assert holm([0.04, 0.9, 0.9], 0.05) == [False, False, False]


@pytest.mark.parametrize(("tests", "level"), [(1, 0.05), (64, 0.01), (100, 0.01), (114, 0.01)])
def test_no_fewer_images_could_be_significant(tests, level):
    n = fewest_images(tests, level)
    assert holm([sign_flip(np.ones(n)), *[1.0] * (tests - 1)], level)[0]
    assert not any(holm([sign_flip(np.ones(n - 1))] * tests, level)[:1]) or tests == 1


@pytest.mark.parametrize("effect", [1, 0.5, 0.25])
@pytest.mark.parametrize("tests", [1, 10, 114])
def test_images_needed_are_those_of_students_test(tests, effect):
    """Its power by SciPy's noncentral t, for ever more images, until it finds 4 of 5."""
    for n in range(3, 1000):
        line = scipy.stats.t.isf(0.01 / tests / 2, n - 1)
        if scipy.stats.nct.sf(line, n - 1, effect * np.sqrt(n)) >= 0.8:
            break
    assert abs(images_needed(tests, 0.01, effect) - n) <= 1
