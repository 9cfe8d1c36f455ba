"""Classification and localisation error of VGG16 on the ILSVRC-2015 CLS-LOC validation images.

    python benchmarks/imagenet_localization.py --images ILSVRC/Data/CLS-LOC/val \\
        --annotations ILSVRC/Annotations/CLS-LOC/val [--results imagenet_localization.jsonl]

The protocol is that of Selvaraju et al., "Grad-CAM" (arXiv 1610.02391, 2016), section 4.1. An image
is squeezed to 224 x 224 and so are its boxes. Each of the five predicted classes is explained for
itself; the pixels at or above 15 % of the map's maximum form segments, and the box around the
largest is compared with those of the class: right are the right class and an IoU of at least 0.5.
The top-5 error counts an image as right if any of the five is. Classification error is measured on
the squeezed image, as there, and on the centre 224 x 224 after the shorter side became 256, as for
Keras's published figures.

Every batch is written to the results file when it is done; started again, the script goes on where
it stopped. It uses all devices that JAX sees, and prints a table as Markdown at the end. Wants
jaxvis[many].
"""

import argparse
import os
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from ilsvrc import RESAMPLE, DataError, class_indices, load, subjects
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from localization_results import METHODS, Found, Results, judge, table
from tqdm import tqdm

import jaxvis as jv
from jaxvis.evaluate.metrics.components import above, bounding_boxes, largest_component
from jaxvis.gradients.groups import group_size, vjp_in_groups
from jaxvis.methods.batches import filling
from jaxvis.methods.grad_cam import class_activation_map, positive
from jaxvis.methods.saliency import largest_over_channels
from jaxvis.models.vgg16 import PRECISIONS
from jaxvis.pictures.render import interpolation
from jaxvis.streaming.devices import on_each
from jaxvis.streaming.loop import steps
from jaxvis.streaming.reading import Batch, read_batches

LAYER = "block5_conv3"
THRESHOLD = 0.15  # of the map's maximum
BEST = 5  # classes


def localise(model: jv.VGG16, squeezed: jax.Array, centre: jax.Array) -> Found:
    """Classify, explain the best classes, and put a box around each explanation."""
    best = min(BEST, model.architecture.classes)
    _, by_centre = jax.lax.top_k(model(centre), best)
    body, head = model.cut(LAYER)
    at_cut, pull_to_input = vjp_in_groups(body, squeezed, group_size(squeezed))
    logits, pull_to_cut = jax.vjp(head, at_cut)
    _, classes = jax.lax.top_k(logits, best)

    def explain(index: jax.Array) -> tuple[jax.Array, jax.Array]:
        (gradient,) = pull_to_cut(jax.nn.one_hot(index, logits.shape[1], dtype=logits.dtype))
        (at_input,) = pull_to_input(gradient)
        cam = positive(class_activation_map(at_cut, gradient))
        return cam, jnp.abs(largest_over_channels(at_input))

    # vmap leaves the forward pass as it is. lax.map would save memory, but a CPU convolves four
    # times as slowly inside a loop.
    cams, saliency = jax.vmap(explain)(classes.T)
    maps = dict(zip(METHODS, (_enlarged(cams, saliency.shape[-2:]), saliency), strict=True))
    return Found(by_centre, classes, {name: _boxes(a) for name, a in maps.items()})


def _enlarged(cams: jax.Array, size: tuple[int, ...]) -> jax.Array:
    """What `jv.upsample` does, on the device."""
    sides = zip(cams.shape[-2:], size, strict=True)
    rows, columns = (jnp.asarray(interpolation(*side), jnp.float32) for side in sides)
    cams = cams.astype(jnp.float32)
    return jnp.einsum("Hh,knhw,Ww->knHW", rows, cams, columns, precision="highest")


def _boxes(maps: jax.Array) -> jax.Array:
    """Boxes of maps (best, n, height, width), as (n, best, 4)."""
    flat = maps.reshape(-1, *maps.shape[2:])
    boxes = bounding_boxes(largest_component(above(flat, THRESHOLD)))
    return boxes.reshape(*maps.shape[:2], 4).swapaxes(0, 1)


class Everywhere:
    """`localise` on all devices that JAX sees: what `jaxvis.streaming.loop.steps` runs.

    Attributes:
        batch: images on each device.
        count: devices.
        in_order: whether one call is computed after the other: not by a CPU.
    """

    def __init__(self, model: jv.VGG16, batch: int) -> None:
        self.batch, self.count = batch, jax.local_device_count()
        self.in_order = jax.default_backend() != "cpu"
        mesh = Mesh(np.array(jax.local_devices()), ("images",))
        self._model = jax.device_put(model, NamedSharding(mesh, PartitionSpec()))
        self._spread = NamedSharding(mesh, PartitionSpec("images"))
        self._run = jax.jit(on_each(localise, mesh))

    def __call__(self, squeezed: np.ndarray, centre: np.ndarray) -> Found:
        images = (jax.device_put(jv.preprocess(part), self._spread) for part in (squeezed, centre))
        return self._run(self._model, *images)

    def filled(self, batches: Sequence[Batch]) -> tuple[np.ndarray, np.ndarray]:
        """Return the squeezed and the centre images of some batches, as many as there is room."""
        rows = [batch.images[filling(len(batch.images), self.batch)] for batch in batches]
        both = np.concatenate(rows + [rows[-1]] * (self.count - len(rows)))
        return both[:, 0], both[:, 1]


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Do what is not in the results file yet; return the results of all images."""
    if not options.results.absolute().parent.is_dir():
        raise DataError(f"--results {options.results}: there is no such folder; make it first")
    model = jv.load_vgg16(options.weights, precision=options.precision)
    size, _ = model.architecture.size  # square
    everything = subjects(options.images, options.annotations, class_indices(model))
    everything = everything[: options.limit]
    settings = {
        "weights": options.weights, "precision": options.precision, "resample": options.resample,
        "layer": LAYER, "threshold": THRESHOLD,
    }  # fmt: skip
    results = Results(options.results, settings)
    left = [one for one in everything if one.path.name not in results.images]
    devices = Everywhere(model, options.batch or (4 if jax.default_backend() == "cpu" else 16))
    batches = read_batches(
        [one.path for one in left], range(0, len(left), devices.batch), devices.batch,
        partial(load, size=size, resample=options.resample), (2, size, size, 3),
        threads=options.threads,
    )  # fmt: skip
    with tqdm(
        total=len(everything), initial=len(everything) - len(left), unit="image", disable=None
    ) as bar:
        for step in steps(batches, devices, devices.filled):
            for batch, found in step.parts(lambda batch: len(batch.images)):
                for reason in batch.broken.values():
                    raise DataError(f"--images {reason}")
                those = left[batch.start : batch.start + len(batch.images)]
                results.add(
                    {
                        one.path.name: judge(
                            one, jax.tree.map(lambda a, row=row: a[row], found), size
                        )
                        for row, one in enumerate(those)
                    }
                )
                bar.update(len(those))
    return {one.path.name: results.images[one.path.name] for one in everything}


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 on")
    return int(text)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--images", type=Path, required=True, metavar="FOLDER", help="of the .JPEG files")
    add("--annotations", type=Path, required=True, metavar="FOLDER", help="of the .xml files")
    add("--weights", default="imagenet", help="'imagenet', 'demo' or a file (%(default)s)")
    add("--results", type=Path, default=Path("imagenet_localization.jsonl"), metavar="FILE",
        help="where batches are kept (%(default)s)")  # fmt: skip
    add("--limit", type=_positive, metavar="N", help="only the first N images")
    add("--batch", type=_positive, metavar="N", help="images a device at once (CPU 4, else 16)")
    add("--threads", type=_positive, default=os.cpu_count(), help="that read images (%(default)s)")
    add("--precision", choices=PRECISIONS, default="highest", help="of products (%(default)s)")
    add("--resample", choices=sorted(RESAMPLE), default="bilinear",
        help="how images are resized (%(default)s)")  # fmt: skip
    options = parser.parse_args()
    try:
        print(table(measure(options)))
    except (DataError, jv.ImageError, jv.WeightsError, OSError) as error:
        print(f"imagenet_localization: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted; start again to go on", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
