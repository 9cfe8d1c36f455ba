"""The gradient microscope of a report: what every ReLU stops, and its strongest channels."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32

from jaxvis.gradients.relu import RULES
from jaxvis.methods.microscope import AtRelu, Shares, microscope, shares, strongest_channels
from jaxvis.models.network import Network

CHANNELS = 3  # shown of a ReLU: those whose cotangent, passed on, is largest
SIDE = 32  # pixels at most: larger ones are halved, each pixel the mean of four


class Channel(NamedTuple):
    """One channel at a ReLU: the cotangent that arrives there, and what is passed on."""

    number: int
    arrives: Float32[np.ndarray, "height width"]
    passed: Float32[np.ndarray, "height width"]


class Seen(NamedTuple):
    """One ReLU for one image: its layer, the shape there, shares by energy and count, channels."""

    name: str
    shape: tuple[int, ...]
    by_energy: Shares
    by_count: Shares
    channels: list[Channel]


def seen_at_relus(
    network: Network,
    images: np.ndarray,
    classes: np.ndarray,
    rules: Sequence[str],
    *,
    progress: Callable[[str], None],
) -> list[dict[str, list[Seen]]]:
    """Return, for every image and by rule, what is seen at the ReLUs, from the logits down.

    One image at a time, since all cotangents of a network are held at once.
    """
    found = []
    for number, (image, index) in enumerate(zip(images, classes, strict=True)):
        progress(f"microscope: image {number + 1} of {len(images)}")
        x = network.preprocess(image[None])
        by_rule = {}
        for name in rules:
            at = microscope(network.model, x, int(index), rule=RULES[name])
            rows = [_seen(layer, one, name) for layer, one in reversed(list(at.items()))]
            by_rule[name] = rows
        found.append(by_rule)
    return found


def _seen(name: str, at: AtRelu, rule: str) -> Seen:
    by_energy, by_count = (
        shares(at, RULES[rule], weigh)[0] for weigh in (np.square, lambda g: g != 0)
    )
    shape = tuple(at.passed.shape[1:])
    channels = []
    if len(shape) == 3:
        arrives = np.asarray(at.arrives[0], np.float32)
        for number, passed in strongest_channels(np.asarray(at.passed[0]), CHANNELS):
            channels.append(Channel(number, halved(arrives[..., number]), halved(passed)))
    return Seen(name, shape, by_energy, by_count, channels)


def halved(picture: Float32[np.ndarray, "height width"]) -> Float32[np.ndarray, "h w"]:
    """Return a picture of at most SIDE pixels a side, halved as often as that takes."""
    while max(picture.shape) > SIDE:
        height, width = (side // 2 * 2 for side in picture.shape)
        blocks = picture[:height, :width].reshape(height // 2, 2, width // 2, 2)
        picture = blocks.mean(axis=(1, 3))
    return picture
