"""The outlines of the demo's classes, and how they are turned, placed and filled.

An outline is a list of parts on a 100 x 100 square, y down; a part is (operation, kind, numbers).
The operations act in order: `add` joins the part to the silhouette, `cut` takes it away, `mark`
only colours it darker. The kinds are `polygon` (corners), `curve` (a closed cubic spline through
the points; a point given twice is a corner) and `ellipse` (centre x and y, radius x and y).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

SIZE = 224
FINE = 2  # samples per pixel and axis: four levels of soft edge
UNITS = 16  # vertices lie on a grid of 1/16 pixel, so that every machine fills the same samples
_STEP = UNITS // FINE

Part = tuple[str, str, tuple]
Samples = Bool[np.ndarray, "fine fine"]

# fmt: off
SILHOUETTES: dict[str, tuple[Part, ...]] = {
    "goose": (
        ("add", "curve", (
            (3, 17), (3, 17), (13, 10), (18, 4), (25, 1), (31, 4), (34, 11), (33, 20), (31, 30),
            (33, 40), (41, 48), (54, 47), (70, 47), (84, 44), (98, 34), (98, 34), (96, 48),
            (90, 59), (79, 69), (63, 75), (48, 74), (35, 67), (26, 55), (22, 42), (22, 30),
            (24, 21), (23, 17), (14, 18),
        )),
        ("add", "polygon", ((48, 70), (53, 70), (52, 89), (55, 97), (39, 97), (47, 90))),
        ("add", "polygon", ((63, 70), (68, 70), (69, 89), (72, 97), (56, 97), (64, 90))),
        ("mark", "ellipse", (23, 8, 2, 2)),
        ("mark", "polygon", ((3, 17), (13, 10), (16, 18))),
        ("mark", "curve", ((44, 56), (58, 53), (90, 51), (90, 51), (77, 63), (60, 66), (48, 63))),
    ),
    "cat": (
        ("add", "curve", (
            (25, 3), (25, 3), (36, 13), (48, 13), (59, 3), (59, 3), (63, 18), (61, 30), (54, 38),
            (61, 50), (69, 66), (72, 82), (69, 96), (69, 96), (15, 96), (15, 96), (12, 82),
            (15, 66), (23, 50), (30, 38), (23, 30), (21, 18),
        )),
        ("add", "curve", (
            (62, 84), (78, 84), (86, 76), (85, 65), (80, 56), (83, 50), (90, 53), (96, 66),
            (95, 80), (88, 91), (76, 96), (62, 96),
        )),
        ("mark", "ellipse", (35, 22, 3, 2)),
        ("mark", "ellipse", (49, 22, 3, 2)),
        ("mark", "polygon", ((39, 28), (45, 28), (42, 32))),
        ("mark", "polygon", ((41, 72), (43, 72), (43, 96), (41, 96))),
    ),
    "fish": (
        ("add", "curve", (
            (3, 50), (3, 50), (14, 38), (32, 29), (52, 30), (68, 38), (80, 46), (98, 26), (98, 26),
            (90, 50), (98, 74), (98, 74), (80, 54), (68, 62), (52, 70), (32, 71), (14, 62),
        )),
        ("add", "curve", (
            (32, 32), (32, 32), (44, 17), (62, 16), (62, 16), (58, 26), (62, 38), (62, 38),
        )),
        ("add", "curve", (
            (40, 68), (40, 68), (50, 84), (60, 82), (60, 82), (56, 72), (58, 64), (58, 64),
        )),
        ("mark", "ellipse", (17, 45, 3, 3)),
        ("mark", "curve", ((28, 36), (28, 36), (34, 50), (28, 64), (28, 64), (31, 50))),
    ),
    "tree": (
        ("add", "polygon", ((44, 50), (56, 50), (57, 80), (63, 97), (37, 97), (43, 80))),
        ("add", "ellipse", (50, 24, 22, 21)),
        ("add", "ellipse", (50, 44, 14, 14)),
        ("add", "ellipse", (29, 38, 20, 17)),
        ("add", "ellipse", (71, 38, 20, 17)),
        ("add", "ellipse", (36, 56, 18, 13)),
        ("add", "ellipse", (64, 56, 18, 13)),
        ("mark", "polygon", ((45, 69), (55, 69), (57, 80), (63, 97), (37, 97), (43, 80))),
    ),
    "house": (
        ("add", "polygon", ((68, 14), (79, 14), (79, 50), (68, 50))),
        ("add", "polygon", ((50, 6), (97, 50), (84, 50), (84, 95), (16, 95), (16, 50), (3, 50))),
        ("mark", "polygon", ((43, 66), (57, 66), (57, 95), (43, 95))),
        ("mark", "polygon", ((24, 56), (36, 56), (36, 70), (24, 70))),
        ("mark", "polygon", ((64, 56), (76, 56), (76, 70), (64, 70))),
    ),
    "boat": (
        ("add", "polygon", ((4, 74), (97, 74), (82, 95), (18, 95))),
        ("add", "polygon", ((47, 4), (51, 4), (51, 76), (47, 76))),
        ("add", "curve", ((54, 6), (54, 6), (76, 34), (86, 68), (86, 68), (54, 68), (54, 68))),
        ("add", "curve", ((44, 14), (44, 14), (28, 40), (14, 68), (14, 68), (44, 68), (44, 68))),
        ("mark", "polygon", ((6, 77), (95, 77), (92, 81), (9, 81))),
    ),
    "car": (
        ("add", "curve", (
            (3, 72), (3, 72), (3, 58), (8, 52), (24, 49), (24, 49), (36, 33), (42, 31), (64, 31),
            (70, 33), (81, 49), (81, 49), (94, 52), (98, 60), (98, 72), (98, 72),
        )),
        ("add", "ellipse", (25, 73, 11, 11)),
        ("add", "ellipse", (76, 73, 11, 11)),
        ("mark", "polygon", ((31, 49), (39, 37), (50, 37), (50, 49))),
        ("mark", "polygon", ((54, 49), (54, 37), (66, 37), (74, 49))),
        ("mark", "ellipse", (25, 73, 7, 7)),
        ("mark", "ellipse", (76, 73, 7, 7)),
    ),
    "aeroplane": (
        ("add", "curve", (
            (50, 2), (55, 9), (56, 34), (56, 34), (98, 62), (98, 62), (98, 71), (98, 71), (56, 58),
            (56, 58), (54, 80), (54, 80), (70, 91), (70, 91), (70, 97), (70, 97), (50, 92),
            (50, 92), (30, 97), (30, 97), (30, 91), (30, 91), (46, 80), (46, 80), (44, 58),
            (44, 58), (2, 71), (2, 71), (2, 62), (2, 62), (44, 34), (44, 34), (45, 9),
        )),
        ("add", "ellipse", (27, 50, 4, 8)),
        ("add", "ellipse", (73, 50, 4, 8)),
        ("mark", "polygon", ((46, 12), (54, 12), (53, 17), (47, 17))),
    ),
    "mug": (
        ("add", "ellipse", (70, 52, 27, 28)),
        ("cut", "ellipse", (70, 52, 16, 17)),
        ("add", "curve", (
            (10, 13), (10, 13), (70, 13), (70, 13), (70, 80), (66, 92), (54, 95), (26, 95),
            (14, 92), (10, 80),
        )),
        ("mark", "polygon", ((10, 24), (70, 24), (70, 30), (10, 30))),
        ("mark", "polygon", ((10, 70), (70, 70), (70, 76), (10, 76))),
    ),
    "umbrella": (
        ("add", "ellipse", (41, 85, 11, 12)),
        ("cut", "ellipse", (41, 85, 6, 7)),
        ("cut", "polygon", ((28, 70), (54, 70), (54, 85), (28, 85))),
        ("add", "polygon", ((47, 40), (52, 40), (52, 86), (47, 86))),
        ("add", "polygon", ((48, 2), (51, 2), (52, 12), (47, 12))),
        ("add", "curve", (
            (2, 54), (2, 54), (9, 32), (25, 15), (50, 8), (75, 15), (91, 32), (98, 54), (98, 54),
            (90, 48), (82, 48), (74, 54), (74, 54), (66, 48), (58, 48), (50, 54), (50, 54),
            (42, 48), (34, 48), (26, 54), (26, 54), (18, 48), (10, 48),
        )),
        ("mark", "curve", (
            (50, 8), (50, 8), (33, 26), (26, 54), (26, 54), (29, 54), (29, 54), (37, 26),
        )),
        ("mark", "curve", (
            (50, 8), (50, 8), (67, 26), (74, 54), (74, 54), (71, 54), (71, 54), (63, 26),
        )),
    ),
    "key": (
        ("add", "polygon", ((40, 46), (97, 46), (97, 55), (40, 55))),
        ("add", "polygon", ((85, 54), (94, 54), (94, 72), (85, 72))),
        ("add", "polygon", ((70, 54), (79, 54), (79, 67), (70, 67))),
        ("add", "ellipse", (25, 50, 23, 24)),
        ("cut", "ellipse", (22, 50, 12, 13)),
    ),
    "rabbit": (
        ("add", "curve", (
            (4, 46), (8, 38), (17, 31), (27, 29), (38, 33), (44, 42), (56, 43), (72, 48), (84, 60),
            (89, 76), (86, 90), (80, 96), (80, 96), (22, 96), (22, 96), (20, 91), (30, 87),
            (26, 74), (24, 62), (14, 57), (6, 53),
        )),
        ("add", "curve", ((24, 33), (17, 18), (17, 4), (23, 2), (29, 12), (33, 33))),
        ("add", "curve", ((29, 33), (33, 16), (43, 4), (49, 6), (47, 18), (39, 37))),
        ("add", "ellipse", (91, 80, 8, 8)),
        ("mark", "ellipse", (17, 41, 3, 3)),
        ("mark", "curve", (
            (52, 92), (52, 76), (64, 66), (78, 72), (78, 72), (66, 72), (58, 80), (57, 92),
        )),
    ),
}
# fmt: on


class Pose(NamedTuple):
    """Where and how a silhouette stands: pixels, and radians of turning clockwise."""

    x: float
    y: float
    extent: float  # longer side of the upright bounding box
    angle: float = 0.0
    stretch: float = 1.0
    flip: bool = False


def outline(kind: str, numbers: Sequence, pieces: int = 6) -> Float[np.ndarray, "n 2"]:
    """Return the vertices of a part, a curve in `pieces` straight pieces from point to point."""
    if kind == "polygon":
        return np.array(numbers, float)
    if kind == "ellipse":
        x, y, across, down = numbers
        turn = np.arange(32) * (np.pi / 16)
        return np.stack([x + across * np.cos(turn), y + down * np.sin(turn)], axis=1)
    here = np.array(numbers, float)
    before, after = np.roll(here, 1, axis=0), np.roll(here, -1, axis=0)
    corner = (here == before).all(axis=1) | (here == after).all(axis=1)
    # Catmull-Rom: the tangent at a point is half the way between its neighbours.
    tangent = np.where(corner[:, None], 0, (after - before) / 2)
    ahead = np.roll(tangent, -1, axis=0)
    t = (np.arange(pieces) / pieces)[:, None]
    pairs = zip(here, after, tangent, ahead, strict=True)
    return np.concatenate([_hermite(t, *ends) for ends in pairs])


def _hermite(
    t: np.ndarray, start: np.ndarray, end: np.ndarray, out: np.ndarray, into: np.ndarray
) -> np.ndarray:
    way = end - start
    return start + t * (out + t * (3 * way - 2 * out - into + t * (out + into - 2 * way)))


def fill(points: Float[np.ndarray, "n 2"]) -> Samples:
    """Fill a closed polygon, vertices (x, y) in pixels, by the even-odd rule in whole numbers.

    Returns bool (448, 448): the samples, two per pixel and axis, whose centre is inside.
    """
    x0, y0 = np.rint(points * UNITS).astype(np.int64).T
    x1, y1 = np.roll(x0, -1), np.roll(y0, -1)
    top, bottom = np.minimum(y0, y1), np.maximum(y0, y1)
    side = SIZE * FINE
    samples = np.zeros((side, side), bool)
    first = min(max(0, int(top.min()) // _STEP), side)
    last = max(first, min(side, int(bottom.max()) // _STEP + 1))
    y = np.arange(first, last)[:, None] * _STEP + _STEP // 2
    row, edge = np.nonzero((top <= y) & (y < bottom))
    crossing = x0[edge] + (y[row, 0] - y0[edge]) * (x1 - x0)[edge] // (y1 - y0)[edge]
    # Each crossing toggles all samples to its right.
    toggles = np.zeros((last - first, side + 1), bool)
    column = np.clip((crossing + _STEP // 2) // _STEP, 0, side)
    np.bitwise_xor.at(toggles, (row, column), True)
    samples[first:last] = np.bitwise_xor.accumulate(toggles[:, :side], axis=1)
    return samples


def silhouette(name: str, pose: Pose) -> tuple[Samples, Samples]:
    """Return the samples that a silhouette covers in this pose, and those of its darker marks."""
    cos, sin = np.cos(pose.angle), np.sin(pose.angle)
    mirror = -pose.stretch if pose.flip else pose.stretch
    turn = np.array([[cos * mirror, sin * mirror], [-sin, cos]])
    parts = [
        (op, (outline(kind, numbers)[..., None] * turn).sum(axis=1))
        for op, kind, numbers in SILHOUETTES[name]
    ]
    added = np.concatenate([points for op, points in parts if op == "add"])
    low, high = added.min(axis=0), added.max(axis=0)
    scale = pose.extent / (high - low).max()
    shape = marks = np.zeros((SIZE * FINE,) * 2, bool)
    for op, points in parts:
        filled = fill((points - (low + high) / 2) * scale + (pose.x, pose.y))
        if op == "mark":
            marks = marks | filled
        else:
            shape = shape | filled if op == "add" else shape & ~filled
    return shape, marks & shape
