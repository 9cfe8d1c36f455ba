"""PyTorch by hand, as fast as its users can have it: one forward pass and three backward.

The ReLU is a `torch.autograd.Function` whose backward pass reads the rule, so that the graph of one
forward pass serves all three; it keeps one byte a number. Channels last, float32 or bfloat16;
weights ask for no gradient.
"""

from pathlib import Path

import numpy as np
import worker


class Rule:
    """The rule that backward passes obey at present."""

    name = "vanilla"


def prepare(weights: Path, images: np.ndarray, precision: str) -> tuple:
    import torch
    import torch_vgg16

    class Ruled(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            y = torch.relu(x)
            ctx.save_for_backward(y > 0)
            return y

        @staticmethod
        def backward(ctx, g):
            (open_,) = ctx.saved_tensors
            if Rule.name == "vanilla":
                return g * open_
            g = torch.relu(g)
            return g if Rule.name == "rectified" else g * open_

    class ReLU(torch.nn.Module):
        def forward(self, x):
            return Ruled.apply(x)

    dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
    model = torch_vgg16.vgg16(weights, ReLU).requires_grad_(False).to(dtype)
    model = model.to(memory_format=torch.channels_last)
    at = [name for name, _ in model.named_children()].index(f"{worker.LAYER}_relu") + 1
    x = torch_vgg16.network_input(images).to(dtype, memory_format=torch.channels_last)
    return torch, model[:at], model[at:], x


def run(state: tuple) -> worker.Maps:
    torch, body, head, x = state
    x = x.detach().requires_grad_()
    activation = body(x)
    score = head(activation)[:, worker.CLASS].sum()
    maps = {}
    for rule in worker.RULES:
        Rule.name = rule
        at_cut, at_input = torch.autograd.grad(score, (activation, x), retain_graph=True)
        weights = at_cut.float().mean(dim=(2, 3), keepdim=True)
        cam = (weights * activation.detach().float()).sum(dim=1).clamp(min=0)
        maps[f"saliency_{rule}"] = at_input.float().abs().amax(dim=1).numpy()
        maps[f"grad_cam_{rule}"] = cam.numpy()
    return maps


if __name__ == "__main__":
    worker.serve(prepare, run)
