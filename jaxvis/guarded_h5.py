"""HDF5 read through a narrow gate: h5py is asked for nothing that a schema does not name.

The HDF5 C library is not safe on malformed files, and the format can point at other files (external
links, external storage, virtual datasets), load plug-ins (filters) and declare sizes that no memory
holds. Every step here checks what a step is about to touch before it touches it.
"""

import stat
from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from pathlib import Path

import h5py
import numpy as np

from jaxvis.errors import WeightsFileError, WeightsLayoutError, WeightsMismatchError

SIGNATURE = b"\x89HDF\r\n\x1a\n"
MAX_ATTRIBUTE_BYTES = 1 << 20
MAX_NAMES = 1000
FILTERS = {h5py.h5z.FILTER_DEFLATE: "gzip", h5py.h5z.FILTER_SHUFFLE: "shuffle"}
# What h5py raises when the C library reports an error, which one depends on the call.
H5_ERRORS = (OSError, RuntimeError, KeyError, ValueError, TypeError, UnicodeDecodeError)


@contextmanager
def open_h5(path: Path) -> Iterator[h5py.File]:
    """Open a regular HDF5 file for reading, without waiting for a pipe or following its contents.

    Raises:
        WeightsFileError: missing, a folder, a device, empty, no HDF5 file, truncated.
    """
    check_regular_file(path)
    try:
        with path.open("rb") as opened:
            start = opened.read(64)
    except OSError as error:
        raise WeightsFileError(path, f"cannot be read: {error.strerror}") from error
    if not start:
        raise WeightsFileError(path, "the file is empty", do="copy or download it again")
    if not start.startswith(SIGNATURE):
        kind = "a web page" if start.lstrip()[:1] == b"<" else "no HDF5 file"
        raise WeightsFileError(
            path, f"this is {kind}: it starts with {start[:16]!r}; wanted a Keras .h5 weight file",
            do="download the file itself, not the page about it",
        )  # fmt: skip
    try:
        file = h5py.File(path, "r", locking=False)
    except H5_ERRORS as error:
        problem = "truncated" if "truncated" in str(error) else "damaged"
        size = path.stat().st_size
        raise WeightsFileError(
            path, f"the HDF5 file is {problem} at {size:,} bytes ({error})",
            do="copy or download it again",
        ) from error  # fmt: skip
    with file:
        yield file


def check_regular_file(path: Path) -> None:
    """Raise WeightsFileError unless the path names a regular file."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        raise WeightsFileError(path, "there is no such file", do="check the path") from None
    except OSError as error:
        raise WeightsFileError(path, f"cannot be read: {error.strerror}") from error
    if not stat.S_ISREG(mode):
        kind = "a folder" if stat.S_ISDIR(mode) else "no regular file"
        raise WeightsFileError(path, f"this is {kind}; wanted a Keras .h5 weight file")


def has(group: h5py.Group, name: str) -> bool:
    """Whether the group has a link of that name, wherever it may lead."""
    return group.id.links.exists(name.encode()) if name else False


def child(file: Path, group: h5py.Group, path: str, *, dataset: bool) -> h5py.Group | h5py.Dataset:
    """Follow a path of hard links to a group or a dataset.

    Raises:
        WeightsLayoutError: a step is missing, empty or "..", is a soft or external link, or is a
            group where a dataset belongs or the reverse.
    """
    steps = path.split("/")
    here: h5py.Group | h5py.Dataset = group
    for depth, step in enumerate(steps, start=1):
        name = "/".join(filter(None, (group.name.strip("/"), *steps[:depth])))
        if step in ("", ".", "..") or depth > 8:
            raise WeightsLayoutError(file, f"the name {path!r} is not allowed; wanted plain names")
        if not has(here, step):
            raise WeightsLayoutError(file, "not in the file", array=name)
        wanted = h5py.Dataset if dataset and depth == len(steps) else h5py.Group
        try:
            kind = here.id.links.get_info(step.encode()).type
            found = here.get(step, getclass=True) if kind == h5py.h5l.TYPE_HARD else None
            here = here[step] if found is wanted else here
        except H5_ERRORS as error:
            raise WeightsFileError(file, f"damaged: {error}", array=name) from error
        if kind != h5py.h5l.TYPE_HARD:
            link = "a soft link" if kind == h5py.h5l.TYPE_SOFT else "an external link"
            raise WeightsLayoutError(
                file, f"{link}; wanted the data itself", array=name,
                do="save the weights again without links",
            )  # fmt: skip
        if found is not wanted:
            names = {h5py.Group: "a group", h5py.Dataset: "a dataset"}
            raise WeightsLayoutError(
                file, f"{names.get(found, 'no group or dataset')}; wanted {names[wanted]}",
                array=name,
            )  # fmt: skip
    return here


def text_attribute(file: Path, owner: h5py.Group, name: str) -> list[str] | None:
    """Return an attribute as a list of strings, or None if it is not there.

    Keras splits a long one into name0, name1, ...; the pieces are put together.

    Raises:
        WeightsLayoutError: no text, more than a thousand entries or a mebibyte, or not UTF-8.
    """
    pieces = [name] if name in owner.attrs else []
    while pieces[:1] != [name] and f"{name}{len(pieces)}" in owner.attrs:
        pieces.append(f"{name}{len(pieces)}")
    if not pieces:
        return None
    texts: list[str] = []
    for piece in pieces:
        texts += _texts(file, owner, piece)
        if len(texts) > MAX_NAMES:
            raise WeightsLayoutError(file, f"attribute {name!r} has over {MAX_NAMES} entries")
    return texts


def _texts(file: Path, owner: h5py.Group, name: str) -> list[str]:
    where = f"attribute {name!r} of {owner.name}"
    try:
        attribute = owner.attrs.get_id(name)
        kind, count = attribute.get_type(), attribute.get_space().get_simple_extent_npoints()
        is_text, size = kind.get_class() == h5py.h5t.STRING, kind.get_size() * count
        value = owner.attrs[name] if is_text and _bounded(count, size) else None
    except UnicodeDecodeError as error:
        raise WeightsLayoutError(file, f"{where} is not UTF-8 text") from error
    except H5_ERRORS as error:
        raise WeightsFileError(file, f"damaged: {where}: {error}") from error
    if count == 0:  # Keras stores an empty list as an empty array of floats
        return []
    if not is_text:
        raise WeightsLayoutError(file, f"{where} holds no text; wanted names")
    if value is None:
        raise WeightsLayoutError(
            file, f"{where} has {count:,} entries and {size:,} bytes; wanted at most {MAX_NAMES}"
        )
    try:
        return [
            text.decode("utf-8") if isinstance(text, bytes) else text.encode("utf-8").decode()
            for text in np.atleast_1d(value).tolist()
        ]
    except UnicodeError as error:
        raise WeightsLayoutError(file, f"{where} is not UTF-8 text") from error


def _bounded(count: int, size: int) -> bool:
    return count <= MAX_NAMES and size <= MAX_ATTRIBUTE_BYTES


def check_storage(file: Path, array: str, data: h5py.Dataset, shape: tuple[int, ...]) -> None:
    """Check all that a dataset declares of itself, before anything of it is read or allocated.

    Raises:
        WeightsMismatchError: another shape or dtype than wanted.
        WeightsLayoutError: data outside the file, virtual, or behind an unknown filter.
    """
    try:
        found_shape, kind, plist = data.shape, data.id.get_type(), data.id.get_create_plist()
        layout, external = plist.get_layout(), plist.get_external_count()
        filters = [plist.get_filter(i)[0] for i in range(plist.get_nfilters())]
        chunk = plist.get_chunk() if layout == h5py.h5d.CHUNKED else ()
        is_float = kind.get_class() == h5py.h5t.FLOAT
        dtype = kind.dtype if is_float else None
    except H5_ERRORS as error:
        raise WeightsFileError(file, f"damaged: {error}", array=array) from error
    if found_shape != shape:
        raise WeightsMismatchError(
            file, f"found shape {found_shape}, wanted {shape}", array=array,
            do=_shape_hint(array, found_shape, shape),
        )  # fmt: skip
    if dtype is None or dtype.itemsize not in (2, 4):
        name = _type_name(kind)
        why = " (it would be rounded without a word)" if name == "float64" else ""
        raise WeightsMismatchError(
            file, f"found {name}{why}, wanted float32 or float16", array=array,
            do="save the weights as float32",
        )  # fmt: skip
    if external or layout == h5py.h5d.VIRTUAL:
        what = "data in another file" if external else "a virtual dataset"
        raise WeightsLayoutError(file, f"{what}; wanted the data in this file", array=array)
    unknown = [code for code in filters if code not in FILTERS]
    if unknown:
        raise WeightsLayoutError(
            file, f"stored with filter {unknown[0]}; wanted none, gzip or shuffle", array=array
        )
    if prod(chunk) > 2 * prod(shape):
        raise WeightsLayoutError(file, f"chunks of {chunk} for shape {shape}", array=array)


def _type_name(kind: h5py.h5t.TypeID) -> str:
    try:
        return str(kind.dtype)
    except TypeError:
        return "a type that NumPy does not have"


def _shape_hint(array: str, found: tuple[int, ...] | None, wanted: tuple[int, ...]) -> str:
    if found is None or len(found) != len(wanted):
        return ""
    if len(wanted) == 4 and (found[2], found[3], found[1], found[0]) == wanted:
        return "the kernels are OIHW (PyTorch, Theano): transpose them to height, width, in, out"
    if array.startswith("predictions") and found[:-1] == wanted[:-1]:
        return f"if the file has {found[-1]} classes, pass labels= with {found[-1]} names"
    return ""


def read(file: Path, array: str, data: h5py.Dataset) -> np.ndarray:
    """Read a checked dataset as native float32 into memory that JAX on a CPU can use as it is.

    Raises:
        WeightsFileError: the data cannot be read.
        WeightsMismatchError: NaN or infinity in it.
    """
    values = _aligned(data.shape)
    try:
        data.read_direct(values)
    except H5_ERRORS as error:
        raise WeightsFileError(
            file, f"cannot be read: {error}", array=array, do="copy or download it again"
        ) from error
    flat = values.reshape(-1)
    with np.errstate(over="ignore", invalid="ignore"):
        suspicious = not np.isfinite(np.dot(flat, flat))  # no temporary; may overflow: look closer
    bad = values.size - np.count_nonzero(np.isfinite(values)) if suspicious else 0
    if bad:
        raise WeightsMismatchError(
            file, f"{bad:,} of {values.size:,} values are NaN or infinite; wanted finite numbers",
            array=array, do="copy or download it again, or look at how it was trained",
        )  # fmt: skip
    return values


def _aligned(shape: tuple[int, ...]) -> np.ndarray:
    """An empty float32 array at a multiple of 64 bytes, which `jax.device_put` need not copy."""
    buffer = np.empty(prod(shape) + 16, np.float32)
    offset = -buffer.ctypes.data % 64 // 4
    return buffer[offset : offset + prod(shape)].reshape(shape)
