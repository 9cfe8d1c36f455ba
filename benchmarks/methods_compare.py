"""Every method beside the libraries that have it too: full-size VGG16, first call and warm.

    python benchmarks/make_environments.py FOLDER
    python benchmarks/methods_compare.py FOLDER [--rounds 3] [--only METHOD ...]

Each library is a process of its own that stays alive, so that they take turns method by method.
Methods of the one pass explain four images, others one (`worker.py` has the numbers of samples,
masks and channels, which are the same for all). That the maps are the same is what the tests hold
(`tests/methods/test_recorded_formulas.py`, `test_parity.py`, `test_zennit.py`). Prints a table and
writes results/DATE-methods.json. Run it where jaxvis is installed, with nothing else running.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from compare import HERE, Worker, prepare
from make_environments import python_of
from show import machine

JAXVIS = "methods_jaxvis.py"
LIBRARIES = {  # script, environment, more arguments
    "jaxvis": (JAXVIS, "jax", []),
    "jaxvis, bfloat16": (JAXVIS, "jax", ["--precision", "bfloat16"]),
    "tf-keras-vis": ("methods_tf_keras_vis.py", "tf-keras-vis", []),
    "pytorch-grad-cam": ("methods_pytorch_grad_cam.py", "torch", []),
    "Captum": ("methods_captum.py", "torch", []),
    "zennit": ("methods_zennit.py", "torch", []),
}
LONG = 60  # seconds: after so many no further round of a method begins; two there are always
BY_HAND = {("Captum", "rise"): "PyTorch by hand"}  # no library here has it


def measure(
    workers: dict[str, Worker], has: dict[str, list[str]], rounds: int, only: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """Seconds of each method and library: the first call, and all later ones."""
    found: dict[str, dict[str, Any]] = {}
    for method in has["jaxvis"]:
        if only and method not in only:
            continue
        those = [name for name in workers if method in has[name]]
        rows: dict[str, list[float]] = {name: [] for name in those}
        start = time.perf_counter()
        for number in range(rounds + 1):
            if number > 1 and time.perf_counter() - start > LONG:
                break
            for name in those:
                rows[name].append(workers[name].ask(method)["seconds"])
        found[method] = {
            BY_HAND.get((name, method), name): {
                "first": values[0], "warm": statistics.median(values[1:]), "all": values[1:],
            }
            for name, values in rows.items()
        }  # fmt: skip
        print(method, {k: round(v["warm"], 2) for k, v in found[method].items()}, file=sys.stderr)
    return found


def table(found: dict[str, dict[str, Any]]) -> str:
    lines = ["| method | library | first call, s | warm, s | x jaxvis |", "|---|---|---|---|---|"]
    for method, rows in found.items():
        own = rows["jaxvis"]["warm"]
        for name, row in rows.items():
            lines.append(
                f"| {method} | {name} | {row['first']:.2f} | {row['warm']:.2f} | "
                f"{row['warm'] / own:.2f} |"
            )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("environments", type=Path, help="where make_environments.py made them")
    parser.add_argument("--weights", type=Path, help="VGG16 as .h5; made, with He weights, if not")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="+", default=[], metavar="METHOD")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        bench = prepare(options, scratch)
        workers, has = {}, {}
        for name, (script, environment, more) in LIBRARIES.items():
            python = python_of(bench.environments, environment)
            files = ["--weights", bench.weights, "--images", bench.images]
            command = [python, HERE / "peers" / script, *files, *more]
            workers[name] = Worker(name, command, scratch / f"{name}.log")
            has[name] = workers[name].answer()["methods"]
        found = measure(workers, has, options.rounds, options.only)
        for worker in workers.values():
            worker.close()
    print(table(found))
    date = datetime.now(UTC).date().isoformat()
    path = HERE / "results" / f"{date}-methods.json"
    path.parent.mkdir(exist_ok=True)
    result = {"date": date, "machine": machine(), "methods": found}
    path.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
