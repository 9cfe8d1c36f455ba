"""Files in PyTorch's old format, written without PyTorch: `_legacy_save` of torch/serialization.py.

`pickle` writes them, so that what the reader understands is not what the reader's author thinks a
pickle is. Instructions can be put in by hand, too.
"""

import collections
import pickle
import struct
from io import BytesIO

import numpy as np

HEADER = (0x1950A86A20F9469CFC6C, 1001)
SYSTEM = {
    "protocol_version": 1001, "little_endian": True,
    "type_sizes": {"short": 2, "int": 4, "long": 4},
}  # fmt: skip
KINDS = {"float32": "FloatStorage", "int64": "LongStorage"}


class Reference:
    """A class or a function of PyTorch's, by name: pickled as such, without being there."""

    def __init__(self, module: str, name: str) -> None:
        self.module, self.name = module, name


class Held:
    """A storage: pickled as a persistent id."""

    def __init__(self, array: np.ndarray, key: str) -> None:
        self.id = ("storage", Reference("torch", KINDS[str(array.dtype)]), key, "cpu", array.size,
                   None)  # fmt: skip


class Built:
    """What a call of a function with arguments makes when it is loaded."""

    def __init__(self, function: object, *arguments: object) -> None:
        self.call = function, arguments


class _Pickler(pickle._Pickler):  # the one in Python, whose `save` can be taught
    def persistent_id(self, value: object) -> object:
        return value.id if isinstance(value, Held) else None

    def save(self, value: object, save_persistent_id: bool = True) -> None:
        if isinstance(value, Reference):
            self.write(pickle.GLOBAL + f"{value.module}\n{value.name}\n".encode())
        elif isinstance(value, Built):
            function, arguments = value.call
            self.save(function)
            self.save(arguments)
            self.write(pickle.REDUCE)
        else:
            super().save(value, save_persistent_id)


def pickled(value: object) -> bytes:
    """One pickle, of protocol 2 as PyTorch's are."""
    file = BytesIO()
    _Pickler(file, protocol=2).dump(value)
    return file.getvalue()


def tensor(array: np.ndarray, key: str, **changed: object) -> Built:
    """A tensor whose storage holds the array's numbers as they lie in memory."""
    itemsize = array.itemsize
    parts = {
        "storage": Held(array, key), "offset": 0, "shape": array.shape,
        "strides": tuple(stride // itemsize for stride in array.strides),
        "requires_grad": False, "hooks": Built(Reference("collections", "OrderedDict")),
    } | changed  # fmt: skip
    return Built(Reference("torch._utils", "_rebuild_tensor_v2"), *parts.values())


def state_dict(tensors: dict[str, object]) -> bytes:
    """The fourth pickle: an ordered dict with the attribute `_metadata`, as of a module."""
    ordered = collections.OrderedDict(tensors)
    ordered._metadata = collections.OrderedDict({"": {"version": 1}})  # type: ignore[attr-defined]
    return pickled(ordered)


def numbers(arrays: dict[str, np.ndarray]) -> bytes:
    """What follows the pickles, by key."""
    return b"".join(
        struct.pack("<q", array.size) + array.ravel(order="K").tobytes()
        for array in arrays.values()
    )


def torch_bytes(arrays: dict[str, np.ndarray], **changed: bytes) -> bytes:
    """A whole file; its parts can be replaced: magic, protocol, system, state, keys, numbers."""
    keys = {f"{100_000 + 16 * i}": array for i, array in enumerate(arrays.values())}
    tensors = {
        name: tensor(array, key)
        for (name, array), key in zip(arrays.items(), keys, strict=True)
    }  # fmt: skip
    order = sorted(keys)
    parts = {
        "magic": pickled(HEADER[0]), "protocol": pickled(HEADER[1]), "system": pickled(SYSTEM),
        "state": state_dict(tensors), "keys": pickled(order),
        "numbers": numbers({key: keys[key] for key in order}),
    } | changed  # fmt: skip
    return b"".join(parts.values())


def small_arrays() -> dict[str, np.ndarray]:
    """Arrays of a network: a convolution that lies height, width, in, out; and others."""
    rng = np.random.Generator(np.random.PCG64(0))
    return {
        "conv.weight": rng.normal(size=(3, 3, 2, 4)).astype(np.float32).transpose(3, 2, 0, 1),
        "bn.weight": rng.normal(size=4).astype(np.float32),
        "bn.num_batches_tracked": np.array(7),
        "fc.weight": rng.normal(size=(4, 5)).astype(np.float32).T,
        "fc.bias": rng.normal(size=5).astype(np.float32),
    }


def structure_end(content: bytes) -> int:
    """Where the pickles end and the numbers begin."""
    import pickletools

    file = BytesIO(content)
    for _ in range(5):
        list(pickletools.genops(file))
    return file.tell()
