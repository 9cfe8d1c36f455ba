"""The arrays of a file straight from their place, without the HDF5 library.

HDF5's gzip filter unpacks for as long as the stream goes on, whatever size the chunk declares; here
a stream that yields one byte more than declared is refused.
"""

import os
import zlib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxvis.models.layers import Architecture
from jaxvis.weights.errors import WeightsFileError, WeightsMismatchError
from jaxvis.weights.opened import AGAIN, Identity, opened

CONFIG = "jaxvis"  # the attribute in which save_vgg16 keeps architecture, labels and facts
NORMALIZATION = ("mean", "variance")  # arrays of a Normalization, which are read as others are
MAX_RATIO, SMALL = 8, 1 << 20  # trained weights shrink by a few per cent, zeros a thousandfold
PIECE = 1 << 24  # bytes that one thread reads at a time


class Block(NamedTuple):
    """A run of bytes in the file: the whole of a contiguous array, or one chunk."""

    start: tuple[int, ...]
    offset: int
    size: int
    skipped: int = 0  # bit i: filter i was not applied to this chunk


class Stored(NamedTuple):
    """Where an array is and how it is written; `chunk` is None if contiguous."""

    shape: tuple[int, ...]
    dtype: str
    blocks: tuple[Block, ...]
    chunk: tuple[int, ...] | None = None
    filters: tuple[str, ...] = ()


class Told(NamedTuple):
    """What the user says of a network whose file does not: see `load_vgg16`."""

    size: tuple[int, int] | None = None
    pool: str | None = None
    activation: str | None = None
    last: str | None = None


class Plan(NamedTuple):
    """What a file holds, and where: "fc1/kernel" -> its place, and its CRC-32 if there is one.

    All of it is true of the file that has this identity, and of no other.
    """

    architecture: Architecture
    labels: tuple[str, ...] | None
    facts: dict[str, Any]
    places: dict[str, Stored]
    checksums: dict[str, int]
    identity: Identity


def read_arrays(
    file: Path, places: Mapping[str, Stored], checksums: Mapping[str, int], identity: Identity
) -> dict[str, np.ndarray]:
    """Read located arrays as native float32 into memory that JAX on a CPU can use as it is.

    Several threads read and unpack; page faults and copies, not the disk, take most of the time.

    Raises:
        WeightsFileError: the data cannot be read or unpacked, or has changed since it was saved;
            or the file is not the one of that identity any more.
        WeightsMismatchError: NaN or infinity in an array, with their count.
    """
    _check_disjoint(places)
    arrays = {name: _aligned(stored.shape) for name, stored in places.items()}
    with opened(file, identity), ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        jobs = [
            pool.submit(_read_block, (file, identity), name, places[name], block, arrays[name])
            for name in places
            for block in _pieces(places[name])
        ]
        try:
            for job in jobs:
                job.result()
            sums = pool.map(checksum, [arrays[name] for name in checksums])
            found = dict(zip(checksums, sums, strict=True))
        finally:
            pool.shutdown(cancel_futures=True)
    for name, values in arrays.items():
        if found.get(name) != checksums.get(name):
            raise WeightsFileError(
                f"its values have changed since they were saved (CRC-32 {found[name]:08x}, "
                f"wanted {checksums[name]:08x})",
                array=name,
                do=AGAIN,
            )
        _check_finite(name, values)
    return arrays


def checksum(values: np.ndarray) -> int:
    """Return the CRC-32 of an array as little-endian float32: it finds damage, not forgery."""
    return zlib.crc32(np.ascontiguousarray(values, "<f4").reshape(-1).view(np.uint8).data)


def _check_disjoint(places: Mapping[str, Stored]) -> None:
    """No byte of the file belongs to two arrays; in a damaged file an address may go astray."""
    end, before = 0, ""
    runs = [(block.offset, block.size, name) for name in places for block in places[name].blocks]
    for offset, size, name in sorted(runs):
        if offset < end:
            raise WeightsFileError(f"shares bytes of the file with {before}", array=name,
                do=AGAIN,
            )  # fmt: skip
        end, before = offset + size, name


def _pieces(stored: Stored) -> tuple[Block, ...]:
    """Cut a contiguous array into pieces for several threads; `start` is then the first value."""
    if stored.chunk is not None:
        return stored.blocks
    whole = stored.blocks[0]
    itemsize = np.dtype(stored.dtype).itemsize
    return tuple(
        Block((at // itemsize,), whole.offset + at, min(PIECE, whole.size - at))
        for at in range(0, whole.size, PIECE)
    )


def _read_block(
    file: tuple[Path, Identity], name: str, stored: Stored, block: Block, values: np.ndarray
) -> None:
    if stored.chunk is None:
        flat = values.reshape(-1)[block.start[0] :][: block.size // int(stored.dtype[-1])]
        if flat.dtype == stored.dtype:
            _fill(file, name, block.offset, flat.view(np.uint8).data)
        else:
            found = np.empty(flat.shape, stored.dtype)
            _fill(file, name, block.offset, found.view(np.uint8).data)
            flat[...] = found
        return
    raw = bytearray(block.size)
    _fill(file, name, block.offset, memoryview(raw))
    chunk = _unpack(name, stored, block, raw)
    region = tuple(
        slice(begin, min(begin + step, length))
        for begin, step, length in zip(block.start, stored.chunk, stored.shape, strict=True)
    )
    values[region] = chunk[tuple(slice(0, part.stop - part.start) for part in region)]


def _fill(file: tuple[Path, Identity], name: str, offset: int, view: memoryview) -> None:
    try:
        with opened(*file) as source:
            source.seek(offset)
            done = 0
            while done < len(view):
                count = source.readinto(view[done:])  # type: ignore[attr-defined]
                if not count:
                    raise OSError(f"the file ends {len(view) - done:,} bytes too soon")
                done += count
    except OSError as error:
        raise WeightsFileError(f"cannot be read: {error}", array=name, do=AGAIN) from error


def _unpack(name: str, stored: Stored, block: Block, raw: bytearray) -> np.ndarray:
    """Undo the filters of a chunk, last first, never beyond the size it declares."""
    dtype, shape = np.dtype(stored.dtype), stored.chunk or ()
    size = prod(shape) * dtype.itemsize
    data: bytes | bytearray = raw
    for number, kind in reversed(list(enumerate(stored.filters))):
        if block.skipped >> number & 1:
            continue
        if kind == "gzip":
            stream = zlib.decompressobj()
            try:
                data = stream.decompress(data, size + 1)
            except zlib.error as error:
                raise _bad_chunk(name, block, str(error)) from error
            if not stream.eof and len(data) <= size:
                raise _bad_chunk(name, block, "its end is missing")
        if len(data) != size:
            more = "more than " if len(data) > size else ""
            problem = f"it unpacks to {more}{min(len(data), size):,} bytes, wanted {size:,}"
            raise _bad_chunk(name, block, problem)
        if kind == "shuffle":
            planes = np.frombuffer(data, np.uint8).reshape(dtype.itemsize, -1)
            data = planes.T.tobytes()
    if len(data) != size:
        raise _bad_chunk(name, block, f"found {len(data):,} bytes, wanted {size:,}")
    return np.frombuffer(data, dtype).reshape(shape)


def _bad_chunk(name: str, block: Block, problem: str) -> WeightsFileError:
    return WeightsFileError(f"the chunk at {block.start} is damaged: {problem}", array=name,
        do=AGAIN,
    )  # fmt: skip


def _check_finite(name: str, values: np.ndarray) -> None:
    flat = values.reshape(-1)
    with np.errstate(over="ignore", invalid="ignore"):
        suspicious = not np.isfinite(np.dot(flat, flat))  # no temporary; may overflow: look closer
    bad = values.size - np.count_nonzero(np.isfinite(values)) if suspicious else 0
    if bad:
        raise WeightsMismatchError(
            f"{bad:,} of {values.size:,} values are NaN or infinite; wanted finite numbers",
            array=name,
            do=f"{AGAIN}, or look at how it was trained",
        )


def _aligned(shape: tuple[int, ...]) -> np.ndarray:
    """An empty float32 array at a multiple of 64 bytes, which `jax.device_put` need not copy."""
    buffer = np.empty(prod(shape) + 16, np.float32)
    offset = -buffer.ctypes.data % 64 // 4
    return buffer[offset : offset + prod(shape)].reshape(shape)
