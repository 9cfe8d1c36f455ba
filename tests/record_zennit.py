"""Record relevance maps with zennit, for methods/test_zennit.py to compare with.

Run once, in an environment of its own (PyTorch does not belong into jaxvis's):

    pip install torch==2.13.0 h5py pillow && pip install --no-deps zennit==0.5.1
    python tests/record_zennit.py

zennit imports torchvision, for the names of two classes that nothing here uses: they are stood in
for. The network is the narrow VGG16 of tests/recorded/narrow_vgg16.h5, and the images and classes
those of tests/recorded/tf_keras_vis.npz. All is computed in double precision. It writes
tests/recorded/zennit.npz.
"""

import sys
import types as python_types
from importlib.metadata import version
from pathlib import Path

import h5py
import numpy as np
import torch
from torch import nn

for name in ("torchvision", "torchvision.models", "torchvision.models.resnet"):
    sys.modules[name] = python_types.ModuleType(name)
sys.modules["torchvision.models.resnet"].__dict__.update(Bottleneck=object, BasicBlock=object)

from zennit import composites, rules, types  # noqa: E402

HERE = Path(__file__).parent / "recorded"
IMAGES = 2  # the first of three: the one's logit is below 0, the other's above
BLOCKS = (2, 2, 3, 3, 3)
LAST = (2, 2, 32)  # height, width and channels behind block5_pool
# Wider than any of the images, which are noise: no pixel may lie outside of the box.
LOW, HIGH = (-350.0, -330.0, -310.0), (340.0, 320.0, 360.0)


def record() -> None:
    with np.load(HERE / "tf_keras_vis.npz") as file:
        x, classes = file["x"][:IMAGES], file["classes"][:IMAGES]
    assert (np.array(LOW) < x.min(axis=(0, 1, 2))).all()
    assert (np.array(HIGH) > x.max(axis=(0, 1, 2))).all()
    low, high = (torch.tensor(a, dtype=torch.float64).reshape(1, 3, 1, 1) for a in (LOW, HIGH))
    asked = {
        "epsilon": everywhere(rules.Epsilon()),
        "epsilon_25": everywhere(rules.Epsilon(epsilon=25.0)),
        "gamma": everywhere(rules.Gamma()),
        "z_plus": everywhere(rules.ZPlus()),
        "alpha2_beta1": everywhere(rules.AlphaBeta(alpha=2, beta=1)),
        "epsilon_plus_flat": composites.EpsilonPlusFlat(),
        "epsilon_plus_box": composites.EpsilonPlusFlat(
            first_map=[(types.Convolution, rules.ZBox(low=low, high=high))]
        ),
        "epsilon_gamma_box": composites.EpsilonGammaBox(low=low, high=high),
        "epsilon_alpha2_beta1_flat": composites.EpsilonAlpha2Beta1Flat(),
    }
    results = {"low": np.array(LOW), "high": np.array(HIGH)}
    for name, composite in asked.items():
        results[name] = maps(composite, x, classes)
    pooled = composites.EpsilonPlusFlat()
    results["epsilon_plus_flat, average pooling"] = maps(pooled, x, classes, average=True)
    packages = ("torch", "zennit", "numpy")
    results["versions"] = np.array([f"{name} {version(name)}" for name in packages])
    np.savez_compressed(HERE / "zennit.npz", **results)
    for name, value in results.items():
        print(name, value.shape, value.dtype)


def everywhere(rule: rules.Hook) -> composites.LayerMapComposite:
    """One rule for all layers with weights; ReLUs pass relevance on."""
    return composites.LayerMapComposite([(types.Activation, rules.Pass()), (types.Linear, rule)])


def maps(
    composite: object, x: np.ndarray, classes: np.ndarray, average: bool = False
) -> np.ndarray:
    """Relevance that starts as the logit, summed over channels: (n, height, width)."""
    model = network(average)
    images = torch.from_numpy(x.astype(np.float64).transpose(0, 3, 1, 2)).requires_grad_()
    rows = torch.arange(len(classes))
    with composite.context(model) as hooked:
        logits = hooked(images)
        start = torch.zeros_like(logits)
        start[rows, classes] = logits.detach()[rows, classes]
        (relevance,) = torch.autograd.grad(logits, images, start)
    return relevance.sum(dim=1).numpy().astype(np.float32)


def network(average: bool) -> nn.Sequential:
    """The narrow VGG16 in double precision; with `average`, its head is pooling and one layer."""
    layers: list[nn.Module] = []
    with h5py.File(HERE / "narrow_vgg16.h5") as file:
        weights = arrays_by_layer(file)
    for block, count in enumerate(BLOCKS, start=1):
        for number in range(1, count + 1):
            kernel, bias = weights[f"block{block}_conv{number}"]
            out = nn.Conv2d(*kernel.shape[2:], 3, padding=1, dtype=torch.float64)
            # (height, width, in, out) -> (out, in, height, width)
            layers += [filled(out, kernel.transpose(3, 2, 0, 1), bias), nn.ReLU()]
        layers.append(nn.MaxPool2d(2))
    if average:
        kernel, bias = weights["predictions"]
        layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
        # Of another number of inputs: as many rows of its kernel as there are channels.
        return nn.Sequential(*layers, dense(kernel[: LAST[2]], bias)).eval()
    layers.append(nn.Flatten())
    for name in ("fc1", "fc2", "predictions"):
        kernel, bias = weights[name]
        if name == "fc1":  # Keras flattens height, width, channel; PyTorch channel, height, width
            kernel = kernel.reshape(*LAST, -1).transpose(2, 0, 1, 3).reshape(kernel.shape)
        layers += [dense(kernel, bias), nn.ReLU()]
    return nn.Sequential(*layers[:-1]).eval()


def dense(kernel: np.ndarray, bias: np.ndarray) -> nn.Linear:
    return filled(nn.Linear(*kernel.shape, dtype=torch.float64), kernel.T, bias)


def filled(module, kernel, bias):
    module.weight = nn.Parameter(torch.from_numpy(np.ascontiguousarray(kernel, np.float64)))
    module.bias = nn.Parameter(torch.from_numpy(bias.astype(np.float64)))
    return module


def arrays_by_layer(file: h5py.File) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Kernel and bias of every layer that has them, wherever in its group they lie."""
    found = {}
    for name, group in file.items():
        arrays: list[np.ndarray] = []
        group.visititems(
            lambda _, item, arrays=arrays: (
                arrays.append(item[...]) if isinstance(item, h5py.Dataset) else None
            )
        )
        if arrays:
            bias, kernel = sorted(arrays, key=lambda array: array.ndim)
            found[name] = kernel, bias
    return found


if __name__ == "__main__":
    record()
