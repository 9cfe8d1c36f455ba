"""Record what other libraries say of maps and networks, for test_evaluate_peers.py to compare with.

Run once, in an environment of its own (none of these belongs into jaxvis's):

    pip install torch==2.13.0 quantus==0.6.0 captum==0.9.0 grad-cam==1.5.7 \\
        scikit-image==0.26.0 scikit-learn==1.9.1 scipy==1.17.1
    python tests/record_evaluate.py

It draws images, maps, masks, perturbations and a small network from a seed, asks the peers, and
writes all of it to tests/recorded/evaluate.npz. Numbers that tests need exactly are kept as small
integers or in half precision, and were rounded to these before anybody saw them.
"""

import warnings
from importlib.metadata import version
from pathlib import Path

import numpy as np

OUT = Path(__file__).parent / "recorded" / "evaluate.npz"
PACKAGES = (
    "torch",
    "quantus",
    "captum",
    "grad-cam",
    "scikit-image",
    "scikit-learn",
    "scipy",
    "numpy",
)
N, SIZE, CLASSES = 4, 24, 5
MAPS = (6, 24, 40)  # not square: an exchange of axes would be seen
SAMPLES = 3  # perturbations of every image
STEP = 48  # pixels deleted at once; Quantus wants 3 * STEP to divide SIZE * SIZE
PHI, OFFSET = 2e-5, 0.05  # units of the attributions and of the offsets
SHARES = (0.1, 0.3, 0.5, 0.7, 0.9)  # of the pixels, imputed


def cases(rng):
    """Images, maps, masks and perturbations."""
    from scipy.ndimage import gaussian_filter

    def smooth(shape, sigma):
        noise = gaussian_filter(rng.normal(size=shape), (0, sigma, sigma))
        return noise / noise.std(axis=(1, 2), keepdims=True)

    a = np.maximum(smooth(MAPS, 2) + 0.3 * rng.normal(size=MAPS), 0)
    b = 0.6 * a + 0.4 * smooth(MAPS, 1)
    a[1] *= 1e-3
    b[2] = np.round(b[2] * 3)  # few levels
    a[3, :, :20] = 0  # many ties
    b[4] = -a[4] + 0.5 * b[4]
    rows, columns = np.mgrid[: MAPS[1], : MAPS[2]]
    masks = np.zeros(MAPS, bool)
    for number, radius in enumerate((3, 5, 7, 9, 11, 13)):
        row, column = np.unravel_index(a[number].argmax(), MAPS[1:])
        if number % 2:  # on the maximum, or with the edge one pixel beside it
            row, column = row + 2, column - 1
        else:
            row += radius if row < MAPS[1] // 2 else -radius
        masks[number] = (rows - row) ** 2 + (columns - column) ** 2 < radius**2
    x = [40 * smooth((N, SIZE, SIZE), 3) + 20 * rng.normal(size=(N, SIZE, SIZE)) for _ in range(3)]
    removed = rng.random((N, SIZE, SIZE)) < np.array([0.1, 0.5, 0.9, 0.5])[:, None, None]
    removed[3] = False
    removed[3, 3:20, 7:] = True  # a large hole that touches the edge
    # No two pixels alike, for the peers order ties in other ways; whole numbers fit into float16.
    ranked = smooth((N, SIZE, SIZE), 2).reshape(N, -1).argsort(axis=1).argsort(axis=1)
    squares = np.zeros((SAMPLES, N, SIZE, SIZE), bool)
    for sample, image in np.ndindex(SAMPLES, N):
        side, top, left = rng.integers((3, 0, 0), (10, 15, 15))
        squares[sample, image, top : top + side, left : left + side] = True
    return {
        "a": a.astype(np.float16),
        "b": b.astype(np.float16),
        "masks": masks,
        "x": np.clip(np.rint(np.stack(x, axis=-1)), -128, 127).astype(np.int8),
        "small_maps": ranked.reshape(N, SIZE, SIZE).astype(np.float16),
        "attributions": rng.integers(-60, 61, (N, SIZE, SIZE, 3)).astype(np.int8),  # * PHI
        "removed": removed,
        "squares": squares,
        "offsets": rng.integers(-100, 101, (SAMPLES, N, SIZE, SIZE, 3)).astype(np.int8),  # * OFFSET
    }


def weights(rng):
    """Of a network of two convolutions, kernels (height, width, in, out) as in JAX."""
    shapes = {"conv1": (3, 3, 3, 6), "conv2": (3, 3, 6, 8), "out": (8, CLASSES)}
    found = {}
    for name, shape in shapes.items():
        # The images have a deviation of 45, and the mean over pixels leaves little of it.
        scale = np.sqrt(2 / np.prod(shape[:-1])) * {"conv1": 0.02, "conv2": 1, "out": 5}[name]
        found[f"{name}_kernel"] = rng.normal(0, scale, shape).astype(np.float32)
        found[f"{name}_bias"] = rng.normal(0, 0.2, shape[-1]).astype(np.float32)
    return found


def network(parameters):
    """Conv, ReLU, conv of stride 2, ReLU, mean over pixels, dense; channels first."""
    import torch

    torch.set_grad_enabled(True)
    net = torch.nn.Sequential(
        torch.nn.Conv2d(3, 6, 3, padding=1),
        torch.nn.ReLU(),
        torch.nn.Conv2d(6, 8, 3, stride=2),
        torch.nn.ReLU(),
        torch.nn.AdaptiveAvgPool2d(1),
        torch.nn.Flatten(),
        torch.nn.Linear(8, CLASSES),
    )
    for number, name in ((0, "conv1"), (2, "conv2"), (6, "out")):
        kernel = torch.tensor(parameters[f"{name}_kernel"])
        axes = (3, 2, 0, 1) if kernel.ndim == 4 else (1, 0)
        net[number].weight.data = kernel.permute(axes).contiguous()
        net[number].bias.data = torch.tensor(parameters[f"{name}_bias"])
    return net.eval()


def scaled(maps):
    low, high = (f(maps, axis=(1, 2), keepdims=True) for f in (np.min, np.max))
    return (maps - low) / (high - low)


def first(array):
    """Channels first."""
    return np.ascontiguousarray(np.moveaxis(array, -1, -3))


def likeness(given):
    """Spearman and SSIM of pairs of maps: SciPy, scikit-image, and Quantus, which calls them."""
    from quantus.functions import similarity_func
    from scipy.stats import spearmanr
    from skimage.metrics import structural_similarity

    a, b = given["a"].astype(np.float64), given["b"].astype(np.float64)
    flat_a, flat_b = (maps.reshape(len(maps), -1) for maps in (a, b))
    pairs = list(zip(flat_a, flat_b, strict=True))
    return {
        "scipy_spearman": [spearmanr(x, y).statistic for x, y in pairs],
        "scipy_spearman_absolute": [spearmanr(abs(x), abs(y)).statistic for x, y in pairs],
        "quantus_spearman": similarity_func.correlation_spearman(flat_a, flat_b, batched=True),
        "skimage_ssim": [
            structural_similarity(x, y, data_range=1.0)
            for x, y in zip(scaled(a), scaled(b), strict=True)
        ],
        "quantus_ssim": similarity_func.ssim(scaled(a), scaled(b), batched=True),
    }


def location(given):
    """Maps against masks: Quantus; scikit-learn for the area under precision and recall;
    scikit-image for the largest component above 15 % of the maximum."""
    import quantus
    from skimage.measure import label
    from sklearn.metrics import average_precision_score

    maps, masks = given["a"].astype(np.float64), given["masks"]
    blank = np.zeros((len(maps), 3, *maps.shape[1:]))

    def ask(metric):
        options = {"abs": False, "normalise": False, "disable_warnings": True}
        return metric(**options)(
            model=None,
            x_batch=blank,
            y_batch=np.zeros(len(maps), int),
            a_batch=maps[:, None],
            s_batch=masks[:, None],
            channel_first=True,
        )

    def component(one):
        labels = label(one >= 0.15 * one.max(), connectivity=1)
        return labels == 1 + np.bincount(labels.ravel())[1:].argmax()

    components = np.stack([component(one) for one in maps])
    return {
        "skimage_component_iou": (components & masks).sum((1, 2))
        / (components | masks).sum((1, 2)),
        "quantus_pointing_game": ask(quantus.PointingGame),
        "quantus_mass_accuracy": ask(quantus.RelevanceMassAccuracy),
        "quantus_attribution_localisation": ask(quantus.AttributionLocalisation),
        "sklearn_average_precision": [
            average_precision_score(mask.ravel(), one.ravel())
            for mask, one in zip(masks, maps, strict=True)
        ],
    }


def imputation(given, probability):
    """ROAD's linear imputation without noise: Quantus; and what the network says of it."""
    from quantus.functions.perturb_func import noisy_linear_imputation

    def impute(image, removed):
        indices = np.flatnonzero(removed)
        return noisy_linear_imputation(first(image), indices, noise=0)

    x = given["x"].astype(np.float64)
    maps = given["small_maps"].reshape(N, -1).astype(np.float64)
    order = np.argsort(-maps, axis=1, kind="stable")
    rows = []
    for share in SHARES:
        removed = np.zeros(maps.shape, bool)
        np.put_along_axis(removed, order[:, : round(share * maps.shape[1])], True, axis=1)
        imputed = [impute(*pair) for pair in zip(x, removed, strict=True)]
        rows.append(probability(np.stack(imputed)))
    imputed = np.stack([impute(*pair) for pair in zip(x, given["removed"], strict=True)])
    return {
        "quantus_imputed": np.moveaxis(imputed, 1, -1).astype(np.float32),
        "quantus_road_probability": np.stack(rows, axis=1),
    }


def deletion(given, net):
    """The curve of deletion after every step: Quantus's pixel flipping to a baseline of 0."""
    import quantus

    metric = quantus.PixelFlipping(
        features_in_step=3 * STEP,  # its features are pixels and channels
        perturb_baseline=0.0,
        abs=False,
        normalise=False,
        disable_warnings=True,
    )
    curves = metric(
        model=net,
        x_batch=first(given["x"]).astype(np.float32),
        y_batch=given["classes"],
        a_batch=given["small_maps"][:, None].astype(np.float32),
        channel_first=True,
        softmax=True,
    )
    return {"quantus_pixel_flipping": curves}


def dimming(given, net):
    """Average drop and increase of images multiplied by their maps: pytorch-grad-cam, in shares."""
    import torch
    from pytorch_grad_cam.metrics.cam_mult_image import DropInConfidence, IncreaseInConfidence
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputSoftmaxTarget

    x = torch.tensor(first(given["x"]).astype(np.float32))
    maps = scaled(given["small_maps"].astype(np.float32))
    targets = [ClassifierOutputSoftmaxTarget(int(index)) for index in given["classes"]]
    return {
        "gradcam_drop": np.ravel(DropInConfidence()(x, maps, targets, net)),
        "gradcam_increase": np.ravel(IncreaseInConfidence()(x, maps, targets, net)),
    }


def infidelity(given, net):
    """Infidelity of given attributions under given perturbations: Captum, and Quantus."""
    import captum.metrics
    import quantus
    import torch

    x = first(given["x"]).astype(np.float32)
    phi = first(given["attributions"]).astype(np.float32) * np.float32(PHI)
    noise = first(given["offsets"]).astype(np.float32) * np.float32(OFFSET)
    changes = {"squares": given["squares"][:, :, None] * x, "noise": noise}
    target = torch.tensor(given["classes"])
    found = {}
    for name, samples in changes.items():
        # Captum repeats every image for its samples: image by image, not sample by sample.
        repeated = torch.tensor(samples.swapaxes(0, 1).reshape(-1, *x.shape[1:]))
        for normalize in (False, True):
            found[f"captum_infidelity_{name}{'_normalized' * normalize}"] = (
                captum.metrics.infidelity(
                    net,
                    lambda inputs, repeated=repeated: (repeated, inputs - repeated),
                    torch.tensor(x),
                    torch.tensor(phi),
                    target=target,
                    n_perturb_samples=SAMPLES,
                    normalize=normalize,
                ).numpy()
            )
        # As it is, Quantus perturbs what it has perturbed already: here one block is all pixels,
        # and the function that perturbs begins from x again.
        states = iter(x[None] - samples)
        metric = quantus.Infidelity(
            perturb_func=lambda arr, indices, states=states, **_: next(states).reshape(arr.shape),
            n_perturb_samples=SAMPLES,
            perturb_patch_sizes=[SIZE],
            abs=False,
            normalise=False,
            disable_warnings=True,
        )
        found[f"quantus_infidelity_{name}"] = metric(
            model=net, x_batch=x, y_batch=given["classes"], a_batch=phi, channel_first=True,
            softmax=False,
        )  # fmt: skip
    return found


def sensitivity(given, net):
    """Max-sensitivity of the saliency map under given offsets: Captum, and Quantus."""
    import captum.metrics
    import quantus
    import torch

    def saliency(inputs, target):
        with torch.enable_grad():
            inputs = inputs.detach().requires_grad_()
            logits = net(inputs).gather(1, target[:, None]).sum()
            (gradient,) = torch.autograd.grad(logits, inputs)
        return gradient.abs().amax(dim=1, keepdim=True)

    x = first(given["x"]).astype(np.float32)
    offsets = first(given["offsets"]).astype(np.float32) * np.float32(OFFSET)
    target = torch.tensor(given["classes"])
    repeated = torch.tensor(offsets.swapaxes(0, 1).reshape(-1, *x.shape[1:]))
    by_captum = captum.metrics.sensitivity_max(
        # It hands over a tuple of all inputs, wants one of all maps, and then only the tensor.
        lambda inputs, target: (
            saliency(inputs if isinstance(inputs, torch.Tensor) else inputs[0], target),
        ),
        torch.tensor(x),
        perturb_func=lambda inputs: inputs + repeated,
        n_perturb_samples=SAMPLES,
        target=target,
    )
    states = iter(x[None] + offsets)
    metric = quantus.MaxSensitivity(
        perturb_func=lambda arr, indices, **_: next(states).reshape(arr.shape),
        nr_samples=SAMPLES,
        abs=False,
        normalise=False,
        disable_warnings=True,
    )
    by_quantus = metric(
        model=net,
        x_batch=x,
        y_batch=given["classes"],
        explain_func=lambda model, inputs, targets, **_: saliency(
            torch.as_tensor(inputs), torch.as_tensor(targets)
        ).numpy(),
        channel_first=True,
    )
    return {
        "captum_sensitivity_max": by_captum.numpy(),
        "quantus_max_sensitivity": by_quantus,
        "torch_saliency": saliency(torch.tensor(x), target)[:, 0].numpy(),
    }


def rise_kernel():
    """RISE's blur, as its authors make it: a point in 11 x 11 pixels, blurred by SciPy."""
    from scipy.ndimage import gaussian_filter

    point = np.zeros((11, 11))
    point[5, 5] = 1
    return {"scipy_rise_kernel": gaussian_filter(point, 5)}


def record():
    import torch

    warnings.simplefilter("ignore")
    rng = np.random.Generator(np.random.PCG64(7))
    given, parameters = cases(rng), weights(rng)
    net = network(parameters)
    with torch.no_grad():
        logits = net(torch.tensor(first(given["x"]).astype(np.float32))).numpy()
    given["classes"] = np.argsort(logits, axis=1)[range(N), [-1, -1, -2, -3]]

    def probability(images):
        with torch.no_grad():
            shares = torch.softmax(net(torch.tensor(images, dtype=torch.float32)), dim=1).numpy()
        return shares[np.arange(N), given["classes"]]

    results = likeness(given) | location(given) | imputation(given, probability)
    results |= deletion(given, net) | dimming(given, net)
    results |= infidelity(given, net) | sensitivity(given, net) | rise_kernel()
    results["torch_logits"] = logits
    versions = np.array([f"{name} {version(name)}" for name in PACKAGES])
    arrays = {name: np.asarray(value) for name, value in results.items()}
    np.savez_compressed(OUT, versions=versions, **given, **parameters, **arrays)
    for name, value in (given | parameters | arrays).items():
        print(name, value.shape, value.dtype, value if value.size < 7 else "")
    print(f"{OUT}: {OUT.stat().st_size:,} bytes")


if __name__ == "__main__":
    record()
