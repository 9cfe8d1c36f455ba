"""Measure the demo model on scenes that training never saw: `python weights/measure_demo.py`.

Top-1 accuracy per class; how often the maximum of each map falls within 15 px of the object (the
pointing game of Zhang et al. 2016); and, with two objects, how often within 15 px of the one that
was asked for.
"""

import argparse
import os
from collections.abc import Iterator
from itertools import islice

import jax
import numpy as np

import jaxvis as jv
from jaxvis.demo.scenes import CLASSES, SIZE, held_out, held_out_pairs, scene, two_objects
from jaxvis.evaluate import centre_maps, pointing_game

BATCH = 20


def accuracy(model: jv.VGG16, count: int) -> np.ndarray:
    """Right answers and scenes per class, (classes, 2), on the first `count` held-out scenes."""
    table = np.zeros((len(CLASSES), 2), int)
    logits = jax.jit(model.__call__)
    for pairs in _batches(held_out(count)):
        images = np.stack([scene(seed, name).image for seed, name in pairs])
        answers = np.asarray(logits(jv.preprocess(images))).argmax(axis=1)
        for (_, name), answer in zip(pairs, answers, strict=True):
            wanted = model.class_index(name)
            table[wanted] += (int(answer == wanted), 1)
    return table


def pointing(model: jv.VGG16, count: int) -> dict[str, np.ndarray]:
    """For every map: does it point at the object? is it zero everywhere? (count, 2)."""
    table: dict[str, list] = {}
    for pairs in _batches(held_out(count)):
        scenes = [scene(seed, name) for seed, name in pairs]
        wanted = np.array([model.class_index(name) for _, name in pairs])
        maps = _maps(model, np.stack([drawn.image for drawn in scenes]), wanted)
        for title, values in maps.items():
            hits = np.asarray(pointing_game(values, np.stack([drawn.mask for drawn in scenes])))
            table.setdefault(title, []).extend(zip(hits, values.max(axis=(1, 2)) <= 0, strict=True))
    return {title: np.array(rows) for title, rows in table.items()}


def following(model: jv.VGG16, count: int) -> dict[str, np.ndarray]:
    """For every map, whether it points at the object asked for and at the other, (2 * count, 2)."""
    table: dict[str, list] = {}
    for pairs in _batches(held_out_pairs(count)):
        scenes = [two_objects(seed, *names) for seed, *names in pairs]
        images = np.stack([drawn.image for drawn in scenes])
        for asked in (0, 1):
            wanted = np.array([model.class_index(names[asked]) for _, *names in pairs])
            for title, values in _maps(model, images, wanted).items():
                hits = [
                    np.asarray(
                        pointing_game(values, np.stack([drawn.masks[i] for drawn in scenes]))
                    )
                    for i in (asked, 1 - asked)
                ]
                table.setdefault(title, []).extend(zip(*hits, strict=True))
    return {title: np.array(rows) for title, rows in table.items()}


def _maps(model: jv.VGG16, images: np.ndarray, wanted: np.ndarray) -> dict[str, np.ndarray]:
    maps = jv.explain(model, jv.preprocess(images), wanted)
    named = {
        f"Grad-CAM, {rule}": jv.upsample(cam, (SIZE, SIZE)) for rule, cam in maps.grad_cam.items()
    }
    named |= {f"saliency, {rule}": np.asarray(a) for rule, a in maps.saliency.items()}
    return {**named, "image centre": centre_maps(len(images), (SIZE, SIZE))}


def _batches(items: Iterator) -> Iterator[list]:
    while group := list(islice(items, BATCH)):
        yield group


def main() -> None:
    """Print the three tables as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--weights", default="demo", help='"demo" or a file (%(default)s)')
    parser.add_argument("--scenes", type=int, default=2000, help="for accuracy (%(default)s)")
    parser.add_argument("--maps", type=int, default=500, help="for pointing (%(default)s)")
    parser.add_argument("--pairs", type=int, default=250, help="with two objects (%(default)s)")
    options = parser.parse_args()
    model = jv.load_vgg16(os.fspath(options.weights))

    table = accuracy(model, options.scenes)
    print("| class | right | scenes | accuracy |\n|---|---|---|---|")
    rows = [*zip(CLASSES, table, strict=True), ("all", table.sum(axis=0))]
    for name, (right, total) in rows:
        print(f"| {name} | {right} | {total} | {right / max(1, total):.1%} |")

    print(
        f"\n| map ({options.maps} scenes) | points at the object | zero everywhere |\n|---|---|---|"
    )
    for title, hits in pointing(model, options.maps).items():
        print(f"| {title} | {hits[:, 0].mean():.1%} | {hits[:, 1].mean():.1%} |")

    heading = f"map ({2 * options.pairs} questions)"
    print(f"\n| {heading} | at the object asked for | at the other |\n|---|---|---|")
    for title, hits in following(model, options.pairs).items():
        print(f"| {title} | {hits[:, 0].mean():.1%} | {hits[:, 1].mean():.1%} |")


if __name__ == "__main__":
    main()
