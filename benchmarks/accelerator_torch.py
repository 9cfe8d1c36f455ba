"""The six maps in PyTorch on the same device as accelerator.py: channels last, torch.compile, TF32.

    python benchmarks/accelerator_torch.py [--batches 1 8 32 128] [--precisions highest default
                                           bfloat16] [--no-compile] [--results FOLDER]

Runs in an environment with PyTorch and h5py, without jaxvis. Every rule is one forward pass and
one backward pass of a network with that rule's ReLU, cut at block5_conv3: Grad-CAM from the
gradient there, the saliency map from where it goes on to the input. "default" is TF32 on a GPU,
as JAX's is. Without a GPU small batches show that it runs, and no more.
"""

import argparse
import json
import statistics
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parent / "peers"))
import torch_vgg16
import worker

CUT = f"{worker.LAYER}_relu"


class SixMaps(torch.nn.Module):
    """Saliency and Grad-CAM under each rule, from networks that share their weights."""

    def __init__(self, model: torch.nn.Sequential, compiled: bool) -> None:
        super().__init__()
        names = [name for name, _ in model.named_children()]
        at = names.index(CUT) + 1
        self.parts = []
        for relu in torch_vgg16.RELUS.values():
            twin = torch_vgg16.with_relu(model, relu)
            body, head = twin[:at], twin[at:]
            if compiled:
                body, head = torch.compile(body), torch.compile(head)
            self.parts.append((body, head))

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        maps = []
        for body, head in self.parts:
            x = x.detach().requires_grad_()
            activation = body(x)
            score = head(activation)[:, worker.CLASS].sum()
            at_cut, at_input = torch.autograd.grad(score, (activation, x))
            weights = at_cut.mean(dim=(2, 3), keepdim=True)
            maps += [
                at_input.abs().amax(dim=1),
                (weights * activation.detach()).sum(dim=1).clamp(min=0),
            ]
        return maps


def measure(six: SixMaps, x: torch.Tensor, repeats: int) -> dict[str, Any]:
    def run() -> None:
        six(x)
        if x.is_cuda:
            torch.cuda.synchronize()

    start = time.perf_counter()
    run()
    first = time.perf_counter() - start
    run()
    taken = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        taken.append(time.perf_counter() - start)
    return {
        "seconds": statistics.median(taken), "min": min(taken), "max": max(taken),
        "first_call_seconds": first,
        "peak_mb": torch.cuda.max_memory_allocated() / 1e6 if x.is_cuda else None,
    }  # fmt: skip


def prepare(precision: str) -> torch.dtype:
    tf32 = precision == "default"
    torch.backends.cuda.matmul.allow_tf32 = tf32
    torch.backends.cudnn.allow_tf32 = tf32
    return torch.bfloat16 if precision == "bfloat16" else torch.float32


def run(options: argparse.Namespace) -> dict[str, Any]:
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    name = torch.cuda.get_device_name() if device.type == "cuda" else "cpu"
    torch.backends.cudnn.benchmark = True
    rng = np.random.Generator(np.random.PCG64(1))
    print(f"{name}, PyTorch {torch.__version__}\n")
    print("| precision | batch | images/s | ms | first call s |\n|---|---|---|---|---|")
    rows = []
    for precision in options.precisions:
        dtype = prepare(precision)
        model = torch_vgg16.vgg16(options.weights).requires_grad_(False).to(device, dtype)
        model = model.to(memory_format=torch.channels_last)
        six = SixMaps(model, options.compile)
        for batch in options.batches:
            pixels = rng.uniform(-120, 140, (batch, 3, 224, 224)).astype(np.float32)
            x = torch.from_numpy(pixels).to(device, dtype, memory_format=torch.channels_last)
            found = measure(six, x, options.repeats) | {"precision": precision, "batch": batch}
            found["images_per_second"] = batch / found["seconds"]
            rows.append(found)
            print(
                f"| {precision} | {batch} | {found['images_per_second']:.1f} | "
                f"{1000 * found['seconds']:.1f} | {found['first_call_seconds']:.1f} |", flush=True
            )  # fmt: skip
    return {
        "date": datetime.now(UTC).date().isoformat(), "device": name,
        "versions": {"torch": torch.__version__}, "compile": options.compile, "rows": rows,
    }  # fmt: skip


def main() -> None:
    gpu = torch.cuda.is_available()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", type=Path, required=True, help="full-size VGG16 as .h5")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 8, 32, 128] if gpu else [1])
    parser.add_argument(
        "--precisions", nargs="+", choices=["highest", "default", "bfloat16"],
        default=["highest", "default", "bfloat16"] if gpu else ["highest"],
    )  # fmt: skip
    parser.add_argument("--repeats", type=int, default=10 if gpu else 2)
    parser.add_argument("--no-compile", dest="compile", action="store_false")
    parser.add_argument("--results", type=Path, help="folder for DATE-DEVICE-torch.json")
    options = parser.parse_args()
    result = run(options)
    if options.results:
        options.results.mkdir(parents=True, exist_ok=True)
        device = "-".join(result["device"].lower().split()).replace("/", "-")
        path = options.results / f"{result['date']}-{device}-torch.json"
        path.write_text(json.dumps(result, indent=1) + "\n")
        print(f"\n{path}")


if __name__ == "__main__":
    main()
