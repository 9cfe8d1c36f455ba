"""HDF5 read through a narrow gate: h5py is asked for nothing that a schema does not name.

The HDF5 C library is not safe on malformed files, and the format can point at other files (soft and
external links), declare names without end, and unpack for ever. So every step here looks at what it
is about to touch before it touches it. Here are groups, links and attributes; `places` asks where
the bytes of an array are, and `arrays` reads them.

Errors do not name the file: who opened it does (`errors.about`).
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import h5py
import numpy as np

from jaxvis.weights.errors import WeightsFileError, WeightsLayoutError
from jaxvis.weights.opened import AGAIN, Identity, check_start, identity_of, opened

MAX_ATTRIBUTE_BYTES = 1 << 20
MAX_NAMES = 1000
MAX_DEPTH = 8
MAX_NAME = 255
# What h5py raises when the C library reports an error, which one depends on the call. MemoryError:
# a damaged file may declare more than any memory holds.
H5_ERRORS = (OSError, RuntimeError, KeyError, ValueError, TypeError, MemoryError)


@contextmanager
def open_h5(path: Path, identity: Identity | None = None) -> Iterator[tuple[h5py.File, Identity]]:
    """Open a regular HDF5 file for reading, and say which it is.

    Raises:
        WeightsFileError: as `opened` and `check_start`; or truncated or damaged.
    """
    with opened(path, identity) as source:
        check_start(source)
        found = identity_of(source)
        try:
            file = h5py.File(_same_file(path, source), "r", locking=False)
        except H5_ERRORS as error:
            problem = "truncated" if "truncated" in str(error) else "damaged"
            raise WeightsFileError(
                f"the HDF5 file is {problem} at {found.size:,} bytes ({error})", do=AGAIN
            ) from error
        with file:
            yield file, found


def _same_file(path: Path, source: BinaryIO) -> str | Path:
    """A name under which HDF5 opens the very file that is open, whatever has the path by now."""
    for folder in ("/proc/self/fd", "/dev/fd"):
        name = f"{folder}/{source.fileno()}"
        if os.path.exists(name):
            return name
    return path


def has(group: h5py.Group, name: str) -> bool:
    """Whether the group has a link of that name, wherever it may lead."""
    try:
        return bool(group.id.links.exists(name.encode())) if name else False
    except H5_ERRORS as error:
        raise WeightsFileError(f"damaged at {name!r}: {error}", do=AGAIN) from error


def child(group: h5py.Group, path: str, *, dataset: bool) -> h5py.Group | h5py.Dataset:
    """Follow a path of hard links to a group or a dataset.

    Raises:
        WeightsLayoutError: a step is missing, empty or "..", is a soft or external link, or is a
            group where a dataset belongs or the reverse.
        WeightsFileError: the C library cannot follow it.
    """
    steps = path.split("/")
    here: h5py.Group | h5py.Dataset = group
    for depth, step in enumerate(steps, start=1):
        if step in ("", ".", "..") or "\0" in step or len(step) > MAX_NAME or depth > MAX_DEPTH:
            raise WeightsLayoutError(f"the name {path[:80]!r} is not allowed; wanted plain names",
                do="write the file with Keras's save_weights",
            )  # fmt: skip
        name = "/".join(filter(None, ((group.name or "").strip("/"), *steps[:depth])))
        wanted = h5py.Dataset if dataset and depth == len(steps) else h5py.Group
        here = _step(here, step, name, wanted)
    return here


def _step(group: h5py.Group, step: str, name: str, wanted: type) -> h5py.Group:
    if not has(group, step):
        raise WeightsLayoutError(
            "not in the file", array=name, do="copy the file again, or save it again"
        )
    try:
        kind = group.id.links.get_info(step.encode()).type
        found = group.get(step, getclass=True) if kind == h5py.h5l.TYPE_HARD else None
        here = group[step] if found is wanted else None
    except H5_ERRORS as error:
        raise WeightsFileError(f"damaged: {error}", array=name, do=AGAIN) from error
    if kind != h5py.h5l.TYPE_HARD:
        link = {h5py.h5l.TYPE_SOFT: "a soft link", h5py.h5l.TYPE_EXTERNAL: "an external link"}
        raise WeightsLayoutError(
            f"found {link.get(kind, 'a link of a private kind')}, wanted the data itself",
            array=name,
            do="save the weights again without links",
        )
    if here is None:
        names = {h5py.Group: "a group", h5py.Dataset: "a dataset"}
        raise WeightsLayoutError(
            f"found {names.get(found, 'no group or dataset')}, wanted {names[wanted]}",
            array=name,
            do="write the file with Keras's save_weights",
        )
    return here


def names_in(group: h5py.Group) -> list[str]:
    """Return the names of a group's links, wherever they may lead, sorted.

    Raises:
        WeightsLayoutError: more than a thousand, or names that are not UTF-8.
        WeightsFileError: the C library cannot list them.
    """
    try:
        count = len(group)
        names = list(group) if count <= MAX_NAMES else []
    except UnicodeError as error:
        raise WeightsLayoutError(f"{group.name} holds names that are not UTF-8 text",
            do="write the file with Keras's save_weights",
        ) from error  # fmt: skip
    except H5_ERRORS as error:
        raise WeightsFileError(f"damaged: {group.name}: {error}", do=AGAIN) from error
    if count > MAX_NAMES:
        raise _too_long(str(group.name), "entries", count)
    return sorted(str(name) for name in names)


def text_attribute(owner: h5py.Group, name: str) -> list[str] | None:
    """Return an attribute as a list of strings, or None if it is not there.

    Keras splits a long one into name0, name1, ...; the pieces are put together.

    Raises:
        WeightsLayoutError: no text, more than a thousand entries or a mebibyte, or not UTF-8.
        WeightsFileError: the C library cannot read it.
    """
    try:
        pieces = [name] if name in owner.attrs else []
        while pieces[:1] != [name] and f"{name}{len(pieces)}" in owner.attrs:
            pieces.append(f"{name}{len(pieces)}")
            if len(pieces) > MAX_NAMES:
                raise _too_long(f"attribute {name!r}", "pieces", len(pieces))
    except H5_ERRORS as error:
        if isinstance(error, WeightsLayoutError):
            raise
        raise WeightsFileError(f"damaged: attribute {name!r}: {error}", do=AGAIN) from error
    if not pieces:
        return None
    texts: list[str] = []
    for piece in pieces:
        texts += _texts(owner, piece)
        if len(texts) > MAX_NAMES:
            raise _too_long(f"attribute {name!r}", "entries", len(texts))
    return texts


def _texts(owner: h5py.Group, name: str) -> list[str]:
    where, do = f"attribute {name!r} of {owner.name}", "write the file with Keras's save_weights"
    try:
        attribute = owner.attrs.get_id(name)
        kind, count = attribute.get_type(), attribute.get_space().get_simple_extent_npoints()
        is_text, size = kind.get_class() == h5py.h5t.STRING, kind.get_size() * count
        bounded = count <= MAX_NAMES and size <= MAX_ATTRIBUTE_BYTES
        value = owner.attrs[name] if is_text and bounded and count else None
    except UnicodeDecodeError as error:
        raise WeightsLayoutError(f"{where} is not UTF-8 text; wanted names", do=do) from error
    except H5_ERRORS as error:
        raise WeightsFileError(f"damaged: {where}: {error}", do=AGAIN) from error
    if count == 0:  # Keras stores an empty list as an empty array of floats
        return []
    if not is_text:
        raise WeightsLayoutError(f"{where} holds no text; wanted names", do=do)
    if not bounded or value is None:
        raise _too_long(where, "entries", count, size)
    texts = np.atleast_1d(value).tolist()
    size = sum(map(len, texts))  # of texts of any length, known once they are read
    if size > MAX_ATTRIBUTE_BYTES:
        raise _too_long(where, "entries", count, size)
    try:
        return [
            text.decode("utf-8") if isinstance(text, bytes) else text.encode("utf-8").decode()
            for text in texts
        ]
    except UnicodeError as error:
        raise WeightsLayoutError(f"{where} is not UTF-8 text; wanted names", do=do) from error


def _too_long(where: str, what: str, count: int, size: int = 0) -> WeightsLayoutError:
    return WeightsLayoutError(
        f"{where} has {count:,} {what}{f' and {size:,} bytes' if size else ''}; wanted at "
        f"most {MAX_NAMES:,} and {MAX_ATTRIBUTE_BYTES:,} bytes",
        do="write the file with Keras's save_weights",
    )
