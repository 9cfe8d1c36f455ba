"""Occlusion: how much of the score is lost where a square covers the image.

Zeiler & Fergus, "Visualizing and Understanding Convolutional Networks" (arXiv 1311.2901, 2013),
section 4.2.
"""

from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float, Float32, Int

from jaxvis.errors import InputError
from jaxvis.gradients.target import Model, Score
from jaxvis.methods.forward import outputs, scores
from jaxvis.methods.grad_cam import positive
from jaxvis.methods.masked import BATCH, sides_of, under_masks
from jaxvis.methods.method import Method
from jaxvis.methods.samples import check_count, each_class, one_array
from jaxvis.types import AnyArray

# Shares of the shorter side: of 224 pixels a square of 32, every 16.
WINDOW, STRIDE = 1 / 7, 1 / 14
CORNERS = 256  # of windows; more come in multiples of that


def occlusion(
    model: Model,
    x: Float[AnyArray, "n height width channels"],
    classes: ArrayLike | None = None,
    *,
    window: int | tuple[int, int] | None = None,
    stride: int | tuple[int, int] | None = None,
    fill: float = 0.0,
    score: Score | None = None,
    batch_size: int = BATCH,
    channel_axis: int | None = None,
) -> Float[Array, "n height width"]:
    """Return for each pixel the mean of score(x) - score(covered), over windows that cover it.

    Raw and signed: positive where the score falls. As in Captum, windows start at multiples of the
    stride, and the last ones end at the image's edge or short of it, cut off there.

    Args:
        model, x, classes, score, channel_axis: as in `saliency`, but x is one array, and classes
            one for each image.
        window, stride: in pixels, one number or (height, width); default a seventh and a
            fourteenth of the shorter side.
        fill: what the network reads in the window; 0 is its mean colour, of VGG16.
        batch_size: covered images in one compiled call, which bounds memory.

    Raises:
        TypeError, ValueError: as `saliency`; a window or stride out of range, or a stride larger
            than the window, which would leave pixels uncovered.
    """
    x = one_array(x)
    height, width = sides_of(x, channel_axis)
    windows = _pair("window", window, WINDOW, (height, width))
    strides = _pair("stride", stride, STRIDE, (height, width))
    if strides[0] > windows[0] or strides[1] > windows[1]:
        raise InputError(
            f"stride is {strides}, more than the window, {windows}: some pixels would never be "
            "covered; wanted at most the window"
        )
    check_count("batch_size", batch_size)
    targets = each_class(model, x, classes, score)
    starts = [
        (row, column)
        for row in _starts(height, windows[0], strides[0])
        for column in _starts(width, windows[1], strides[1])
    ]
    plain = np.asarray(scores(outputs(model, x), targets, score))
    # As many corners, the last one repeated, as other windows have: what is compiled serves all.
    corners = jnp.asarray([*starts, *starts[-1:] * (-len(starts) % CORNERS)])
    made_of = corners, jnp.asarray(windows)
    lost = np.zeros((len(x), height, width), np.float64)
    covered = np.zeros((height, width), np.float64)
    for image, values, _ in under_masks(
        model, x, targets, Windows((height, width)), lambda _: made_of, len(starts),
        score=score, batch_size=batch_size, fill=fill, channel_axis=channel_axis,
    ):  # fmt: skip
        falls = plain[image] - np.asarray(values, np.float64)
        for (row, column), fall in zip(starts, falls, strict=True):
            rows, columns = slice(row, row + windows[0]), slice(column, column + windows[1])
            lost[image, rows, columns] += fall
            if image == 0:
                covered[rows, columns] += 1
    return jnp.asarray(lost / covered, jnp.float32)


@dataclass(frozen=True)
class Windows:
    """Masks that cover one window each, given the corners of all, and the sides of a window: see
    `masked.Masks`."""

    sides: tuple[int, int]

    def __call__(
        self, made_of: tuple[Int[Array, "count 2"], Int[Array, "2"]], numbers: Int[Array, " b"]
    ) -> Float32[Array, "b height width"]:
        """Return 0 inside of the window, cut off at the edge, and 1 outside."""
        corners, windows = made_of
        rows, columns = (
            (jnp.arange(side)[None] >= first[:, None])
            & (jnp.arange(side)[None] < first[:, None] + window)
            for side, window, first in zip(self.sides, windows, corners[numbers].T, strict=True)
        )
        return 1 - (rows[:, :, None] & columns[:, None, :]).astype(jnp.float32)


def _starts(side: int, window: int, stride: int) -> range:
    """Where windows begin along a side: the last one reaches its end."""
    return range(0, max(side - window + stride, 1), stride)


def _pair(name: str, given: Any, share: float, sides: tuple[int, int]) -> tuple[int, int]:
    if given is None:
        given = max(1, round(min(sides) * share))
    pair = tuple(given) if isinstance(given, tuple | list) else (given, given)
    if len(pair) != 2:
        raise InputError(f"{name} is {given!r}; wanted a number of pixels, or (height, width)")
    for one, side in zip(pair, sides, strict=True):
        if check_count(name, one) > side:
            raise InputError(f"{name} is {pair}; wanted at most the image, {sides}")
    return pair


def _as_row(model: Any, x: Any, classes: Any, **options: Any) -> Array:
    return occlusion(
        model, x, classes, score=options["score"], channel_axis=options["channel_axis"]
    )


OCCLUSION = Method(
    name="occlusion",
    title="occlusion",
    function=_as_row,
    shown=positive,
    kind="masks",
    at="input",
    signed=False,
    rules=False,
    forward=len(_starts(224, 32, 16)) ** 2 + 1,
    backward=0,
    paper="Zeiler & Fergus, arXiv 1311.2901 (2013)",
    about="How far the class's logit falls where a square of the network's mean colour covers the "
    "image.",
)
