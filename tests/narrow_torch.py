"""The narrow VGG16 of tests/recorded/narrow_vgg16.h5 in PyTorch, for the scripts that record.

Needs NumPy, h5py and PyTorch. The recorded classes' logits are hundreds, of which a softmax is 0 or
1 and an exponential infinite. `vgg16(LOGIT_SCALE)` is the same network with kernel and bias of its
last layer multiplied by that power of two, and its logits are of the size that VGG16's are.
"""

from pathlib import Path

import h5py
import numpy as np
import torch
from torch import nn

HERE = Path(__file__).parent / "recorded"
LOGIT_SCALE = 1 / 128
LAYER = "block5_conv3_relu"
BLOCKS = (2, 2, 3, 3, 3)


def vgg16(logit_scale: float = 1) -> nn.Sequential:
    """Return the network up to the logits; every ReLU is a module of its own."""
    model = nn.Sequential()
    with h5py.File(HERE / "narrow_vgg16.h5") as file:
        top = file.get("model_weights", file)
        for block, count in enumerate(BLOCKS, start=1):
            for number in range(1, count + 1):
                name = f"block{block}_conv{number}"
                kernel, bias = _arrays(top[name])
                # (height, width, in, out) -> (out, in, height, width)
                convolution = nn.Conv2d(*kernel.shape[2:], 3, padding=1)
                model.add_module(name, _filled(convolution, kernel.transpose(3, 2, 0, 1), bias))
                model.add_module(f"{name}_relu", nn.ReLU())
                channels = len(bias)
            model.add_module(f"block{block}_pool", nn.MaxPool2d(2))
        model.add_module("flatten", nn.Flatten())
        for name in ("fc1", "fc2", "predictions"):
            kernel, bias = _arrays(top[name])
            if name == "fc1":  # Keras flattens height, width, channel; here it is channel first
                side = int((len(kernel) // channels) ** 0.5)
                grid = kernel.reshape(side, side, channels, -1)
                kernel = grid.transpose(2, 0, 1, 3).reshape(kernel.shape)
            if name == "predictions":
                kernel, bias = kernel * np.float32(logit_scale), bias * np.float32(logit_scale)
            model.add_module(name, _filled(nn.Linear(*kernel.shape), kernel.T, bias))
            if name != "predictions":
                model.add_module(f"{name}_relu", nn.ReLU())
    return model.eval()


def case() -> tuple[torch.Tensor, list[int], np.ndarray]:
    """Return the input that tf-keras-vis was recorded with, its classes, and Keras's logits."""
    with np.load(HERE / "tf_keras_vis.npz") as file:
        x = np.ascontiguousarray(file["x"].transpose(0, 3, 1, 2))
        return torch.from_numpy(x), file["classes"].tolist(), file["logits"]


def at_layer(
    model: nn.Sequential, x: torch.Tensor, classes: list[int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return activation and gradient behind the ReLU `LAYER`, and the input's gradient."""
    at = [name for name, _ in model.named_children()].index(LAYER) + 1
    x = x.clone().requires_grad_()
    activation = model[:at](x)
    score = model[at:](activation)[range(len(x)), classes].sum()
    gradients = torch.autograd.grad(score, (activation, x))
    return tuple(channels_last(array) for array in (activation, *gradients))


def channels_last(array: torch.Tensor | np.ndarray) -> np.ndarray:
    """Return (n, c, h, w) as (n, h, w, c) in float32."""
    if isinstance(array, torch.Tensor):
        array = array.detach().numpy()
    return np.ascontiguousarray(array.transpose(0, 2, 3, 1), np.float32)


def _arrays(group: h5py.Group) -> tuple[np.ndarray, np.ndarray]:
    found: list[h5py.Dataset] = []
    group.visititems(lambda _, item: found.append(item) if hasattr(item, "shape") else None)
    kernel, bias = sorted(found, key=lambda dataset: -dataset.ndim)
    return kernel[...], bias[...]


def _filled(module: nn.Module, kernel: np.ndarray, bias: np.ndarray) -> nn.Module:
    module.weight = nn.Parameter(torch.from_numpy(np.ascontiguousarray(kernel)))
    module.bias = nn.Parameter(torch.from_numpy(bias))
    return module
