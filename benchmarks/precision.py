"""How far are maps in lower precision from those in float32?

    python benchmarks/precision.py [--precision bfloat16] [--images 4]

For three networks (a full-size VGG16 of seeded weights, the worst case; the demo on scenes that it
was not trained on; EfficientNet-Lite0 on the photographs that jaxvis[photos] brings) and every map:
Pearson's correlation with the float32 map (`precision="highest"`), mean and least over images,
and the largest error as a share of the largest value. Prints Markdown.
"""

import argparse
from collections.abc import Iterator

import jax
import numpy as np

import jaxvis as jv
from jaxvis.demo.scenes import held_out, scene
from jaxvis.gradients.devices import in_words


def networks(precision: str, count: int) -> Iterator[tuple[str, jv.Network, np.ndarray]]:
    """Yield a name, the network, and the images that it is shown."""
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (count, 224, 224, 3), np.uint8)
    yield "VGG16, seeded", jv.describe(jv.VGG16(seed=0, precision=precision)), noise
    demo = jv.load("demo", precision=precision)
    scenes = np.stack([scene(*one).image for one in held_out(count)])
    yield "demo", demo, scenes
    lite = jv.load("efficientnet-lite0", precision=precision)
    photographs = jv.load_images(jv.photographs(), lite.size, resample=lite.resample)
    yield "EfficientNet-Lite0", lite, photographs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--precision", default="bfloat16")
    parser.add_argument("--images", type=int, default=4)
    chosen = parser.parse_args()
    print(f"JAX {jax.__version__}, {in_words()}, {chosen.precision} against highest\n")
    print("| network | map | correlation, mean | least | largest error |")
    print("|---|---|---|---|---|")
    pairs = zip(*(networks(p, chosen.images) for p in ("highest", chosen.precision)), strict=True)
    for (name, exact, images), (_, rounded, _) in pairs:
        x = exact.preprocess(images)
        classes = np.asarray(exact.forward(x)).argmax(axis=1)
        wanted, found = (
            jv.explain(network.model, x, classes, layer=network.layer)
            for network in (exact, rounded)
        )
        for (kind, rule), maps in wanted.items():
            one, other = (
                np.asarray(a, np.float64).reshape(len(x), -1) for a in (maps, found[kind, rule])
            )
            alive = one.max(axis=1) > 0
            correlations = [
                np.corrcoef(*pair)[0, 1] for pair in zip(one[alive], other[alive], strict=True)
            ]
            error = (np.abs(one - other).max(axis=1)[alive] / one.max(axis=1)[alive]).max()
            print(
                f"| {name} | {kind} {rule} | {np.mean(correlations):.4f} | "
                f"{min(correlations):.4f} | {error:.3f} |"
            )


if __name__ == "__main__":
    main()
