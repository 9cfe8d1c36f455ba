"""What a server or a long loop needs: thousands of calls, no recompilation, no growing memory."""

import gc
import os
from pathlib import Path

import jax
import numpy as np
import pytest

import jaxvis as jv
from jaxvis.methods.one_pass import one_pass

CALLS = 2000
STATM = Path("/proc/self/statm")


def resident_megabytes() -> float:
    gc.collect()
    return int(STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


@pytest.mark.slow
@pytest.mark.skipif(not STATM.exists(), reason="memory is read as Linux tells it")
def test_two_thousand_calls_neither_recompile_nor_grow(rng, compilations):
    """Images, classes and rules change with every call, as they do in use."""
    model = jv.VGG16(width=1 / 64, classes=7, size=32)
    pool = rng.normal(0, 60, (50, 2, 32, 32, 3)).astype(np.float32)
    gates = [jv.Rule(bool(a), bool(b)) for a in (0, 1) for b in (0, 1)]

    def call(number: int) -> None:
        rules = {f"{number} {i}": gates[(number + i) % 4] for i in range(3)}
        jax.block_until_ready(jv.explain(model, pool[number % 50], number % 7, rules=rules))

    for number in range(200):  # allocators and caches settle
        call(number)
    assert compilations  # else the counter hears nothing
    compilations.clear()
    before, arrays = resident_megabytes(), len(jax.live_arrays())
    for number in range(CALLS):
        call(number)
    assert compilations == []
    assert len(jax.live_arrays()) <= arrays
    # 2,000 calls that each kept one image, 12 kB, would be 24 MB.
    assert resident_megabytes() - before < 8


def test_a_model_that_is_cut_anew_compiles_nothing_anew(narrow):
    """And its weights are data: other ones are seen."""
    x = np.ones((2, 64, 64, 3), np.float32)
    first = jv.grad_cam(narrow.cut("block5_conv3"), x, 0)
    compiled = one_pass.traces
    np.testing.assert_array_equal(jv.grad_cam(narrow.cut("block5_conv3"), x, 0), first)
    other = jax.tree.map(lambda a: a * 2, narrow)
    changed = jv.grad_cam(other.cut("block5_conv3"), x, 0)
    assert one_pass.traces == compiled
    np.testing.assert_allclose(changed, jv.grad_cam(other, x, 0), rtol=1e-4, atol=1e-6)
    assert not np.allclose(changed, first)


@pytest.mark.parametrize("explain", [jv.explain, jv.saliency, jv.grad_cam, jv.explain_batches])
def test_no_images(narrow, explain):
    with pytest.raises(jv.InputError, match=r"no image|holds \[0\] images"):
        explain(narrow, np.ones((0, 64, 64, 3), np.float32), 0)
