import jax
import numpy as np
import pytest

import jaxvis as jv
from jaxvis.gradients.relu import RULES
from jaxvis.streaming.batches import explain_batches, fitting_batch


@pytest.mark.parametrize("batch_size", [1, 2, 3, 50, "auto"])
def test_batches_give_the_maps_of_one_call(narrow, pixels, batch_size):
    classes, calls = np.array([3, 0, 6]), []
    maps = explain_batches(
        narrow, pixels, classes, batch_size=batch_size, progress=lambda *at: calls.append(at)
    )
    wanted = jv.explain(narrow, pixels, classes)
    assert list(maps.saliency) == list(wanted.saliency)
    for found, want in zip(jax.tree.leaves(maps), jax.tree.leaves(wanted), strict=True):
        np.testing.assert_allclose(found, want, rtol=1e-4, atol=1e-5)
    total = {1: 3, 2: 2}.get(batch_size, 1)
    assert calls == [(number, total) for number in range(total + 1)]


@pytest.mark.parametrize("memory", [3 << 20, pytest.param(2 << 20, marks=pytest.mark.slow)])
def test_the_batch_fits_and_twice_as_many_images_would_not(narrow, rng, memory):
    """Against the compiler's plan for the batch that was chosen and for a larger one."""
    x = rng.normal(0, 60, (40, 64, 64, 3)).astype(np.float32)
    options = {"layer": "block5_conv3", "rules": RULES, "score": None}
    size = fitting_batch(narrow, x, None, memory=memory, **options)
    assert 1 < size < 16

    def planned(count):
        return jv.compile_explain(narrow, x[:count]).planned_bytes

    assert planned(size) <= memory
    assert planned(2 * size) > memory


def test_bad_sizes(narrow, pixels):
    with pytest.raises(ValueError, match="memory is 1,000 bytes, and one image takes [0-9,]+;"):
        explain_batches(narrow, pixels, 3, memory=1000)
    with pytest.raises(ValueError, match="batch_size is 0; wanted at least 1, or 'auto'"):
        explain_batches(narrow, pixels, 3, batch_size=0)
    with pytest.raises(ValueError, match="classes are .*7.*; wanted indices from 0 to 6"):
        explain_batches(narrow, pixels, 7)
