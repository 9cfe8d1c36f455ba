"""One drawn scene and one photograph through all methods, with what each costs.

    python tutorials/make_gallery.py

Writes gallery_scene.png (the demo's network) and gallery_photograph.png (EfficientNet-Lite0, from
the extra `photos`), and presets.png: the same two maps as different libraries show them. Seconds
are those of a second call.
"""

import time
from pathlib import Path
from typing import Any

import jax
import numpy as np
from matplotlib.figure import Figure

import jaxvis as jv
from jaxvis.gradients.cut import cut
from jaxvis.methods.catalogue import at_hand
from jaxvis.methods.method import Method

HERE = Path(__file__).parent
COLUMNS = 3


def timed(network: jv.Network, x: Any, name: str, rule: str) -> tuple[np.ndarray, float]:
    """One map, and the seconds that it took once compiled."""
    for _ in range(2):
        start = time.perf_counter()
        maps = jv.explain(
            network.model, x, methods=[name], rules=[rule], layer=network.layer, signed=True
        )
        (found,) = jax.block_until_ready(list(maps.values()))
        seconds = time.perf_counter() - start
    return np.asarray(found), seconds


def passes(network: jv.Network, x: Any, method: Method) -> str:
    """How many passes the method takes of this network: forward, and backward if there are any."""
    forward = method.forward
    if method.name in ("score_cam", "ablation_cam"):  # one for each channel, and one for the image
        body, _ = cut(network.model, network.layer)
        forward = 1 + jax.eval_shape(body, x).shape[-1]
    if method.backward:
        return f"{forward} + {method.backward} passes"
    return "1 pass" if forward == 1 else f"{forward} passes"


def gallery(network: jv.Network, image: np.ndarray, file: Path, title: str) -> None:
    """Draw the image and a map of every method."""
    x = network.preprocess(image[None])
    tiles = [(image, "the image")]
    for name in at_hand(list(jv.METHODS), network.model):
        method = jv.METHODS[name]
        rule = "guided" if name == "guided_grad_cam" else "vanilla"
        found, seconds = timed(network, x, name, rule)
        shown, under = np.asarray(method.shown(found)), image[None] if method.at == "layer" else None
        picture = jv.present(shown, images=under)[0]
        tiles.append((picture, f"{method.title}\n{passes(network, x, method)}, {seconds:.2g} s"))
    rows = -(-len(tiles) // COLUMNS)
    figure = Figure(figsize=(2.3 * COLUMNS, 2.65 * rows + 0.3), dpi=100, layout="constrained")
    figure.suptitle(title, fontsize=12)
    for place in range(rows * COLUMNS):
        axes = figure.add_subplot(rows, COLUMNS, place + 1)
        axes.set_axis_off()
        if place < len(tiles):
            picture, text = tiles[place]
            axes.imshow(picture)
            axes.set_title(text, fontsize=9)
    figure.savefig(file, metadata={"Software": None})


def presets(network: jv.Network, image: np.ndarray, file: Path) -> None:
    """Draw one gradient and one Grad-CAM by every preset."""
    x = network.preprocess(image[None])
    gradient = np.asarray(jv.input_gradient(network.model, x))
    cam = np.asarray(jv.grad_cam(network.model, x, layer=network.layer))
    figure = Figure(figsize=(1.9 * len(jv.PRESETS), 4.4), dpi=100, layout="constrained")
    figure.suptitle("One gradient, one Grad-CAM, shown as different libraries do", fontsize=12)
    for column, name in enumerate(jv.PRESETS):
        shown = jv.present(gradient, name), jv.present(cam, name, images=image[None])
        for row, picture in enumerate(shown):
            axes = figure.add_subplot(2, len(jv.PRESETS), row * len(jv.PRESETS) + column + 1)
            axes.set_axis_off()
            axes.imshow(picture[0])
            if row == 0:
                axes.set_title(name, fontsize=10)
    figure.savefig(file, metadata={"Software": None})


def main() -> None:
    demo = jv.load("demo")
    scene = jv.load_images(jv.demo_images(), demo.size)[0]
    gallery(demo, scene, HERE / "gallery_scene.png", "A drawn goose, by a network that knows drawings")
    presets(demo, scene, HERE / "presets.png")
    real = jv.load("efficientnet-lite0")
    photograph = jv.load_images(jv.photographs(), real.size, resample=real.resample)[0]
    gallery(
        real, photograph, HERE / "gallery_photograph.png",
        f"A photograph, by EfficientNet-Lite0, at {real.layer_name}",
    )  # fmt: skip


if __name__ == "__main__":
    main()
