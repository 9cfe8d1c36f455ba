"""Train the demo's VGG16 from nothing: `python weights/train_demo.py` writes jaxvis/data/demo.h5.

The network is jaxvis's VGG16 at 1/8 width, trained with batch normalisation (see batch_norm.py) on
scenes drawn from seeds. Two stages: first the convolutions alone at half the size, where a step
costs a third, judged by an average-pooling classifier that is thrown away; then, at 224 pixels, all
from block 3 on, since the kernel gradients of blocks 1 and 2 cost as much as all the rest. Stopped
at any time, the same command goes on from the last checkpoint.
"""

import argparse
import datetime
import os
import platform
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax  # type: ignore[import-untyped]
from batch_norm import Variables, fold, forward, initial_variables
from jax import Array
from PIL import Image
from scene_store import Store, batch, open_store
from tqdm import tqdm

from jaxvis.demo.scenes import CLASSES, GEESE, TRAINING_SEEDS, scene
from jaxvis.models.layers import architecture, layer_index
from jaxvis.models.preprocessing import preprocess
from jaxvis.models.vgg16 import VGG16
from jaxvis.weights.save import save_vgg16

DEMO = architecture(width=1 / 8, classes=len(CLASSES), fc=128)
MOMENTUM = 0.95  # of the running statistics
AUXILIARY_WEIGHT = 0.3  # of the average-pooling classifier's loss in the second stage
CHECK_EVERY = 50  # steps between two lines of the log
SAVE_EVERY = 180  # seconds between two checkpoints
OUTPUT = Path(__file__).resolve().parents[1] / "jaxvis" / "data" / "demo.h5"


class Stage(NamedTuple):
    """`steps` of `images` scenes at `size` pixels.

    `head`: with fc1, fc2 and predictions? Layers before `first` keep their parameters.
    """

    size: int
    steps: int
    images: int
    rate: float
    head: bool
    first: str


STAGES = (
    Stage(112, 1200, 32, 3e-3, head=False, first="block1_conv1"),
    Stage(224, 600, 32, 2e-3, head=True, first="block3_conv1"),
)


class State(NamedTuple):
    """Everything that changes in training."""

    parameters: Variables
    statistics: Variables
    slots: Any  # AdamW's moments and step count


def optimizer(stage: Stage) -> optax.GradientTransformation:
    """AdamW, warm-up over a tenth of the steps, then a cosine to zero; only kernels decay."""
    rate = optax.warmup_cosine_decay_schedule(0.0, stage.rate, stage.steps // 10, stage.steps)
    return optax.adamw(rate, weight_decay=0.01, mask=partial(jax.tree.map, lambda p: p.ndim > 1))


def learning(parameters: Variables, stage: Stage) -> Variables:
    """The parameters that learn in this stage."""
    start = layer_index(stage.first)
    return {
        name: roles
        for name, roles in parameters.items()
        if name == "auxiliary" or layer_index(name) >= start
    }


@partial(jax.jit, static_argnames="stage", donate_argnames="state")
def train_step(state: State, images: Array, targets: Array, stage: Stage) -> tuple[State, Array]:
    """Take one step; return the new state and (loss, share of images with a right answer)."""

    def loss(learned: Variables) -> tuple[Array, tuple[Variables, Array]]:
        parameters = {**state.parameters, **learned}
        logits, auxiliary, used = forward(
            parameters, {}, preprocess(images), training=True, head=stage.head
        )
        total = optax.softmax_cross_entropy(auxiliary, targets).mean()
        if logits is None:
            logits = auxiliary
        else:
            final = optax.softmax_cross_entropy(logits, targets).mean()
            total = AUXILIARY_WEIGHT * total + final
        right = jnp.take_along_axis(targets, logits.argmax(axis=1)[:, None], axis=1) > 0
        return total, (used, right.mean())

    differentiate = jax.value_and_grad(loss, has_aux=True)
    learned = learning(state.parameters, stage)
    (total, (used, right)), gradient = differentiate(learned)
    updates, slots = optimizer(stage).update(gradient, state.slots, learned)
    parameters = {**state.parameters, **optax.apply_updates(learned, updates)}
    statistics = jax.tree.map(
        lambda old, new: MOMENTUM * old + (1 - MOMENTUM) * new, state.statistics, used
    )
    return State(parameters, statistics, slots), jnp.stack([total, right])


def batches(store: Store, seed: int, number: int, stage: Stage, start: int) -> Iterator[tuple]:
    """Yield a stage's batches from step `start`, each a function of its step, one ahead."""

    def make(step: int) -> tuple[np.ndarray, np.ndarray]:
        return batch(store, np.random.default_rng([seed, number, step]), stage.images, stage.size)

    with ThreadPoolExecutor(1) as worker:
        ahead = worker.submit(make, start)
        for step in range(start, stage.steps):
            ready = ahead.result()
            ahead = worker.submit(make, step + 1)
            yield ready


def train(store: Store, folder: Path, seed: int) -> tuple[VGG16, dict[str, Any]]:
    """Run the stages from the last checkpoint in `folder`; return the folded model and the log."""
    parameters, statistics = initial_variables(DEMO, seed)
    log: list[str] = []
    seconds = 0.0
    for number, stage in enumerate(STAGES):
        state = State(parameters, statistics, optimizer(stage).init(learning(parameters, stage)))
        saved = folder / f"stage_{number}_seed_{seed}.npz"
        start, state, seconds, log = _restore(saved, state, seconds, log)
        begun = last_saved = time.monotonic()
        recent = []
        bar = tqdm(
            batches(store, seed, number, stage, start),
            f"{stage.size} px",
            stage.steps,
            initial=start,
        )
        for step, (images, targets) in enumerate(bar, start + 1):
            state, measured = train_step(state, images, targets, stage)
            recent.append(np.asarray(measured))
            if step % CHECK_EVERY == 0 or step == stage.steps:
                loss, right = np.mean(recent, axis=0)
                log.append(f"{stage.size} px, step {step}: loss {loss:.3f}, {right:.1%} right")
                bar.write(log[-1])
                recent = []
            now = time.monotonic()
            if now - last_saved > SAVE_EVERY or step == stage.steps:
                _save(saved, step, state, seconds + now - begun, log)
                last_saved = now
        seconds += time.monotonic() - begun
        parameters, statistics = state.parameters, state.statistics
    weights = fold(parameters, statistics)
    model = VGG16(**DEMO._asdict(), labels=CLASSES, weights=weights)
    return model, {"seconds": round(seconds), "log": log}


def _save(file: Path, step: int, state: State, seconds: float, log: list[str]) -> None:
    arrays: dict[str, Any] = {
        f"a{i}": np.asarray(leaf) for i, leaf in enumerate(jax.tree.leaves(state))
    }
    part = file.with_suffix(".part.npz")
    np.savez(part, step=step, seconds=seconds, log=np.array(log), **arrays)
    os.replace(part, file)


def _restore(
    file: Path, state: State, seconds: float, log: list[str]
) -> tuple[int, State, float, list[str]]:
    if not file.exists():
        return 0, state, seconds, log
    with np.load(file) as saved:
        leaves, structure = jax.tree.flatten(state)
        arrays = [jnp.asarray(saved[f"a{i}"]) for i in range(len(leaves))]
        state = jax.tree.unflatten(structure, arrays)
        return (
            int(saved["step"]),
            state,
            float(saved["seconds"]),
            [str(line) for line in saved["log"]],
        )


def check(model: VGG16, count: int = 600) -> float:
    """Top-1 accuracy on scenes from the end of the training seeds, which no stage draws."""
    right = 0
    logits = jax.jit(model.__call__)
    for first in range(0, count, 50):
        names = [(first + i) % len(CLASSES) for i in range(50)]
        seeds = TRAINING_SEEDS[-count:][first : first + 50]
        images = np.stack([scene(s, CLASSES[n]).image for s, n in zip(seeds, names, strict=True)])
        right += int((np.asarray(logits(preprocess(images))).argmax(axis=1) == names).sum())
    return right / count


def main() -> None:
    """Draw the scenes, train, and write the file."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    scratch = Path(tempfile.gettempdir()) / "jaxvis-training"
    parser.add_argument(
        "--scratch", type=Path, default=scratch, help="scenes and checkpoints (%(default)s)"
    )
    parser.add_argument(
        "--scenes", type=int, default=24_000, help="scenes to draw (%(default)s; 3.6 GB)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of weights and batches (%(default)s)")
    parser.add_argument("--output", type=Path, default=OUTPUT, help="file to write (%(default)s)")
    options = parser.parse_args()
    store = open_store(options.scratch, options.scenes)
    model, progress = train(store, options.scratch, options.seed)
    facts = {
        "made_by": "weights/train_demo.py",
        "seed": options.seed,
        "scenes": options.scenes,
        "stages": [stage._asdict() for stage in STAGES],
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "device": f"{jax.devices()[0].device_kind}, {os.cpu_count()} CPU cores",
        "versions": {
            "python": platform.python_version(),
            "jax": jax.__version__,
            "numpy": np.__version__,
        },
        "validation_accuracy": check(model),
        **progress,
    }
    save_vgg16(model, options.output, dtype=np.float16, facts=facts)
    for number, seed in enumerate(GEESE, 1):
        file = options.output.parent / f"goose_{number}.png"
        Image.fromarray(scene(seed, "goose").image).save(file)
    print(f"{options.output}: {facts['validation_accuracy']:.1%} of 600 validation scenes right")


if __name__ == "__main__":
    main()
