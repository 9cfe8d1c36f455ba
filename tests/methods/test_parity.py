"""Against maps recorded from tf-keras-vis, Captum and pytorch-grad-cam by the scripts in tests/.

`scaled` is the network whose logits are divided by 128, of the size that VGG16's are.
"""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import relative_error

import jaxvis as jv
from jaxvis.methods import smoothgrad as smoothgrad_file

RECORDED = Path(__file__).parents[1] / "recorded"


def recorded(name):
    with np.load(RECORDED / f"{name}.npz") as file:
        return dict(file)


@pytest.fixture(scope="module")
def lab():
    return recorded("tf_keras_vis")


@pytest.fixture(scope="module")
def tf(lab):
    return recorded("tf_keras_vis_more")


@pytest.fixture(scope="module")
def captum():
    return recorded("captum")


@pytest.fixture(scope="module")
def grad_cam_of_torch():
    return recorded("pytorch_grad_cam")


@pytest.fixture(scope="module")
def models(tf):
    plain, scaled = (jv.load_vgg16(RECORDED / "narrow_vgg16.h5") for _ in range(2))
    for array in (scaled.predictions.kernel, scaled.predictions.bias):
        array[...] = array[...] * tf["logit_scale"]
    return {"": plain, "scaled_": scaled}


def alike(found, wanted, *, error=1e-4):
    """The same map, and not merely of its shape: every image's own."""
    found, wanted = np.asarray(found, np.float64), np.asarray(wanted, np.float64)
    assert np.abs(wanted).max() > 0
    for one, other in zip(found, wanted, strict=True):
        if np.abs(other).max() > 0:
            assert np.corrcoef(one.ravel(), other.ravel())[0, 1] > 0.999
    assert relative_error(found, wanted) < error


def test_layer_cam_of_tf_keras_vis(lab, tf, models):
    for prefix, model in models.items():
        alike(jv.layer_cam(model, lab["x"], lab["classes"]), tf[f"{prefix}layer_cam"])


def test_grad_cam_plus_plus_of_tf_keras_vis(lab, tf, models):
    """Their factor exp(logit), which overflows float32 for the first network, left out of ours."""
    found = jv.grad_cam_plus_plus(models["scaled_"], lab["x"], lab["classes"], normalized=True)
    logits = np.asarray(models["scaled_"](lab["x"]), np.float64)[np.arange(3), lab["classes"]]
    alike(found * np.exp(logits)[:, None, None], tf["scaled_grad_cam_plus_plus"], error=1e-3)
    assert not np.isfinite(tf["grad_cam_plus_plus"]).all()
    assert np.isfinite(jv.grad_cam_plus_plus(models[""], lab["x"], lab["classes"])).all()


def test_score_cam_of_tf_keras_vis(lab, tf, models):
    found = jv.score_cam(models["scaled_"], lab["x"], lab["classes"])
    alike(found, tf["scaled_score_cam"])


def test_faster_score_cam_of_tf_keras_vis(lab, tf, models):
    """Its channels are those of any image of the batch."""
    options = {"channels": 4, "union": True}
    found = jv.score_cam(models["scaled_"], lab["x"], lab["classes"], **options)
    alike(found, tf["scaled_score_cam_of_4"])
    own = jv.score_cam(models["scaled_"], lab["x"], lab["classes"], channels=4)
    assert relative_error(own, tf["scaled_score_cam_of_4"]) > 1e-2


@pytest.mark.parametrize(("mean", "name"), [("absolute", "smooth_grad"), ("signed", None)])
def test_smoothgrad_of_tf_keras_vis(lab, tf, models, monkeypatch, mean, name):
    """With the very same noise in the place of ours."""
    drawn = np.random.RandomState(tf["noise_seed"]).standard_normal((4, *lab["x"].shape))
    np.testing.assert_allclose(drawn[:, :, ::16, ::16], tf["noise_corner"], rtol=1e-5)

    def with_noise(x, number, key, noise):
        extent = (x.max((1, 2, 3)) - x.min((1, 2, 3))).reshape(-1, 1, 1, 1)
        return x + noise * extent * jnp.asarray(drawn[int(number)], jnp.float32)

    monkeypatch.setattr(smoothgrad_file, "_with_noise", with_noise)
    options = {"samples": 4, "noise": 0.2, "batch_size": 3}
    found = jv.smoothgrad(models[""], lab["x"], lab["classes"], mean=mean, **options)
    if name is not None:
        alike(found, tf[name], error=1e-3)
        return
    # Of the signed mean, channel 0 was recorded.
    monkeypatch.setattr(smoothgrad_file, "largest_over_channels", lambda gradient: gradient[..., 0])
    found = jv.smoothgrad(models[""], lab["x"], lab["classes"], mean=mean, **options)
    alike(found, tf["smooth_grad_signed"], error=1e-3)


def test_input_x_gradient_of_captum(lab, captum, models):
    found = jv.input_x_gradient(models[""], lab["x"], captum["classes"])
    alike(found, captum["input_x_gradient"].sum(axis=-1))


def test_integrated_gradients_of_captum(lab, captum, models):
    found = jv.integrated_gradients(models[""], lab["x"], captum["classes"], steps=16)
    alike(found.maps, captum["integrated_gradients"].sum(axis=-1))
    largest = np.abs(found.maps).sum(axis=(1, 2))
    delta = captum["integrated_gradients_delta"]
    assert np.all(np.abs(np.asarray(found.error) - delta) < 1e-5 * largest + 1e-3 * np.abs(delta))


def test_integrated_gradients_of_captum_from_a_baseline(lab, captum, models):
    found = jv.integrated_gradients(
        models[""], lab["x"], captum["classes"], steps=16, baseline=float(captum["baseline"])
    )
    delta = captum["integrated_gradients_from_baseline_delta"]
    scale = np.abs(found.maps).sum(axis=(1, 2))
    assert np.all(np.abs(np.asarray(found.error) - delta) < 1e-5 * scale + 1e-3 * np.abs(delta))


OCCLUSIONS = {"occlusion": (16, 8, 0), "occlusion_uneven": (20, 16, 0),
              "occlusion_from_baseline": (16, 8, None)}  # fmt: skip


@pytest.mark.parametrize("name", OCCLUSIONS)
def test_occlusion_of_captum(lab, captum, models, name):
    window, stride, fill = OCCLUSIONS[name]
    fill = float(captum["baseline"]) if fill is None else fill
    found = jv.occlusion(
        models[""], lab["x"], captum["classes"], window=window, stride=stride, fill=fill
    )
    alike(found, captum[name])


def test_guided_grad_cam_of_captum(lab, captum, models):
    """It enlarges by repeating, and keeps the channels: the same two factors as ours."""
    gradient = np.asarray(
        jv.input_gradient(models[""], lab["x"], captum["classes"], rule=jv.GUIDED)
    )
    cam = np.asarray(jv.grad_cam(models[""], lab["x"], captum["classes"]))
    alike(gradient * np.kron(cam, np.ones((16, 16)))[..., None], captum["guided_grad_cam"])
    signed = jv.explain(models[""], lab["x"], captum["classes"], methods=["grad_cam"], signed=True)
    alike(signed["grad_cam", "vanilla"], captum["layer_grad_cam"])
    strongest = np.take_along_axis(gradient, np.abs(gradient).argmax(-1)[..., None], -1)[..., 0]
    ours = jv.guided_grad_cam(models[""], lab["x"], captum["classes"])
    np.testing.assert_allclose(
        ours, strongest * jv.upsample(cam, (64, 64)), rtol=1e-3, atol=1e-4 * np.abs(ours).max()
    )


CAMS = {"grad_cam": jv.grad_cam, "xgrad_cam": jv.xgrad_cam, "hires_cam": jv.hires_cam,
        "layer_cam": jv.layer_cam}  # fmt: skip


@pytest.mark.parametrize("prefix", ["", "scaled_"])
@pytest.mark.parametrize("name", CAMS)
def test_cams_of_pytorch_grad_cam(lab, grad_cam_of_torch, models, name, prefix):
    found = jv.explain(
        models[prefix], lab["x"], lab["classes"], methods=[name], rules=["vanilla"], signed=True
    )
    alike(found[name, "vanilla"], grad_cam_of_torch[f"{prefix}{name}"])
    shown = CAMS[name](models[prefix], lab["x"], lab["classes"])
    assert relative_error(shown, np.maximum(found[name, "vanilla"], 0)) < 1e-5


def test_grad_cam_plus_plus_of_pytorch_grad_cam(lab, grad_cam_of_torch, models):
    """It adds 1e-6 below, which the paper does not."""
    for prefix, model in models.items():
        wanted = np.maximum(grad_cam_of_torch[f"{prefix}grad_cam_plus_plus"], 0)
        alike(jv.grad_cam_plus_plus(model, lab["x"], lab["classes"], epsilon=1e-6), wanted)
        assert relative_error(jv.grad_cam_plus_plus(model, lab["x"], lab["classes"]), wanted) > 1e-3


def test_eigen_cam_of_pytorch_grad_cam(lab, grad_cam_of_torch, models):
    """It centres the channels first; without that it is ours, up to the sign."""
    activation = np.asarray(models[""].cut("block5_conv3")[0](lab["x"]), np.float64)
    for A, wanted in zip(activation, grad_cam_of_torch["eigen_cam"], strict=True):
        matrix = A.reshape(-1, A.shape[-1])
        centred = matrix - matrix.mean(axis=0)
        v = np.linalg.svd(centred)[2][0]
        found = (centred @ v).reshape(wanted.shape)
        found *= np.sign((found * wanted).sum())
        np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-3 * np.abs(wanted).max())
    ours = jv.eigen_cam(models[""], lab["x"])
    centred = activation - activation.mean(axis=(1, 2), keepdims=True)
    body = lambda x, relu=jax.nn.relu: x  # noqa: E731
    head = lambda a, relu=jax.nn.relu: a.mean((1, 2))  # noqa: E731
    again = jv.explain(
        (body, head),
        np.asarray(centred, np.float32),
        0,
        methods=["eigen_cam"],
        rules=["vanilla"],
        signed=True,
    )["eigen_cam", "any"]
    for one, wanted in zip(np.asarray(again), grad_cam_of_torch["eigen_cam"], strict=True):
        sign = np.sign((one * wanted).sum())
        np.testing.assert_allclose(sign * one, wanted, rtol=1e-3, atol=1e-3 * np.abs(wanted).max())
    assert np.asarray(ours).min() >= 0


@pytest.mark.parametrize("prefix", ["", "scaled_"])
def test_ablation_cam_of_pytorch_grad_cam(lab, grad_cam_of_torch, models, prefix):
    """Divided by the score, and not by its absolute value."""
    found = jv.explain(
        models[prefix], lab["x"], lab["classes"], methods=["ablation_cam"], signed=True
    )["ablation_cam", "any"]
    logits = np.asarray(models[prefix](lab["x"]))[np.arange(3), lab["classes"]]
    alike(found * np.sign(logits)[:, None, None], grad_cam_of_torch[f"{prefix}ablation_cam"])


def test_score_cam_of_pytorch_grad_cam(lab, grad_cam_of_torch, models):
    found = jv.score_cam(models["scaled_"], lab["x"], lab["classes"], weights="channels")
    alike(found, np.maximum(grad_cam_of_torch["scaled_score_cam"], 0), error=1e-3)
