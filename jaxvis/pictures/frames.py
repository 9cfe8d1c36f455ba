"""Pictures on the way -> an animated GIF, or one picture of them side by side; no JAX.

Frames are uint8 RGB, (k, height, width, 3), as `deprocess` makes them of what `maximize` kept.
"""

import os
import secrets
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from jaxvis.errors import InputError
from jaxvis.pictures.checks import check_images

GAP = 2  # pixels of white between the frames of a strip
LONGEST = 65_535  # a GIF's side in pixels, and the hundredths of a second that a frame may stay


def save_gif(
    frames: UInt8[Any, "k height width 3"],
    path: str | os.PathLike[str],
    *,
    seconds: float = 0.1,
    pause: float = 1.0,
) -> Path:
    """Write frames as a GIF that runs for ever, and return its path; equal frames, equal bytes.

    A GIF has 256 colours a frame, chosen for each, so that values differ from the frames' by some.
    The file appears complete or not at all: it is written beside its place and renamed.

    Args:
        frames: at least one.
        path: its name ends in .gif.
        seconds: that a frame stays, to the hundredth. Viewers slow down what is under 0.02.
        pause: seconds that the last one stays.

    Raises:
        ValueError: frames of another kind or of more than 65,535 pixels a side, another ending, or
            times that are not from 0.01 to 655.35 seconds.
        FileNotFoundError: the folder is missing.
    """
    from PIL import Image

    frames = _checked(frames)
    path = Path(path)
    if path.suffix.lower() != ".gif":
        raise InputError(f"{path}: an animation is written as GIF; give a name that ends in .gif")
    if max(frames.shape[1:3]) > LONGEST:
        raise InputError(
            f"frames are {frames.shape[2]} x {frames.shape[1]} pixels; wanted at most {LONGEST:,} "
            "a side, which is what a GIF has room for"
        )
    times = [_hundredths("seconds", seconds)] * (len(frames) - 1) + [_hundredths("pause", pause)]
    if not path.parent.is_dir():
        raise FileNotFoundError(f"{path}: the folder {path.parent} does not exist; make it first")
    # Pillow joins equal frames to one of their times together: nobody sees a difference.
    first, *others = (Image.fromarray(frame).quantize(256) for frame in frames)
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
    try:
        first.save(
            partial,
            format="GIF",
            save_all=True,
            append_images=others,
            duration=[10 * time for time in times],
            loop=0,
            optimize=False,
        )
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return path


def strip(
    frames: UInt8[Any, "k height width 3"], *, columns: int | None = None
) -> UInt8[np.ndarray, "rows columns 3"]:
    """Return frames as one image, side by side, read as text is, with white between them.

    Args:
        frames: at least one.
        columns: in a row, before it goes on in the next; default all.

    Raises:
        ValueError: frames of another kind, or no positive number of columns.
    """
    frames = _checked(frames)
    columns = len(frames) if columns is None else columns
    if isinstance(columns, bool) or not isinstance(columns, int | np.integer) or columns < 1:
        raise InputError(f"columns is {columns!r}; wanted a whole number of at least 1")
    columns = min(int(columns), len(frames))
    _, height, width, _ = frames.shape
    rows = -(-len(frames) // columns)
    size = (rows * (height + GAP) - GAP, columns * (width + GAP) - GAP, 3)
    together = np.full(size, 255, np.uint8)
    for number, frame in enumerate(frames):
        top, left = (height + GAP) * (number // columns), (width + GAP) * (number % columns)
        together[top : top + height, left : left + width] = frame
    return together


def _checked(frames: Any) -> UInt8[np.ndarray, "k height width 3"]:
    frames = np.asarray(frames)
    if frames.ndim == 5:
        raise InputError(
            f"frames have shape {frames.shape}, of several pictures; wanted those of one: "
            "frames[:, 0] of what maximize kept"
        )
    check_images(frames)
    return frames


def _hundredths(name: str, seconds: Any) -> int:
    """Return seconds as hundredths, in which a GIF counts."""
    number = isinstance(seconds, int | float | np.number) and not isinstance(seconds, bool)
    if not number or not 0.01 <= seconds <= LONGEST / 100:
        raise InputError(f"{name} is {seconds!r}; wanted from 0.01 to {LONGEST / 100} seconds")
    return round(100 * float(seconds))
