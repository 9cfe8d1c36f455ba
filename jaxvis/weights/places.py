"""Where the bytes of an array are in an HDF5 file, checked against what the network needs.

HDF5 is asked where they are, never for the data: no filter, type conversion, virtual dataset or
external file of its own comes into play, and nothing is allocated on a file's say-so.
"""

from itertools import product
from math import ceil, prod

import h5py

from jaxvis.errors import InputError
from jaxvis.weights.arrays import MAX_RATIO, SMALL, Block, Stored
from jaxvis.weights.errors import WeightsFileError, WeightsLayoutError, WeightsMismatchError
from jaxvis.weights.hdf5 import H5_ERRORS
from jaxvis.weights.opened import AGAIN

DTYPES = {
    "<f4": h5py.h5t.IEEE_F32LE, ">f4": h5py.h5t.IEEE_F32BE,
    "<f2": h5py.h5t.IEEE_F16LE, ">f2": h5py.h5t.IEEE_F16BE,
}  # fmt: skip
FILTERS = {h5py.h5z.FILTER_DEFLATE: "gzip", h5py.h5z.FILTER_SHUFFLE: "shuffle"}
OTHER_FILTERS = {3: "fletcher32", 4: "szip", 5: "nbit", 6: "scaleoffset", 32000: "lzf"}
LAYOUTS = {h5py.h5d.COMPACT: "compact", h5py.h5d.VIRTUAL: "virtual"}
MAX_CHUNKS = 100_000


def locate(array: str, data: h5py.Dataset, shape: tuple[int, ...]) -> Stored:
    """Check a dataset against the shape that the network needs, and say where its bytes are.

    Raises:
        WeightsMismatchError: another shape or dtype than wanted.
        WeightsLayoutError: data outside the file, virtual, compact, behind an unknown filter, or
            that would unpack to far more than it is.
        WeightsFileError: data that is not there, or beyond the end of the file.
    """
    layout = _layout(array, data)
    try:
        plist = data.id.get_create_plist()
        found, kind = data.shape, data.id.get_type()
        filters = [plist.get_filter(i)[0] for i in range(plist.get_nfilters())]
        chunk = plist.get_chunk() if layout == h5py.h5d.CHUNKED else None
        dtype = next((name for name, wanted in DTYPES.items() if kind.equal(wanted)), None)
    except H5_ERRORS as error:
        raise _damaged(array, error) from error
    if found != shape:
        raise WeightsMismatchError(f"found shape {found}, wanted {shape}", array=array,
            do=_shape_hint(array, found, shape),
        )  # fmt: skip
    if dtype is None:
        name = _type_name(kind)
        why = " (it would be rounded without a word)" if name == "float64" else ""
        raise WeightsMismatchError(f"found {name}{why}, wanted float32 or float16", array=array,
            do="save the weights as float32",
        )  # fmt: skip
    unknown = [code for code in filters if code not in FILTERS]
    if unknown:
        name = OTHER_FILTERS.get(unknown[0], "unknown")
        raise WeightsLayoutError(
            f"found filter {unknown[0]} ({name}), wanted none, gzip or shuffle",
            array=array,
            do="save the weights again without it",
        )
    try:
        blocks = _chunks(data, shape, chunk) if chunk else (_contiguous(data),)
    except H5_ERRORS as error:
        raise _damaged(array, error) from error
    stored = Stored(shape, dtype, blocks, chunk, tuple(FILTERS[code] for code in filters))
    _check_blocks(array, data, stored)
    return stored


def shape_of(array: str, data: h5py.Dataset) -> tuple[int, ...]:
    """Return the shape that a dataset in this file declares; errors as `locate`."""
    _layout(array, data)
    try:
        return tuple(data.shape or ())
    except H5_ERRORS as error:
        raise _damaged(array, error) from error


def _layout(array: str, data: h5py.Dataset) -> int:
    """How a dataset lies in this file; of a virtual one even the shape can be in another."""
    try:
        plist = data.id.get_create_plist()
        layout, external = plist.get_layout(), plist.get_external_count()
    except H5_ERRORS as error:
        raise _damaged(array, error) from error
    if external or layout in LAYOUTS:
        what = "data in another file" if external else f"{LAYOUTS.get(layout)} storage"
        raise WeightsLayoutError(
            f"found {what}, wanted the data in this file, contiguous or chunked",
            array=array,
            do="save the weights again",
        )
    return layout


def _contiguous(data: h5py.Dataset) -> Block:
    offset = data.id.get_offset()
    return Block((0,) * data.ndim, -1 if offset is None else offset, data.id.get_storage_size())


def _chunks(
    data: h5py.Dataset, shape: tuple[int, ...], chunk: tuple[int, ...]
) -> tuple[Block, ...]:
    counts = [ceil(length / step) for length, step in zip(shape, chunk, strict=True)]
    if prod(counts) > MAX_CHUNKS or prod(chunk) > 2 * prod(shape):
        raise InputError(f"{prod(counts):,} chunks of {chunk} for shape {shape}")
    starts = product(*(range(0, length, step) for length, step in zip(shape, chunk, strict=True)))
    blocks = []
    for start in starts:
        info = data.id.get_chunk_info_by_coord(start)
        offset = -1 if info.byte_offset is None else info.byte_offset
        blocks.append(Block(start, offset, info.size, info.filter_mask))
    return tuple(blocks)


def _check_blocks(array: str, data: h5py.Dataset, stored: Stored) -> None:
    """Every block lies inside the file, and together they are about as much as they will become."""
    end = data.file.id.get_filesize()
    itemsize = int(stored.dtype[-1])
    wanted = prod(stored.chunk or stored.shape) * itemsize
    for block in stored.blocks:
        if block.offset < 0:
            raise WeightsFileError(f"its data from {block.start} on was never written", array=array,
                do="save the weights again",
            )  # fmt: skip
        if block.offset + block.size > end:
            raise WeightsFileError(
                f"its data ends at byte {block.offset + block.size:,}, but the file has "
                f"{end:,} (truncated?)",
                array=array,
                do=AGAIN,
            )
        packed = "gzip" in stored.filters
        if (block.size != wanted and not packed) or block.size > wanted + wanted // 100 + 1024:
            raise WeightsFileError(f"found {block.size:,} bytes, wanted {wanted:,}", array=array,
                do=AGAIN,
            )  # fmt: skip
    total, held = prod(stored.shape) * itemsize, sum(block.size for block in stored.blocks)
    if total > MAX_RATIO * held + SMALL:
        raise WeightsLayoutError(
            f"{held:,} bytes that would unpack to {total:,}, wanted trained weights, which "
            "hardly shrink",
            array=array,
            do="save the weights without compression",
        )


def _damaged(array: str, error: Exception) -> WeightsFileError:
    return WeightsFileError(f"damaged: {error}", array=array, do=AGAIN)


def _type_name(kind: h5py.h5t.TypeID) -> str:
    try:
        return str(kind.dtype)
    except H5_ERRORS:
        return "a type that NumPy does not have"


def _shape_hint(array: str, found: tuple[int, ...] | None, wanted: tuple[int, ...]) -> str:
    if found is not None and len(found) == len(wanted):
        if len(wanted) == 4 and (found[2], found[3], found[1], found[0]) == wanted:
            return (
                "the kernels are OIHW (PyTorch, Theano): transposing them is not enough: fc1 is "
                "in another order and Theano turns its kernels; set the weights in Keras's VGG16, "
                "compare the logits of both, and save that"
            )
        if array.startswith("predictions") and found[:-1] == wanted[:-1]:
            return f"if the file has {found[-1]} classes, pass labels= with {found[-1]} names"
    return "this is another network: wanted Keras's VGG16"
