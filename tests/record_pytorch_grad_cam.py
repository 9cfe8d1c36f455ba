"""Record what pytorch-grad-cam computes on the narrow VGG16, before it scales and enlarges.

Run once, in an environment of its own:

    pip install torch==2.13.0 grad-cam==1.5.7 h5py==3.16.0
    python tests/record_pytorch_grad_cam.py

torchvision comes with it; where it is missing or does not load, the three names that the package
takes from there are left empty, and none of what is recorded uses them. It writes
tests/recorded/pytorch_grad_cam.npz; arrays are channels last. `NAME` is a map of the network as it
is, `scaled_NAME` of the one whose last layer is multiplied by `logit_scale` (see narrow_torch.py),
both at the output of block5_conv3's ReLU and for the logit of `classes`; `NAME_weights` are its
weights (n, channels). tests/methods/test_recorded_formulas.py states all of this in NumPy.

What is recorded is what `get_cam_image` returns. `base_cam.py` then takes max(., 0); scales each
map, (a - min) / (max(a - min) + 1e-7); enlarges it with OpenCV (bilinear, pixel centres: a
half-pixel grid that repeats the edge); averages over the target layers, of which there is one here;
and scales again in the same way (`utils/image.py`). `grad_cam_shown` is that for `grad_cam`.
Images of a batch are independent. All methods without gradients still use the hooks' activations.

With A the activation (h, w, channel), g the gradient of the class's logit y, S_c the sum of A_c
over space, sums over space ("i") and channels ("c"):

grad_cam (grad_cam.py)
    sum_c mean_i(g_c) A_c, signed. As the paper, but for the rectifier, which comes later.
grad_cam_plus_plus (grad_cam_plusplus.py)
    alpha = g^2 / (2 g^2 + S_c g^3 + 1e-6), 0 where g is 0; w_c = sum_i max(g, 0) alpha;
    sum_c w_c A_c. exp(y), whose derivatives the paper takes, cancels in alpha and is left out of w;
    alpha is not normalised over space. Gradients of 1e-3 and less, such as the scaled network's,
    are damped by 1e-6.
xgrad_cam (xgrad_cam.py)
    w_c = sum_i g_c A_c / (S_c + 1e-7); sum_c w_c A_c. As the paper, which has no 1e-7; a channel
    that is 0 everywhere gets weight 0.
hires_cam (hirescam.py)
    sum_c g A, signed.
element_wise (grad_cam_elementwise.py)
    sum_c max(g A, 0).
layer_cam (layer_cam.py)
    sum_c max(g, 0) A. No rectifier is needed behind it where A >= 0; the paper's tanh scaling of
    early layers is not there.
eigen_cam, eigen_grad_cam, seg_eigen_cam (eigen_cam.py, ..., utils/svd_on_activations.py)
    M is (places, channels) of A, of g A, and of |g| A. Every column is centred, which Eigen-CAM's
    paper does not do; M v, with v the first right singular vector of the centred M. The sign of v
    is whatever LAPACK returned, and the max(., 0) that follows keeps one half of the map or the
    other; only seg_eigen_cam settles it, by flipping the map where |min| > |max|. In eigen_cam
    the class plays no part.
grad_cam_eigen_smooth
    `eigen_smooth=True`: the same projection of w_c A_c, in place of its sum over c.
ablation_cam (ablation_cam.py, ablation_layer.py)
    w_c = (y - y without channel c) / y, sum_c w_c A_c. As the paper's slope, sign of y included:
    with y < 0 all weights change sign. "Without" is A_c = 0 at this layer where the smallest value
    of the image's activation is exactly 0; in any other case the channel becomes its minimum minus
    1e7, and the minimum is taken anew for each channel of a batch of 32, the ablated ones
    included, so that the values go down by 1e7 from channel to channel. Here it is 0 (the rest is
    read, not recorded).
score_cam (score_cam.py)
    A_c is enlarged to the input (bilinear, aligned corners), (a - min) / (max - min + 1e-8), times
    the input; w = softmax over channels of the raw logits y of these; sum_c w_c A_c. What a
    baseline image scores would cancel in that softmax and is not computed. A channel that is 0
    everywhere masks all, and has the weight of a zero input. Of logits in the hundreds nearly all
    weight falls on one channel.
full_grad (fullgrad_cam.py)
    |x g_x| channel by channel, and |b_c g_c| channel by channel for every convolution, b its bias
    and g the gradient at its output before the ReLU; each channel of each image is scaled alone to
    [0, 1] as above, enlarged by OpenCV, and all are added: how large a channel's values are
    is lost. Biases of dense layers are left out. The layers asked for are ignored.
    Recorded before the last scaling, which is (a - min) / (max(a - min) + 1e-7).
"""

import sys
import types
from importlib.metadata import version

import numpy as np
import torch
from narrow_torch import HERE, LAYER, LOGIT_SCALE, at_layer, case, channels_last, vgg16


def without_torchvision() -> None:
    """Let pytorch_grad_cam be imported where torchvision does not load."""
    try:
        import torchvision  # noqa: F401
    except (ImportError, RuntimeError):
        for name in [name for name in sys.modules if name.startswith("torchvision")]:
            del sys.modules[name]
        names = ("torchvision", "torchvision.transforms", "torchvision.transforms.functional")
        package, transforms, functional = map(types.ModuleType, names)
        for missing in ("Compose", "Normalize", "ToTensor"):
            setattr(transforms, missing, None)
        functional.resize = None
        sys.modules |= dict(zip(names, (package, transforms, functional), strict=True))


def record() -> None:
    without_torchvision()
    import pytorch_grad_cam as library

    methods = {
        "grad_cam": library.GradCAM,
        "grad_cam_plus_plus": library.GradCAMPlusPlus,
        "xgrad_cam": library.XGradCAM,
        "hires_cam": library.HiResCAM,
        "element_wise": library.GradCAMElementWise,
        "layer_cam": library.LayerCAM,
        "eigen_cam": library.EigenCAM,
        "eigen_grad_cam": library.EigenGradCAM,
        "seg_eigen_cam": library.SegEigenCAM,
        "ablation_cam": library.AblationCAM,
        "score_cam": library.ScoreCAM,
    }
    with_weights = ("grad_cam_plus_plus", "xgrad_cam", "ablation_cam", "score_cam")
    x, classes, logits = case()
    results = {"classes": np.array(classes), "logit_scale": np.float32(LOGIT_SCALE)}
    for prefix, scale in (("", 1), ("scaled_", LOGIT_SCALE)):
        model = vgg16(scale)
        results[f"{prefix}logits"] = model(x).detach().numpy()
        assert np.allclose(results[f"{prefix}logits"], logits * scale, rtol=1e-4)
        activation, gradient, of_input = at_layer(model, x, classes)
        results[f"{prefix}activation_gradient"] = gradient
        if not prefix:
            results |= {"activation": activation, "input_gradient": of_input}
        for name, method in methods.items():
            raw, weights, shown = run(method(model, [model.get_submodule(LAYER)]), x, classes)
            results[prefix + name] = raw
            if name in with_weights:
                results[f"{prefix}{name}_weights"] = weights
            if prefix + name == "grad_cam":
                results["grad_cam_shown"] = shown
        cam = library.GradCAM(model, [model.get_submodule(LAYER)])
        results[f"{prefix}grad_cam_eigen_smooth"] = run(cam, x, classes, eigen_smooth=True)[0]
    results["full_grad"] = full_grad(library, x, classes)
    packages = ("torch", "grad-cam", "numpy", "opencv-python-headless", "scipy")
    results["versions"] = np.array([f"{name} {version(name)}" for name in packages])
    np.savez_compressed(HERE / "pytorch_grad_cam.npz", **results)
    for name, value in results.items():
        print(name, value.shape, value.dtype)


def run(cam, x, classes, **options) -> tuple[np.ndarray, np.ndarray | None, np.ndarray]:
    """Return the map before it is scaled, the channels' weights, and the map that one is given."""
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    kept: dict[str, np.ndarray] = {}

    def keeping(name):
        function = getattr(cam, name)

        def keep(*args):
            kept[name] = function(*args)
            return kept[name]

        setattr(cam, name, keep)

    keeping("get_cam_image")
    keeping("get_cam_weights")
    targets = [ClassifierOutputTarget(index) for index in classes]
    shown = cam(x.clone().requires_grad_(), targets, **options)
    raw, weights = (kept.get(name) for name in ("get_cam_image", "get_cam_weights"))
    cam.activations_and_grads.release()
    return np.float32(raw), None if weights is None else np.float32(weights), np.float32(shown)


def full_grad(library, x, classes) -> np.ndarray:
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    cam = library.FullGrad(vgg16(), [])
    kept = []
    aggregate = cam.aggregate_multi_layers

    def keep(maps):
        kept.append(maps)
        return aggregate(maps)

    cam.aggregate_multi_layers = keep
    cam(x.clone(), [ClassifierOutputTarget(index) for index in classes])
    (maps,) = kept
    return channels_last(maps)[..., 0]


if __name__ == "__main__":
    torch.manual_seed(0)
    record()
