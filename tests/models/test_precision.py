"""How far each precision is from float32-highest, on whatever device JAX has here."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import relative_error, with_biases

import jaxvis as jv

# On a CPU "default" is float32. On a GPU it is TF32, whose 10 bits of mantissa give products to
# 2^-11, as bfloat16's 7 bits to 2^-8; the maps go through 29 layers of either.
LOGITS = {"default": 5e-3, "high": 5e-3, "highest": 1e-6, "bfloat16": 5e-2}
CORRELATION = {"default": 0.99, "high": 0.99, "highest": 0.999999, "bfloat16": 0.85}


@pytest.mark.parametrize("precision", LOGITS)
def test_distance_from_highest(precision, pixels):
    def network(precision):
        return with_biases(jv.VGG16(width=1 / 16, classes=7, size=64, precision=precision))

    wanted = jv.explain(network("highest"), pixels, 3)
    found = jv.explain(network(precision), pixels, 3)
    assert {leaf.dtype for leaf in jax.tree.leaves(found)} == {jnp.dtype("float32")}
    assert relative_error(found.logits, wanted.logits) < LOGITS[precision]
    for rule in wanted.saliency:
        one, other = np.ravel(found.saliency[rule]), np.ravel(wanted.saliency[rule])
        assert np.corrcoef(one, other)[0, 1] > CORRELATION[precision], rule


def test_bfloat16_really_is(pixels):
    model = jv.VGG16(width=1 / 16, classes=7, size=64, precision="bfloat16")
    body, _ = model.cut("block5_conv3")
    assert body(pixels).dtype == jnp.bfloat16
    assert {leaf.dtype for leaf in jax.tree.leaves(model)} == {jnp.dtype(jnp.bfloat16)}


def test_unknown_precision_is_refused():
    with pytest.raises(ValueError, match="precision is 'tf32'; wanted one of 'default', 'high'"):
        jv.VGG16(width=1 / 64, classes=3, size=32, precision="tf32")
