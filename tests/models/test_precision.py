"""What each precision asks of XLA, and how far its maps are from float32-highest on this device."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import relative_error, with_biases

import jaxvis as jv
from jaxvis.any_model.jaxprs import walk

# On a CPU "default" is float32. On a GPU it is TF32, whose 10 bits of mantissa give products to
# 2^-11, as bfloat16's 7 bits to 2^-8; the maps go through 29 layers of either.
ASKED = {
    None: None,
    "default": jax.lax.Precision.DEFAULT,
    "high": jax.lax.Precision.HIGH,
    "highest": jax.lax.Precision.HIGHEST,
    "bfloat16": None,
}
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


@pytest.mark.parametrize("precision", ASKED)
def test_every_product_is_asked_for_in_its_precision(precision):
    """Read from what is handed to XLA, as a CPU computes them all in float32 whatever is asked."""
    model = jv.VGG16(width=1 / 64, classes=3, size=32, precision=precision)
    x = jnp.zeros((1, 32, 32, 3), jnp.float32)
    traced = jax.make_jaxpr(jax.grad(lambda x: model(x)[0, 0]))(x)
    every = [visit.eqn for visit in walk(traced.jaxpr)]
    products = [
        eqn for eqn in every if eqn.primitive.name in ("conv_general_dilated", "dot_general")
    ]
    assert len(products) == 2 * (13 + 3)  # forward and back
    wanted = ASKED[precision]
    for eqn in products:
        assert eqn.params["precision"] in ((wanted, wanted), wanted)
        kinds = {atom.aval.dtype.name for atom in eqn.invars}
        assert kinds == {"bfloat16" if precision == "bfloat16" else "float32"}


def test_bfloat16_really_is(pixels):
    model = jv.VGG16(width=1 / 16, classes=7, size=64, precision="bfloat16")
    body, _ = model.cut("block5_conv3")
    assert body(pixels).dtype == jnp.bfloat16
    assert {leaf.dtype for leaf in jax.tree.leaves(model)} == {jnp.dtype(jnp.bfloat16)}


def test_unknown_precision_is_refused():
    with pytest.raises(ValueError, match="precision is 'tf32'; wanted one of 'default', 'high'"):
        jv.VGG16(width=1 / 64, classes=3, size=32, precision="tf32")
