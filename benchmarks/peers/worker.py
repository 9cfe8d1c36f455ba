"""What every peer shares: reading the weights, and answering the driver over a pipe.

Needs NumPy and h5py only, because it runs in every environment.
"""

import argparse
import json
import os
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

CLASS = 99  # goose
LAYER = "block5_conv3"
# Of methods that run the network many times, for every library alike.
MASKED = 1  # image
SAMPLES, STEPS = 24, 32
WINDOW, STRIDE = 45, 17
MASKS, CHANNELS = 256, 32

RULES = ("vanilla", "rectified", "guided")
BLOCKS = ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512))
CONVOLUTIONS = [
    f"block{block}_conv{number}"
    for block, (count, _) in enumerate(BLOCKS, start=1)
    for number in range(1, count + 1)
]
DENSE = ["fc1", "fc2", "predictions"]
MEAN = np.array([103.939, 116.779, 123.68], np.float32)

Maps = dict[str, np.ndarray]


def network_input(images: np.ndarray) -> np.ndarray:
    """Keras's 'caffe' preprocessing: RGB -> BGR, minus the ImageNet mean."""
    return images[..., ::-1].astype(np.float32) - MEAN


def read_weights(path: Path) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return kernel and bias of every layer, in Keras's layout."""
    import h5py

    arrays: dict[str, list[np.ndarray]] = {}
    with h5py.File(path) as file:
        top = file.get("model_weights", file)
        for name in CONVOLUTIONS + DENSE:
            found: list[Any] = []
            top[name].visititems(
                lambda _, item, found=found: found.append(item) if hasattr(item, "shape") else None
            )
            kernel, bias = sorted(found, key=lambda dataset: -dataset.ndim)
            arrays[name] = [kernel[...], bias[...]]
    return {name: (kernel, bias) for name, (kernel, bias) in arrays.items()}


def peak_megabytes() -> float:
    """The most memory that this process held."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except FileNotFoundError:
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024 / 1e6


def answers() -> Callable[..., None]:
    """Return what writes a line of JSON to the driver; what libraries print goes elsewhere."""
    stream = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)

    def answer(**values: Any) -> None:
        stream.write(json.dumps({**values, "peak_mb": peak_megabytes()}) + "\n")

    return answer


def arguments() -> argparse.ArgumentParser:
    """Return what every peer is told on its command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--precision")
    return parser


def prepared(prepare: Callable[..., Any], options: argparse.Namespace) -> Any:
    """Return what a peer makes of the file of weights, the images, and a precision if told one."""
    precision = [] if options.precision is None else [options.precision]
    return prepare(options.weights, np.load(options.images), *precision)


def serve(
    prepare: Callable[..., Any],
    run: Callable[[Any], Maps],
    *,
    raw: Callable[[Any], Maps] | None = None,
    draw: Callable[[np.ndarray, Maps, Path], None] | None = None,
    more: dict[str, Callable[[Any], Any]] | None = None,
) -> None:
    """Answer `run`, `maps FILE` and what else is in `more`, one line of JSON each.

    `prepare` takes the file of weights, uint8 images, and --precision if that is given. `run`
    returns the six maps as NumPy arrays; `raw` does so where `run` itself returns scaled ones.
    With --once, run once and leave.
    """
    answer = answers()
    parser = arguments()
    parser.add_argument("--once", action="store_true")
    parser.add_argument("--figures", type=Path)
    options = parser.parse_args()
    images = np.load(options.images)
    state = prepared(prepare, options)
    if options.once:
        maps = run(state)
        if options.figures is not None:
            assert draw is not None
            draw(images, maps, options.figures)
        answer()
        return
    answer(ready=True)
    for line in sys.stdin:
        command, _, argument = line.strip().partition(" ")
        if command == "run":
            start = time.perf_counter()
            run(state)
            answer(seconds=time.perf_counter() - start)
        elif command == "maps":
            np.savez(argument, **(raw or run)(state))
            answer()
        elif more and command in more:
            answer(result=more[command](state))
        else:
            raise SystemExit(f"unknown command {command!r}")


def serve_methods(prepare: Callable[..., dict[str, Callable[[], Any]]]) -> None:
    """Answer a method's name with the seconds that it took, and how large its maps are.

    `prepare` takes the file of weights, uint8 images, and --precision if that is given, and returns
    a function without arguments for each method that the library has.
    """
    answer = answers()
    methods = prepared(prepare, arguments().parse_args())
    answer(methods=list(methods))
    for line in sys.stdin:
        name = line.strip()
        start = time.perf_counter()
        found = np.asarray(methods[name]())
        answer(seconds=time.perf_counter() - start, shape=found.shape)
