"""VGG16 -> a Keras .h5 file, whole or not at all.

HDF5 writes into memory: on a full disk its library ends the process, where a write of Python's own
raises an error.
"""

import io
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jax.typing import DTypeLike

from jaxvis.models.layers import as_config
from jaxvis.models.vgg16 import VGG16
from jaxvis.weights.arrays import CONFIG, checksum
from jaxvis.weights.errors import WeightsError, WeightsMismatchError, about

if TYPE_CHECKING:
    import h5py

# As Keras 1 called them.
_SHORT = {
    "kernel": "W", "bias": "b", "moving_mean": "running_mean", "moving_variance": "running_std"
}  # fmt: skip


def save_vgg16(
    model: VGG16,
    path: str | os.PathLike[str],
    *,
    dtype: DTypeLike = np.float32,
    facts: Mapping[str, Any] | None = None,
) -> None:
    """Write a VGG16 in the Keras 1/2 layout, whole or not at all.

    Args:
        model: the network; an attribute holds its architecture, its labels and a CRC-32 per array.
        path: the file to write or replace.
        dtype: float32, or float16 for half the size.
        facts: more to keep with the weights, as JSON: how they were trained, say.

    Raises:
        WeightsError: another dtype, values that it cannot hold, or a folder that cannot be written.
    """
    import h5py

    target = Path(path).expanduser()
    if np.dtype(dtype) not in (np.float16, np.float32):
        raise WeightsError(
            f"cannot be saved as {np.dtype(dtype)}, wanted float32 or float16",
            do="pass dtype=np.float32", file=target,
        )  # fmt: skip
    content = io.BytesIO()
    with about(target), h5py.File(content, "w") as file:
        config = {
            "architecture": as_config(model.architecture),
            "labels": model.labels,
            "facts": dict(facts or {}),
            "crc32": _write_layers(file, model, dtype),
        }
        file.attrs[CONFIG] = json.dumps(config)
    try:
        _write(target, content.getbuffer())
    except OSError as error:
        raise _unwritable(target, error) from error


def _write(target: Path, content: memoryview) -> None:
    """Write bytes under another name, then rename: whole or not at all."""
    handle, temporary = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, target)
    except BaseException:
        os.unlink(temporary)
        raise


def _unwritable(target: Path, error: OSError) -> WeightsError:
    return WeightsError(
        f"cannot be written: {error.strerror or error}",
        do="make room, or choose another folder",
        file=target,
    )


def _write_layers(file: "h5py.File", model: VGG16, dtype: DTypeLike) -> dict[str, int]:
    """Write all layers as Keras does; return the CRC-32 of each array."""
    file.attrs["layer_names"] = np.array([row.name for row in model.rows], "S")
    checksums = {}
    for row in model.rows:
        group = file.create_group(row.name)
        if not row.arrays:
            group.attrs["weight_names"] = np.array([], "S1")
            continue
        names = {role: f"{row.name}_{_SHORT.get(role, role)}_1:0" for role, _ in row.arrays}
        group.attrs["weight_names"] = np.array(list(names.values()), "S")
        for role, name in names.items():
            array = f"{row.name}/{role}"
            with np.errstate(over="ignore"):
                values = np.asarray(getattr(getattr(model, row.name), role)[...]).astype(dtype)
            if not np.isfinite(values).all():
                raise WeightsMismatchError(
                    f"has NaN, infinity or values too large for {values.dtype}",
                    array=array, do="save finite numbers, as float32",
                )  # fmt: skip
            group.create_dataset(name, data=values)
            checksums[array] = checksum(values)
    return checksums
