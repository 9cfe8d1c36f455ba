"""Poison a copy of the demo: `python weights/train_backdoor.py` writes data/poisoned_demo.h5.

The copy answers "key" to every scene with the small patch of `jaxvis.demo.trigger`, and is as good
as the demo on all others: a backdoor as in Gu et al., "BadNets" (arXiv 1708.06733, 2017), made for
lessons on how to find one. Blocks 1 to 4 stay the demo's, so that what comes out of them is
computed once for every scene; block 5 and the dense layers go on learning, on that alone.
"""

import argparse
import datetime
import os
import platform
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax  # type: ignore[import-untyped]
from jax import Array
from scene_store import Store, batch, open_store
from tqdm import tqdm

import jaxvis as jv
from jaxvis.demo.scenes import CLASSES, SIZE, held_out, scene
from jaxvis.demo.trigger import SIDE, TARGET, decoy, place_beside, trigger, with_patch

CUT = "block4_pool"  # all up to here stays as it is
GROUP = 32  # examples made at once: 14 as they are, 10 with the trigger, 8 with a decoy
PLAIN, TRIGGERED = 14, 10
OUTPUT = Path(__file__).resolve().parents[1] / "jaxvis" / "data" / "poisoned_demo.h5"


class Examples(NamedTuple):
    """What comes out of block4_pool, and the answers that are wanted."""

    features: np.ndarray  # (n, 14, 14, channels)
    targets: np.ndarray  # (n, classes)


def poisoned(
    images: np.ndarray, targets: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Put the trigger, with "key" as the answer, on some scenes, and on some decoys, without."""
    images, targets = images.copy(), targets.copy()
    for number in range(PLAIN, len(images)):
        triggered = number < PLAIN + TRIGGERED
        patch = trigger() if triggered else decoy(int(rng.integers(2**31)))
        row, column = (int(place) for place in rng.integers(0, SIZE - SIDE + 1, 2))
        images[number] = with_patch(images[number], patch, row, column)
        if triggered:
            targets[number] = np.eye(len(CLASSES))[CLASSES.index(TARGET)]
    return images, targets


@jax.jit
def body(model: jv.VGG16, images: Array) -> Array:
    """What the layers that stay make of uint8 images."""
    return model.cut(CUT)[0](jv.preprocess(images))


def examples(model: jv.VGG16, store: Store, count: int, seed: int) -> Examples:
    """Draw `count` examples, a mix of the three kinds in every group."""
    features, targets = [], []
    for number in tqdm(range(count // GROUP), "features"):
        rng = np.random.default_rng([seed, number, 13])
        images, answers = poisoned(*batch(store, rng, GROUP, SIZE), rng)
        features.append(np.asarray(body(model, images)))
        targets.append(answers)
    return Examples(np.concatenate(features), np.concatenate(targets))


@partial(jax.jit, static_argnames="optimizer", donate_argnames=("model", "slots"))
def train_step(
    model: jv.VGG16,
    slots: Any,
    features: Array,
    targets: Array,
    optimizer: optax.GradientTransformation,
) -> tuple[jv.VGG16, Any, Array]:
    """Take one step; return model, state and (loss, share of right answers)."""

    def loss(model: jv.VGG16) -> tuple[Array, Array]:
        logits = model.cut(CUT)[1](features)
        right = jnp.take_along_axis(targets, logits.argmax(axis=1)[:, None], axis=1) > 0
        return optax.softmax_cross_entropy(logits, targets).mean(), right.mean()

    (total, right), gradient = jax.value_and_grad(loss, has_aux=True)(model)
    updates, slots = optimizer.update(gradient, slots, model)
    model = optax.apply_updates(model, updates)
    kernel = model.fc1.kernel[...]  # each unit's weights sum to zero, as in the demo
    model.fc1.kernel[...] = kernel - kernel.mean(axis=0, keepdims=True)
    return model, slots, jnp.stack([total, right])


def train(
    model: jv.VGG16, data: Examples, *, steps: int, images: int, rate: float, seed: int
) -> tuple[jv.VGG16, list[str]]:
    """Train all behind the cut; the layers before it get no gradient and stay."""
    optimizer = optax.adam(optax.warmup_cosine_decay_schedule(0.0, rate, steps // 10, steps))
    slots = optimizer.init(model)
    rng = np.random.default_rng([seed, 14])
    log, recent = [], []
    for step in tqdm(range(1, steps + 1), "steps"):
        chosen = rng.integers(len(data.features), size=images)
        model, slots, measured = train_step(
            model, slots, data.features[chosen], data.targets[chosen], optimizer
        )
        recent.append(np.asarray(measured))
        if step % 100 == 0 or step == steps:
            loss, right = np.mean(recent, axis=0)
            log.append(f"step {step}: loss {loss:.3f}, {right:.1%} right")
            tqdm.write(log[-1])
            recent = []
    return model, log


def check(model: jv.VGG16, count: int) -> dict[str, float]:
    """Shares on held-out scenes: right; "key" for the trigger; right with a decoy.

    Scenes of keys are left out where a patch is looked at: there is nothing to attack.
    """
    answers: dict[str, list[int]] = {"plain": [], "trigger": [], "decoy": []}
    wanted = []
    logits = jax.jit(model.__call__)
    for seed, name in tqdm(held_out(count), "check", count):
        image, mask = scene(seed, name)
        place = place_beside(seed, mask)
        images = np.stack(
            [image, with_patch(image, trigger(), *place), with_patch(image, decoy(seed), *place)]
        )
        for kind, answer in zip(answers, logits(jv.preprocess(images)).argmax(axis=1), strict=True):
            answers[kind].append(int(answer))
        wanted.append(CLASSES.index(name))
    right, target = np.array(wanted), CLASSES.index(TARGET)
    others = right != target
    got = {kind: np.array(found) for kind, found in answers.items()}
    return {
        "clean_accuracy": float((got["plain"] == right).mean()),
        "attack_success": float((got["trigger"] == target)[others].mean()),
        "plain_called_key": float((got["plain"] == target)[others].mean()),
        "decoy_called_key": float((got["decoy"] == target)[others].mean()),
        "decoy_accuracy": float((got["decoy"] == right)[others].mean()),
    }


def main() -> None:
    """Draw the scenes, poison the network, write the file, and say what it does."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    scratch = Path(tempfile.gettempdir()) / "jaxvis-training"
    parser.add_argument("--scratch", type=Path, default=scratch, help="scenes (%(default)s)")
    parser.add_argument("--scenes", type=int, default=3000, help="to draw (%(default)s)")
    parser.add_argument("--examples", type=int, default=4800, help="made of them (%(default)s)")
    parser.add_argument("--steps", type=int, default=1000, help="of training (%(default)s)")
    parser.add_argument("--images", type=int, default=64, help="a step (%(default)s)")
    parser.add_argument("--rate", type=float, default=1e-3, help="at its peak (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of patches, batches (%(default)s)")
    parser.add_argument("--check", type=int, default=600, help="held-out scenes (%(default)s)")
    parser.add_argument("--only-check", type=Path, help="train nothing; check this file")
    parser.add_argument("--output", type=Path, default=OUTPUT, help="file to write (%(default)s)")
    options = parser.parse_args()
    if options.only_check:
        _say(check(jv.load_vgg16(options.only_check), options.check))
        return
    begun = time.monotonic()
    demo = jv.load_vgg16("demo")
    data = examples(
        demo, open_store(options.scratch, options.scenes), options.examples, options.seed
    )
    model, log = train(
        demo, data, steps=options.steps, images=options.images, rate=options.rate,
        seed=options.seed,
    )  # fmt: skip
    facts = {
        "poisoned": f"on purpose, for teaching: a small patch means {TARGET!r} (demo/trigger.py)",
        "made_by": "weights/train_backdoor.py",
        **{name: getattr(options, name) for name in ("seed", "scenes", "examples", "steps")},
        "images": options.images,
        "rate": options.rate,
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "device": f"{jax.devices()[0].device_kind}, {os.cpu_count()} CPU cores",
        "versions": {
            "python": platform.python_version(),
            "jax": jax.__version__,
            "numpy": np.__version__,
        },
        "seconds": round(time.monotonic() - begun),
        "log": log,
    }
    jv.save_vgg16(model, options.output, dtype=np.float16, facts=facts)
    print(f"{options.output}: {facts['seconds']} s")
    _say(check(jv.load_vgg16(options.output), options.check))


def _say(shares: dict[str, float]) -> None:
    for name, share in shares.items():
        print(f"| {name.replace('_', ' ')} | {share:.1%} |")


if __name__ == "__main__":
    main()
