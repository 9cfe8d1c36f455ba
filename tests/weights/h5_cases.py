"""Small weight files, sound and not, for the tests of the loader."""

import json
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

import h5py
import numpy as np

from jaxvis.models.layers import LAYERS
from jaxvis.models.vgg16 import VGG16
from jaxvis.weights.save import save_vgg16

Edit = Callable[[h5py.File], object]
KERNEL = "fc1/fc1_W_1:0"  # shape (8, 16) in the small file
VGG16_NAMES = [layer.name for layer in LAYERS if layer.features]
VGG19_NAMES = [
    *(name for name in VGG16_NAMES if name < "block3_conv4"), "block3_conv4",
    *(name for name in VGG16_NAMES if "block4" in name), "block4_conv4",
    *(name for name in VGG16_NAMES if "block5" in name), "block5_conv4",
    "fc1", "fc2", "predictions",
]  # fmt: skip
RESNET50_NAMES = ["conv1", "bn_conv1", "res2a_branch2a", "bn2a_branch2a", "fc1000"]


@cache
def small_model() -> VGG16:
    """A VGG16 of 1 to 8 channels for 32 x 32 images and 10 classes."""
    return VGG16(width=1 / 64, classes=10, fc=16, size=32)


@cache
def small_bytes() -> bytes:
    """The small model as `save_vgg16` writes it."""
    with tempfile.TemporaryDirectory() as folder:
        save_vgg16(small_model(), Path(folder) / "small.h5")
        return (Path(folder) / "small.h5").read_bytes()


def small_file(folder: Path, edit: Edit | None = None, name: str = "small.h5") -> Path:
    """Write the small model, then change the file by hand, without its checksums in the way."""
    path = folder / name
    path.write_bytes(small_bytes())
    if edit is not None:
        with h5py.File(path, "r+") as file:
            config = json.loads(file.attrs["jaxvis"])
            del config["crc32"]
            file.attrs["jaxvis"] = json.dumps(config)
            edit(file)
    return path


def names_only(folder: Path, names: list[str]) -> Path:
    """A file in Keras's layout with the layers of another network, one number in each array."""
    path = folder / "other.h5"
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [name.encode() for name in names]
        for name in names:
            group = file.create_group(name)
            group.attrs["weight_names"] = [b"kernel:0", b"bias:0"]
            group["kernel:0"], group["bias:0"] = np.ones((2, 1), "f4"), np.ones(1, "f4")
    return path


def replace(file: h5py.File, data: object = None, name: str = KERNEL, **options: object) -> None:
    """Put other data, or a dataset made with other options, in the place of an array."""
    old = file[name][...]
    del file[name]
    if "shape" not in options:
        options["data"] = old if data is None else data
    file.create_dataset(name, **options)


def arrays_of(model: VGG16) -> dict[str, np.ndarray]:
    """The weights of a model by name."""
    return {
        f"{layer}/{role}": np.asarray(getattr(getattr(model, layer), role)[...])
        for layer in VGG16_NAMES if hasattr(model, layer) for role in ("kernel", "bias")
    }  # fmt: skip
