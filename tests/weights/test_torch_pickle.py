"""PyTorch's old files: what is read, what is refused, and that nothing in them ever runs."""

import builtins
import io
import os
import pickle
import struct
import sys
import time
import tracemalloc
from collections import Counter

import numpy as np
import pytest
from mutations import mutate
from torch_files import (
    Built,
    Reference,
    pickled,
    small_arrays,
    state_dict,
    structure_end,
    tensor,
    torch_bytes,
)

from jaxvis.weights.errors import WeightsError, WeightsFileError, WeightsLayoutError
from jaxvis.weights.torch_pickle import NAMES as KNOWN
from jaxvis.weights.torch_pickle import read_state_dict

PROTO = b"\x80\x02"


def same(found, wanted):
    return found.keys() == wanted.keys() and all(
        np.array_equal(found[name], wanted[name]) and found[name].dtype == wanted[name].dtype
        for name in wanted
    )


def test_the_arrays_come_out_as_they_went_in():
    """Whatever order their axes lie in; a scalar too; as views, so that nothing is copied."""
    arrays = small_arrays()
    content = torch_bytes(arrays)
    found = read_state_dict(content)
    assert list(found) == list(arrays)
    assert same(found, arrays)
    assert not any(array.flags.writeable or array.flags.owndata for array in found.values())


def test_python_itself_reads_the_same_from_such_a_file():
    """Or the files of these tests would be of a format of their own."""
    arrays, content = small_arrays(), torch_bytes(small_arrays())
    storages = {}

    class Ordered(dict):  # whose attributes can be set
        pass

    def rebuilt(storage, offset, shape, strides, *_):
        return storage, shape, strides

    class Unpickler(pickle.Unpickler):
        def find_class(self, module, name):
            known = {"OrderedDict": Ordered, "_rebuild_tensor_v2": rebuilt}
            return known.get(name, f"{module}.{name}")

        def persistent_load(self, pid):
            return pid[2]

    file = io.BytesIO(content)
    for _ in range(3):
        pickle.load(file)
    state = Unpickler(file).load()
    for key in pickle.load(file):
        (count,) = struct.unpack("<q", file.read(8))
        (name,) = [name for name, value in state.items() if value[0] == key]
        dtype = arrays[name].dtype
        storages[key] = np.frombuffer(file.read(count * dtype.itemsize), dtype)
    assert file.read() == b""
    for name, (key, shape, strides) in state.items():
        steps = [stride * storages[key].itemsize for stride in strides]
        array = np.lib.stride_tricks.as_strided(storages[key], shape, steps)
        np.testing.assert_array_equal(array, arrays[name])


# ---- what is refused ----------------------------------------------------------------------------


@pytest.fixture
def nothing_runs(monkeypatch):
    """Fail the test if anything that a pickle could call is called, or a module imported."""

    def called(*arguments, **_):
        raise AssertionError(f"called with {arguments}")

    monkeypatch.setattr("os.system", called)
    monkeypatch.setattr("pickle.loads", called)
    monkeypatch.setattr("pickle.load", called)
    monkeypatch.setattr("pickle.Unpickler", called)
    monkeypatch.setattr(builtins, "eval", called)
    monkeypatch.setattr(builtins, "exec", called)


NAMES = [
    ("os", "system"), ("posix", "system"), ("builtins", "eval"), ("__builtin__", "eval"),
    ("builtins", "getattr"), ("torch", "load"), ("torch", "HalfStorage"), ("numpy", "load"),
    ("torch._utils", "_rebuild_parameter"), ("collections", "defaultdict"), ("jaxvis", "load"),
    ("torch", "FloatStorage.__class__"), ("torch.FloatStorage", ""), ("", ""), ("", "FloatStorage"),
]  # fmt: skip


@pytest.mark.parametrize(("module", "name"), NAMES)
def test_every_other_name_is_refused(module, name, nothing_runs):
    call = Built(Reference(module, name), "touch nobody-should-see-this")
    arrays = small_arrays()
    for state in (state_dict({"a": call}), pickled(call), pickled(Reference(module, name))):
        with pytest.raises(WeightsLayoutError, match="could run any code") as caught:
            read_state_dict(torch_bytes(arrays, state=state))
        assert f"{module}.{name}" in str(caught.value)


def test_exactly_four_names_are_known():
    """Those of the file itself."""
    assert set(KNOWN) == {
        "collections OrderedDict", "torch._utils _rebuild_tensor_v2", "torch FloatStorage",
        "torch LongStorage",
    }  # fmt: skip


INSTRUCTIONS = {
    "INST": b"(S'x'\nios\nsystem\n.",
    "OBJ": b"(cos\nsystem\nS'x'\no.",
    "NEWOBJ": b"ccollections\nOrderedDict\n)\x81.",
    "NEWOBJ_EX": b"ccollections\nOrderedDict\n)}\x92.",
    "STACK_GLOBAL": b"\x8c\x02os\x8c\x06system\x93.",
    "EXT1": b"\x82\x01.",
    "EXT4": b"\x84\x01\0\0\0.",
    "PERSID": b"Pstorage\n.",
    "BYTEARRAY8": b"\x96\xff\xff\xff\xff\xff\0\0\0.",
    "BINUNICODE8": b"\x8d\xff\xff\xff\xff\xff\0\0\0.",
    "FRAME": b"\x95\xff\xff\xff\xff\xff\0\0\0N.",
    "DUP": b"N2.",
    "POP": b"NN0.",
    "FROZENSET": b"(\x91.",
    "NEXT_BUFFER": b"\x97.",
    "INT": b"I1\n.",
    "FLOAT": b"F1\n.",
    "STRING": b"S'\\d'\n.",
}


@pytest.mark.parametrize("name", INSTRUCTIONS)
def test_every_other_instruction_is_refused(name, nothing_runs):
    content = torch_bytes(small_arrays(), state=PROTO + INSTRUCTIONS[name])
    with pytest.raises(WeightsError, match="could run any code|no sound pickle"):
        read_state_dict(content)


def laughs(depth):
    """A tuple of two of a tuple of two ...: small, and endless to anyone who walks through it."""
    return b")" + b"".join(b"q%c" % i + b"h%c" % i + b"\x86" for i in range(depth)) + b"."


BOMBS = {
    "a number in memory as large as can be": b"Nr\xff\xff\xff\xff.",
    "text as long as can be": b"X\xff\xff\xff\xffa.",
    "tuples in tuples": PROTO + b")" + b"\x85" * 50_000 + b".",
    "tuples of two of tuples of two": PROTO + laughs(200),
    "as the key of a dict": PROTO + b"}" + laughs(200)[:-1] + b"Ns.",
    "as a name to call": PROTO + laughs(200)[:-1] + b")R.",
    "as arguments": PROTO + b"ctorch._utils\n_rebuild_tensor_v2\n" + laughs(200)[:-1] + b"R.",
    "as a storage": PROTO + laughs(200)[:-1] + b"Q.",
    "as attributes": PROTO + b"}" + laughs(200)[:-1] + b"b.",
    "a list in itself": PROTO + b"]q\0h\0a.",
    "marks and nothing else": PROTO + b"(" * 50_000 + b".",
    "a number of 255 bytes": PROTO + b"\x8a\xff" + b"\x7f" * 255 + b".",
}


@pytest.mark.parametrize("name", BOMBS)
@pytest.mark.parametrize("part", ["magic", "protocol", "system", "state", "keys"])
def test_no_small_file_takes_much_time_or_memory(name, part, nothing_runs):
    content = torch_bytes(small_arrays(), **{part: BOMBS[name]})
    start = time.process_time()
    tracemalloc.start()
    with pytest.raises(WeightsError):
        read_state_dict(content)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 100 * len(content) + (1 << 20)
    assert time.process_time() - start < 5


A = np.arange(12, dtype=np.float32).reshape(3, 4)
WRONG = {
    "gaps": {"strides": (8, 2)},
    "overlaps": {"strides": (1, 1)},
    "one row over and over": {"strides": (0, 1)},
    "backwards": {"strides": (-4, 1)},
    "from the middle": {"offset": 3},
    "before the start": {"offset": -1},
    "more than there is": {"shape": (4, 4)},
    "less than there is": {"shape": (2, 4)},
    "far more": {"shape": (1 << 30, 1 << 30)},
    "nothing": {"shape": (0, 4)},
    "axes without strides": {"strides": (4,)},
    "nine axes": {"shape": (1,) * 9, "strides": (1,) * 9},
    "a length that is text": {"shape": ("3", 4)},
    "a length that is True": {"shape": (True, 12), "strides": (12, 1)},
    "hooks": {"hooks": {"a": 1}},
    "no storage": {"storage": None},
}


@pytest.mark.parametrize("name", WRONG)
def test_a_tensor_fills_its_storage(name):
    arrays = {"a": A}
    content = torch_bytes(arrays, state=state_dict({"a": tensor(A, "100000", **WRONG[name])}))
    with pytest.raises(WeightsFileError, match="^(a: )?damaged: "):
        read_state_dict(content)
    assert same(read_state_dict(torch_bytes(arrays)), arrays)


def test_two_tensors_do_not_share_numbers():
    shared = {"a": tensor(A, "100000"), "b": tensor(A, "100000")}
    with pytest.raises(WeightsFileError, match="b: damaged: shares its numbers with a"):
        read_state_dict(torch_bytes({"a": A}, state=state_dict(shared)))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_is_refused(value):
    array = np.array([1, value, 2], np.float32)
    with pytest.raises(WeightsError, match="a: 1 of 3 values are NaN or infinite"):
        read_state_dict(torch_bytes({"a": array}))


def test_other_lengths_orders_and_headers():
    content = torch_bytes({"a": A})
    for other, message in (
        (b"", "no sound pickle|does not end"),
        (content[:-1], "found 12 values in 47 bytes, wanted 12"),
        (content + b"\0", "1 bytes follow its numbers"),
        (torch_bytes({"a": A}, numbers=struct.pack("<q", 11) + A.tobytes()), "found 11 values"),
        (torch_bytes({"a": A}, keys=pickled(["100000", "100000"])), "keys of its numbers"),
        (torch_bytes({"a": A}, keys=pickled("100000")), "no list of keys"),
        (torch_bytes({"a": A}, state=pickled([1])), "no tensors by name"),
        (torch_bytes({"a": A}, state=pickled({"a": 1})), "found a int, wanted a tensor"),
        (torch_bytes({"a": A}, system=pickled({"little_endian": False})), "little-endian"),
        (torch_bytes({"a": A}, magic=pickled(5)), "no PyTorch file of the old format"),
        (torch_bytes({"a": A}, protocol=pickled(1002)), "no PyTorch file of the old format"),
    ):
        with pytest.raises(WeightsError, match=message):
            read_state_dict(other)


# ---- damage -------------------------------------------------------------------------------------


def fuzz(count):
    """Read that many mutations of a file; return what came of them.

    The format has no checksum, so that a number which changed, and stays one, is read as it is, and
    so is a name: outside the changed bytes all is the same. A network wants all names, and a known
    file is known by its hash.
    """
    arrays = small_arrays()
    content = torch_bytes(arrays)
    end = structure_end(content)
    counts: Counter = Counter()
    for seed in range(count):
        damaged = mutate(content, np.arange(end), seed)
        start = time.process_time()
        try:
            found = read_state_dict(damaged)
        except WeightsError as error:
            str(error)
            counts[type(error).__name__] += 1
        else:
            if same(found, arrays):
                counts["exact"] += 1
            elif same_but_for_names_and_numbers(found, arrays, content[end:], damaged):
                counts["other names or numbers"] += 1
            else:
                counts[f"OTHER ARRAYS {seed}"] += 1
        assert time.process_time() - start < 2, seed
    return counts


def same_but_for_names_and_numbers(found, arrays, numbers, damaged):
    """Whether no more values differ than bytes were changed among the numbers."""
    damaged = damaged[-len(numbers) :]  # a name may be shorter than it was
    if len(found) != len(arrays):
        return False
    changed = sum(a != b for a, b in zip(numbers, damaged, strict=True))
    pairs = list(zip(found.values(), arrays.values(), strict=True))
    if any(a.shape != b.shape or a.dtype != b.dtype for a, b in pairs):
        return False
    return sum(int((a != b).sum()) for a, b in pairs) <= changed


def check(counts):
    print(dict(counts))
    assert not [outcome for outcome in counts if outcome.startswith("OTHER")], counts
    total = sum(counts.values())
    assert counts["exact"] > total / 50  # else nothing but the first check is under test
    assert counts["WeightsFileError"] > total / 20
    assert counts["WeightsLayoutError"] > total / 50


def test_damaged_files():
    check(fuzz(3000))


@pytest.mark.slow
def test_ten_thousand_damaged_files():
    """JAXVIS_FUZZ=100000 asks for more, after a change of the parser."""
    check(fuzz(int(os.environ.get("JAXVIS_FUZZ", "10000"))))


@pytest.mark.skipif(sys.platform == "win32", reason="asks POSIX how much memory was taken")
def test_damage_takes_no_memory():
    import resource

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    fuzz(500)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000
