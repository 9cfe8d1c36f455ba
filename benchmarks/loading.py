"""How long the 553 MB of VGG16 take to load: h5py, a memory map, and jaxvis.load_vgg16.

    python benchmarks/loading.py --folder FOLDER [--rounds 5]

Makes a full-size file in FOLDER (once, in Keras's layout), then loads it in turn with

- h5py: every array by `dataset[...]`, nothing checked;
- memory map: a copy from `numpy.memmap` at the offset of each contiguous dataset;
- raw reads: what jaxvis does once it knows where the arrays are, finite values checked;
- jaxvis: `load_vgg16` of a file of unknown hash (structure parsed in a child process);
- jaxvis, known: the same of a file whose hash was verified before (parsed in this process);

and MD5, what verifying anew on each load would cost. The table gives medians, all in one process,
in turn, the file in the page cache; and the peak memory of each in a process of its own.
"""

import argparse
import gc
import hashlib
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np

import jaxvis as jv
from jaxvis.models.layers import layer_shapes
from jaxvis.weights.arrays import read_arrays
from jaxvis.weights.keras import make_plan
from jaxvis.weights.load import build


def make_file(path: Path) -> None:
    """Write He-normal weights as Keras's ImageNet file has them: no description, no checksums."""
    rng = np.random.Generator(np.random.PCG64(0))
    shapes = layer_shapes()
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [shape.name.encode() for shape in shapes]
        for shape in shapes:
            group = file.create_group(shape.name)
            names = [f"{shape.name}_W_1:0", f"{shape.name}_b_1:0"] if shape.kernel_shape else []
            group.attrs["weight_names"] = np.array([name.encode() for name in names], "S40")
            if shape.kernel_shape:
                scale = (2 / np.prod(shape.kernel_shape[:-1])) ** 0.5
                kernel = rng.standard_normal(shape.kernel_shape, np.float32) * np.float32(scale)
                group[names[0]], group[names[1]] = kernel, np.zeros(shape.bias_shape, np.float32)


def with_h5py(path: Path) -> object:
    arrays: dict[str, np.ndarray] = {}

    def visit(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset):
            arrays[name] = item[...]

    with h5py.File(path) as file:
        file.visititems(visit)
    return arrays


def with_memory_map(path: Path) -> object:
    places = make_plan(path).places
    whole = np.memmap(path, np.uint8, "r")
    return {
        name: whole[block.offset : block.offset + block.size].view(np.float32).reshape(shape).copy()
        for name, (shape, _, (block,), *_) in places.items()
    }


def with_raw_reads(path: Path) -> object:
    plan = make_plan(path)
    return read_arrays(path, plan.places, {}, plan.identity)


def with_jaxvis(path: Path) -> object:
    return jv.load_vgg16(path)


def with_jaxvis_known(path: Path) -> object:
    """As if the path were a known name: parsed here."""
    plan = make_plan(path)
    arrays = read_arrays(path, plan.places, plan.checksums, plan.identity)
    return build(plan.architecture, arrays, labels=plan.labels)


def md5(path: Path) -> object:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "md5")


WAYS: dict[str, Callable[[Path], object]] = {
    "h5py": with_h5py,
    "memory map": with_memory_map,
    "raw reads, checked": with_raw_reads,
    "jaxvis": with_jaxvis,
    "jaxvis, known": with_jaxvis_known,
    "MD5 alone": md5,
}


def peak_megabytes(path: Path, way: str) -> float:
    """Memory at its highest in a process that only loads, less what its imports took."""
    done = subprocess.run(
        [sys.executable, __file__, "--folder", str(path.parent), "--only", way],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    before, after = json.loads(done.stdout)
    return (after - before) / 1e3


def settle() -> None:
    """Give each way the same memory to start with: what the last one held, freed and warm.

    On a virtual machine the first touch of memory that was idle costs more than the reading.
    """
    gc.collect()
    np.ones(150_000_000, np.float32)


def high_water() -> int:
    """Peak memory of this process in kB, as Linux counts it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, required=True, help="a place for the 553 MB file")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", choices=WAYS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    path = options.folder / "vgg16_he_normal.h5"
    if not path.exists():
        make_file(path)
    if options.only:
        import jax

        jax.numpy.zeros(1).block_until_ready()
        before = high_water()
        held = WAYS[options.only](path)
        print(json.dumps([before, high_water()]))
        del held
        return
    seconds: dict[str, list[float]] = {way: [] for way in WAYS}
    for number in range(options.rounds + 1):
        for way, load in WAYS.items():
            settle()
            start = time.perf_counter()
            held = load(path)
            if number:  # the first round warms up
                seconds[way].append(time.perf_counter() - start)
            del held
    base = statistics.median(seconds["h5py"])
    print(f"{path.stat().st_size:,} bytes, median of {options.rounds}")
    print(f"{'':20}{'seconds':>9}{'range':>14}{'x h5py':>8}{'peak MB':>9}")
    for way, taken in seconds.items():
        middle = statistics.median(taken)
        span = f"{min(taken):.2f} - {max(taken):.2f}"
        memory = peak_megabytes(path, way)
        print(f"{way:20}{middle:9.2f}{span:>14}{middle / base:8.2f}{memory:9.0f}")


if __name__ == "__main__":
    main()
