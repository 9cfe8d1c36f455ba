"""zennit's relevance propagation, under its composite EpsilonPlusFlat."""

import sys
import types as python_types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import worker


def prepare(weights: Path, images: np.ndarray) -> dict[str, Callable[[], Any]]:
    import torch
    import torch_vgg16

    # It imports torchvision for the names of two classes, which nothing here uses.
    for name in ("torchvision", "torchvision.models", "torchvision.models.resnet"):
        sys.modules[name] = python_types.ModuleType(name)
    sys.modules["torchvision.models.resnet"].__dict__.update(Bottleneck=object, BasicBlock=object)
    from zennit.attribution import Gradient
    from zennit.composites import EpsilonPlusFlat

    model = torch_vgg16.vgg16(weights)
    x = torch_vgg16.network_input(images[: worker.MASKED])

    def run() -> np.ndarray:
        with Gradient(model, EpsilonPlusFlat()) as attributor:
            start = torch.zeros((len(x), 1000))
            output = model(x)
            start[:, worker.CLASS] = output[:, worker.CLASS].detach()
            return attributor(x, start)[1].numpy()

    return {"lrp": run}


if __name__ == "__main__":
    worker.serve_methods(prepare)
