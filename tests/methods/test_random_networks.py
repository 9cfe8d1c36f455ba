"""Whatever the network, a map is what its name says, by the definition, and follows the weights."""

import os
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
from conftest import forced_devices, long
from random_networks import EXPOSED, GATES, KINDS, by_hand, images, plan, weights

import jaxvis as jv
from jaxvis.any_model.adapters import as_model

DRAWS = 10  # of weights for every plan, compiled once
PLANS = 12
FEW = 8  # one of every kind


by_definition = jax.jit(by_hand, static_argnums=0)  # sums are exact: see `random_networks`


def same(found, wanted, what):
    scale = max(float(np.abs(wanted).max()), 1e-3)
    np.testing.assert_allclose(found, wanted, atol=1e-5 * scale, rtol=1e-5, err_msg=what)


def check(seed, draws, sharded=False):
    """Build the network of a seed and compare every way to ask for its maps; return how many
    weights it had."""
    rng = np.random.Generator(np.random.PCG64([seed, 13]))
    kind = [*KINDS][seed % len(KINDS)]
    of = plan(rng, kind)
    w = weights(rng, of)
    model, change = KINDS[kind](of, w)
    axis = {"channel_axis": 1} if of.first else {}
    for draw in range(draws):
        if draw:
            w = weights(rng, of)
            model = change(w)
        x = images(rng, of)
        targets = rng.integers(of.classes, size=len(x))
        wanted = {
            rule: by_definition(of, w, x, targets, np.array(gates)) for rule, gates in GATES.items()
        }
        if sharded:
            mesh = jax.sharding.Mesh(np.array(jax.devices()), ("images",))
            place = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("images"))
            x = jax.device_put(x, place)
        compare(kind, of, model, x, targets, axis, wanted, f"seed {seed}, draw {draw}: {kind} {of}")
        if draw == 0 and not sharded:
            once(kind, of, model, x, targets, axis, wanted)
    return draws


def cuttable(kind, model):
    return as_model(model) if kind in EXPOSED else model


def compare(kind, of, model, x, targets, axis, wanted, what):
    layer = {"layer": of.where}
    cut = cuttable(kind, model)
    maps = jv.explain(cut, x, targets, **layer, **axis)
    batch = len(x) if of.coupled else 3
    batches = jv.explain_batches(cut, x, targets, batch_size=batch, **layer, **axis)
    for rule, (logits, saliency, cam) in wanted.items():
        same(maps.logits, logits, what)
        same(maps.saliency[rule], saliency, what)
        same(maps.grad_cam[rule], cam, what)
        same(batches.saliency[rule], saliency, what)
        same(batches.grad_cam[rule], cam, what)
        same(jv.saliency(model, x, targets, rule=jv.RULES[rule], **axis), saliency, what)
        found = jv.grad_cam(cut, x, targets, rule=jv.RULES[rule], **layer, **axis)
        same(found, cam, what)


def once(kind, of, model, x, targets, axis, wanted):
    """What compiles anew with every model: inside `jax.jit`, and for the largest logit."""
    _, saliency, cam = wanted["guided"]
    guided, layer = {"rule": jv.GUIDED, **axis}, {"layer": of.where}
    cut = cuttable(kind, model)

    @jax.jit
    def inside(x):
        return (
            jv.saliency(model, x, targets, **guided),
            jv.grad_cam(cut, x, targets, **layer, **guided),
        )

    for found, expected in zip(inside(x), (saliency, cam), strict=True):
        same(found, expected, kind)
    logits = np.asarray(wanted["vanilla"][0])
    named = jv.saliency(model, x, logits.argmax(axis=1), **guided)
    np.testing.assert_array_equal(jv.saliency(model, x, **guided), named)


@pytest.fixture(autouse=True)
def as_libraries_have_it():
    """Keras and Linen mix ranks and dtypes."""
    with jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard"):
        yield


@pytest.mark.parametrize("seed", range(FEW))
def test_some(seed):
    assert check(seed, 2) == 2


@pytest.mark.slow
@pytest.mark.parametrize(
    "seed", [pytest.param(FEW + n, marks=[long] if n % 2 else []) for n in range(PLANS)]
)
def test_120_networks(seed):
    assert PLANS * DRAWS == 120
    assert check(seed, DRAWS) == DRAWS


SHARDED = """
import sys
sys.path[:0] = {path!r}
import jax
from test_random_networks import check
assert len(jax.devices()) == 2
for seed in range({first}, {first} + 8):
    check(seed, 1, sharded=True)
"""


@pytest.mark.slow
def test_sharded_over_two_devices():
    """Images on two devices, as a CPU can pretend to have them."""
    here = Path(__file__).parent
    paths = [str(here), str(here.parent), str(here.parents[1])]
    subprocess.run(
        [sys.executable, "-c", SHARDED.format(path=paths, first=100)],
        env=os.environ | forced_devices(2), check=True,
    )  # fmt: skip
