"""A state dict as PyTorch saved it before version 1.6 -> NumPy arrays, without PyTorch or `pickle`.

Such a file is five pickles, one after the other, then the numbers:

    a magic number, 1001, sizes of the machine's integers,
    the state dict: name -> tensor (its storage's key, offset, shape, strides),
    the keys of the storages, in the order of what follows,
    and for each key: how many values (8 bytes), and those.

A pickle is a program for a small stack machine, and Python's own machine can call any function. The
one below has the instructions that such files consist of, knows the names in `NAMES`, and calls
nothing: a tensor is a note of where it lies. Each instruction makes at most one value, so that a
file cannot take more than a few times its own size, nor more time than it has bytes.

The format: torch/serialization.py, `_legacy_save`; the instructions: Python's `pickletools`, which
takes a pickle apart into them without running it.
"""

import io
import pickletools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from jaxvis.weights.errors import (
    WeightsError,
    WeightsFileError,
    WeightsLayoutError,
    WeightsMismatchError,
)
from jaxvis.weights.opened import AGAIN

MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
DTYPES = {"torch FloatStorage": "<f4", "torch LongStorage": "<i8"}
NAMES = ("collections OrderedDict", "torch._utils _rebuild_tensor_v2", *DTYPES)
MOST_AXES, MOST = 8, 1 << 40  # of a tensor; more than any of its numbers is
STRUCTURE = 4 << 20  # bytes of pickles; those of a network of 50 layers take 50 kB


class Name(NamedTuple):
    """A name that stands in the file for a function or a class; nobody calls it."""

    name: str


class Storage(NamedTuple):
    """A run of numbers: the key under which it is found, and what it should be."""

    key: str
    dtype: str
    size: int


class Tensor(NamedTuple):
    """A view of a storage; offset and strides count numbers, not bytes."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def read_state_dict(content: bytes) -> dict[str, np.ndarray]:
    """Return the arrays of a file by name, as views into its bytes, in PyTorch's order of axes.

    Each storage belongs to one tensor, which fills it without gaps or overlaps: what PyTorch
    writes of the parameters of a network.

    Raises:
        WeightsFileError: damaged, truncated, or no such file.
        WeightsLayoutError: an instruction or a name that weights do not need.
        WeightsMismatchError: NaN or infinity in an array.
    """
    file = io.BytesIO(content[:STRUCTURE])
    if _run(file) != MAGIC or _run(file) != PROTOCOL:
        raise WeightsFileError(f"no PyTorch file of the old format, which starts with {MAGIC:#x} "
            f"and {PROTOCOL}", do="give a state dict that torch.save wrote before PyTorch 1.6, or "
            "with _use_new_zipfile_serialization=False",
        )  # fmt: skip
    system = _run(file)
    if not isinstance(system, dict) or system.get("little_endian") is not True:
        raise _damaged("it does not say that its numbers are little-endian")
    state, keys = _run(file), _run(file)
    tensors = _tensors(state)
    return {
        name: _array(name, tensors[name], numbers)
        for name, numbers in _numbers(content, file.tell(), tensors, keys).items()
    }


def _damaged(problem: str, array: str | None = None) -> WeightsFileError:
    return WeightsFileError(f"damaged: {problem}", array=array, do=AGAIN)


def _run(file: io.BytesIO) -> Any:
    """Run one pickle and return what it leaves."""
    machine = _Machine()
    try:
        for opcode, argument, _ in pickletools.genops(file):
            if opcode.name == "STOP":
                return machine.last()
            if opcode.name not in _INSTRUCTIONS:
                raise _refused(f"the instruction {opcode.name}")
            _INSTRUCTIONS[opcode.name](machine, argument)
    except WeightsError:
        raise
    except (ValueError, Warning) as error:  # of pickletools: no instruction, or bytes are missing
        raise _damaged(f"no sound pickle ({str(error)[:80]!r})") from error
    raise _damaged("a pickle does not end")


def _refused(what: str) -> WeightsLayoutError:
    return WeightsLayoutError(
        f"found {what} in a pickle, which could run any code; wanted tensors by name, and nothing "
        "else", do="do not load it with PyTorch either, unless you trust where it comes from",
    )  # fmt: skip


class _Machine:
    """A stack of values, with marks, and a memory by number."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memory: dict[int, Any] = {}

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def pop(self) -> Any:
        if len(self.stack) <= (self.marks[-1] if self.marks else 0):
            raise _damaged("a pickle takes a value that is not there")
        return self.stack.pop()

    def last(self) -> Any:
        if len(self.stack) != 1 or self.marks:
            raise _damaged(f"a pickle ends with {len(self.stack)} values, wanted one")
        return self.stack[0]

    def pop_to_mark(self) -> list[Any]:
        if not self.marks:
            raise _damaged("a pickle has no mark where one is wanted")
        start = self.marks.pop()
        values = self.stack[start:]
        del self.stack[start:]
        return values

    def top(self, kind: type) -> Any:
        value = self.pop()
        if type(value) is not kind:
            raise _damaged(f"a pickle has a {type(value).__name__} in place of a {kind.__name__}")
        self.push(value)
        return value

    def put(self, number: int) -> None:
        value = self.pop()
        self.push(value)
        self.memory[number] = value

    def get(self, number: int) -> None:
        if number not in self.memory:
            raise _damaged(f"a pickle has nothing under number {number}")
        self.push(self.memory[number])

    def name(self, name: str) -> None:
        if name not in NAMES:
            raise _refused(f"the name {name.replace(' ', '.')[:80]!r}")
        self.push(Name(name))

    def tuple(self, count: int) -> None:
        values = [self.pop() for _ in range(count)]
        self.push(tuple(reversed(values)))

    def items(self, pairs: list[Any]) -> None:
        into = self.top(dict)
        if len(pairs) % 2:
            raise _damaged("a key has no value")
        for key, value in zip(pairs[::2], pairs[1::2], strict=True):
            if type(key) is not str or key in into:  # a str costs nothing to hash or to show
                shown = repr(key[:80]) if type(key) is str else f"a {type(key).__name__}"
                raise _damaged(f"{shown} is no key, or there twice")
            into[key] = value

    def append(self, values: list[Any]) -> None:
        self.top(list).extend(values)

    def call(self) -> None:
        """Do what a name stands for: an empty dict, or the note of a tensor."""
        arguments, name = self.pop(), self.pop()
        match name, arguments:
            case Name("collections OrderedDict"), ():
                self.push({})
            case Name("torch._utils _rebuild_tensor_v2"), _:
                self.push(_tensor(arguments))
            case _:
                raise _refused(f"a call of a {type(name).__name__}")

    def build(self) -> None:
        """Attributes of a state dict, the versions of its layers: not needed."""
        if type(self.pop()) is not dict:
            raise _damaged("attributes are no dict")
        self.top(dict)


_INSTRUCTIONS: Mapping[str, Callable[[_Machine, Any], Any]] = {
    "PROTO": lambda machine, _: None,
    "NONE": lambda machine, _: machine.push(None),
    "NEWTRUE": lambda machine, _: machine.push(True),
    "NEWFALSE": lambda machine, _: machine.push(False),
    **dict.fromkeys(("BININT", "BININT1", "BININT2", "LONG1", "BINUNICODE"), _Machine.push),
    "EMPTY_DICT": lambda machine, _: machine.push({}),
    "EMPTY_LIST": lambda machine, _: machine.push([]),
    "EMPTY_TUPLE": lambda machine, _: machine.push(()),
    "MARK": lambda machine, _: machine.marks.append(len(machine.stack)),
    "TUPLE": lambda machine, _: machine.push(tuple(machine.pop_to_mark())),
    "TUPLE1": lambda machine, _: machine.tuple(1),
    "TUPLE2": lambda machine, _: machine.tuple(2),
    "TUPLE3": lambda machine, _: machine.tuple(3),
    "APPEND": lambda machine, _: machine.append([machine.pop()]),
    "APPENDS": lambda machine, _: machine.append(machine.pop_to_mark()),
    "SETITEM": lambda machine, _: machine.items([machine.pop(), machine.pop()][::-1]),
    "SETITEMS": lambda machine, _: machine.items(machine.pop_to_mark()),
    **dict.fromkeys(("BINPUT", "LONG_BINPUT"), _Machine.put),
    **dict.fromkeys(("BINGET", "LONG_BINGET"), _Machine.get),
    "GLOBAL": _Machine.name,
    "BINPERSID": lambda machine, _: machine.push(_storage(machine.pop())),
    "REDUCE": lambda machine, _: machine.call(),
    "BUILD": lambda machine, _: machine.build(),
}


def _storage(described: Any) -> Storage:
    """Read ("storage", kind, key, device, count, None), which stands for a run of numbers."""
    match described:
        case ("storage", Name(kind), str(key), str(), count, None) if kind in DTYPES and _is_count(
            count
        ):
            return Storage(key, DTYPES[kind], count)
    raise _damaged("a storage is not described as PyTorch does it")


def _is_count(number: Any) -> bool:
    return type(number) is int and 0 <= number < MOST


def _tensor(arguments: Any) -> Tensor:
    """Read (storage, offset, shape, strides, requires_grad, hooks)."""
    match arguments:
        case (Storage() as storage, offset, tuple(shape), tuple(strides), bool(), dict(hooks)) if (
            len(shape) == len(strides) <= MOST_AXES
            and all(map(_is_count, (offset, *shape, *strides)))
            and not hooks
        ):
            return Tensor(storage, offset, shape, strides)
    raise _damaged("a tensor is not described as PyTorch does it")


def _tensors(state: Any) -> dict[str, Tensor]:
    """Check that the state is tensors by name, each with a storage of its own that it fills."""
    if type(state) is not dict or not state:
        raise _damaged("it holds no tensors by name")
    owners: dict[str, str] = {}
    for name, tensor in state.items():
        if type(tensor) is not Tensor:
            raise _damaged(f"found a {type(tensor).__name__}, wanted a tensor", name[:80])
        if tensor.storage.key in owners:
            raise _damaged(f"shares its numbers with {owners[tensor.storage.key][:80]}", name[:80])
        owners[tensor.storage.key] = name
        # From the axis whose steps are smallest: each steps over all that those before it span.
        span = 1
        for stride, length in sorted(zip(tensor.strides, tensor.shape, strict=True)):
            if length != 1 and stride != span:
                raise _damaged(
                    f"strides {tensor.strides} leave gaps in shape {tensor.shape}", name[:80]
                )
            span *= length
        if tensor.offset or span != tensor.storage.size:
            raise _damaged(
                f"shape {tensor.shape} from {tensor.offset} does not fill a storage of "
                f"{tensor.storage.size} numbers", name[:80],
            )  # fmt: skip
    return state


def _numbers(
    content: bytes, at: int, tensors: Mapping[str, Tensor], keys: Any
) -> dict[str, np.ndarray]:
    """Return the run of numbers of every tensor by its name; the file ends where they do."""
    owners = {tensor.storage.key: name for name, tensor in tensors.items()}
    if type(keys) is not list or not all(type(key) is str for key in keys):
        raise _damaged("its last pickle is no list of keys")
    if sorted(keys) != sorted(owners):
        raise _damaged("the keys of its numbers are not those of its tensors")
    found = {}
    for key in keys:
        storage = tensors[owners[key]].storage
        size = storage.size * np.dtype(storage.dtype).itemsize
        count = int.from_bytes(content[at : at + 8], "little")
        if count != storage.size or len(content) - at - 8 < size:
            raise _damaged(
                f"found {count:,} values in {max(len(content) - at - 8, 0):,} bytes, wanted "
                f"{storage.size:,}", owners[key][:80],
            )  # fmt: skip
        found[owners[key]] = np.frombuffer(content, storage.dtype, storage.size, at + 8)
        at += 8 + size
    if at != len(content):
        raise _damaged(f"{len(content) - at:,} bytes follow its numbers")
    return {name: found[name] for name in tensors}


def _array(name: str, tensor: Tensor, numbers: np.ndarray) -> np.ndarray:
    if numbers.dtype.kind == "f":
        bad = numbers.size - np.count_nonzero(np.isfinite(numbers))
        if bad:
            raise WeightsMismatchError(
                f"{bad:,} of {numbers.size:,} values are NaN or infinite; wanted finite numbers",
                array=name[:80], do=AGAIN,
            )  # fmt: skip
    strides = [stride * numbers.itemsize for stride in tensor.strides]
    return np.lib.stride_tricks.as_strided(numbers, tensor.shape, strides, writeable=False)
