"""The third question: likeness to the maps of a network that has forgotten what it learned."""

import numpy as np
from conftest import SIX, by_windows
from scipy import stats

import jaxvis as jv
from jaxvis.evaluate.metrics.baselines import BASELINES
from jaxvis.evaluate.metrics.randomization import CASCADE, randomized
from jaxvis.evaluate.questions import depends
from jaxvis.evaluate.questions.depends import does_it_depend, does_it_depend_quickly
from jaxvis.methods.one_pass import one_pass


def test_likeness_is_scipys_of_the_maps_of_a_randomised_network(narrow, subjects):
    asked, course = does_it_depend(narrow, subjects, seed=3)
    assert list(course.cascading) == list(course.independent) == list(CASCADE)
    x = jv.preprocess(subjects.images)
    plain = jv.explain(narrow, x, subjects.classes)
    cases = {
        "fc1": (course.independent["fc1"], ["fc1"]),
        "fc2": (course.cascading["fc2"], ["predictions", "fc2"]),
    }
    for likeness, layers in cases.values():
        other = jv.explain(randomized(narrow, layers, seed=3), x, subjects.classes)
        for rule in jv.RULES:
            for i in range(3):
                for kind in ("saliency", "grad_cam"):
                    name = f"{'saliency' if kind == 'saliency' else 'Grad-CAM'} {rule}"
                    pair = [np.ravel(getattr(m, kind)[rule][i]) for m in (plain, other)]
                    constant = any(np.ptp(one) == 0 for one in pair)
                    wanted = np.nan if constant else stats.spearmanr(*pair).statistic
                    np.testing.assert_allclose(likeness[name].rank[i], wanted, atol=1e-4)
    quick = does_it_depend_quickly(narrow, subjects, seed=3)
    assert [one.key for one in asked] == [one.key for one in quick] == ["network", "last"]
    for one, other in zip(asked, quick, strict=True):
        for name in SIX:
            for metric in depends.METRICS:
                np.testing.assert_allclose(
                    other.draws[name][metric.name], one.draws[name][metric.name], atol=1e-5
                )
    assert not set(BASELINES) & set(asked[0].values)  # they do not ask the network


def test_signs_are_kept_where_they_are_compared_and_pictures_where_they_are_seen(narrow, subjects):
    """Ranks of signed values by SciPy, and SSIM window by window of the maps that are shown."""
    subjects = subjects.first(2)
    asked, course = does_it_depend(narrow, subjects, seed=3, draws=1)
    assert [list(one.draws) for one in asked] == [list(SIX)] * 2
    x, model = jv.preprocess(subjects.images), randomized(narrow, ["predictions"], seed=3)
    both = (narrow, model)
    signed, other_signed = (jv.explain(m, x, subjects.classes, signed=True) for m in both)
    plain, other = (jv.explain(m, x, subjects.classes) for m in both)
    for kind, title in (("saliency", "saliency"), ("grad_cam", "Grad-CAM")):
        likeness = course.cascading["predictions"][f"{title} vanilla"]
        pairs = [getattr(m, kind)["vanilla"] for m in (signed, other_signed, plain, other)]
        a, b, shown, other_shown = (np.asarray(one, np.float64) for one in pairs)
        unsigned = [rank(*pair) for pair in zip(np.abs(a), np.abs(b), strict=True)]
        wanted = [rank(*pair) for pair in zip(a, b, strict=True)]
        assert np.abs(np.subtract(unsigned, wanted)).max() > 0.01
        np.testing.assert_allclose(likeness.signed, wanted, atol=1e-4)
        large = (np.asarray(jv.upsample(one, (64, 64))) for one in (shown, other_shown))
        seen = [by_windows(*pair) for pair in zip(*large, strict=True)]
        assert max(seen) < 0.99  # a picture beside itself has 1
        np.testing.assert_allclose(likeness.ssim, seen, atol=1e-4)


def rank(a, b):
    return stats.spearmanr(a.ravel(), b.ravel()).statistic


def test_draws_are_of_all_layers_and_of_the_last_with_seeds_of_their_own(narrow, subjects):
    """Each by itself: the right layers, three seeds, and values that are means over the draws."""
    network, last = does_it_depend_quickly(narrow, subjects, seed=5, draws=3)
    x = jv.preprocess(subjects.images)
    plain = np.asarray(jv.saliency(narrow, x, subjects.classes))
    for question, layers in ((network, CASCADE), (last, ["predictions"])):
        wanted = []
        for seed in (5, 6, 7):
            model = randomized(narrow, layers, seed=seed)
            other = np.asarray(jv.saliency(model, x, subjects.classes))
            wanted.append([overlap_by_hand(a, b) for a, b in zip(plain, other, strict=True)])
        found = question.draws["saliency vanilla"]["top 1 %"]
        np.testing.assert_allclose(found, wanted, atol=1e-6)
        np.testing.assert_allclose(
            question.values["saliency vanilla"]["top 1 %"], np.mean(wanted, axis=0), atol=1e-6
        )


def test_unless_told_otherwise_both_ways_begin_with_the_networks_of_seed_0(narrow, subjects):
    subjects = subjects.first(1)
    options = {"draws": 1, "methods": ["saliency"], "rules": ["vanilla"]}
    asked, _ = does_it_depend(narrow, subjects, **options)
    quick = does_it_depend_quickly(narrow, subjects, **options)
    x = jv.preprocess(subjects.images)
    plain = np.asarray(jv.saliency(narrow, x, subjects.classes))[0]
    for questions in (asked, quick):
        for question, layers in zip(questions, (CASCADE, ["predictions"]), strict=True):
            other = jv.saliency(randomized(narrow, layers, seed=0), x, subjects.classes)
            wanted = rank(plain, np.asarray(other)[0])
            found = question.values["saliency vanilla"]["rank corr."]
            np.testing.assert_allclose(found, [wanted], atol=1e-4)


def overlap_by_hand(a, b):
    count = round(0.01 * a.size)
    one, other = ({*np.argsort(-v.ravel(), kind="stable")[:count]} for v in (a, b))
    return len(one & other) / count


def test_random_relatives_of_a_network_compile_nothing_anew(narrow, subjects):
    """Six networks are compared with the first; only their weights differ."""
    before = one_pass.traces
    does_it_depend_quickly(narrow, subjects, methods=["grad_cam"], rules=["guided"])
    assert one_pass.traces - before <= 1
