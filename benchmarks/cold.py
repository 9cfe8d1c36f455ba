"""Where the seconds of a cold `jaxvis report` go: a new process, nothing compiled.

    python benchmarks/cold.py [--weights FILE] [--rounds 3]

The demo, and with `--weights` a file of a full-size VGG16 on the demo's four images, with and
without the measured conclusion. Medians of the rounds, which take turns.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time

import jax

from jaxvis.demo.images import demo_images
from jaxvis.gradients.devices import in_words

STEPS = ("load weights", "load images", "compile", "maps", "evaluate", "draw")


def commands(weights: str | None) -> dict[str, list[str]]:
    """The commands that are timed, by name."""
    found = {"demo": [], "demo, no evaluation": ["--no-evaluation"]}
    if weights is not None:
        full = [*map(str, demo_images()), "--network", weights]
        found |= {
            "full size": full,
            "full size, bfloat16": [*full, "--precision", "bfloat16"],
            "full size, no evaluation": [*full, "--no-evaluation"],
        }
    return found


def timed(arguments: list[str]) -> dict[str, float]:
    """Seconds of one run by step, and of all."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import jaxvis.report.lab, jaxvis.cli.main"], check=True)
    imports = time.perf_counter() - start
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", "jaxvis", "report", *arguments, "--out", folder, "--json"],
            check=True, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        whole = time.perf_counter() - start
    return {"start and import": imports, **json.loads(done.stdout)["seconds"], "whole": whole}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights")
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    runs: dict[str, list[dict[str, float]]] = {}
    for _ in range(chosen.rounds):
        for name, arguments in commands(chosen.weights).items():
            runs.setdefault(name, []).append(timed(arguments))
    steps = ("start and import", *STEPS, "whole")
    print(f"JAX {jax.__version__}, {in_words()}\n")
    print("| seconds | " + " | ".join(steps) + " |")
    print("|---" * (len(steps) + 1) + "|")
    for name, rows in runs.items():
        medians = (statistics.median(row.get(step, 0) for row in rows) for step in steps)
        print(f"| {name} | " + " | ".join(f"{value:.1f}" for value in medians) + " |")


if __name__ == "__main__":
    main()
