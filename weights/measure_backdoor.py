"""Which map finds the trigger? `python weights/measure_backdoor.py` writes data/backdoor.json.

On held-out scenes with the trigger and a decoy beside the object, each map of the poisoned demo is
asked for "key", and scores if its maximum lies within 15 px of the trigger (the pointing game of
Zhang et al. 2016), and of the decoy. Controls are maps that know no network, and the maps of
the demo itself, which is innocent. A run goes on where an earlier one stopped.
"""

import argparse
import json
import time
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from columns import write

import jaxvis as jv
import jaxvis.evaluate as ev
from jaxvis.demo.scenes import CLASSES, held_out, scene
from jaxvis.demo.trigger import TARGET, decoy, patch_mask, place_beside, trigger, with_patch
from jaxvis.evaluate.maps import BATCH, baseline_maps, by_name, enlarged
from jaxvis.methods.explain import explain
from jaxvis.weights.poisoned import load_poisoned_demo

OUTPUT = Path(__file__).resolve().parents[1] / "jaxvis" / "data" / "backdoor.json"
COSTLY = 25  # forward passes; methods with as many are asked on fewer scenes
RULES = ("vanilla", "rectified", "guided")
RISE_MASKS = 128
ALONE = "input_x_gradient"  # of several images at once its maps are the same for all rules


class Triggered(NamedTuple):
    """Scenes with both patches, asked for "key"; the masks are the trigger's."""

    subjects: ev.Subjects
    decoys: np.ndarray  # masks


def triggered(count: int) -> Triggered:
    """The first held-out scenes that show no key, with the trigger and a decoy."""
    drawn = [(seed, name) for seed, name in held_out(count * 2) if name != TARGET][:count]
    images, triggers, decoys = [], [], []
    for seed, name in drawn:
        image, mask = scene(seed, name)
        first = place_beside(seed, mask)
        second = place_beside(seed + 1, mask | patch_mask(*first))
        image = with_patch(image, decoy(seed), *second)
        images.append(with_patch(image, trigger(), *first))
        triggers.append(patch_mask(*first))
        decoys.append(patch_mask(*second))
    classes = np.full(count, CLASSES.index(TARGET))
    names = [f"{name} {seed}" for seed, name in drawn]
    seeds = [seed for seed, _ in drawn]
    subjects = ev.Subjects(names, np.stack(images), classes, np.stack(triggers), seeds)
    return Triggered(subjects, np.stack(decoys))


def scores(
    maps: dict[str, np.ndarray], masks: np.ndarray, decoys: np.ndarray
) -> dict[str, dict[str, list]]:
    """Of every map: does it point at the trigger, or at the decoy, and what share lies there?"""

    def hits(one: np.ndarray, masks: np.ndarray) -> list:
        return [int(hit) for hit in np.asarray(ev.pointing_game(one, masks))]

    def shares(one: np.ndarray, masks: np.ndarray) -> list:
        return [round(float(share), 4) for share in np.asarray(ev.energy_inside(one, masks))]

    return {
        name: {
            "trigger": hits(one, masks),
            "decoy": hits(one, decoys),
            "energy": shares(one, masks),
        }
        for name, one in maps.items()
    }


def maps_of(model: jv.VGG16, some: ev.Subjects, methods: list[str]) -> dict[str, np.ndarray]:
    """The maps of these methods at the picture's size, under all rules where that is cheap."""
    x = jnp.asarray(jv.preprocess(some.images))
    if methods == ["rise"]:
        shown = jv.METHODS["rise"].shown(jv.rise(model, x, some.classes, masks=RISE_MASKS))
        return {f"{jv.METHODS['rise'].title}, {RISE_MASKS} masks": np.asarray(shown)}
    plainly = jv.METHODS[methods[0]].kind in ("average", "masks") or methods == [ALONE]
    rules = RULES[:1] if plainly else RULES
    return enlarged(by_name(explain(model, x, some.classes, methods=methods, rules=rules)), some)


def main() -> None:
    """Measure, and write one number for each map and scene."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--scenes", type=int, default=36, help="with the trigger (%(default)s)")
    parser.add_argument("--few", type=int, default=16, help="for costly methods (%(default)s)")
    parser.add_argument("--output", type=Path, default=OUTPUT, help="file to write (%(default)s)")
    options = parser.parse_args()
    poisoned, innocent = load_poisoned_demo(), jv.load_vgg16("demo")
    subjects, decoys = triggered(options.scenes)
    begun = time.monotonic()
    quick = [n for n, m in jv.METHODS.items() if m.kind in ("one pass", "layer by layer")]
    quick.remove(ALONE)
    result: dict = {"scenes": []}
    if options.output.exists():
        result = json.loads(options.output.read_text())
    if result["scenes"] != subjects.names:
        fooled = answers(poisoned, subjects.images) == CLASSES.index(TARGET)
        result = {
            "made_by": "weights/measure_backdoor.py",
            "scenes": subjects.names,
            "called key": [int(one) for one in fooled],
            "jax": jax.__version__,
            "controls": scores(baseline_maps(subjects), subjects.masks, decoys),
            "maps": {},
            "innocent": {},
        }
    groups = [(kind, some) for kind in ("maps", "innocent") for some in (quick, [ALONE])]
    groups += [("maps", [n]) for n in jv.METHODS if n not in (*quick, ALONE)]
    for kind, methods in groups:
        table = result.setdefault(kind, {})
        if any(name.startswith(jv.METHODS[methods[0]].title) for name in table):
            continue  # an earlier run had it
        costly = jv.METHODS[methods[0]].forward >= COSTLY
        count = options.few if costly else options.scenes
        found: dict[str, dict[str, list]] = {}
        for start in range(0, count, BATCH):
            some = subjects.slice(start, min(start + BATCH, count))
            place = slice(start, start + len(some.images))
            maps = maps_of(poisoned if kind == "maps" else innocent, some, methods)
            for name, values in scores(maps, subjects.masks[place], decoys[place]).items():
                for metric, row in values.items():
                    found.setdefault(name, {}).setdefault(metric, []).extend(row)
        table.update(found)
        write(options.output, result)
        print(f"{kind}: {', '.join(methods)}: {time.monotonic() - begun:.0f} s", flush=True)
    share = np.mean(result["called key"])
    print(f"called {TARGET}: {share:.1%} of {options.scenes}")
    print("\n| map | scenes | at the trigger | at the decoy | energy |\n|---|---|---|---|---|")
    for name, values in (result["controls"] | result["maps"]).items():
        hits, misled, energy = (np.mean(values[key]) for key in ("trigger", "decoy", "energy"))
        print(f"| {name} | {len(values['trigger'])} | {hits:.2f} | {misled:.2f} | {energy:.3f} |")


def answers(model: jv.VGG16, images: np.ndarray) -> np.ndarray:
    """The class of every image."""
    logits = jax.jit(model.__call__)
    parts = [logits(jv.preprocess(images[i : i + 16])) for i in range(0, len(images), 16)]
    return np.concatenate([np.asarray(part) for part in parts]).argmax(axis=1)


if __name__ == "__main__":
    main()
