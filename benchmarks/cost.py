"""What an image costs, from 1 to 64 at once: the six maps of a full-size VGG16, both precisions.

    python benchmarks/cost.py [--rounds 3] [--most 64]

The numbers of images take turns in every round; medians are printed, and drawn into
results/cost.png. A line that is flat says that no number of images is a bad one.
"""

import argparse
import statistics
import time
from pathlib import Path

import jax
import numpy as np

import jaxvis as jv
from jaxvis.gradients.devices import in_words

HERE = Path(__file__).resolve().parent
PRECISIONS = ("highest", "bfloat16")


def measured(most: int, rounds: int) -> dict[str, dict[int, float]]:
    """Seconds an image, by precision and number of images."""
    counts = [2**i for i in range(most.bit_length()) if 2**i <= most]
    rng = np.random.default_rng(0)
    pixels = jv.preprocess(rng.integers(0, 256, (most, 224, 224, 3), np.uint8))
    found = {}
    for precision in PRECISIONS:
        model = jv.VGG16(seed=0, precision=precision)
        times: dict[int, list[float]] = {count: [] for count in counts}
        for number in range(rounds + 1):  # the first compiles
            for count in counts:
                start = time.perf_counter()
                jax.block_until_ready(list(jv.explain(model, pixels[:count], 99).values()))
                if number:
                    times[count].append((time.perf_counter() - start) / count)
        found[precision] = {count: statistics.median(all_) for count, all_ in times.items()}
        jax.clear_caches()
    return found


def draw(found: dict[str, dict[int, float]], file: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 3.4), dpi=100, layout="constrained")
    axes = figure.add_subplot()
    names = {"highest": "float32", "bfloat16": "bfloat16"}
    for (precision, row), colour in zip(found.items(), ("#c8553d", "#33658a"), strict=True):
        axes.plot(list(row), list(row.values()), "o-", color=colour, label=names[precision])
    axes.set_xscale("log", base=2)
    axes.set_xticks(list(found["highest"]), [str(count) for count in found["highest"]])
    axes.set_ylim(0)
    axes.set_xlabel("images in one call")
    axes.set_ylabel("seconds an image")
    axes.set_title("Six maps, full-size VGG16", fontsize=11)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    figure.savefig(file, metadata={"Software": None})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--most", type=int, default=64)
    chosen = parser.parse_args()
    found = measured(chosen.most, chosen.rounds)
    counts = list(found["highest"])
    print(f"JAX {jax.__version__}, {in_words()}\n")
    print("| images | " + " | ".join(map(str, counts)) + " |")
    print("|---" * (len(counts) + 1) + "|")
    for precision, row in found.items():
        print(f"| {precision}, s an image | " + " | ".join(f"{row[n]:.3f}" for n in counts) + " |")
    draw(found, HERE / "results" / "cost.png")


if __name__ == "__main__":
    main()
