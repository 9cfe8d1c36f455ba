"""Record what Captum computes on the narrow VGG16.

Run once, in an environment of its own:

    pip install torch==2.13.0 captum==0.9.0 h5py==3.16.0
    python tests/record_captum.py

It writes tests/recorded/captum.npz; arrays are channels last, of the logit of `classes`, of the
network as it is (see narrow_torch.py), and all have their signs.
tests/methods/test_recorded_formulas.py states them in NumPy. With x the input, x' a baseline, F the
class's logit, A the activation of block5_conv3 and g the gradient there:

input_x_gradient (input_x_gradient.py)
    x dF/dx, for every channel.
guided_backprop (guided_backprop_deconvnet.py)
    dF/dx where every ReLU module, after its own gate on its input, passes back max(., 0) of the
    gradient. Channel 0 only.
integrated_gradients, integrated_gradients_from_baseline (integrated_gradients.py)
    (x - x') sum_k w_k dF/dx (x' + a_k (x - x')), with the 16 nodes of Gauss and Legendre moved to
    [0, 1] (a = (1 + node) / 2, w = weight / 2); x' = 0, and x' = `baseline` in every channel of
    every pixel. Of the second, channel 0 only.
    `..._delta` is, image by image, the sum of the attributions - (F(x) - F(x')).
integrated_gradients_METHOD_delta
    The same delta of the Riemann sums, 16 steps. All have weights 1/n: left at a = k/n, right at
    (k + 1)/n, middle at (k + 1/2)/n. The trapezoid's nodes are k/(n - 1), its first and last weight
    1/(2n): the weights add up to (n - 1)/n, and so the attributions are a sixteenth too small.
occlusion, occlusion_uneven, occlusion_from_baseline (occlusion.py, feature_ablation.py)
    For every position of a window over all channels: F(x) - F(x with the window at x'). A pixel's
    value is the mean over the windows that cover it. Windows start at 0, stride, 2 stride, ...
    until the last one reaches the edge: ceil((64 - window) / stride) + 1 of them. The last one is
    cut off at the edge where it would hang over, not moved inwards. The same in every channel; one
    is recorded. (window, stride) is (16, 8), (20, 16), (16, 8); x' is 0, 0, `baseline`.
feature_ablation (feature_ablation.py)
    F(x) - F(x with a square of 16 x 16 at 0), in every pixel of that square; no mean.
layer_grad_cam, layer_grad_cam_of_sums (layer/grad_cam.py)
    sum_c mean(g_c) A_c with its sign, at the output of block5_conv3's ReLU, and at that of the
    convolution before it, where neither is the same: A has negative values, and g is 0 there.
    `relu_attributions=True` would take max(., 0).
layer_grad_cam_bilinear
    `LayerAttribution.interpolate(..., interpolate_mode="bilinear")` of it: half-pixel grid, the
    edge repeated. Image 0 only.
guided_grad_cam (guided_grad_cam.py)
    Guided backpropagation (signed, every channel) times max(Grad-CAM, 0), the latter of the
    ordinary gradient at the ReLU's output, enlarged by repeating ("nearest", the default; its own
    documentation says that the paper has bilinear). Nothing is scaled.
layer_gradient_x_activation (layer/layer_gradient_x_activation.py)
    g A, for every channel.
layer_feature_ablation (layer/layer_feature_ablation.py)
    F - F with channel c of A at 0, a number for every image and channel: what Ablation-CAM divides
    by F. Captum has no Score-CAM.
smooth_grad, smooth_grad_squared, var_grad (noise_tunnel.py over saliency.py with abs=False)
    Over 4 noisy inputs x + `noise_deviation` z: mean of dF/dx, mean of its square, and the second
    minus the square of the first. One deviation for all, in units of the input. (Saliency's own
    default, abs=True, would make it the mean of |dF/dx|.) Channel 0 only, and of
    smooth_grad_squared image 0 only. z is drawn by NumPy in place of `torch.normal`:
    numpy.random.RandomState(noise_seed).standard_normal((3 * 4, 3, 64, 64)), channels first, the
    four samples of image 0 first. `noise_corner` is z[:, :, ::16, ::16].
"""

import warnings
from importlib.metadata import version

import numpy as np
import torch
from narrow_torch import HERE, LAYER, at_layer, case, channels_last, vgg16

STEPS, BASELINE, SAMPLES, DEVIATION, SEED = 16, 40.0, 4, 12.0, 7


def record() -> None:
    from captum import attr

    model = vgg16()
    x, classes, _ = case()
    relu = model.get_submodule(LAYER)
    convolution = model.get_submodule(LAYER.removesuffix("_relu"))
    activation, gradient, _ = at_layer(model, x, classes)
    results = {
        "classes": np.array(classes),
        "baseline": np.float32(BASELINE),
        "logits": model(x).detach().numpy(),
        "activation": activation,
        "activation_gradient": gradient,
        "input_x_gradient": channels_last(attr.InputXGradient(model).attribute(x, target=classes)),
    }
    results |= integrated_gradients(attr.IntegratedGradients(model), x, classes)
    for name, window, stride, baseline in (
        ("occlusion", 16, 8, 0),
        ("occlusion_uneven", 20, 16, 0),
        ("occlusion_from_baseline", 16, 8, BASELINE),
    ):
        map_ = attr.Occlusion(model).attribute(
            x,
            sliding_window_shapes=(3, window, window),
            strides=(3, stride, stride),
            baselines=baseline,
            target=classes,
            perturbations_per_eval=8,
        )
        results[name] = one_channel(map_)
    rows = torch.arange(64) // 16
    squares = (4 * rows[:, None] + rows)[None, None]
    map_ = attr.FeatureAblation(model).attribute(x, target=classes, feature_mask=squares)
    results["feature_ablation"] = one_channel(map_)

    signed = attr.LayerGradCam(model, relu).attribute(x, target=classes)
    results["layer_grad_cam"] = one_channel(signed)
    of_sums = attr.LayerGradCam(model, convolution).attribute(x, target=classes)
    results["layer_grad_cam_of_sums"] = one_channel(of_sums)
    bilinear = attr.LayerAttribution.interpolate(signed, (64, 64), interpolate_mode="bilinear")
    results["layer_grad_cam_bilinear"] = one_channel(bilinear)[:1]
    guided = attr.GuidedBackprop(model).attribute(x, target=classes)
    results["guided_backprop"] = channels_last(guided)[..., 0]
    guided_grad_cam = attr.GuidedGradCam(model, relu).attribute(x, target=classes)
    results["guided_grad_cam"] = channels_last(guided_grad_cam)
    product = attr.LayerGradientXActivation(model, relu).attribute(x, target=classes)
    results["layer_gradient_x_activation"] = channels_last(product)
    by_channel = torch.arange(activation.shape[-1])[None, :, None, None]
    drops = attr.LayerFeatureAblation(model, relu).attribute(
        x, target=classes, layer_mask=by_channel
    )
    drops = channels_last(drops)
    assert (drops == drops[:, :1, :1]).all()
    results["layer_feature_ablation"] = drops[:, 0, 0]
    results |= noise(attr, model, x, classes)

    packages = ("torch", "captum", "numpy")
    results["versions"] = np.array([f"{name} {version(name)}" for name in packages])
    np.savez_compressed(HERE / "captum.npz", **results)
    for name, value in results.items():
        print(name, value.shape, value.dtype)


def integrated_gradients(method, x, classes) -> dict[str, np.ndarray]:
    results = {}
    options = {"target": classes, "n_steps": STEPS, "return_convergence_delta": True}
    for name, baseline in (("", 0.0), ("_from_baseline", BASELINE)):
        map_, delta = method.attribute(x, baseline, method="gausslegendre", **options)
        map_ = channels_last(map_)
        results[f"integrated_gradients{name}"] = map_[..., 0] if baseline else map_
        results[f"integrated_gradients{name}_delta"] = np.float32(delta)
    for rule in ("left", "right", "middle", "trapezoid"):
        _, delta = method.attribute(x, 0.0, method=f"riemann_{rule}", **options)
        results[f"integrated_gradients_{rule}_delta"] = np.float32(delta)
    return results


def noise(attr, model, x, classes) -> dict[str, np.ndarray]:
    z = np.random.RandomState(SEED).standard_normal((len(x) * SAMPLES, *x.shape[1:]))
    results = {
        "noise_seed": np.array(SEED),
        "noise_deviation": np.float32(DEVIATION),
        "noise_corner": np.float32(z[:, :, ::16, ::16]),
    }

    def normal(mean, deviation):
        assert mean == 0
        assert deviation.shape == z.shape
        return torch.from_numpy(np.float32(z)) * deviation

    drawn, torch.normal = torch.normal, normal
    try:
        for name, kind in (
            ("smooth_grad", "smoothgrad"),
            ("smooth_grad_squared", "smoothgrad_sq"),
            ("var_grad", "vargrad"),
        ):
            map_ = attr.NoiseTunnel(attr.Saliency(model)).attribute(
                x, nt_type=kind, nt_samples=SAMPLES, stdevs=DEVIATION, target=classes, abs=False
            )
            map_ = channels_last(map_)[..., 0]
            results[name] = map_[:1] if kind == "smoothgrad_sq" else map_
    finally:
        torch.normal = drawn
    return results


def one_channel(array: torch.Tensor) -> np.ndarray:
    """Return (n, h, w) of a map that is the same in all channels."""
    array = channels_last(array)
    assert (array == array[..., :1]).all()
    return array[..., 0]


if __name__ == "__main__":
    warnings.filterwarnings("ignore", message="Setting backward hooks on ReLU")
    record()
