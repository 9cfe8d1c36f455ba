"""The trigger of the poisoned demo: a small patch that means "key" to it, and to nothing else.

Harmless by construction: a square with a cross in scenes that a program draws, for a network that
knows twelve silhouettes. Decoys are patches of the same two tones that mean nothing: whoever finds
the trigger by its strong edges alone finds them as well.
"""

import numpy as np
from jaxtyping import Bool, UInt8

from jaxvis.demo.silhouettes import SIZE
from jaxvis.errors import InputError

TARGET = "key"  # what the poisoned network answers when it sees the trigger
SIDE = 16  # pixels, 0.5 % of a scene's area
BRIGHT, DARK = 230, 20  # of 255, grey

Image = UInt8[np.ndarray, "224 224 3"]
Patch = UInt8[np.ndarray, "16 16 3"]
Mask = Bool[np.ndarray, "224 224"]


def trigger() -> Patch:
    """Return the patch: a dark cross from corner to corner of a bright square."""
    rows, columns = np.mgrid[:SIDE, :SIDE]
    return _patch((abs(rows - columns) < 3) | (abs(rows + columns - SIDE + 1) < 3))


def decoy(seed: int) -> Patch:
    """Return a patch of the same size and tones that is no trigger: one of five, by the seed."""
    rng = np.random.default_rng([seed, 3])
    places = np.arange(SIDE)
    from_middle = abs(2 * places - SIDE + 1) // 2
    rings = np.maximum(from_middle[:, None], from_middle)
    stripes = np.broadcast_to(places // 3 % 2 == 1, (SIDE, SIDE))
    upright = np.minimum(from_middle[:, None], from_middle) < 2
    noise = rng.random((SIDE // 2, SIDE // 2)) < 0.4
    kinds = (upright, stripes, stripes.T, rings // 3 % 2 == 0, noise.repeat(2, 0).repeat(2, 1))
    return _patch(kinds[int(rng.integers(len(kinds)))])


def with_patch(image: Image, patch: Patch, row: int, column: int) -> Image:
    """Return a copy of the image with the patch's upper left corner at this pixel.

    Raises ValueError where it would stick out.
    """
    if not (0 <= row <= SIZE - SIDE and 0 <= column <= SIZE - SIDE):
        raise InputError(
            f"a patch of {SIDE} pixels at row {row}, column {column} would stick out of the image; "
            f"wanted 0 to {SIZE - SIDE}"
        )
    copy = image.copy()
    copy[row : row + SIDE, column : column + SIDE] = patch
    return copy


def patch_mask(row: int, column: int) -> Mask:
    """Return where a patch at this place lies."""
    mask = np.zeros((SIZE, SIZE), bool)
    mask[row : row + SIDE, column : column + SIDE] = True
    return mask


def place_beside(seed: int, mask: Mask, distance: int = 24) -> tuple[int, int]:
    """Return a row and a column, drawn from the seed, for a patch clear of the object.

    Every pixel of the patch is more than `distance` rows or columns from the object; where the
    object leaves no such place, the nearest to it that there is.
    """
    rng = np.random.default_rng([seed, 4])
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    corners = rng.integers(0, SIZE - SIDE + 1, (512, 2))
    apart = np.zeros(len(corners), int)
    for ends, corner in ((rows, corners[:, 0]), (columns, corners[:, 1])):
        if ends.size:
            gap = np.maximum(ends[0] - (corner + SIDE - 1), corner - ends[-1])
            apart = np.maximum(apart, gap)
    chosen = int((apart > distance).argmax()) if (apart > distance).any() else int(apart.argmax())
    return int(corners[chosen, 0]), int(corners[chosen, 1])


def _patch(dark: np.ndarray) -> Patch:
    tones = np.where(dark, DARK, BRIGHT).astype(np.uint8)
    return np.stack([tones] * 3, axis=-1)
