"""Which map can be steered? `python weights/measure_fooling.py` writes jaxvis/data/fooling.json.

On held-out scenes each of five maps is steered into a corner (`jaxvis.course.attacks.steered`), by
at most 8 grey levels, while the logits are held. Then all five maps are made of every changed
picture: how much of each lies in the corner now, and how like is it to what it was?
"""

import argparse
import time
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from columns import joined, write

import jaxvis as jv
import jaxvis.evaluate as ev
from jaxvis.course import attacks

OUTPUT = Path(__file__).resolve().parents[1] / "jaxvis" / "data" / "fooling.json"
EPSILON = 8.0
COPIES = 8  # noisy pictures at each step, where the attack has 2 elsewhere
MAPS = {
    "saliency": attacks.gradient_map,
    "guided saliency": attacks.guided_map,
    "Grad-CAM": attacks.grad_cam_map,
    "SmoothGrad": attacks.smoothgrad_map,
    "integrated gradients": attacks.integrated_map,
}
# SmoothGrad again, by an attacker who takes more trouble: whether it resists, or 2 copies are few.
ATTACKS = MAPS | {f"SmoothGrad, {COPIES} copies": partial(attacks.smoothgrad_map, samples=COPIES)}
GROUP = 4
SAMPLES = 6  # of SmoothGrad and integrated gradients, when a map is looked at


def corner(size: int, top: bool, left: bool) -> np.ndarray:
    """The corner of a map of this size that the attacker wants it in: a sixteenth of its area."""
    region = np.zeros((size, size), np.float32)
    side = size // 4
    region[
        (slice(side) if top else slice(-side, None)), slice(side) if left else slice(-side, None)
    ] = 1
    return region


def farthest(mask: np.ndarray) -> tuple[bool, bool]:
    """The corner with the least of the object in it, and farthest from its middle."""
    rows, columns = np.nonzero(mask)
    return bool(rows.mean() > mask.shape[0] / 2), bool(columns.mean() > mask.shape[1] / 2)


def all_maps(model: Any, x: jax.Array, classes: np.ndarray) -> dict[str, np.ndarray]:
    """The library's own maps, at the picture's size."""
    found = jv.explain(model, x, classes, rules=("vanilla", "guided"))
    smooth = jv.smoothgrad(model, x, classes, samples=SAMPLES)
    integrated = jv.integrated_gradients(model, x, classes, steps=SAMPLES).maps
    return {
        "saliency": np.asarray(found.saliency["vanilla"]),
        "guided saliency": np.asarray(found.saliency["guided"]),
        "Grad-CAM": jv.upsample(found.grad_cam["vanilla"], (224, 224)),
        "SmoothGrad": np.abs(np.asarray(smooth)),
        "integrated gradients": np.abs(np.asarray(integrated)),
    }


def measured(
    model: Any,
    x: jax.Array,
    changed: jax.Array,
    classes: np.ndarray,
    corners: list[np.ndarray],
    before: dict[str, np.ndarray],
) -> dict[str, Any]:
    """What became of the maps and of the logits, one number for each picture."""
    after = all_maps(model, changed, classes)
    logits, moved = (np.asarray(model(images)) for images in (x, changed))
    regions = np.stack(corners)
    table: dict[str, Any] = {
        name: {
            "in the corner": (one * regions).sum(axis=(1, 2))
            / np.maximum(one.sum(axis=(1, 2)), 1e-20),
            "rank correlation": ev.spearman(before[name], one),
            "top 1 %": ev.strongest_overlap(before[name], one),
        }
        for name, one in after.items()
    }
    table["answer kept"] = logits.argmax(axis=1) == moved.argmax(axis=1)
    table["logits moved"] = np.abs(moved - logits).max(axis=1)
    table["probability moved"] = np.abs(
        np.asarray(jax.nn.softmax(moved) - jax.nn.softmax(logits))
    ).max(axis=1)
    return table


def main() -> None:
    """Steer every map on every scene, and write what it does to all of them."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--scenes", type=int, default=12, help="held out (%(default)s)")
    parser.add_argument("--steps", type=int, default=20, help="of each attack (%(default)s)")
    parser.add_argument("--output", type=Path, default=OUTPUT, help="file to write (%(default)s)")
    options = parser.parse_args()
    model = jv.load_vgg16("demo")
    subjects = ev.scene_subjects(model, options.scenes)
    begun = time.monotonic()
    rows: dict[str, list] = {}
    result: dict[str, Any] = {}
    for start in range(0, options.scenes, GROUP):
        some = subjects.slice(start, min(start + GROUP, options.scenes))
        x = jnp.asarray(jv.preprocess(some.images))
        where = [farthest(mask) for mask in some.masks]
        corners = [corner(224, *place) for place in where]
        before = all_maps(model, x, some.classes)
        rng = np.random.default_rng(start)
        noise = rng.choice(np.array([-EPSILON, EPSILON], np.float32), x.shape)
        changed = {"nothing": x, "random noise": attacks.near(x + noise, x, EPSILON)}
        for name, map_of in ATTACKS.items():
            size = 14 if name == "Grad-CAM" else 224
            regions = np.stack([corner(size, *place) for place in where])
            changed[name] = attacks.steered(
                map_of, model, x, some.classes, regions, epsilon=EPSILON, steps=options.steps
            )
        for name, pictures in changed.items():
            rows.setdefault(name, []).append(
                measured(model, x, pictures, some.classes, corners, before)
            )
        print(f"{start + len(some.images)} scenes, {time.monotonic() - begun:.0f} s", flush=True)
        result = {
            "made_by": "weights/measure_fooling.py",
            "scenes": some.names if start == 0 else [*result["scenes"], *some.names],
            "steps": options.steps,
            "epsilon": EPSILON,
            "samples": SAMPLES,
            "jax": jax.__version__,
            "after": {name: joined(parts) for name, parts in rows.items()},
        }
        write(options.output, result)
    for attack, table in result["after"].items():
        shares = "  ".join(f"{name} {np.mean(table[name]['in the corner']):.2f}" for name in MAPS)
        print(f"{attack:22} {shares}  kept {np.mean(table['answer kept']):.2f}")


if __name__ == "__main__":
    main()
