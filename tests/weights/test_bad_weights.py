"""Whatever stands in a weight file, the answer is exact arrays or a `WeightsError` that helps."""

import gzip
import os
import re
import subprocess
import sys
import time
import zlib
from pathlib import Path

import h5py
import numpy as np
import pytest
from h5_cases import (
    KERNEL,
    RESNET50_NAMES,
    VGG16_NAMES,
    VGG19_NAMES,
    Edit,
    arrays_of,
    names_only,
    replace,
    small_file,
    small_model,
)

from jaxvis.models.layers import architecture
from jaxvis.models.vgg16 import VGG16
from jaxvis.weights import apart as plan_apart
from jaxvis.weights import errors
from jaxvis.weights.load import load_vgg16

LAYOUT, MISMATCH, FILE = (
    errors.WeightsLayoutError,
    errors.WeightsMismatchError,
    errors.WeightsFileError,
)
CONFIG = "jaxvis"


def fails(path: Path, kind: type[errors.WeightsError], message: str, **options: object) -> None:
    """Loading raises the error, which names the file and says what to do."""
    with pytest.raises(kind, match=message) as caught:
        load_vgg16(path, **options)
    assert isinstance(caught.value, ValueError)
    assert str(path) in str(caught.value)
    assert caught.value.do, f"says not what to do: {caught.value}"
    assert len(str(caught.value)) < 1000


def same(path: Path, **options: object) -> None:
    found, wanted = arrays_of(load_vgg16(path, **options)), arrays_of(small_model())
    assert found.keys() == wanted.keys()
    for name, array in wanted.items():
        np.testing.assert_array_equal(found[name], array, err_msg=name)


# --- What is no file, or no HDF5 file ---------------------------------------------------------


def test_missing_path(tmp_path):
    fails(tmp_path / "none.h5", FILE, "there is no such file; check the path")


def test_folder(tmp_path):
    fails(tmp_path, FILE, "found a folder, wanted Keras's .keras or .h5")


def test_pipe_does_not_block(tmp_path):
    os.mkfifo(tmp_path / "pipe.h5")
    fails(
        tmp_path / "pipe.h5",
        FILE,
        "found a pipe or device, wanted Keras's .keras or .h5",
    )


def test_path_with_a_null_byte():
    with pytest.raises(FILE, match="cannot be read: .*embedded null"):
        load_vgg16("a\0b.h5")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty; copy or download it again"),
        (b"<!DOCTYPE html><html>", "found a web page (it starts with b'<!DOCTYPE html><'"),
        (b"\n <html>", "found a web page"),
        (b"PK\x03\x04" * 100, "found a ZIP archive (it starts with"),
        (b"weights", "found no HDF5 file (it starts with b'weights'"),
        (b"\x89HDF\r\n\x1a\n", "the HDF5 file is damaged or truncated"),
        (b"\x89HDF\r\n\x1a\n" + b"\xff" * 100, "damaged or truncated: superblock version 255"),
    ],
    ids=["empty", "html", "html-spaces", "zip", "text", "signature", "superblock"],
)
def test_no_hdf5(tmp_path, content, message):
    path = tmp_path / "weights.h5"
    path.write_bytes(content)
    fails(path, FILE, re.escape(message))


def test_files_of_others(tmp_path):
    """As their own libraries write them, where these are here."""
    import zipfile

    written = {
        "m.pth": ("a PyTorch file (.pth, .pt)", "compare the logits"),
        "old.pth": ("a Python pickle, as of PyTorch (.pth, .pt)", "compare the logits"),
        "m.safetensors": ("a safetensors file", "compare the logits"),
        "m.npz": ("NumPy arrays (.npz)", "model.save_weights"),
        "lfs.h5": ("a pointer of Git LFS, not the file it stands for", "run git lfs pull"),
        "m.h5.gz": ("a compressed file", "unpack it"),
        "m.json": ("JSON text, perhaps a description without weights", "model.save_weights"),
    }
    with zipfile.ZipFile(tmp_path / "m.pth", "w") as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02}.")  # as torch.save does since 1.6
    # torch.save before 1.6: pickles, the first of which is a magic number.
    (tmp_path / "old.pth").write_bytes(b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19." + bytes(99))
    head = b'{"conv.weight":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'
    (tmp_path / "m.safetensors").write_bytes(len(head).to_bytes(8, "little") + head + bytes(4))
    np.savez(tmp_path / "m.npz", kernel=np.ones(3))
    oid = "oid sha256:" + 64 * "0"
    (tmp_path / "lfs.h5").write_text(f"version https://git-lfs.github.com/spec/v1\n{oid}\nsize 9\n")
    (tmp_path / "m.h5.gz").write_bytes(gzip.compress(b"weights"))
    (tmp_path / "m.json").write_text('{"class_name": "Functional"}')
    for name, (kind, do) in written.items():
        fails(tmp_path / name, FILE, re.escape(f"found {kind} (it starts with") + f".*{do}")


@pytest.mark.parametrize("share", [0.01, 0.5, 1.0], ids=["1%", "50%", "one byte short"])
def test_truncated(tmp_path, share):
    path = small_file(tmp_path)
    whole = path.read_bytes()
    size = min(int(share * len(whole)), len(whole) - 1)
    path.write_bytes(whole[:size])
    fails(path, FILE, f"is truncated: found {size:,} bytes, wanted {len(whole):,}; copy or")


def test_trailing_bytes(tmp_path):
    path = small_file(tmp_path)
    size = path.stat().st_size
    with path.open("ab") as file:
        file.write(b"\n")
    message = f"has something behind its end: found {size + 1:,} bytes, wanted {size:,}"
    fails(path, FILE, message)


def test_user_block(tmp_path):
    path = small_file(tmp_path)
    moved = bytearray(path.read_bytes())
    moved[24] = 8
    path.write_bytes(moved)
    fails(path, LAYOUT, "found addresses of 8 bytes from byte 8, wanted 8 from 0")


# --- Other networks, other layouts ------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (VGG16_NAMES[:-3], "missing fc1, fc2, predictions; this looks like VGG16 without its "
         r"classifier \('notop'\); wanted Keras's VGG16 with its classifier: pass top=False"),
        (VGG19_NAMES, "not in the network: block3_conv4, block4_conv4, block5_conv4; this looks "
         "like VGG19; wanted Keras's VGG16 with its classifier"),
        (RESNET50_NAMES, "missing block1_conv1, block1_conv2, .*not in the network: conv1, "
         "bn_conv1, .*; this looks like a ResNet; wanted Keras's VGG16"),
        (VGG16_NAMES[:-1], "missing predictions"),
        (VGG16_NAMES[::-1], "layers in another order: predictions, fc2, fc1"),
        (["x" * 200, *VGG16_NAMES[1:]], "missing block1_conv1; not in the network: x{40}, "),
    ],
    ids=["notop", "vgg19", "resnet50", "missing layer", "order", "long name"],
)  # fmt: skip
def test_other_network(tmp_path, names, message):
    fails(names_only(tmp_path, names), LAYOUT, message)


def test_classifier_where_none_is_wanted(tmp_path):
    message = "looks like VGG16 with its classifier; .* without its classifier: leave out top"
    fails(names_only(tmp_path, VGG16_NAMES), LAYOUT, message, top=False)


def test_a_file_that_is_not_of_keras(tmp_path):
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["data"] = np.ones(3)
    fails(tmp_path / "other.h5", LAYOUT, "holds no Keras weights: neither an attribute 'layer_n")


def to_keras3(file: h5py.File) -> None:
    """Move everything to where Keras 3 puts it."""
    for prefix, stem in (("block", "conv2d"), ("f", "dense"), ("p", "dense")):
        for name in VGG16_NAMES:
            if name.startswith(prefix):
                number = sum(key.startswith(stem) for key in file.get("layers", ()))
                group = file.create_group(f"layers/{stem}{f'_{number}' if number else ''}/vars")
                group["0"], group["1"] = file[name][f"{name}_W_1:0"], file[name][f"{name}_b_1:0"]
                group.attrs["name"] = name
    del file.attrs["layer_names"]


def test_keras3_layout_loads(tmp_path):
    same(small_file(tmp_path, to_keras3))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.create_group("layers/dense_3"), "an extra layer, layers/dense_3; wanted"),
        (lambda f: f.pop("layers/dense_2"), r"predictions: not in the file \(wanted layers/den"),
        (lambda f: f["layers/dense/vars"].attrs.__setitem__("name", "fc9"),
         "fc1: layers/dense is named 'fc9', wanted 'fc1'"),
        (lambda f: f["layers/dense/vars"].create_group("2"),
         "fc1: more arrays than a kernel and a bias"),
        (lambda f: f.pop("layers/dense/vars/1"), "layers/dense/vars/1: not in the file"),
    ],
)  # fmt: skip
def test_bad_keras3_layout(tmp_path, change, message):
    def edit(file):
        to_keras3(file)
        change(file)

    fails(small_file(tmp_path, edit), LAYOUT, message)


def wrap(file: h5py.File) -> None:
    """Put everything under model_weights, as Keras's model.save does."""
    group = file.create_group("model_weights")
    for name in [name for name in file if name != "model_weights"]:
        file.move(name, f"model_weights/{name}")
    group.attrs["layer_names"] = file.attrs.pop("layer_names")


def test_model_weights_wrapper_loads(tmp_path):
    same(small_file(tmp_path, wrap))


def test_wrapper_that_is_the_root_itself_loads(tmp_path):
    same(small_file(tmp_path, lambda file: file.__setitem__("model_weights", file["/"])))


# --- Links, names, attributes -----------------------------------------------------------------


def relink(target: object, name: str = KERNEL) -> Edit:
    def edit(file):
        del file[name]
        file[name] = file[target] if isinstance(target, str) else target

    return edit


def attribute(value: object, owner: str = "fc1", name: str = "weight_names") -> Edit:
    return lambda file: file[owner].attrs.create(name, value)


LAYOUT_CASES = {
    "soft link": (relink(h5py.SoftLink("/fc2/fc2_W_1:0")), "fc1/fc1_W_1:0: found a soft link, wan"),
    "soft link to itself": (relink(h5py.SoftLink(f"/{KERNEL}")), "found a soft link, wanted the d"),
    "dangling soft link": (relink(h5py.SoftLink("/nowhere")), "found a soft link, wanted the data"),
    "soft link to a group": (relink(h5py.SoftLink("/fc2"), "fc1"), "fc1: found a soft link"),
    "hard link to its own group": (relink("/fc1"), "fc1/fc1_W_1:0: found a group, wanted a datas"),
    "hard link to the root": (relink("/", "fc1"), "fc1: no attribute 'weight_names'"),
    "dataset for a group": (relink("/fc2/fc2_W_1:0", "fc1"), "fc1: found a dataset, wanted a grou"),
    "named type": (
        lambda f: (f.pop(KERNEL), f.__setitem__(KERNEL, np.dtype("f4"))),
        "found no group or dataset, wanted a dataset",
    ),
    "missing array": (lambda f: f.pop(KERNEL), "fc1/fc1_W_1:0: not in the file; copy the file"),
    "missing group": (lambda f: f.pop("fc1"), "fc1: not in the file"),
    "missing bias": (attribute([b"fc1_W_1:0"]), r"fc1: found 1 arrays \(fc1_W_1:0\), wanted a ker"),
    "third array": (attribute([b"a", b"b", b"c"]), r"found 3 arrays \(a, b, c\), wanted a kernel"),
    "duplicate array": (attribute([b"fc1_W_1:0"] * 2), "an array of .* is listed twice; wanted ea"),
    "misordered arrays": (
        attribute([b"fc1_b_1:0", b"fc1_W_1:0"]), "are fc1_b_1:0, fc1_W_1:0; wanted a kernel"
    ),
    "duplicate layer": (
        lambda f: f.attrs.create("layer_names", [*f.attrs["layer_names"], "fc1"], dtype="S20"),
        "fc1: the layer is listed twice",
    ),
    "dots in a name": (
        attribute([b"../fc2/fc2_W_1:0", b"fc1_b_1:0"]), "'fc1/../fc2/fc2_W_1:0' is not allowed; wa"
    ),
    "absolute name": (attribute([b"/fc2/fc2_W_1:0", b"fc1_b_1:0"]), "fc1//fc2.* is not allowed"),
    "empty name": (attribute([b"", b"fc1_b_1:0"]), "'fc1/' is not allowed; wanted plain names"),
    "deep name": (attribute([b"a/" * 20 + b"x", b"y"]), "fc1/a: not in the file"),
    "long name": (attribute([b"a" * 9000, b"c"]), "the name 'fc1/a{70,76}' is not allowed"),
    "dots for a layer": (
        lambda f: f.attrs.create("layer_names", [b".."]), r"'\.\.' is not allowed; wanted plain"
    ),
    "names in many pieces": (
        lambda f: (
            f.attrs.pop("layer_names"),
            [f.attrs.create(f"layer_names{i}", [b"x"] * 900) for i in range(3)],
        ),
        "attribute 'layer_names' has 1,800 entries",
    ),
    "names that are numbers": (attribute([1.0, 2.0]), "of /fc1 holds no text; wanted names"),
    "names not UTF-8": (attribute([b"\xff\xfe", b"\xc0"]), "of /fc1 is not UTF-8 text; want"),
    "no weight_names": (
        lambda f: f["fc1"].attrs.pop("weight_names"), "fc1: no attribute 'weight_names'; save"
    ),
    "description is no JSON": (
        lambda f: f.attrs.create(CONFIG, "{"), "attribute 'jaxvis' does not describe a VGG16"
    ),
    "description of infinity": (
        lambda f: f.attrs.create(
            CONFIG, '{"architecture": {"classes": Infinity}, "labels": null, "facts": {}}'
        ),
        "does not describe a VGG16",
    ),
    "description of another class": (
        lambda f: f.attrs.create(CONFIG, '{"architecture": {"rngs": 1}, "labels": [], "facts": 0}'),
        "does not describe a VGG16",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("edit", "message"), LAYOUT_CASES.values(), ids=LAYOUT_CASES)
def test_bad_layout(tmp_path, edit, message):
    fails(small_file(tmp_path, edit), LAYOUT, message)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (np.full(1_000_000, b"x"), "1,000,000 entries and 1,000,000 bytes; wanted at most 1,000 "),
        (np.array([b"x" * 2_000_000]), "1 entries and 2,000,000 bytes; wanted at most 1,000 and"),
        ([chr(97 + i % 26) * 1000 for i in range(1001)], "1,001 entries and 8,008 bytes; wanted"),
    ],
    ids=["a million", "a long one", "many of any length"],
)
def test_too_many_names(tmp_path, names, message):
    with h5py.File(tmp_path / "many.h5", "w", libver="latest") as file:
        file.attrs["layer_names"] = names
    fails(tmp_path / "many.h5", LAYOUT, f"attribute 'layer_names' of / has {message}")


# --- What an array declares of itself -----------------------------------------------------------


def filtered(file: h5py.File) -> None:
    """Ask for a filter that nobody has."""
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plist.set_chunk((8, 16))
    plist.set_filter(32_999, h5py.h5z.FLAG_OPTIONAL)
    del file[KERNEL]
    space = h5py.h5s.create_simple((8, 16))
    h5py.h5d.create(file.id, KERNEL.encode(), h5py.h5t.IEEE_F32LE, space, plist)


def compact(file: h5py.File) -> None:
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plist.set_layout(h5py.h5d.COMPACT)
    del file[KERNEL]
    space = h5py.h5s.create_simple((8, 16))
    h5py.h5d.create(file.id, KERNEL.encode(), h5py.h5t.IEEE_F32LE, space, plist)


def bfloat16(file: h5py.File) -> None:
    kind = h5py.h5t.IEEE_F16LE.copy()
    kind.set_fields(15, 7, 8, 0, 7)
    kind.set_ebias(127)
    del file[KERNEL]
    h5py.h5d.create(file.id, KERNEL.encode(), kind, h5py.h5s.create_simple((8, 16)))


def poisoned(value: float) -> Edit:
    def edit(file):
        file[KERNEL][3, 5] = value

    return edit


CONV = "block1_conv2/block1_conv2_W_1:0"
MISMATCH_CASES = {
    "huge shape": (
        lambda f: replace(f, shape=(2**50,), dtype="f4", chunks=(1024,)),
        r"fc1/kernel: found shape \(1125899906842624,\), wanted \(8, 16\); this is another netwo",
    ),
    "no shape": (lambda f: replace(f, h5py.Empty("f4")), r"found shape None, wanted \(8, 16\)"),
    "scalar": (lambda f: replace(f, np.float32(1)), r"found shape \(\), wanted \(8, 16\)"),
    "other shape": (lambda f: replace(f, np.ones((8, 15), "f4")), r"found shape \(8, 15\), wanted"),
    "transposed": (lambda f: replace(f, np.ones((16, 8), "f4")), r"found shape \(16, 8\), wanted"),
    "OIHW": (
        lambda f: replace(f, np.ones((2, 1, 3, 3), "f4"), "block2_conv1/block2_conv1_W_1:0"),
        "block2_conv1/kernel: found shape .2, 1, 3, 3., wanted .3, 3, 1, 2.; the kernels are OIHW "
        "(.*): transposing them is not enough: fc1 is in another order",
    ),
    "other classes": (
        lambda f: replace(f, np.ones((16, 7), "f4"), "predictions/predictions_W_1:0"),
        r"predictions/kernel: found shape \(16, 7\), wanted \(16, 10\); if the file has 7 classes,",
    ),
    "string": (lambda f: replace(f, np.full((8, 16), b"1")), r"found \|S1, wanted float32 or"),
    "object": (
        lambda f: replace(f, shape=(8, 16), dtype=h5py.string_dtype()), "found object, wanted floa"
    ),
    "compound": (
        lambda f: replace(f, np.zeros((8, 16), [("a", "f4"), ("b", "i4")])), "found .*'a'.*wanted"
    ),
    "int": (lambda f: replace(f, np.ones((8, 16), "i4")), "found int32, wanted float32 or float16"),
    "bool": (lambda f: replace(f, np.ones((8, 16), bool)), "found bool, wanted float32"),
    "complex": (lambda f: replace(f, np.ones((8, 16), "c8")), "found complex64, wanted float32 or"),
    "float64": (
        lambda f: replace(f, np.ones((8, 16), "f8")),
        r"found float64 \(it would be rounded without a word\), wanted float32 or float16; save th",
    ),
    "bfloat16": (bfloat16, "fc1/kernel: found .*, wanted float32 or float16; save"),
    "NaN": (poisoned(np.nan), "fc1/kernel: 1 of 128 values are NaN or infinite; wanted finite num"),
    "infinity": (poisoned(-np.inf), "fc1/kernel: 1 of 128 values are NaN or infinite"),
    "NaN in float16": (
        lambda f: replace(f, np.full((8, 16), np.nan, ">f2")), "128 of 128 values are NaN or inf"
    ),
}  # fmt: skip


@pytest.mark.parametrize(("edit", "message"), MISMATCH_CASES.values(), ids=MISMATCH_CASES)
def test_bad_array(tmp_path, edit, message):
    fails(small_file(tmp_path, edit), MISMATCH, message)


STORAGE_CASES = {
    "lzf": (lambda f: replace(f, compression="lzf"), LAYOUT, r"found filter 32000 \(lzf\), wanted"),
    "fletcher32": (lambda f: replace(f, fletcher32=True), LAYOUT, r"found filter 3 \(fletcher32\)"),
    "unknown filter": (filtered, LAYOUT, r"found filter 32999 \(unknown\), wanted none, gzip or"),
    "compact": (compact, LAYOUT, "found compact storage, wanted the data in this file, contig"),
    "never written": (
        lambda f: replace(f, shape=(8, 16), dtype="f4"), FILE, r"from \(0, 0\) on was never written"
    ),
    "chunk never written": (
        lambda f: replace(f, shape=(8, 16), dtype="f4", chunks=(4, 16)), FILE, "was never written"
    ),
    "huge chunks": (
        lambda f: replace(f, chunks=(2**12, 2**12), maxshape=(None, None)), FILE,
        r"damaged: 1 chunks of \(4096, 4096\) for shape \(8, 16\)",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("edit", "kind", "message"), STORAGE_CASES.values(), ids=STORAGE_CASES)
def test_bad_storage(tmp_path, edit, kind, message):
    fails(small_file(tmp_path, edit), kind, message)


@pytest.mark.parametrize(
    "options",
    [
        {"chunks": True}, {"chunks": (3, 5)}, {"compression": "gzip"}, {"dtype": ">f4"},
        {"compression": "gzip", "shuffle": True, "chunks": (5, 16)},
        {"compression": "gzip", "shuffle": True, "dtype": ">f4", "chunks": (7, 3)},
    ],
    ids=str,
)  # fmt: skip
def test_other_storage_loads_exactly(tmp_path, options):
    def edit(file):
        for name in VGG16_NAMES:
            some = dict(options)
            kernel = f"{name}/{name}_W_1:0"
            if "chunks" in some and some["chunks"] is not True:
                steps = (1, 1, *some["chunks"])[-file[kernel].ndim :]
                some["chunks"] = tuple(map(min, steps, file[kernel].shape))
            replace(file, name=kernel, **some)

    same(small_file(tmp_path, edit))


def test_chunk_that_gzip_left_alone_loads(tmp_path):
    """A chunk's mask can say that a filter was not applied to it."""

    def edit(file):
        values = file[KERNEL][...]
        replace(file, chunks=(8, 16), compression="gzip")
        file[KERNEL].id.write_direct_chunk((0, 0), values.tobytes(), filter_mask=1)

    same(small_file(tmp_path, edit))


def test_changed_value(tmp_path):
    """What `save_vgg16` wrote has checksums; Keras's own files have none."""
    path = small_file(tmp_path)
    with h5py.File(path, "r+") as file:
        file[KERNEL][3, 5] += 1
    fails(path, FILE, "fc1/kernel: its values have changed since they were saved .CRC-32 ......")


def test_two_arrays_in_one_place(tmp_path):
    path = small_file(
        tmp_path, relink("/block5_conv3/block5_conv3_W_1:0", "block5_conv2/block5_conv2_W_1:0")
    )
    fails(path, FILE, "block5_conv3/kernel: shares bytes of the file with block5_conv2/kernel")


def test_all_zero_kernel_warns(tmp_path):
    path = small_file(tmp_path, lambda f: replace(f, np.zeros((8, 16), "f4")))
    with pytest.warns(UserWarning, match=r"small.h5: fc1/kernel is zero everywhere"):
        load_vgg16(path)


# --- Bombs --------------------------------------------------------------------------------------


def direct_chunk(data: bytes) -> Edit:
    """Write the bytes of the one chunk of fc1's kernel, 512 bytes when unpacked."""

    def edit(file):
        replace(file, chunks=(8, 16), compression="gzip")
        file[KERNEL].id.write_direct_chunk((0, 0), data)

    return edit


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (zlib.compress(bytes(1 << 20)), "it unpacks to more than 512 bytes, wanted 512"),
        (zlib.compress(bytes(100)), "it unpacks to 100 bytes, wanted 512"),
        (zlib.compress(np.ones((8, 16), "f4").tobytes())[:-6], "its end is missing"),
        (b"no zlib stream", "Error -3 while decompressing"),
        (os.urandom(5000), "found 5,000 bytes, wanted 512"),
    ],
    ids=["bomb", "short", "cut", "no zlib", "long"],
)
def test_bad_chunk(tmp_path, data, message):
    fails(small_file(tmp_path, direct_chunk(data)), FILE, message)


MEASURE = """
import sys, re, resource
sys.path[:] = {path!r}
sys.path.append({package!r})
from pathlib import Path
from jaxvis.weights.apart import plan_apart
from jaxvis.weights.arrays import read_arrays
try:
    read_arrays(Path({file!r}), *plan_apart(Path({file!r}))[3:])
except ValueError as error:
    print(error)
child = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
own = int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
print("MB", max(child, own) / 1e3)
"""


def peak_memory(path: Path) -> tuple[str, float]:
    """Load in a process of its own; return its error and its peak memory, or its child's, in MB."""
    package = str(Path(plan_apart.__file__).parents[2])
    script = MEASURE.format(path=sys.path, package=package, file=str(path))
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=100, check=True
    )
    message, size = done.stdout.rsplit("MB", 1)
    return message, float(size)


def wrong_shape(file: h5py.File) -> None:
    """3.9 GiB of zeros in a dataset of that size."""
    side, rows = 32_352, 1011
    replace(file, name=FC2, shape=(side, side), dtype="f4", chunks=(rows, side), compression="gzip")
    chunk = zlib.compress(bytes(rows * side * 4), 9)
    for row in range(0, side, rows):
        file[FC2].id.write_direct_chunk((row, 0), chunk)


def claim_units(file: h5py.File, units: int) -> None:
    """Let the file describe a network with as many units in fc1."""
    file.attrs[CONFIG] = str(file.attrs[CONFIG]).replace('"fc": 16', f'"fc": {units}')
    for name, shape in (("fc1_W", (8, units)), ("fc1_b", (units,))):
        replace(file, np.ones(shape, "f4"), f"fc1/{name}_1:0", compression="gzip")


def claimed_shape(file: h5py.File) -> None:
    """The same in a network that is said to be so large."""
    claim_units(file, 32_352)
    wrong_shape(file)


def one_chunk(file: h5py.File) -> None:
    """3.9 GiB of zeros in the stream of one chunk, which declares 4 MiB."""
    claim_units(file, 1024)
    for name, shape in ((FC2.replace("_W_", "_b_"), (1024,)), (FC3, (1024, 10))):
        replace(file, np.ones(shape, "f4"), name)
    replace(file, name=FC2, shape=(1024, 1024), dtype="f4", chunks=(1024, 1024), compression="gzip")
    stream = zlib.compressobj(9)
    pieces = [stream.compress(bytes(1 << 24)) + stream.flush(zlib.Z_FULL_FLUSH) for _ in range(2)]
    file[FC2].id.write_direct_chunk((0, 0), pieces[0] + pieces[1] * 240)


def long_text(file: h5py.File) -> None:
    """Texts of any length, as many as are allowed, and 20 MB of them."""
    file.attrs["layer_names"] = ["x" * 60_000] * 300


FC2, FC3 = "fc2/fc2_W_1:0", "predictions/predictions_W_1:0"
BOMBS = [
    (wrong_shape, r"fc2/kernel: found shape \(32352, 32352\), wanted \(16, 16\)"),
    (claimed_shape, r"fc2/kernel: 4,\d{3},\d{3} bytes that would unpack to 4,186,6"),
    (one_chunk, "fc2/kernel: the chunk at .* unpacks to more than 4,194,304 bytes, wanted 4,19"),
]


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads peak memory from /proc")
@pytest.mark.parametrize(("edit", "problem"), BOMBS)
def test_gzip_bomb(tmp_path, edit, problem):
    path = small_file(tmp_path, edit)
    assert path.stat().st_size < 5e6
    message, megabytes = peak_memory(path)
    assert re.search(problem, message)
    assert megabytes < 200


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads peak memory from /proc")
@pytest.mark.parametrize("length", [1 << 28, 0xE000_0000, 0xFFFF_FFFF])
def test_a_text_that_claims_a_length(tmp_path, length):
    """One changed number in 57 kB; HDF5 allocates what it says before it looks at what there is."""
    path = small_file(tmp_path)
    content = path.read_bytes()
    with h5py.File(path) as file:
        claim = len(file.attrs[CONFIG]).to_bytes(4, "little")
    found = [at for at in range(len(content)) if content.startswith(claim, at)]
    outcomes = set()
    for at in found:
        path.write_bytes(content[:at] + length.to_bytes(4, "little") + content[at + 4 :])
        message, megabytes = peak_memory(path)
        outcomes.add(bool(message))
        assert megabytes < 200 + path.stat().st_size / 1e6
    assert True in outcomes


def test_long_texts(tmp_path):
    path = tmp_path / "long.h5"
    with h5py.File(path, "w", libver="latest") as file:
        long_text(file)
    fails(path, LAYOUT, "300 entries and 18,000,000 bytes; wanted at most 1,000 and 1,048,576")


# --- Other files stay closed, and the user's file as it was ---------------------------------------


def external_link(file: h5py.File, other: Path) -> None:
    del file[KERNEL]
    file[KERNEL] = h5py.ExternalLink(str(other), "/secret")


def external_model_weights(file: h5py.File, other: Path) -> None:
    file["model_weights"] = h5py.ExternalLink(str(other), "/")


def external_storage(file: h5py.File, other: Path) -> None:
    replace(file, shape=(8, 16), dtype="f4", external=[(str(other), 0, 512)])


def virtual(file: h5py.File, other: Path) -> None:
    layout = h5py.VirtualLayout((8, 16), "f4", maxshape=(None, 16))
    source = h5py.VirtualSource(str(other), "secret", (8, 16), maxshape=(None, 16))
    layout[: h5py.h5s.UNLIMITED, :] = source[: h5py.h5s.UNLIMITED, :]
    del file[KERNEL]
    file.create_virtual_dataset(KERNEL, layout)


ELSEWHERE = [
    (external_link, "fc1/fc1_W_1:0: found an external link, wanted the data itself"),
    (external_model_weights, "model_weights: found an external link, wanted the data itself"),
    (external_storage, "fc1/kernel: found data in another file, wanted the data in this file"),
    (virtual, "fc1/kernel: found virtual storage, wanted the data in this file"),
]


def opens(script: str, pipe: Path) -> bool:
    """Whether a Python script opens a pipe, at which it then waits."""
    with subprocess.Popen([sys.executable, "-c", script]) as process:
        while process.poll() is None:
            try:
                os.close(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK))  # fails without a reader
            except OSError:
                time.sleep(0.01)
            else:
                process.kill()
                return True
    return False


@pytest.mark.parametrize(("edit", "message"), ELSEWHERE)
def test_other_files_stay_closed(tmp_path, edit, message, monkeypatch):
    """The other file is a pipe: whoever opens it waits for ever, as h5py does, the control."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    path = small_file(tmp_path, lambda file: edit(file, pipe))
    name = "model_weights/secret" if edit is external_model_weights else KERNEL
    assert opens(f"import h5py; h5py.File({str(path)!r})[{name!r}][...]", pipe)
    monkeypatch.setattr(plan_apart, "TIMEOUT", 20.0)
    fails(path, LAYOUT, message)


def test_secret_is_not_read_from_a_real_file(tmp_path):
    """The same with a file that could be read: the error comes before any array."""
    secret = tmp_path / "secret"
    secret.write_bytes(np.full((8, 16), 42, "f4").tobytes())
    path = small_file(tmp_path, lambda file: external_storage(file, secret))
    with h5py.File(path) as file:
        assert (file[KERNEL][...] == 42).all()
    fails(path, LAYOUT, "found data in another file")


def test_a_file_is_left_as_it_was(tmp_path):
    path = small_file(tmp_path)
    os.utime(path, ns=(10**18, 10**18))
    path.chmod(0o444)
    before, content = path.stat(), path.read_bytes()
    same(path)
    after = path.stat()
    assert path.read_bytes() == content
    assert (before.st_mtime_ns, before.st_mode) == (after.st_mtime_ns, after.st_mode)
    assert os.listdir(tmp_path) == ["small.h5"]


# --- Without a classifier, and wrong requests -----------------------------------------------------


def test_notop(tmp_path):
    from jaxvis.weights.save import save_vgg16

    save_vgg16(VGG16(width=1 / 64, size=32, top=False, seed=3), tmp_path / "notop.h5")
    model = load_vgg16(tmp_path / "notop.h5")
    assert not model.architecture.top
    assert model.labels is None
    x = np.random.default_rng(0).normal(0, 50, (1, 32, 32, 3)).astype("f4")
    whole = VGG16(width=1 / 64, size=32, seed=3)
    for layer in ("block5_conv3", "block5_pool"):
        found, wanted = (m.cut(layer)[0](x) for m in (model, whole))
        np.testing.assert_array_equal(found, wanted)
    for call in (model, model.cut("block5_conv3")[1], lambda _: model.cut("fc1")):
        with pytest.raises(ValueError, match=r"has no classifier .* model.cut\(\"block5_pool\"\)"):
            call(x)
    fails(tmp_path / "notop.h5", LAYOUT, "missing fc1, fc2, predictions; this looks", top=True)


def test_notop_in_the_keras_layout(tmp_path):
    def edit(file):
        del file.attrs[CONFIG]
        file.attrs["layer_names"] = [n for n in file.attrs["layer_names"] if "block" in str(n)]

    model = load_vgg16(small_file(tmp_path, edit), top=False)
    assert model.architecture == architecture(width=1 / 64, top=False)
    for name, array in arrays_of(model).items():
        np.testing.assert_array_equal(array, arrays_of(small_model())[name])


def test_labels_that_do_not_fit(tmp_path):
    message = (
        r"has 10 classes, but labels= \(--labels\) gives 2 names; leave it out, or give as many"
    )
    fails(small_file(tmp_path), MISMATCH, message, labels=["a", "b"])
