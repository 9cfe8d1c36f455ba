"""Captum's methods; RISE, which no peer has, in PyTorch by hand."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import worker


def prepare(weights: Path, images: np.ndarray) -> dict[str, Callable[[], Any]]:
    import torch
    import torch_vgg16
    from captum import attr

    model = torch_vgg16.vgg16(weights).requires_grad_(False)
    x = torch_vgg16.network_input(images)
    one = x[: worker.MASKED]
    layer = model.get_submodule(f"{worker.LAYER}_relu")
    gradient = attr.Saliency(model)
    noise = attr.NoiseTunnel(gradient)
    deviation = 0.15 * float(one.max() - one.min())

    def attributed(method: Any, given: Any, **options: Any) -> Callable[[], Any]:
        return lambda: method.attribute(
            given.clone().requires_grad_(), target=worker.CLASS, **options
        ).detach()

    return {
        "input_x_gradient": attributed(attr.InputXGradient(model), x),
        "guided_grad_cam": attributed(attr.GuidedGradCam(model, layer), x),
        "smoothgrad": attributed(
            noise, one, nt_samples=worker.SAMPLES, nt_samples_batch_size=8, stdevs=deviation,
            abs=False,
        ),
        "integrated_gradients": attributed(
            attr.IntegratedGradients(model), one, n_steps=worker.STEPS, internal_batch_size=8
        ),
        "occlusion": attributed(
            attr.Occlusion(model), one, strides=(3, worker.STRIDE, worker.STRIDE),
            sliding_window_shapes=(3, worker.WINDOW, worker.WINDOW), perturbations_per_eval=16,
        ),
        "rise": lambda: rise(torch, model, one),
    }  # fmt: skip


def rise(torch: Any, model: Any, x: Any, cells: int = 7, batch: int = 16) -> Any:
    """Random grids, enlarged and shifted, as the paper draws them, in batches."""
    side = x.shape[-1]
    cell = -(-side // cells)
    total = torch.zeros((side, side))
    with torch.inference_mode():
        for start in range(0, worker.MASKS, batch):
            count = min(batch, worker.MASKS - start)
            grid = (torch.rand(count, 1, cells, cells) < 0.5).float()
            large = torch.nn.functional.interpolate(
                grid, size=(cells + 1) * cell, mode="bilinear", align_corners=False
            )
            row, column = (int(n) for n in torch.randint(0, cell, (2,)))
            masks = large[:, :, row : row + side, column : column + side]
            share = torch.softmax(model(x * masks), dim=1)[:, worker.CLASS]
            total += torch.einsum("b,bhw->hw", share, masks[:, 0])
    return total / (0.5 * worker.MASKS)


if __name__ == "__main__":
    import warnings

    warnings.filterwarnings("ignore", message="Setting backward hooks on ReLU")
    worker.serve_methods(prepare)
