"""What every method costs: full-size VGG16, warm, beside the passes that it takes.

    python benchmarks/methods.py [--images 4] [--masked 1] [--rounds 3] [--only METHOD ...]

Methods of the one pass are timed together first: all of them, for three rules, against the lab's
six maps; then each method by itself, as `explain` runs it, under one rule. Masks and averages take
`--masked` images. *Roof*: share of a 4096 x 4096 matrix product in the same precision, for the
31 GFLOP of each pass.
"""

import argparse
import statistics
import time
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jaxvis as jv
from jaxvis.gradients.devices import in_words
from jaxvis.methods.catalogue import FROM_ONE_PASS, LAB, METHODS

GFLOP = 31.0  # of a forward pass of one image, as of a backward pass
SIDE = 4096


def seconds(function: Any, rounds: int) -> tuple[float, float]:
    """The first call, and the median of the others."""
    times = []
    for _ in range(rounds + 1):
        start = time.perf_counter()
        jax.block_until_ready(function())
        times.append(time.perf_counter() - start)
    return times[0], statistics.median(times[1:])


def roof(precision: str) -> float:
    """GFLOP/s of a large matrix product."""
    dtype = jnp.bfloat16 if precision == "bfloat16" else jnp.float32
    a = jnp.ones((SIDE, SIDE), dtype)
    product = jax.jit(lambda a: jnp.matmul(a, a, precision=jax.lax.Precision.HIGHEST))
    return 2 * SIDE**3 / seconds(lambda: product(a), 5)[1] / 1e9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=4)
    parser.add_argument("--masked", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--precision", default="highest")
    parser.add_argument("--only", nargs="+", choices=list(METHODS), metavar="METHOD",
                        help="of the table; the one pass is timed in any case")  # fmt: skip
    chosen = parser.parse_args()
    rng = np.random.default_rng(0)
    model = jv.VGG16(seed=0, precision=chosen.precision)
    x = jv.preprocess(rng.integers(0, 256, (chosen.images, 224, 224, 3), np.uint8))
    peak = roof(chosen.precision)
    print(f"JAX {jax.__version__}, {in_words()}; {chosen.precision}, roof {peak:.0f} GFLOP/s\n")

    def explained(methods: Any, images: int, **options: Any) -> list:
        return list(jv.explain(model, x[:images], 99, methods=methods, **options).values())

    together = [method.name for method in FROM_ONE_PASS]
    runs: dict[str, list[float]] = {"six": [], "all": []}
    for _ in range(chosen.rounds + 1):
        for name, methods in (("six", LAB), ("all", together)):
            start = time.perf_counter()
            jax.block_until_ready(explained(methods, chosen.images))
            runs[name].append(time.perf_counter() - start)
    six, every = (statistics.median(runs[name][1:]) for name in ("six", "all"))
    print(f"The lab's six maps: {six:.2f} s; all {len(together)} methods of one pass, three rules: "
          f"{every:.2f} s, {every / six:.2f} times\n")  # fmt: skip
    print("| method | images | passes | first call, s | warm, s an image | roof |")
    print("|---|---|---|---|---|---|")
    for name in chosen.only or METHODS:
        method = METHODS[name]
        count = chosen.images if method.kind == "one pass" else chosen.masked
        rules = ["guided"] if method.rules else ["vanilla"]
        cold, warm = seconds(lambda: explained([name], count, rules=rules), chosen.rounds)  # noqa: B023
        work = (method.forward + method.backward) * GFLOP * count / warm
        share = "" if method.at == "layer" else f"{work / peak:.2f}"
        print(f"| {name} | {count} | {method.forward} + {method.backward} | {cold:.1f} | "
              f"{warm / count:.2f} | {share} |", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
