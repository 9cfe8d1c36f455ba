"""An image's figures are its own, whichever images come along and in whatever order."""

import numpy as np
import pytest

import jaxvis as jv
from jaxvis import evaluate as ev
from jaxvis.evaluate.maps import all_maps
from jaxvis.evaluate.questions.matters import does_it_matter
from jaxvis.evaluate.subjects import Subjects, seeds_of


def taken(subjects, places):
    """Those subjects alone, in that order."""
    return Subjects(
        [subjects.names[i] for i in places], subjects.images[places], subjects.classes[places],
        None, [subjects.seeds[i] for i in places],
    )  # fmt: skip


@pytest.mark.parametrize("places", [[2], [2, 0]])
def test_whether_it_matters(narrow, subjects, places):
    subjects = subjects._replace(seeds=seeds_of(subjects.images))
    together = does_it_matter(narrow, subjects, all_maps(narrow, subjects))
    few = taken(subjects, places)
    alone = does_it_matter(narrow, few, all_maps(narrow, few))
    for name, row in alone.values.items():
        for metric, values in row.items():
            np.testing.assert_allclose(
                values, together.values[name][metric][places], rtol=2e-4, atol=1e-6, err_msg=metric
            )


@pytest.mark.parametrize("seed", [3, [5, 6, 5]])
def test_what_is_drawn(rng, seed):
    x = rng.normal(size=(3, 16, 18, 3)).astype(np.float32)
    removed = rng.random((3, 16, 18)) < 0.4
    alone = [slice(i, i + 1) for i in range(3)]
    seeds = [seed] * 3 if isinstance(seed, int) else [[one] for one in seed]
    for draw, axis in (
        (lambda x, _, seed: ev.square_perturbations(x, samples=4, seed=seed), 1),
        (lambda x, _, seed: ev.uniform_offsets(x, samples=4, seed=seed), 1),
        (lambda x, removed, seed: ev.noisy_linear_imputation(x, removed, seed=seed), 0),
    ):
        together = draw(x, removed, seed)
        parts = [draw(x[i], removed[i], one) for i, one in zip(alone, seeds, strict=True)]
        np.testing.assert_allclose(np.concatenate(parts, axis), together, rtol=1e-5, atol=1e-5)
    if not isinstance(seed, int):
        noise = ev.uniform_offsets(x, samples=2, seed=seed)
        np.testing.assert_array_equal(noise[:, 0], noise[:, 2])
        assert (noise[:, 0] != noise[:, 1]).mean() > 0.99
        with pytest.raises(jv.InputError, match="seed has 2 numbers; wanted one for all, or 3"):
            ev.uniform_offsets(x, seed=seed[:2])


def test_the_seed_of_an_image_is_made_of_its_pixels(subjects):
    seeds = seeds_of(subjects.images)
    assert seeds_of(subjects.images[::-1]) == seeds[::-1]
    assert len(set(seeds)) == len(seeds)
    changed = subjects.images.copy()
    changed[0, 0, 0, 0] ^= 1
    assert seeds_of(changed)[0] != seeds[0]
