"""Scenes in which every pixel's owner is known: silhouettes on textured backgrounds, from a seed.

Everything but the silhouette (pose, colours, textures, light, distractors) is drawn from the seed
alone, never from the class: `scene(7, "goose")` and `scene(7, "cat")` differ only where goose or
cat stands. Colours and textures are whole numbers, so that every machine draws the same bytes.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int32, UInt8

from jaxvis.demo.silhouettes import (
    FINE,
    SILHOUETTES,
    SIZE,
    Pose,
    Samples,
    fill,
    outline,
    silhouette,
)
from jaxvis.errors import InputError

CLASSES: tuple[str, ...] = tuple(SILHOUETTES)
TRAINING_SEEDS = range(0, 1_000_000)
HELD_OUT_SEEDS = range(1_000_000, 2_000_000)
GEESE = (1_000_504, 1_000_636, 1_000_384, 1_000_060)  # held-out seeds of the geese shipped as PNG

Mask = Bool[np.ndarray, "224 224"]
Image = UInt8[np.ndarray, "224 224 3"]
_Field = Int32[np.ndarray, "224 224"]
_Y, _X = np.mgrid[:SIZE, :SIZE].astype(np.int32)


class Scene(NamedTuple):
    """One object: `image`, RGB, and `mask`, the object's visible pixels."""

    image: Image
    mask: Mask


class TwoObjects(NamedTuple):
    """Two objects apart: `image`, RGB, and `masks`, the visible pixels of each as asked."""

    image: Image
    masks: tuple[Mask, Mask]


def scene(seed: int, name: str) -> Scene:
    """Draw the scene of `seed` with an object of class `name`, the same bytes on every machine.

    Raises ValueError for a name that is not in CLASSES.
    """
    _check(name)
    rng = np.random.Generator(np.random.PCG64(seed))
    extent = rng.uniform(0.35, 0.65) * SIZE
    margin = extent / 2 + 3
    pose = _pose(
        rng, rng.uniform(margin, SIZE - margin), rng.uniform(margin, SIZE - margin), extent
    )
    image, (mask,) = _paint(rng, [(name, pose)])
    return Scene(image, mask)


def two_objects(seed: int, first: str, second: str) -> TwoObjects:
    """Draw an object of each class, side by side or diagonally, apart; either may be the left one.

    Raises ValueError for a name that is not in CLASSES.
    """
    _check(first)
    _check(second)
    rng = np.random.Generator(np.random.PCG64([seed, 2]))
    left_first, slope = rng.random() < 0.5, rng.uniform(-0.2, 0.2) * SIZE
    poses = []
    for side in (-1, 1):
        extent = rng.uniform(0.34, 0.45) * SIZE
        x = SIZE / 2 + side * (extent / 2 + 3 + rng.uniform(0, SIZE / 2 - extent - 6))
        poses.append(_pose(rng, x, SIZE / 2 + side * slope, extent))
    ordered = poses if left_first else poses[::-1]
    image, (one, other) = _paint(rng, list(zip((first, second), ordered, strict=True)))
    return TwoObjects(image, (one, other))


def held_out(count: int) -> Iterator[tuple[int, str]]:
    """Yield `count` pairs (seed, class) that training never sees, every class equally often."""
    for index in range(count):
        yield HELD_OUT_SEEDS[index], CLASSES[index % len(CLASSES)]


def held_out_pairs(count: int, first: str | None = None) -> Iterator[tuple[int, str, str]]:
    """Yield `count` seeds, each with two classes, that training never sees; `first` fixes one."""
    for seed in HELD_OUT_SEEDS[:count]:
        rng = np.random.default_rng(seed)
        one, other = (CLASSES[i] for i in rng.choice(len(CLASSES), 2, replace=False))
        if first is not None:
            one, other = first, one if other == first else other
        yield seed, one, other


def _check(name: str) -> None:
    if name not in SILHOUETTES:
        raise InputError(f"no silhouette is named {name!r}; the classes are: {', '.join(CLASSES)}")


def _pose(rng: np.random.Generator, x: float, y: float, extent: float) -> Pose:
    angle = rng.uniform(-25, 25) * np.pi / 180
    return Pose(x, y, extent, angle, rng.uniform(0.85, 1.18), bool(rng.random() < 0.5))


def _paint(rng: np.random.Generator, objects: list[tuple[str, Pose]]) -> tuple[Image, list[Mask]]:
    back, front = _colours(rng, len(objects))
    canvas = _mix(back[0], back[1], _texture(rng))
    for _ in range(int(rng.integers(3, 9))):
        colour, points = _distractor(rng, [pose for _, pose in objects], back, front)
        _lay(canvas, colour, _coverage(fill(points)))
    masks = []
    for (name, pose), tone in zip(objects, front, strict=True):
        body = _mix(tone, tone * rng.integers(150, 230) // 256, _texture(rng))
        body = body * _light(rng, 170) // 256
        shape, marks = (_coverage(samples) for samples in silhouette(name, pose))
        _lay(canvas, body, shape)
        _lay(canvas, body * 9 // 16, marks)
        masks.append(shape >= FINE**2 // 2)
    if rng.random() < 0.35:
        line = _coverage(fill(_line(rng, rng.uniform(1.5, 3.5))))
        _lay(canvas, back[rng.integers(2)], line)
        masks = [mask & (line < FINE**2 // 2) for mask in masks]
    canvas = canvas * _light(rng, 150) // 256
    canvas = canvas + rng.integers(-10, 11, canvas.shape, dtype=np.int8)
    return np.clip(canvas, 0, 255).astype(np.uint8), masks


def _coverage(samples: Samples) -> UInt8[np.ndarray, "224 224"]:
    """Count how many of a pixel's samples are covered."""
    counts = samples.view(np.uint8)
    rows = counts[::FINE] + counts[1::FINE]
    return rows[:, ::FINE] + rows[:, 1::FINE]


def _lay(canvas: np.ndarray, colour: np.ndarray, cover: np.ndarray) -> None:
    """Paint a colour, one or one per pixel, on the canvas in place where it is covered."""
    rows, columns = (np.flatnonzero(cover.any(axis=axis)) for axis in (1, 0))
    if rows.size:
        box = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        weight = cover[box][..., None].astype(np.int32)
        paint = colour if colour.ndim == 1 else colour[box]
        canvas[box] = (canvas[box] * (FINE**2 - weight) + paint * weight + 2) // FINE**2


def _mix(first: np.ndarray, second: np.ndarray, field: _Field) -> np.ndarray:
    return first + (second - first) * field[..., None] // 255


def _light(rng: np.random.Generator, darkest: int) -> np.ndarray:
    """Light in 1/256 of full light, from `darkest` at one edge to full at the other."""
    return (darkest + (256 - darkest) * _gradient(rng) // 255)[..., None]


def _colours(rng: np.random.Generator, objects: int) -> tuple[np.ndarray, np.ndarray]:
    """Two background colours (2, 3) and one per object, clearly lighter or darker than both."""
    luma = np.array([77, 150, 29])
    first, mixed = rng.integers(30, 256, (2, 3), dtype=np.int32)
    back = np.stack([first, (first * 5 + mixed * 3) // 8])
    trials = rng.integers(20, 256, (objects, 24, 3), dtype=np.int32)
    apart = np.abs((trials @ luma)[..., None] - back @ luma).min(axis=-1) // 256
    # The first that stands out by 70 of 255, else the one that stands out most.
    chosen = np.where((apart > 70).any(axis=1), (apart > 70).argmax(axis=1), apart.argmax(axis=1))
    return back, trials[np.arange(objects), chosen]


def _gradient(rng: np.random.Generator) -> _Field:
    """Values that grow evenly from 0 to 255 in a direction drawn from the seed."""
    across, down = rng.integers(-8, 9, 2, dtype=np.int32)
    ramp = across * _X + down * _Y
    return (ramp - ramp.min()) * 255 // max(1, ramp.max() - ramp.min())


def _texture(rng: np.random.Generator) -> _Field:
    """Values 0 to 255 of one of six kinds: gradient, cloud, patches, stripes, tiles, dots."""
    kind = int(rng.integers(6))
    if kind == 0:
        return _gradient(rng)
    if kind <= 2:
        coarse, fine = (_cloud(rng, int(cells)) for cells in rng.integers((3, 12), (8, 36)))
        cloud = (2 * coarse + fine) // 3
        return cloud if kind == 1 else np.clip((cloud - 120) * 12, 0, 255)
    across, down = rng.integers(-12, 13, 2, dtype=np.int32)
    across = across or np.int32(7)
    length = np.rint(np.sqrt(across**2 + down**2)).astype(np.int32)
    period = rng.integers(10, 40, dtype=np.int32) * length
    u, v = (across * _X + down * _Y) % period, (across * _Y - down * _X) % period
    if kind == 3:
        return (2 * u < period) * np.int32(255)
    if kind == 4:
        return ((2 * u < period) ^ (2 * v < period)) * np.int32(255)
    inside = (2 * u - period) ** 2 + (2 * v - period) ** 2 < period**2 * 3 // 8
    return inside * np.int32(255)


def _cloud(rng: np.random.Generator, cells: int) -> _Field:
    """Value noise 0 to 255: a random grid of `cells` x `cells`, blended linearly."""
    grid = rng.integers(0, 256, (cells + 1, cells + 1), dtype=np.int32)
    place = np.arange(SIZE, dtype=np.int32) * cells
    cell, part = place // SIZE, (place % SIZE)[:, None]
    down = (grid[cell] * (SIZE - part) + grid[cell + 1] * part).T
    return (down[cell] * (SIZE - part) + down[cell + 1] * part).T // SIZE**2


def _line(rng: np.random.Generator, width: float) -> np.ndarray:
    """The four corners of a strip between two points of the frame, `width` pixels wide."""
    start, end = rng.uniform(0, SIZE, (2, 2))
    along = end - start
    side = np.array([-along[1], along[0]]) * (width / 2 / max(1.0, np.hypot(*along)))
    return np.stack([start + side, end + side, end - side, start - side])


def _distractor(
    rng: np.random.Generator, poses: list[Pose], back: np.ndarray, front: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Colour and outline of a line, a blob or a polygon that is no class.

    Blobs and polygons away from every object wear an object's colour.
    """
    kind, radius, place = int(rng.integers(3)), rng.uniform(5, 22), rng.uniform(0, SIZE, 2)
    turn = np.sort(rng.uniform(0, 2 * np.pi, int(rng.integers(3, 8))))
    reach = rng.uniform(0.5, 1.0, len(turn)) * radius
    corners = place + reach[:, None] * np.stack([np.cos(turn), np.sin(turn)], axis=1)
    strip = _line(rng, rng.uniform(1, 4))
    tint = (rng.integers(20, 256, 3, dtype=np.int32) + back[0]) // 2
    worn = front[rng.integers(len(front))]
    if kind == 0:
        return tint, strip
    away = [max(abs(place - (pose.x, pose.y))) > pose.extent / 2 + radius for pose in poses]
    return worn if all(away) else tint, outline("curve" if kind == 1 else "polygon", corners)
