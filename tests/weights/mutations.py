"""Damage to a file that a seed repeats; without JAX, for the worker of the fuzz test."""

import numpy as np

NUMBERS = (0, 1, 8, 24, 255, 1 << 31, (1 << 32) - 1, 1 << 40, (1 << 64) - 1)


def mutate(content: bytes, structure: np.ndarray, seed: int) -> bytes:
    """Change a file: bytes, numbers, order or length.

    Args:
        content: the sound file.
        structure: positions of bytes that are no array's data, where most of the changes go, for
            those in the data all do the same.
        seed: names the change.
    """
    rng = np.random.Generator(np.random.PCG64(seed))
    data, kind = bytearray(content), seed % 6
    if kind == 0:  # one byte of the structure
        data[rng.choice(structure)] ^= int(rng.integers(1, 256))
    elif kind == 1:  # a few bytes anywhere
        for at in rng.integers(0, len(data), rng.integers(1, 9)):
            data[at] ^= int(rng.integers(1, 256))
    elif kind == 2:  # a number that programs trip over
        at, width = int(rng.choice(structure)), int(rng.choice([1, 2, 4, 8]))
        number = NUMBERS[rng.integers(len(NUMBERS))] & ((1 << 8 * width) - 1)
        data[at : at + width] = number.to_bytes(width, "little")
    elif kind == 3:  # a piece of the file in another place
        to, origin = (int(at) for at in rng.choice(structure, 2))
        piece = content[origin : origin + int(rng.integers(1, 512))]
        data[to : to + len(piece)] = piece
    elif kind == 4:  # shorter, then padded to the old length so that HDF5 gets to see it
        end = int(rng.integers(8, len(data)))
        data[end:] = bytes(len(data) - end) if seed % 12 > 5 else b""
    else:  # a piece taken out or doubled
        at, size = int(rng.choice(structure)), int(rng.integers(1, 64))
        data[at : at + size] = data[at : at + size] * (2 * (seed % 12 > 5))
    return bytes(data[: len(content)] if kind == 3 else data)
