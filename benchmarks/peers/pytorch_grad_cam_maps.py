"""pytorch-grad-cam: GradCAM and GuidedBackpropReLUModel; what it lacks in plain PyTorch.

It has no vanilla and no deconvnet saliency: these are `torch.autograd.grad` of a network with other
ReLU modules, and so are the networks of the Grad-CAMs under a rule. GuidedBackpropReLUModel takes
one image at a time. Weights ask for no gradient (GradCAM calls `backward`, which would compute
those too, at twice the cost), so the input has to.
"""

import sys
import types
from pathlib import Path

import numpy as np
import worker


def without_torchvision() -> None:
    """Let pytorch_grad_cam be imported where torchvision does not load.

    It takes three names for preparing images from there, none of which runs here.
    """
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


def prepare(weights: Path, images: np.ndarray) -> tuple:
    import torch_vgg16

    without_torchvision()
    from pytorch_grad_cam import GradCAM, GuidedBackpropReLUModel
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    model = torch_vgg16.vgg16(weights).requires_grad_(False)
    twins = {rule: torch_vgg16.with_relu(model, relu) for rule, relu in torch_vgg16.RELUS.items()}
    cams = {
        rule: GradCAM(twin, [twin.get_submodule(f"{worker.LAYER}_relu")])
        for rule, twin in twins.items()
    }
    guided = GuidedBackpropReLUModel(model)
    targets = [ClassifierOutputTarget(worker.CLASS)] * len(images)
    return twins, cams, guided, targets, torch_vgg16.network_input(images)


def run(state: tuple) -> worker.Maps:
    import torch

    twins, cams, guided, targets, x = state
    maps = {}
    for rule in ("vanilla", "rectified"):
        inputs = x.clone().requires_grad_()
        with_no_hooks(cams[rule])
        score = twins[rule](inputs)[:, worker.CLASS].sum()
        (gradient,) = torch.autograd.grad(score, inputs)
        maps[f"saliency_{rule}"] = gradient.abs().amax(dim=1).numpy()
    gradients = [guided(image[None].clone(), worker.CLASS) for image in x]
    maps["saliency_guided"] = np.abs(np.stack(gradients)).max(axis=-1)
    for rule, cam in cams.items():
        maps[f"grad_cam_{rule}"] = cam(x.clone().requires_grad_(), targets)
    return maps


def with_no_hooks(cam: object) -> None:
    """Forget what the hooks of an earlier call kept, as a call of its own does at its start."""
    cam.activations_and_grads.activations = []
    cam.activations_and_grads.gradients = []


def raw(state: tuple) -> worker.Maps:
    """The same before GradCAM scales each map to [0, 1] and enlarges it."""
    maps = run(state)
    _, cams, _, targets, x = state
    for rule, cam in cams.items():
        cam(x.clone().requires_grad_(), targets)
        kept = cam.activations_and_grads
        values = cam.get_cam_image(
            x, None, targets, kept.activations[0].numpy(), kept.gradients[0].numpy()
        )
        maps[f"grad_cam_{rule}"] = np.maximum(values, 0)
    return maps


if __name__ == "__main__":
    worker.serve(prepare, run, raw=raw)
