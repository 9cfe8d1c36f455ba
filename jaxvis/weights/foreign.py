"""What people hand over in place of a Keras .h5 file, known by its first bytes, and the cure."""

_IN_KERAS = "in Keras, load it and save it with model.save_weights('vgg16.weights.h5')"
_OF_PYTORCH = (
    "its numbers are in another order: build VGG16 in Keras, set its weights there, compare the "
    "logits, and save that"
)
KERAS = (b"metadata.json", b"config.json", b"model.weights.h5")
_DOWNLOAD = "download the file itself, not the page about it"


def what_it_is(start: bytes) -> tuple[str, str]:
    """Return what a file is that starts so, and what to do about it."""
    if start.startswith(b"PK\x03\x04"):
        return _archive(start)
    if start.lstrip()[:1] == b"<":
        return "a web page", _DOWNLOAD
    if start.startswith(b"version https://git-lfs"):
        return "a pointer of Git LFS, not the file it stands for", "run git lfs pull"
    if start.startswith(b"\x80") and start[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return "a Python pickle, as of PyTorch (.pth, .pt)", _OF_PYTORCH
    if start[8:10] == b'{"' and int.from_bytes(start[:8], "little") < 1 << 32:
        return "a safetensors file", _OF_PYTORCH
    if start.startswith((b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"7z\xbc\xaf")):
        return "a compressed file", "unpack it, and give the .h5 file that is in it"
    if start.startswith(b"{"):
        return "JSON text, perhaps a description without weights", _IN_KERAS
    return "no HDF5 file", _DOWNLOAD


def is_keras_archive(start: bytes) -> bool:
    """Whether a file that starts so is one that Keras's `model.save` writes: .keras."""
    return start.startswith(b"PK\x03\x04") and _first_member(start).startswith(KERAS)


def _first_member(start: bytes) -> bytes:
    """The name of a ZIP archive's first member, which stands at byte 30."""
    return start[30 : 30 + int.from_bytes(start[26:28], "little")]


def _archive(start: bytes) -> tuple[str, str]:
    name = _first_member(start)
    if name.startswith(KERAS):
        return "a Keras archive (.keras)", _IN_KERAS
    if b"/data.pkl" in name or b"/byteorder" in name or b"/.format" in name:
        return "a PyTorch file (.pth, .pt)", _OF_PYTORCH
    if name.endswith(b".npy"):
        return "NumPy arrays (.npz)", _IN_KERAS
    return "a ZIP archive", "unpack it, and give the .h5 file that is in it"
