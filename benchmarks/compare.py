"""The six maps of the lab, four images, full-size VGG16: every peer side by side on this computer.

    python benchmarks/make_environments.py FOLDER
    python benchmarks/compare.py FOLDER [--rounds 3] [--cold-rounds 2] [--only NAME ...]

Each peer is a process in its own environment that stays alive and runs when asked, so that the
peers take turns (A B C, A B C, ...) and share whatever else the computer does. Its maps have to
agree with jaxvis's before its time counts. Prints a table; writes results/DATE-cpu.json and
results/cpu.png. Run it where jaxvis is installed, with nothing else running.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from make_environments import ROOT, python_of
from show import GFLOP, IMAGES, chart, collect, machine, table

HERE = Path(__file__).resolve().parent


class Peer(NamedTuple):
    script: str
    environment: str
    packages: tuple[str, ...]
    precision: str | None = None


OURS = ("jaxvis", "jax", "jaxlib", "flax", "numpy")
PEERS = {
    "jaxvis": Peer("jaxvis_maps.py", "jax", OURS),
    "jaxvis, bfloat16": Peer("jaxvis_maps.py", "jax", OURS, "bfloat16"),
    "PyTorch by hand": Peer("torch_by_hand.py", "torch", ("torch",), "float32"),
    "PyTorch by hand, bfloat16": Peer("torch_by_hand.py", "torch", ("torch",), "bfloat16"),
    "plain JAX": Peer("plain_jax.py", "jax", ("jax", "jaxlib")),
    "Keras on JAX": Peer("keras_jax.py", "jax", ("keras", "jax")),
    "Captum": Peer("captum_maps.py", "torch", ("captum", "torch")),
    "pytorch-grad-cam": Peer("pytorch_grad_cam_maps.py", "torch", ("grad-cam", "torch")),
    "tf-keras-vis": Peer(
        "tf_keras_vis_maps.py", "tf-keras-vis", ("tf-keras-vis", "tensorflow", "keras")
    ),
}
WITH_FIGURES = ("jaxvis", "tf-keras-vis")


class Bench(NamedTuple):
    environments: Path
    weights: Path
    images: Path

    def command(self, name: str, *extra: str | Path) -> list[str | Path]:
        peer = PEERS[name]
        python = python_of(self.environments, peer.environment)
        if not python.exists():
            raise SystemExit(
                f"{python} does not exist; make it with:\n"
                f"    python benchmarks/make_environments.py {self.environments}"
            )
        files = ["--weights", self.weights, "--images", self.images]
        files += ["--precision", peer.precision] if peer.precision else []
        return [python, HERE / "peers" / peer.script, *files, *extra]

    def cold(self, name: str, figures: Path | None) -> tuple[float, float]:
        """Seconds and MB of a whole process: import, load, compile, run, and figures if asked."""
        extra = ["--figures", figures] if figures else []
        start = time.perf_counter()
        done = subprocess.run(
            self.command(name, "--once", *extra), stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, check=True, env=_environment(), text=True,
        )  # fmt: skip
        return time.perf_counter() - start, json.loads(done.stdout)["peak_mb"]


class Worker:
    """A peer's process, asked over a pipe."""

    def __init__(self, name: str, command: Sequence[str | Path], log: Path) -> None:
        self.name, self.log = name, log
        with log.open("w") as errors:
            self.process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors,
                text=True, env=_environment(),
            )  # fmt: skip

    def answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            tail = "\n".join(self.log.read_text().splitlines()[-8:])
            raise RuntimeError(f"{self.name} gave up:\n{tail}")
        return json.loads(line)

    def ask(self, command: str) -> dict[str, Any]:
        assert self.process.stdin is not None
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        return self.answer()

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


def _environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(ROOT)}


def test_images() -> np.ndarray:
    """Four crops of the photograph that comes with Matplotlib."""
    from matplotlib.cbook import get_sample_data
    from PIL import Image

    with get_sample_data("grace_hopper.jpg") as file:
        photograph = np.asarray(Image.open(file).convert("RGB"))
    corners = [(0, 0), (0, 280), (150, 140), (370, 200)][:IMAGES]
    return np.stack([photograph[y : y + 224, x : x + 224] for y, x in corners])


def disagreement(found: dict[str, np.ndarray], wanted: dict[str, np.ndarray]) -> dict[str, float]:
    """Correlations and Grad-CAM's relative errors of single images: the worst, and a usual one.

    The usual one is the median over images, of the worst map. A unit of fc1 that is nearer to 0
    than float32 rounds is open in one library and closed in another, and changes one image's maps.
    """
    correlations, errors = [], []
    for name, maps in wanted.items():
        if found[name].shape != maps.shape:
            raise ValueError(f"{name} has shape {found[name].shape}; wanted {maps.shape}")
        pairs = list(zip(maps, found[name], strict=True))
        correlations.append([np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in pairs])
        if name.startswith("grad_cam"):
            errors.append([np.abs(a - b).max() / np.abs(a).max() for a, b in pairs])
    return {
        "correlation": float(np.min(correlations)),
        "grad_cam_error": float(np.max(errors)),
        "usual_correlation": float(np.median(correlations, axis=1).min()),
        "usual_grad_cam_error": float(np.median(errors, axis=1).max()),
    }


def agrees(compared: dict[str, float], precision: str | None) -> bool:
    """Whether maps are the same; of bfloat16, as near as its rounding leaves them (notes.md)."""
    least, most = (0.7, 0.3) if precision == "bfloat16" else (0.999, 1e-3)
    usual = compared["usual_correlation"] > least and compared["usual_grad_cam_error"] < most
    return usual and compared["correlation"] > least - 0.1


def start(bench: Bench, names: Sequence[str], scratch: Path) -> tuple[dict[str, Worker], dict]:
    """Start every peer, run each once, and keep those whose maps agree."""
    workers: dict[str, Worker] = {}
    agreement: dict[str, Any] = {}
    reference: dict[str, np.ndarray] = {}
    for name in names:
        worker = Worker(name, bench.command(name), scratch / f"{name}.log")
        try:
            worker.answer()
            file = scratch / f"{name.replace(' ', '-')}.npz"
            worker.ask(f"maps {file}")
        except RuntimeError as error:
            agreement[name] = str(error)
            print(f"left out: {error}", file=sys.stderr)
            continue
        maps = dict(np.load(file))
        reference = reference or maps
        agreement[name] = disagreement(maps, reference)
        if agrees(agreement[name], PEERS[name].precision):
            workers[name] = worker
        else:
            print(f"left out: {name} disagrees: {agreement[name]}", file=sys.stderr)
            worker.close()
    return workers, agreement


def one_round(
    workers: dict[str, Worker], seconds: dict[str, list], roof: list[float], peaks: dict[str, float]
) -> None:
    """Let every peer run once, and measure the roof."""
    for name, worker in workers.items():
        if name == "jaxvis":
            roof.append(worker.ask("roof")["result"])
        answer = worker.ask("run")
        seconds.setdefault(name, []).append(answer["seconds"])
        peaks[name] = answer["peak_mb"]


def cold_round(bench: Bench, names: Sequence[str], cold: dict, scratch: Path) -> None:
    """Run every peer once as a process from nothing, and two of them with figures."""
    for name in names:
        cold.setdefault(name, []).append(bench.cold(name, None))
        if name in WITH_FIGURES:
            cold.setdefault(f"{name}, figures", []).append(bench.cold(name, scratch))


def versions(bench: Bench, names: Sequence[str]) -> dict[str, dict[str, str]]:
    """Return the versions of each peer's packages, asked of its environment."""
    code = "import sys; from importlib.metadata import version as v; print(*map(v, sys.argv[1:]))"
    found = {}
    for name in names:
        packages = [package for package in PEERS[name].packages if package != "jaxvis"]
        python = python_of(bench.environments, PEERS[name].environment)
        output = subprocess.run(
            [python, "-c", code, *packages], capture_output=True, check=True, text=True
        ).stdout
        found[name] = dict(zip(packages, output.split(), strict=True))
    return found


def write(result: dict[str, Any], folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{result['date']}-cpu.json"
    path.write_text(json.dumps(result, indent=1) + "\n")
    chart(result, folder / "cpu.png")
    return path


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("environments", type=Path, help="where make_environments.py made them")
    parser.add_argument("--weights", type=Path, help="VGG16 as .h5; made, with He weights, if not")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cold-rounds", type=int, default=2)
    parser.add_argument("--only", nargs="+", choices=PEERS, default=list(PEERS), metavar="NAME")
    parser.add_argument("--results", type=Path, default=HERE / "results")
    options = parser.parse_args()
    options.only = ["jaxvis", *(name for name in options.only if name != "jaxvis")]
    return options


def prepare(options: argparse.Namespace, scratch: Path) -> Bench:
    weights = options.weights or options.environments / "vgg16_he_normal.h5"
    if not weights.exists():
        import jaxvis as jv

        jv.save_vgg16(jv.VGG16(), weights)
    images = scratch / "images.npy"
    np.save(images, test_images())
    return Bench(options.environments.absolute(), weights.absolute(), images)


def measure(bench: Bench, options: argparse.Namespace, scratch: Path) -> dict[str, Any]:
    workers, agreement = start(bench, options.only, scratch)
    seconds: dict[str, list[float]] = {}
    roof: list[float] = []
    cold: dict[str, list] = {}
    peaks: dict[str, float] = {}
    for _ in range(options.rounds):
        one_round(workers, seconds, roof, peaks)
    compilation = workers["jaxvis"].ask("compilation")["result"]
    for worker in workers.values():
        worker.close()
    for _ in range(options.cold_rounds):
        cold_round(bench, list(workers), cold, scratch)
    result = {
        "date": datetime.now(UTC).date().isoformat(), "machine": machine(),
        "images": IMAGES, "gflop": GFLOP, "versions": versions(bench, list(workers)),
    }  # fmt: skip
    return result | collect(seconds, roof, cold, peaks, agreement, compilation)


def main() -> None:
    options = parse()
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        result = measure(prepare(options, scratch), options, scratch)
    print(table(result))
    print(f"\n{write(result, options.results)}", file=sys.stderr)


if __name__ == "__main__":
    main()
