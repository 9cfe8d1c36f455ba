"""Against what other libraries said of the same maps and network, recorded by record_evaluate.py.

Where a peer computes something else under the same name, the test says what, and compares the rest.
"""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import relative_error

import jaxvis as jv
from jaxvis.evaluate import (
    component_iou,
    deletion,
    drop_and_increase,
    energy_inside,
    infidelity,
    max_sensitivity,
    noisy_linear_imputation,
    pointing_game,
    precision_recall_area,
    spearman,
    ssim,
)
from jaxvis.evaluate.metrics.rise import rise_kernel
from jaxvis.evaluate.metrics.road import road

RECORDED = Path(__file__).parents[2] / "recorded" / "evaluate.npz"
# As in record_evaluate.py
STEP, SHARES = 48, (0.1, 0.3, 0.5, 0.7, 0.9)
PHI, OFFSET = np.float32(2e-5), np.float32(0.05)


@pytest.fixture(scope="module")
def peers():
    with np.load(RECORDED) as file:
        return dict(file)


@pytest.fixture(scope="module")
def model(peers):
    """The recorded network in JAX, channels last."""
    weights = {
        name: jnp.asarray(peers[name]) for name in peers if name.endswith(("kernel", "bias"))
    }

    def convolved(x, name, stride, padding):
        layout = ("NHWC", "HWIO", "NHWC")
        y = jax.lax.conv_general_dilated(
            x, weights[f"{name}_kernel"], (stride, stride), padding, dimension_numbers=layout
        )
        return y + weights[f"{name}_bias"][None, None, None]

    def network(x, relu=jax.nn.relu):
        y = relu(convolved(x, "conv1", 1, "SAME"))
        y = relu(convolved(y, "conv2", 2, "VALID"))
        return y.mean(axis=(1, 2)) @ weights["out_kernel"] + weights["out_bias"][None]

    return network


@pytest.fixture
def x(peers):
    return peers["x"].astype(np.float32)


def maps_of(peers: dict, name: str) -> np.ndarray:
    return peers[name].astype(np.float32)


def changes_of(peers: dict, kind: str) -> np.ndarray:
    """What is taken away from the images: squares become 0, or noise is added."""
    if kind == "squares":
        return peers["squares"][..., None] * peers["x"].astype(np.float32)
    return peers["offsets"].astype(np.float32) * OFFSET


def test_the_network_is_the_recorded_one(peers, model, x):
    """Or nothing below would say anything."""
    assert relative_error(model(jnp.asarray(x)), peers["torch_logits"]) < 1e-5
    assert relative_error(jv.saliency(model, x, peers["classes"]), peers["torch_saliency"]) < 1e-5


@pytest.mark.parametrize("peer", ["scipy", "quantus"])
def test_spearman(peers, peer):
    found = spearman(maps_of(peers, "a"), maps_of(peers, "b"))
    np.testing.assert_allclose(found, peers[f"{peer}_spearman"], atol=1e-6)


def test_spearman_without_sign(peers):
    found = spearman(maps_of(peers, "a"), maps_of(peers, "b"), absolute=True)
    np.testing.assert_allclose(found, peers["scipy_spearman_absolute"], atol=1e-6)
    assert np.abs(found - peers["scipy_spearman"]).min() > 0.04  # the sign does matter here


@pytest.mark.parametrize("peer", ["skimage", "quantus"])
def test_ssim(peers, peer):
    found = ssim(maps_of(peers, "a"), maps_of(peers, "b"))
    np.testing.assert_allclose(found, peers[f"{peer}_ssim"], atol=1e-6)


def test_pointing_game(peers):
    """Quantus knows no tolerance: the maximum has to lie on the object."""
    found = pointing_game(maps_of(peers, "a"), peers["masks"], tolerance=0)
    np.testing.assert_array_equal(found, peers["quantus_pointing_game"])
    assert 0 < found.sum() < len(found)


@pytest.mark.parametrize("name", ["mass_accuracy", "attribution_localisation"])
def test_energy_inside(peers, name):
    """The second adds 1e-9 to the sum that it divides by."""
    found = energy_inside(maps_of(peers, "a"), peers["masks"])
    np.testing.assert_allclose(found, peers[f"quantus_{name}"], rtol=1e-5)


def test_component_iou(peers):
    found = component_iou(maps_of(peers, "a"), peers["masks"])
    np.testing.assert_allclose(found, peers["skimage_component_iou"], rtol=1e-5)


def test_precision_recall_area(peers):
    found = precision_recall_area(maps_of(peers, "a"), peers["masks"])
    np.testing.assert_allclose(found, peers["sklearn_average_precision"], rtol=1e-5)


def test_linear_imputation(peers, x):
    """Quantus solves the equations directly, we by iteration, to a tolerance."""
    found = noisy_linear_imputation(x, peers["removed"], noise=0, tolerance=1e-6)
    assert relative_error(found, peers["quantus_imputed"]) < 3e-5
    wrong = noisy_linear_imputation(x, peers["removed"], noise=0) - peers["quantus_imputed"]
    # In grey levels: far below ROAD's noise of 0.6 on the whole, and nowhere much above it.
    assert np.sqrt(np.square(wrong).mean()) < 0.1
    assert np.abs(wrong).max() < 1


def test_road(peers, model, x):
    """Quantus counts right answers, we take the probability: the images are Quantus's."""
    maps = maps_of(peers, "small_maps")
    found = road(model, x, peers["classes"], maps, shares=SHARES, noise=0)
    wanted = peers["quantus_road_probability"]
    np.testing.assert_allclose(found.probability, wanted, atol=2e-3)
    np.testing.assert_allclose(found.area, wanted.mean(axis=1), atol=1e-3)


def test_deletion(peers, model, x):
    """Quantus's curve begins after the first step, ours with the whole image."""
    curves = deletion(model, x, peers["classes"], maps_of(peers, "small_maps"), step=STEP)
    wanted = peers["quantus_pixel_flipping"]
    np.testing.assert_allclose(curves.probability[:, 1:], wanted, atol=1e-6)


def test_drop_and_increase(peers, model, x):
    """pytorch-grad-cam leaves out the division by the probability, which Grad-CAM++ has."""
    classes = peers["classes"]
    found = drop_and_increase(model, x, classes, maps_of(peers, "small_maps"))
    before = np.asarray(jax.nn.softmax(peers["torch_logits"], axis=1))[range(len(x)), classes]
    np.testing.assert_allclose(found.drop, peers["gradcam_drop"] / before, atol=1e-6)
    np.testing.assert_array_equal(found.increase, peers["gradcam_increase"] > 0)
    assert 0 < found.increase.sum() < len(x)


@pytest.mark.parametrize("kind", ["squares", "noise"])
@pytest.mark.parametrize("peer", ["captum", "quantus"])
def test_infidelity(peers, model, x, kind, peer):
    phi, changes = peers["attributions"].astype(np.float32) * PHI, changes_of(peers, kind)
    found = infidelity(model, x, peers["classes"], phi, changes)
    np.testing.assert_allclose(found, peers[f"{peer}_infidelity_{kind}"], rtol=1e-4)


@pytest.mark.parametrize("kind", ["squares", "noise"])
def test_infidelity_normalized(peers, model, x, kind):
    phi, changes = peers["attributions"].astype(np.float32) * PHI, changes_of(peers, kind)
    found = infidelity(model, x, peers["classes"], phi, changes, normalize=True)
    wanted = peers[f"captum_infidelity_{kind}_normalized"]
    np.testing.assert_allclose(found, wanted, rtol=1e-3)
    assert (wanted < 0.9 * peers[f"captum_infidelity_{kind}"]).any()


@pytest.mark.parametrize("peer", ["captum_sensitivity_max", "quantus_max_sensitivity"])
def test_max_sensitivity(peers, model, x, peer):
    classes = peers["classes"]
    found = max_sensitivity(lambda x: jv.saliency(model, x, classes), x, changes_of(peers, "noise"))
    np.testing.assert_allclose(found, peers[peer], rtol=1e-5)


def test_rise_kernel(peers):
    np.testing.assert_allclose(rise_kernel(), peers["scipy_rise_kernel"], rtol=1e-5)
