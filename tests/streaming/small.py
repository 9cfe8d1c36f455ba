"""A network of a few hundred weights for tests of streams; run as a program, it streams.

    python small.py SOURCE OUT [COORDINATOR PROCESS PROCESSES]

prints "begun" when the first batch is on the disk, and the numbers of images after each.
"""

import functools
import sys
from functools import partial

import jax
import numpy as np

import jaxvis as jv

SIZE, CLASSES = (24, 20), 7


def weights(seed=0):
    rng = np.random.default_rng(seed)
    shapes = ((3, 3, 3, 5), (3, 3, 5, 6), (6, CLASSES))
    return [jax.numpy.asarray(rng.normal(0, 0.4, shape), np.float32) for shape in shapes]


def forward(params, x, scale=1.0):
    first, second, last = params
    convolve = partial(
        jax.lax.conv_general_dilated, padding="SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"),
        precision="highest",
    )  # fmt: skip
    y = jax.nn.relu(convolve(x, first, (2, 2)))
    y = jax.nn.relu(convolve(y, second, (1, 1)))
    return scale * y.mean((1, 2)) @ last


def preprocess(images):
    return images.astype(np.float32) / 255 - 0.5


@functools.cache  # so that what was compiled before serves again
def network(seed=0, scale=1.0, labels=True):
    model = jax.tree_util.Partial(partial(forward, scale=scale), weights(seed))
    return jv.describe(
        jv.expose_relu(model), size=SIZE, preprocess=preprocess, resample="bilinear", name="small",
        labels=[f"kind {i}" for i in range(CLASSES)] if labels else None,
    )  # fmt: skip


def main():
    source, out, *which = sys.argv[1:]
    process = jv.Process()
    if which:
        from jaxvis.streaming.processes import connect

        process = connect(which[0], int(which[1]), int(which[2]))

    def say(progress):
        print("begun" if progress.here <= 4 else progress.done, flush=True)

    maps = jv.stream(network(), source, out, batch=4, process=process, progress=say)
    assert not maps.missing


if __name__ == "__main__":
    main()
