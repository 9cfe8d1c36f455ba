"""The six maps on six networks: are they one forward and three backward passes, and no more?

    python benchmarks/networks.py [--images 4] [--rounds 5] [--only NAME ...]

For each network, in one process: seconds of a forward pass, of `jax.grad` of a logit (one forward
and one backward pass), of every map alone, and of all six from one call; and what the first calls
took, tracing and compiling apart. The bound is forward + 3 (grad - forward). The variants take
turns in every round, and medians are printed; results/DATE-networks-jax-VERSION.json has all.
Weights are random, but for EfficientNet-Lite0's: their values change no time.
"""

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "jax")

import flax.linen as nn
import jax
import jax.numpy as jnp
import keras
import numpy as np

import jaxvis as jv
from jaxvis.gradients.relu import RULES

HERE = Path(__file__).resolve().parent
COMPILING = "/jax/core/compile/backend_compile_duration"


class Transformer(nn.Module):
    """A vision transformer, ViT-S/16 of Dosovitskiy et al. (arXiv 2010.11929), as Flax has them."""

    width: int = 384
    depth: int = 12
    heads: int = 6
    classes: int = 1000

    @nn.compact
    def __call__(self, x):
        y = nn.Conv(self.width, (16, 16), strides=(16, 16), name="embedding")(x)
        y = y.reshape(y.shape[0], -1, self.width)
        token = self.param("cls", nn.initializers.zeros, (1, 1, self.width))
        y = jnp.concatenate([jnp.tile(token, (y.shape[0], 1, 1)), y], axis=1)
        y = y + self.param("positions", nn.initializers.normal(0.02), (1, y.shape[1], self.width))
        for number in range(self.depth):
            y = Block(self.width, self.heads, name=f"block{number}")(y)
        return nn.Dense(self.classes, name="head")(nn.LayerNorm(name="norm")(y)[:, 0])


class Block(nn.Module):
    width: int
    heads: int

    @nn.compact
    def __call__(self, y):
        attention = nn.MultiHeadDotProductAttention(self.heads)
        y = y + attention(nn.LayerNorm()(y), nn.LayerNorm()(y))
        z = nn.gelu(nn.Dense(4 * self.width)(nn.LayerNorm()(y)))
        return y + nn.Dense(self.width)(z)


def scaled(images):
    return images / np.float32(127.5) - np.float32(1)


def in_keras(build: Callable[..., Any]) -> Callable[[], jv.Network]:
    return lambda: jv.from_keras(build(weights=None), preprocess=scaled)


def transformer() -> jv.Network:
    module = Transformer()
    variables = module.init(jax.random.key(0), jnp.zeros((1, 224, 224, 3)))
    return jv.from_linen(
        module, variables, size=(224, 224), preprocess=scaled, forms=("gelu",)
    )  # fmt: skip


def small() -> jv.Network:
    model = keras.Sequential([keras.Input((64, 64, 3))])
    for features in (32, 64, 128):
        model.add(keras.layers.Conv2D(features, 3, padding="same", activation="relu"))
        model.add(keras.layers.MaxPooling2D())
    model.add(keras.layers.GlobalAveragePooling2D())
    model.add(keras.layers.Dense(128, activation="relu"))
    model.add(keras.layers.Dense(10))
    return jv.from_keras(model, preprocess=scaled)


NETWORKS: dict[str, Callable[[], jv.Network]] = {
    "ResNet50V2": in_keras(keras.applications.ResNet50V2),
    "MobileNetV2": in_keras(keras.applications.MobileNetV2),
    "EfficientNet-Lite0": lambda: jv.load("efficientnet-lite0"),
    "ViT-S/16": transformer,
    "VGG19": in_keras(keras.applications.VGG19),
    "small CNN": small,
}


def timed(function: Callable[[], Any]) -> float:
    start = time.perf_counter()
    jax.block_until_ready(function())
    return time.perf_counter() - start


def measured(network: jv.Network, count: int, rounds: int) -> dict[str, Any]:
    """All times of a network, in seconds."""
    images = np.random.default_rng(0).integers(0, 256, (count, *network.size, 3), np.uint8)
    x = jnp.asarray(network.preprocess(images))
    model, layer = network.forward, network.layer
    grid = {"grid": (14, 14)} if "Transformer" in repr(network.model)[:2000] else {}
    forward = jax.jit(lambda model, x: model(x))
    grad = jax.jit(lambda model, x: jax.grad(lambda x: model(x)[:, 1].sum())(x))
    variants: dict[str, Callable[[], Any]] = {
        "forward": lambda: forward(model, x),
        "grad": lambda: grad(model, x),
        "six": lambda: jv.explain(network.model, x, 1, layer=layer, **grid).values(),
    }
    for name, rule in RULES.items():
        variants[f"saliency {name}"] = lambda rule=rule: jv.saliency(
            network.model, x, 1, rule=rule
        )  # fmt: skip
        variants[f"Grad-CAM {name}"] = lambda rule=rule: jv.grad_cam(
            network.model, x, 1, layer=layer, rule=rule, **grid
        )
    variants["six"] = lambda: list(
        jv.explain(network.model, x, 1, layer=layer, **grid).values()
    )  # fmt: skip
    first: dict[str, dict[str, float]] = {}
    compiling: list[float] = []
    jax.monitoring.register_event_duration_secs_listener(
        lambda event, seconds, **_: compiling.append(seconds) if event == COMPILING else None
    )
    for name, function in variants.items():
        if name in ("forward", "grad", "six"):
            compiling.clear()
            total = timed(function)
            first[name] = {"total": total, "compile": sum(compiling)}
        else:
            timed(function)
    times: dict[str, list[float]] = {name: [] for name in variants}
    for _ in range(rounds):
        for name, function in variants.items():
            times[name].append(timed(function))
    median = {name: statistics.median(seconds) for name, seconds in times.items()}
    bound = median["forward"] + 3 * (median["grad"] - median["forward"])
    for name, one in first.items():  # what neither XLA compiled nor the network computed
        one["trace"] = one["total"] - one["compile"] - median[name]
    return {"times": times, "median": median, "first": first, "bound": bound,
            "ratio": median["six"] / bound}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    chosen = parser.parse_args()
    found = {}
    print(
        "| network | layer | forward | grad | saliency, each | Grad-CAM, each | all six | bound | "
        "six / bound | six, first: trace | compile | grad, first: trace | compile |"
    )
    print("|" + "---|" * 13)
    for name in chosen.only:
        network = NETWORKS[name]()
        one = found[name] = measured(network, chosen.images, chosen.rounds)
        median, first = one["median"], one["first"]
        alone = [[median[f"{kind} {rule}"] for rule in RULES] for kind in ("saliency", "Grad-CAM")]
        cells = [
            name, network.layer, f"{median['forward']:.3f}", f"{median['grad']:.3f}",
            *(" ".join(f"{seconds:.3f}" for seconds in row) for row in alone),
            f"{median['six']:.3f}", f"{one['bound']:.3f}", f"{one['ratio']:.2f}",
            *(f"{first[which][part]:.1f}" for which in ("six", "grad")
              for part in ("trace", "compile")),
        ]  # fmt: skip
        print("| " + " | ".join(map(str, cells)) + " |", flush=True)
        jax.clear_caches()
    about = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"), "images": chosen.images,
        "rounds": chosen.rounds, "cores": os.cpu_count(), "device": str(jax.devices()[0]),
        "versions": {"jax": jax.__version__, "keras": keras.__version__, "jaxvis": jv.__version__},
    }  # fmt: skip
    file = HERE / "results" / f"{about['date'][:10]}-networks-jax-{jax.__version__}.json"
    file.write_text(json.dumps({**about, "networks": found}, indent=1) + "\n")
    print(f"written: {file}")


if __name__ == "__main__":
    main()
