"""Many images: what `jv.stream` costs beside the network's own time.

    python benchmarks/streaming.py rates ENVIRONMENTS [--images 32] [--batch 8] [--rounds 2]
    python benchmarks/streaming.py waiting [--images 2000]
    python benchmarks/streaming.py memory [--images 500 2000 5000 20000]
    python benchmarks/streaming.py parts [--images 200]

rates: full-size VGG16, six maps of JPEGs of 500 x 375: `jv.stream`, a plain loop of jaxvis (read,
explain, save, one after the other), and Captum and pytorch-grad-cam with a DataLoader, on the same
folder in turn; images a second, without the first batch, in which all get warm (of `jv.stream`: all
images of a second run, from nothing read to all written). ENVIRONMENTS as for compare.py.

waiting: the demo's network on such JPEGs: the share of the time in which the device has nothing to
do, at most.

memory: a network of a few hundred weights and generated images, each number in a process of its
own: peak memory, and time per image.

parts: what one image takes to read and to write, by itself, in one thread: with the device's time,
all that is needed to say where the next bottleneck is.
"""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import jax
import numpy as np
from compare import HERE, _environment
from make_environments import python_of
from PIL import Image
from show import machine

import jaxvis as jv

SIZE = (375, 500)  # of an image of ImageNet, in the middle


def photographs(folder: Path, count: int) -> Path:
    """Make JPEGs that take about as long to decode as photographs: scenes with grain in them."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    for number in range(count):
        path = folder / f"{number:05d}.jpg"
        if path.exists():
            continue
        drawn = Image.fromarray(jv.scene(700_000 + number % 300, "goose").image)
        pixels = np.asarray(drawn.resize(SIZE[::-1], Image.Resampling.BICUBIC), np.int16)
        grain = rng.normal(0, 12, pixels.shape)
        Image.fromarray(np.clip(pixels + grain, 0, 255).astype(np.uint8)).save(path, quality=90)
    return folder


def rates(options: argparse.Namespace, place: Path) -> None:
    folder = photographs(place / "jpeg", options.images)
    weights = place / "vgg16.h5"
    network = jv.describe(jv.VGG16(seed=0, precision="highest"))
    jv.save_vgg16(network.model, weights)
    kilobytes = sum(file.stat().st_size for file in folder.iterdir()) / options.images / 1000
    print(f"{options.images} JPEGs of {kilobytes:.0f} kB, batches of {options.batch}\n", flush=True)

    def by_stream() -> float:
        at: list[Any] = []
        for files in (sorted(folder.iterdir())[:1], folder):  # the first compiles
            shutil.rmtree(place / "a.zarr", ignore_errors=True)
            jv.stream(
                network, files, place / "a.zarr", classes=99, batch=options.batch,
                progress=at.append,
            )  # fmt: skip
        print(f"    waiting {at[-1].waiting / at[-1].seconds:.1%} of {at[-1].seconds:.1f} s")
        return at[-1].here / at[-1].seconds

    def by_loop() -> float:
        files = sorted(folder.iterdir())
        start = None
        for first in range(0, len(files), options.batch):
            part = files[first : first + options.batch]
            x = network.preprocess(jv.load_images(part, network.size))
            maps = jv.explain(network.model, x, 99)
            named = {f"{method}_{rule}": np.asarray(a) for (method, rule), a in maps.items()}
            np.savez(place / "batch.npz", **named)
            start = time.perf_counter() if start is None else start
        return (len(files) - options.batch) / (time.perf_counter() - start)

    def by_loader(library: str) -> float:
        python = python_of(options.environments, "torch")
        command = [
            python, HERE / "peers" / "dataloader.py", library, "--weights", weights, "--folder",
            folder, "--out", place / library, "--batch", options.batch,
        ]  # fmt: skip
        done = subprocess.run(
            [str(part) for part in command], stdout=subprocess.PIPE, check=True, text=True,
            env=_environment(),
        )  # fmt: skip
        told = json.loads(done.stdout.splitlines()[-1])
        return told["images"] / told["seconds"]

    found: dict[str, list[float]] = {}
    for _ in range(options.rounds):
        for name, run in (
            ("jv.stream", by_stream), ("plain loop", by_loop),
            ("Captum, DataLoader", lambda: by_loader("captum")),
            ("pytorch-grad-cam, DataLoader", lambda: by_loader("pytorch-grad-cam")),
        ):  # fmt: skip
            if options.only and name not in options.only:
                continue
            found.setdefault(name, []).append(run())
            print(f"    {name}: {found[name][-1]:.3f} images a second", flush=True)
    first = statistics.median(found.get("jv.stream", [float("nan")]))
    print("\n| | images a second | jv.stream is faster by |\n|---|---|---|")
    for name, values in found.items():
        median = statistics.median(values)
        print(f"| {name} | {median:.2f} | {first / median:.2f} |")


def waiting(options: argparse.Namespace, place: Path) -> None:
    folder = photographs(place / "jpeg", options.images)
    network = jv.load("demo")
    at: list[Any] = []
    jv.stream(network, folder, place / "w.zarr", dtype="float16", progress=at.append)
    first, last = at[0], at[-1]
    seconds = last.seconds - first.seconds
    print(f"{last.here} images, {(last.here - first.here) / seconds:.2f} a second; waiting "
          f"{(last.waiting - first.waiting) / seconds:.1%} warm, {last.waiting / last.seconds:.1%} "
          f"from the first file on")  # fmt: skip


ONE_RUN = """
import sys, time
sys.path.insert(0, sys.argv[3])
import numpy as np, jaxvis as jv
from small import SIZE, network
from worker import peak_megabytes
count, rng = int(sys.argv[1]), np.random.default_rng(0)
pool = rng.integers(0, 256, (64, *SIZE, 3), dtype=np.uint8)
at = []
jv.stream(network(), ((f"{i}", pool[i % 64]) for i in range(count)), sys.argv[2], batch=16,
          progress=at.append)
each = (at[-1].seconds - at[0].seconds) / (at[-1].here - at[0].here)
print(peak_megabytes(), 1000 * each)
"""


def memory(options: argparse.Namespace, place: Path) -> None:
    tests = HERE.parent / "tests" / "streaming"
    environment = _environment()
    environment["PYTHONPATH"] += f":{HERE / 'peers'}"
    print("| images | peak MB | ms an image |\n|---|---|---|")
    for count in options.images:
        done = subprocess.run(
            [sys.executable, "-c", ONE_RUN, str(count), place / f"{count}.zarr", tests],
            stdout=subprocess.PIPE, check=True, text=True, env=environment,
        )  # fmt: skip
        peak, each = map(float, done.stdout.split())
        print(f"| {count:,} | {peak:.0f} | {each:.2f} |", flush=True)
        shutil.rmtree(place / f"{count}.zarr")


def parts(options: argparse.Namespace, place: Path) -> None:
    files = sorted(photographs(place / "jpeg", options.images).iterdir())
    start = time.perf_counter()
    images = jv.load_images(files)
    read = (time.perf_counter() - start) / len(files)
    rng = np.random.default_rng(0)
    values = np.abs(rng.normal(0, 1e-5, (16, *images.shape[1:3]))).astype(np.float32)

    def write(dtype: str) -> tuple[float, float]:
        from jaxvis.streaming import layout, store

        path = place / f"{dtype}.zarr"
        shutil.rmtree(path, ignore_errors=True)
        arrays = {
            f"m{i}": store.Array(values.shape[1:], dtype, ("row", "column")) for i in range(3)
        }
        made = store.created(path, 160, 16, arrays, {})
        start = time.perf_counter()
        for first in range(0, 160, 16):
            kept = layout.halved(values, (1, 2))[0] if dtype == "float16" else values
            done = dict.fromkeys(arrays, kept)
            made.write(first, done, np.ones(16, np.uint8)).result()
        seconds = (time.perf_counter() - start) / 160
        size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file()) / 160
        return seconds, size

    print(f"read and squeeze a JPEG: {1000 * read:.1f} ms in one thread")
    for dtype in ("float32", "float16"):
        seconds, size = write(dtype)
        print(
            f"write three saliency maps as {dtype}: {1000 * seconds:.1f} ms, {size / 1000:.0f} kB"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(required=True)
    for run, images in ((rates, 32), (waiting, 2000), (memory, None), (parts, 200)):
        add = commands.add_parser(run.__name__)
        add.set_defaults(run=run)
        add.add_argument("--folder", type=Path, help="to work in; default a temporary one")
        if run is memory:
            add.add_argument("--images", type=int, nargs="+", default=[500, 2000, 5000, 20000])
        else:
            add.add_argument("--images", type=int, default=images)
        if run is rates:
            add.add_argument("environments", type=Path)
            add.add_argument("--batch", type=int, default=8)
            add.add_argument("--rounds", type=int, default=2)
            add.add_argument("--only", nargs="+", help="names as in the table")
    options = parser.parse_args()
    print(f"{machine()}, JAX {jax.__version__}\n", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        options.run(options, options.folder or Path(folder))


if __name__ == "__main__":
    main()
