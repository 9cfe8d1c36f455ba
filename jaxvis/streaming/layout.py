"""Which arrays a store has of each image, and what stands in them: maps in, maps out.

| array | of each image |
|---|---|
| `METHOD_RULE` | the raw map, in its own size; `METHOD` alone where no rule changes it |
| `METHOD_RULE_exponent` | only of float16: the map is what is stored times 2 to this power |
| `logits` | what the network returned |
| `class` | the index, or indices, that the maps explain |
| `error` | UTF-8, padded with zeros: why the image cannot be read; its maps are NaN |
| `name`, `picture` | of images that are no files: UTF-8 as above, uint8 RGB as it was shown |

Gradients of a logit are about 1e-5 in size, and float16 has its full precision only above 6e-5: so
each image's map is scaled by a power of two, which costs no precision, until its largest value
lies between 0.5 and 1.
"""

from collections.abc import Iterable
from typing import Literal

import numpy as np
from jaxtyping import Float, UInt8

from jaxvis.methods.catalogue import METHODS
from jaxvis.methods.maps import MapName, Maps
from jaxvis.methods.method import ANY
from jaxvis.streaming.store import Array

Dtype = Literal["float32", "float16"]
LOGITS, CLASS, ERROR, NAME, PICTURE = "logits", "class", "error", "name", "picture"
EXPONENT = "_exponent"
LONGEST = {ERROR: 400, NAME: 256}  # bytes
SPACE = {"input": ("row", "column"), "layer": ("layer_row", "layer_column")}


def array_name(name: MapName) -> str:
    """Return what the array of a map is called: "grad_cam_guided", or "rise"."""
    return name.method if name.rule == ANY else f"{name.method}_{name.rule}"


def arrays_for(
    maps: Maps, dtype: Dtype, *, several: bool, image_size: tuple[int, int] | None
) -> dict[str, Array]:
    """Return the arrays that hold such maps.

    Args:
        maps: of some images, whose shapes those of all are.
        dtype: of the maps at the input; others are small, and float32.
        several: whether there are maps of several classes for each image.
        image_size: where images are kept as well, their height and width.
    """
    rank = ("rank",) if several else ()
    ranks = _ranks(maps) if several else ()
    found: dict[str, Array] = {}
    for name, array in maps.items():
        method = METHODS[name.method]
        half = dtype == "float16" and method.at == "input"
        space = array.shape[1 + len(rank) :]
        axes = SPACE[method.at] if len(space) == 2 else _numbered(method.at, len(space))
        about = {"method": name.method, "rule": name.rule, "title": method.title}
        kept = array_name(name)
        found[kept] = Array(
            array.shape[1:], "float16" if half else "float32", (*rank, *axes), about
        )
        if half:
            found[kept + EXPONENT] = Array(
                ranks, "int16", rank, {"of": kept, "means": "map = stored * 2 ** exponent"}
            )
    found[LOGITS] = Array(maps.logits.shape[1:], "float32", ("output",))
    found[CLASS] = Array(ranks, "int32", rank, {"means": "the index that the maps explain"})
    found[ERROR] = Array((LONGEST[ERROR],), "uint8", ("error_byte",), {"means": "UTF-8"})
    if image_size is not None:
        found[NAME] = Array((LONGEST[NAME],), "uint8", ("name_byte",), {"means": "UTF-8"})
        found[PICTURE] = Array(
            (*image_size, 3), "uint8", ("picture_row", "picture_column", "channel")
        )
    return found


def _ranks(maps: Maps) -> tuple[int, ...]:
    return (next(iter(maps.values())).shape[1],)


def _numbered(at: str, count: int) -> tuple[str, ...]:
    return tuple(f"{at}_axis_{number}" for number in range(count))


def stored_values(
    maps: Maps, classes: np.ndarray, arrays: Iterable[str], broken: np.ndarray
) -> dict[str, np.ndarray]:
    """Return what is written of the maps of a batch, those of broken images as NaN."""
    arrays = set(arrays)
    values: dict[str, np.ndarray] = {}
    for name, array in maps.items():
        kept = array_name(name)
        values[kept] = array = np.array(array, np.float32)
        array[broken] = np.nan
        if kept + EXPONENT in arrays:
            axes = tuple(range(1 + (classes.ndim - 1), array.ndim))
            values[kept], values[kept + EXPONENT] = halved(array, axes)
    values[LOGITS] = np.array(maps.logits, np.float32)
    values[LOGITS][broken] = np.nan
    values[CLASS] = np.array(classes, np.int32)
    values[CLASS][broken] = 0
    return values


def halved(array: Float[np.ndarray, "..."], axes: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Return float16 values, and the power of two that makes each map of them what it was."""
    largest = np.abs(array).max(axis=axes, keepdims=True)
    exponent = np.where(np.isfinite(largest), np.frexp(largest)[1], 0)
    scaled = np.ldexp(array, -exponent).astype(np.float16)
    return scaled, exponent.reshape(array.shape[: array.ndim - len(axes)]).astype(np.int16)


def whole_values(
    stored: Float[np.ndarray, "..."], exponent: np.ndarray
) -> Float[np.ndarray, "..."]:
    """Return float32 maps of what `halved` returned."""
    wide = exponent.reshape(*exponent.shape, *(1,) * (stored.ndim - exponent.ndim))
    return np.ldexp(stored.astype(np.float32), wide.astype(np.int32))


def as_bytes(texts: Iterable[str], longest: int) -> UInt8[np.ndarray, "n longest"]:
    """Return texts as UTF-8 padded with zeros; of one that is too long, the beginning."""
    rows = []
    for text in texts:
        kept = text.encode("utf-8", "backslashreplace")[:longest]
        kept = kept.decode("utf-8", "ignore").encode()  # no half of a letter at the end
        rows.append(np.frombuffer(kept.ljust(longest, b"\0"), np.uint8))
    return np.stack(rows) if rows else np.zeros((0, longest), np.uint8)


def as_texts(rows: UInt8[np.ndarray, "n longest"]) -> list[str]:
    """Return the texts that `as_bytes` was given."""
    return [row.tobytes().rstrip(b"\0").decode("utf-8", "replace") for row in rows]
