"""Images per second, and the share of the device's own peak, on whatever device JAX sees.

    python benchmarks/accelerator.py [--batches 1 8 32 128] [--precisions highest default bfloat16]
                                     [--weights FILE.h5] [--results benchmarks/results]

Saliency, Grad-CAM and explain of VGG16 in each precision: "highest" is float32 everywhere,
"default" is TF32 on a recent NVIDIA GPU and bfloat16 on a TPU, "bfloat16" a network of that type.
The peaks are measured here: a large matrix product in the same precision, and a copy. Without
options a CPU gets a quarter of the channels and small batches, which proves that it runs and no
more. With --results it writes results/DATE-DEVICE.json.
"""

import argparse
import json
import math
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

import jaxvis as jv
from jaxvis.models.layers import as_config, layer_shapes

WORK = ("saliency", "grad_cam", "explain")
COLUMNS = ("precision", "work", "batch", "images/s", "ms", "TFLOP/s", "of peak", "compile s",
           "temporary MB", "peak MB")  # fmt: skip


def seconds_of(function: Callable[[], Any], repeats: int) -> list[float]:
    """Time `function`, after one call that is not counted."""
    jax.block_until_ready(function())
    taken = []
    for _ in range(repeats):
        start = time.perf_counter()
        jax.block_until_ready(function())
        taken.append(time.perf_counter() - start)
    return taken


def matrix_peak(precision: str, size: int, repeats: int) -> float:
    """FLOP/s of a product of two square matrices, in the precision of the network."""
    dtype = jnp.bfloat16 if precision == "bfloat16" else jnp.float32
    a = jax.random.normal(jax.random.key(0), (size, size), dtype)
    multiply = None if precision == "bfloat16" else precision
    product = jax.jit(lambda a: jnp.matmul(a, a, precision=multiply))
    return 2 * size**3 / min(seconds_of(lambda: product(a), repeats))


def copy_peak(megabytes: int, repeats: int) -> float:
    """Bytes per second, read and written, of an addition of 1."""
    a = jnp.zeros(megabytes * 250_000, jnp.float32)
    add = jax.jit(lambda a: a + jnp.float32(1))
    return 2 * a.nbytes / min(seconds_of(lambda: add(a), repeats))


def flop(model: jv.VGG16) -> dict[str, float]:
    """Floating-point operations of each kind of work, for one image, matrix products only.

    A backward pass to the input costs what the forward pass does; Grad-CAM's stops at the cut.
    """
    convolutions = dense = 0
    for layer in layer_shapes(model.architecture):
        if layer.kind == "Conv2D":
            convolutions += 2 * math.prod(layer.output_shape[:2]) * math.prod(layer.kernel_shape)
        elif layer.kind == "Dense":
            dense += 2 * math.prod(layer.kernel_shape)
    forward = convolutions + dense
    return {"saliency": 2 * forward, "grad_cam": forward + dense, "explain": 4 * forward}


def memory_peak(device: jax.Device) -> float | None:
    """MB at the highest point since the process started, where the device tells."""
    statistics_ = device.memory_stats() or {}
    peak = statistics_.get("peak_bytes_in_use")
    return None if peak is None else peak / 1e6


def measure(model: jv.VGG16, work: str, batch: int, repeats: int) -> dict[str, Any]:
    """Time one kind of work at one batch size; what does not fit says so."""
    (size, _), classes = model.architecture.size, model.architecture.classes
    x = jax.random.uniform(jax.random.key(1), (batch, size, size, 3), jnp.float32, -120, 140)
    target = 99 % classes
    function = {"saliency": jv.saliency, "grad_cam": jv.grad_cam, "explain": jv.explain}[work]
    try:
        start = time.perf_counter()
        jax.block_until_ready(function(model, x, target))
        first = time.perf_counter() - start
        taken = seconds_of(lambda: function(model, x, target), repeats)
        run = jv.compile_explain(model, x, target) if work == "explain" else None
        planned = None if run is None else run.planned_bytes / 1e6
    except jax.errors.JaxRuntimeError as error:
        if "RESOURCE_EXHAUSTED" not in str(error):
            raise
        return {"work": work, "batch": batch, "failed": "out of memory"}
    middle = statistics.median(taken)
    return {
        "work": work, "batch": batch, "seconds": middle, "min": min(taken), "max": max(taken),
        "images_per_second": batch / middle, "first_call_seconds": first,
        "compile_seconds": first - middle, "temporary_mb": planned,
        "peak_mb": memory_peak(jax.devices()[0]),
    }  # fmt: skip


def row(found: dict[str, Any]) -> str:
    if "failed" in found:
        cells = [found["precision"], found["work"], str(found["batch"]), found["failed"]]
        return "| " + " | ".join(cells + [""] * (len(COLUMNS) - 4)) + " |"

    def whole(value: float | None) -> str:
        return "" if value is None else f"{value:.0f}"

    cells = [
        found["precision"], found["work"], str(found["batch"]),
        f"{found['images_per_second']:.1f}", f"{1000 * found['seconds']:.1f}",
        f"{found['flop_per_second'] / 1e12:.2f}", f"{found['share_of_peak']:.2f}",
        f"{found['compile_seconds']:.1f}", whole(found["temporary_mb"]), whole(found["peak_mb"]),
    ]  # fmt: skip
    return "| " + " | ".join(cells) + " |"


def build(options: argparse.Namespace, precision: str) -> jv.VGG16:
    if options.weights:
        return jv.load_vgg16(options.weights, precision=precision)
    return jv.VGG16(width=options.width, size=options.size, precision=precision)


def run(options: argparse.Namespace) -> dict[str, Any]:
    device = jax.devices()[0]
    copy = copy_peak(options.copy_megabytes, options.repeats)
    print(f"{device.device_kind}, JAX {jax.__version__}; copy {copy / 1e9:.0f} GB/s")
    peaks, rows = {}, []
    for precision in options.precisions:
        peaks[precision] = matrix_peak(precision, options.matrix, options.repeats)
        print(f"matrix product, {precision}: {peaks[precision] / 1e12:.2f} TFLOP/s")
    print("\n| " + " | ".join(COLUMNS) + " |\n" + "|---" * len(COLUMNS) + "|")
    for precision in options.precisions:
        model = build(options, precision)
        costs = flop(model)
        for work in WORK:
            for batch in options.batches:
                found = measure(model, work, batch, options.repeats) | {"precision": precision}
                if "seconds" in found:
                    rate = costs[work] * batch / found["seconds"]
                    found |= {"flop_per_second": rate, "share_of_peak": rate / peaks[precision]}
                rows.append(found)
                print(row(found), flush=True)
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "device": device.device_kind, "platform": device.platform,
        "versions": {name: version(name) for name in ("jax", "jaxlib", "flax", "numpy")},
        "architecture": as_config(model.architecture), "copy_bytes_per_second": copy,
        "matrix_flop_per_second": peaks, "rows": rows,
    }  # fmt: skip


def parse() -> argparse.Namespace:
    cpu = jax.devices()[0].platform == "cpu"
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--batches", type=int, nargs="+", default=[1, 2] if cpu else [1, 8, 32, 128]
    )
    parser.add_argument(
        "--precisions", nargs="+", choices=["highest", "default", "bfloat16"],
        default=["highest", "default", "bfloat16"],
    )  # fmt: skip
    parser.add_argument("--repeats", type=int, default=2 if cpu else 10)
    parser.add_argument("--weights", type=Path, help="VGG16 as .h5; else He-normal weights")
    parser.add_argument("--width", type=float, default=0.25 if cpu else 1.0, help="of the channels")
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--matrix", type=int, default=1024 if cpu else 8192)
    parser.add_argument("--copy-megabytes", type=int, default=64 if cpu else 1024)
    parser.add_argument("--results", type=Path, help="folder for DATE-DEVICE.json")
    return parser.parse_args()


def main() -> None:
    options = parse()
    result = run(options)
    if options.results:
        options.results.mkdir(parents=True, exist_ok=True)
        device = "-".join(result["device"].lower().split()).replace("/", "-")
        path = options.results / f"{result['date']}-{device}.json"
        path.write_text(json.dumps(result, indent=1) + "\n")
        print(f"\n{path}")


if __name__ == "__main__":
    main()
