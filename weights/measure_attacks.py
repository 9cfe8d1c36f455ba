"""Can a map tell an attacked picture? `python weights/measure_attacks.py` writes data/attacks.json.

Held-out scenes, as they are and changed by at most 4 grey levels until the demo answers wrongly:
with all steps of PGD, or stopped as soon as it errs, and by as much random noise, as a control.
Of each picture are kept: numbers that a detector could use, none of which needs the original; and
how like its maps are to those of the original, which only the lesson has.
"""

import argparse
import time
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from columns import joined, write

import jaxvis as jv
import jaxvis.evaluate as ev
from jaxvis.course.attacks import loss_gradient, near

OUTPUT = Path(__file__).resolve().parents[1] / "jaxvis" / "data" / "attacks.json"
EPSILON, STEPS = 4.0, 8
GROUP = 8


@jax.jit
def logits_of(model: jv.VGG16, x: jax.Array) -> jax.Array:
    """The answers."""
    return model(x)


def attacked(model: jv.VGG16, x: jax.Array, classes: np.ndarray) -> tuple[jax.Array, jax.Array]:
    """PGD with all its steps, and the same stopped at the first wrong answer."""
    now, first = x, x
    done = np.zeros(len(x), bool)
    for _ in range(STEPS):
        gradient = loss_gradient(model, now, jnp.asarray(classes))
        now = near(now + EPSILON / 4 * jnp.sign(gradient), x, EPSILON)
        wrong = np.asarray(logits_of(model, now)).argmax(axis=1) != classes
        first = jnp.where(jnp.asarray(done)[:, None, None, None], first, now)
        done |= wrong
    return now, first


def maps_of(model: jv.VGG16, x: jax.Array, classes: np.ndarray) -> dict[str, np.ndarray]:
    """The lab's six maps."""
    found = jv.explain(model, x, classes)
    maps = {f"saliency {rule}": np.asarray(one) for rule, one in found.saliency.items()}
    return maps | {f"Grad-CAM {rule}": np.asarray(one) for rule, one in found.grad_cam.items()}


def concentration(one: np.ndarray) -> np.ndarray:
    """The share of a map's sum that its strongest 5 % of the places hold."""
    flat = np.sort(one.reshape(len(one), -1), axis=1)[:, ::-1]
    count = max(1, round(0.05 * flat.shape[1]))
    return flat[:, :count].sum(axis=1) / np.maximum(flat.sum(axis=1), 1e-20)


def blurred(x: jax.Array) -> jax.Array:
    """Each pixel the mean of its 3 x 3 neighbourhood."""
    padded = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
    height, width = x.shape[1:3]
    parts = [padded[:, i : i + height, j : j + width] for i in range(3) for j in range(3)]
    return sum(parts[1:], parts[0]) / 9


def suspicions(model: jv.VGG16, x: jax.Array, seed: int) -> dict[str, np.ndarray]:
    """What can be computed of a picture by itself: numbers a detector may go by."""
    logits = logits_of(model, x)
    p = jax.nn.softmax(logits)
    answer = np.asarray(logits).argmax(axis=1)
    maps = maps_of(model, x, answer)
    noise = 8 * jax.random.normal(jax.random.key(seed), x.shape)
    again = maps_of(model, x + noise, answer)
    guided = maps["saliency guided"].reshape(len(x), 14, 16, 14, 16).max(axis=(2, 4))
    return {
        "probability": 1 - np.asarray(p.max(axis=1)),
        "blur": np.asarray(jnp.abs(jax.nn.softmax(logits_of(model, blurred(x))) - p).sum(axis=1)),
        **{f"{name}: concentrated": concentration(one) for name, one in maps.items()},
        **{
            f"{name}: unsteady under noise": 1 - ev.spearman(one, again[name])
            for name, one in maps.items()
        },
        "guided saliency and Grad-CAM disagree": 1 - ev.spearman(guided, maps["Grad-CAM vanilla"]),
    }


def likeness(
    before: dict[str, np.ndarray], after: dict[str, np.ndarray]
) -> dict[str, dict[str, np.ndarray]]:
    """How like each map is to what it was."""
    return {
        name: {
            "rank correlation": ev.spearman(one, after[name]),
            "top 1 %": ev.strongest_overlap(one, after[name]),
        }
        for name, one in before.items()
    }


def main() -> None:
    """Attack every scene, and write what is left of it in numbers."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--scenes", type=int, default=32, help="held out (%(default)s)")
    parser.add_argument("--output", type=Path, default=OUTPUT, help="file to write (%(default)s)")
    options = parser.parse_args()
    model = jv.load_vgg16("demo")
    subjects = ev.scene_subjects(model, options.scenes)
    begun = time.monotonic()
    rows: dict[str, list] = {}
    for start in range(0, options.scenes, GROUP):
        some = subjects.slice(start, min(start + GROUP, options.scenes))
        x = jnp.asarray(jv.preprocess(some.images))
        full, first = attacked(model, x, some.classes)
        rng = np.random.default_rng(start)
        noise = near(x + rng.choice(np.float32([-EPSILON, EPSILON]), x.shape), x, EPSILON)
        before = maps_of(model, x, some.classes)
        for name, pictures in {
            "as it is": x,
            "PGD": full,
            "stopped": first,
            "noise": noise,
        }.items():
            answers = np.asarray(logits_of(model, pictures)).argmax(axis=1)
            part: dict[str, Any] = {
                "right": answers == some.classes,
                "suspicions": suspicions(model, pictures, start),
            }
            if name in ("PGD", "noise"):
                part["asked for the true class"] = likeness(
                    before, maps_of(model, pictures, some.classes)
                )
                part["asked for the answer"] = likeness(before, maps_of(model, pictures, answers))
            rows.setdefault(name, []).append(part)
        print(f"{start + len(some.images)} scenes, {time.monotonic() - begun:.0f} s", flush=True)
        result = {
            "made_by": "weights/measure_attacks.py",
            "scenes": subjects.names[: start + len(some.images)],
            "epsilon": EPSILON,
            "steps": STEPS,
            "jax": jax.__version__,
            "pictures": {name: joined(parts) for name, parts in rows.items()},
        }
        write(options.output, result)


if __name__ == "__main__":
    main()
