"""Captum: Saliency, Deconvolution, GuidedBackprop and LayerGradCam, one call for each map.

Captum's rules belong to its two backpropagation methods and do not reach LayerGradCam, so the
Grad-CAMs under a rule are LayerGradCam of a network with the same weights and other ReLU modules.
"""

from pathlib import Path

import numpy as np
import worker


def prepare(weights: Path, images: np.ndarray) -> tuple:
    import torch_vgg16
    from captum.attr import Deconvolution, GuidedBackprop, LayerGradCam, Saliency

    model = torch_vgg16.vgg16(weights)
    methods = {
        "saliency_vanilla": Saliency(model),
        "saliency_rectified": Deconvolution(model),
        "saliency_guided": GuidedBackprop(model),
    }
    for rule, relu in torch_vgg16.RELUS.items():
        twin = torch_vgg16.with_relu(model, relu)
        layer = twin.get_submodule(f"{worker.LAYER}_relu")
        methods[f"grad_cam_{rule}"] = LayerGradCam(twin, layer)
    return methods, torch_vgg16.network_input(images)


def run(state: tuple) -> worker.Maps:
    methods, x = state
    maps = {}
    for name, method in methods.items():
        if name.startswith("saliency"):
            inputs = x.clone().requires_grad_()
            gradient = method.attribute(inputs, target=worker.CLASS)
            maps[name] = gradient.abs().amax(dim=1).detach().numpy()
        else:
            cam = method.attribute(x, target=worker.CLASS, relu_attributions=True)
            maps[name] = cam[:, 0].detach().numpy()
    return maps


if __name__ == "__main__":
    import warnings

    warnings.filterwarnings("ignore", message="Setting backward hooks on ReLU")
    warnings.filterwarnings("ignore", message="Setting forward, backward hooks")
    worker.serve(prepare, run)
