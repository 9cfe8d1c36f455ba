"""VGG16 in plain torch.nn with weights in Keras's layout converted, for Captum and the like."""

from pathlib import Path

import numpy as np
import torch
import worker
from torch import nn


def vgg16(path: Path, relu: type[nn.Module] = nn.ReLU) -> nn.Sequential:
    """Return the network up to the logits; every ReLU is a module of its own."""
    weights = worker.read_weights(path)
    layers: list[tuple[str, nn.Module]] = []
    channels = 3
    for block, (count, width) in enumerate(worker.BLOCKS, start=1):
        for number in range(1, count + 1):
            name = f"block{block}_conv{number}"
            # (height, width, in, out) -> (out, in, height, width)
            kernel = weights[name][0].transpose(3, 2, 0, 1)
            convolution = _filled(nn.Conv2d(channels, width, 3, padding=1), kernel, weights[name])
            layers += [(name, convolution), (f"{name}_relu", relu())]
            channels = width
        layers.append((f"block{block}_pool", nn.MaxPool2d(2)))
    layers.append(("flatten", nn.Flatten()))
    for name in worker.DENSE:
        kernel = weights[name][0]
        if name == "fc1":  # Keras flattens height, width, channel; PyTorch channel, height, width
            kernel = kernel.reshape(7, 7, 512, -1).transpose(2, 0, 1, 3).reshape(kernel.shape)
        layers.append((name, _filled(nn.Linear(*kernel.shape), kernel.T, weights[name])))
        if name != "predictions":
            layers.append((f"{name}_relu", relu()))
    model = nn.Sequential()
    for name, module in layers:
        model.add_module(name, module)
    return model.eval()


def _filled(module: nn.Module, kernel: np.ndarray, arrays: tuple) -> nn.Module:
    module.weight = nn.Parameter(torch.from_numpy(np.ascontiguousarray(kernel)))
    module.bias = nn.Parameter(torch.from_numpy(arrays[1]))
    return module


def with_relu(model: nn.Sequential, relu: type[nn.Module]) -> nn.Sequential:
    """Return a network that shares the weights and has other ReLUs."""
    twin = nn.Sequential()
    for name, module in model.named_children():
        twin.add_module(name, relu() if isinstance(module, nn.ReLU) else module)
    return twin.eval()


def network_input(images: np.ndarray) -> torch.Tensor:
    x = worker.network_input(images).transpose(0, 3, 1, 2)
    return torch.from_numpy(np.ascontiguousarray(x))


class _Rectified(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.clamp(min=0)

    @staticmethod
    def backward(ctx, g):
        return g.clamp(min=0)


class _Guided(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.clamp(min=0)

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return g.clamp(min=0) * (x > 0)


class RectifiedReLU(nn.Module):
    def forward(self, x):
        return _Rectified.apply(x)


class GuidedReLU(nn.Module):
    def forward(self, x):
        return _Guided.apply(x)


RELUS = {"vanilla": nn.ReLU, "rectified": RectifiedReLU, "guided": GuidedReLU}
