"""Where networks come from: a name, a Keras .h5 file -> checked arrays -> VGG16, a function."""

import os
import re
import sys
import warnings
from collections.abc import Sequence
from importlib import import_module
from importlib.resources import files
from pathlib import Path
from types import ModuleType
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike

from jaxvis.errors import InputError
from jaxvis.folders import expanded
from jaxvis.models.layers import Architecture
from jaxvis.models.network import Network, as_network, describe
from jaxvis.models.vgg16 import VGG16
from jaxvis.weights.apart import plan_apart
from jaxvis.weights.arrays import Plan, read_arrays
from jaxvis.weights.efficientnet_lite import NAME as EFFICIENTNET_LITE0
from jaxvis.weights.efficientnet_lite import load_efficientnet_lite0
from jaxvis.weights.errors import about
from jaxvis.weights.fetch import SOURCES, fetch

Arrays = dict[str, np.ndarray]
DEMO = "demo"


def load(
    network: str | os.PathLike[str] = "demo",
    *,
    labels: Sequence[str] | None = None,
    precision: str | None = None,
) -> Network:
    """Return a `Network`: one that jaxvis knows, a VGG16 from a file, or your own.

    Args:
        network: "demo", "imagenet", or "efficientnet-lite0", whose weights another package brings;
            the path of a Keras .h5 file of VGG16; or "module:function", which is imported, the
            working directory included, and called without arguments: it returns a `Network`, as
            `jv.describe` makes one, or a VGG16.
            What such a module does when it is imported is done: it is code.
        labels: one name per class, in place of those that the network has.
        precision: of a network that jaxvis builds, as in `VGG16`; others see to their own.

    Raises:
        WeightsError: as `load_vgg16`.
        NetworkError: there is no such module or function, or it returns something else.
        ValueError: another number of labels than classes.
    """
    text = str(network)
    if text == EFFICIENTNET_LITE0:
        found = load_efficientnet_lite0(precision=precision)
        return found if labels is None else _relabelled(found, labels)
    if not names_function(text):
        model = load_vgg16(network, labels=labels, precision=precision)
        return describe(model, name=f"VGG16, {text}")
    made = _made_by(text)
    if precision is not None:
        raise NetworkError(
            f"{text}: precision={precision!r} is for networks that jaxvis builds; set it in the "
            "function itself, with jax.default_matmul_precision"
        )
    return made if labels is None else _relabelled(made, labels)


def _relabelled(network: Network, labels: Sequence[str]) -> Network:
    return describe(**{**network._asdict(), "labels": tuple(labels)})


_FUNCTION = re.compile(r"[A-Za-z_][\w.]+:[A-Za-z_]\w*")


def names_function(network: str) -> bool:
    """Whether this is "module:function", and not the path of a file."""
    return bool(_FUNCTION.fullmatch(network)) and not Path(network).exists()


class NetworkError(InputError):
    """A network that cannot be had from "module:function"; the message says why."""


def _made_by(text: str) -> Network:
    module_name, _, name = text.partition(":")
    here = os.getcwd()  # where people keep the module, and others that it imports, maybe later
    sys.path.insert(0, here)
    try:
        function = getattr(_imported(module_name, text), name, None)
        if not callable(function):
            raise NetworkError(
                f"{text}: {module_name} has no function {name!r}; wanted one that returns a Network"
            )
        made = function()
    finally:
        sys.path.remove(here)
    if isinstance(made, Network | VGG16):
        return as_network(made)
    raise NetworkError(
        f"{text}: it returned something of type {type(made).__name__}; wanted a Network: "
        "jv.describe(model, size=..., preprocess=...)"
    )


def _imported(module_name: str, text: str) -> ModuleType:
    try:
        return import_module(module_name)
    except ModuleNotFoundError as error:
        if not f"{module_name}.".startswith(f"{error.name}."):
            raise  # something that the module itself imports
        raise NetworkError(
            f"{text}: there is no module {error.name!r} here or among those installed; wanted "
            "MODULE:FUNCTION, as in my_network:make for make() in my_network.py"
        ) from error


def load_vgg16(
    weights: str | os.PathLike[str] = "demo",
    *,
    labels: Sequence[str] | None = None,
    top: bool | None = None,
    precision: str | None = None,
    param_dtype: DTypeLike = np.float32,
) -> VGG16:
    """Load a VGG16 from "demo", "imagenet" or a Keras .h5 file, all of it or nothing.

    Every name, shape and dtype is checked against the network before the first array is read. The
    full network with 1000 classes is wanted unless the file, written by `save_vgg16`, says what
    else it is; `labels` names the classes of a network that was trained on others.

    Args:
        weights: "demo", the small network in the package; "imagenet" or "imagenet-notop", Keras's
            own files, fetched on first use; or the path of a file, float32 or float16, which is
            only read.
        labels: one name per class; default those in the file, or ImageNet's for 1000 classes.
        top: False for a file without classifier; default what the file or its name says.
        precision, param_dtype: as in `VGG16`; the dtype is one of floating-point numbers.

    Raises:
        WeightsError: naming file and array, what was found and wanted, and what to do.
        InputError: a dtype that would round the weights to whole numbers.
    """
    if not jnp.issubdtype(param_dtype, jnp.floating):
        raise InputError(
            f"param_dtype is {jnp.dtype(param_dtype)}, in which most weights are 0; wanted "
            "floating-point numbers: float32, float64, float16 or bfloat16"
        )
    if weights == "imagenet-notop" and top is None:
        top = False
    file = weights_file(weights)
    with about(file):
        plan = _plan(weights, file, classes=None if labels is None else len(labels), top=top)
        arrays = read_arrays(file, plan.places, plan.checksums, plan.identity)
    for name in list(arrays):
        values = arrays[name].reshape(-1)
        if name.endswith("/kernel") and not (values[:1000].any() or values.any()):
            warnings.warn(f"{file}: {name} is zero everywhere", stacklevel=2)
        arrays[name] = arrays[name].astype(param_dtype, copy=False)
    return _build(plan.architecture, plan.labels if labels is None else labels, precision, arrays)


def weights_file(weights: str | os.PathLike[str]) -> Path:
    """Return the path behind "demo" or a known name, fetched; anything else is a path already."""
    if weights == DEMO:
        return Path(str(files("jaxvis") / "data" / "demo.h5"))
    if weights in SOURCES:
        return fetch(str(weights))
    return expanded(weights)


def _plan(
    weights: str | os.PathLike[str], file: Path, *, classes: int | None = None,
    top: bool | None = None,
) -> Plan:  # fmt: skip
    """Parse a file whose hash is known, or that came with the package, here; others apart."""
    if weights in (DEMO, *SOURCES):
        from jaxvis.weights.keras import make_plan

        return make_plan(file, classes=classes, top=top)
    return plan_apart(file, classes=classes, top=top)


def facts(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return what `save_vgg16` was told to keep with the weights; {} for other files.

    Raises:
        WeightsError: as `load_vgg16`.
    """
    with about(path):
        return _plan(path, weights_file(path)).facts


def _build(
    arch: Architecture, labels: Sequence[str] | None, precision: str | None, arrays: Arrays
) -> VGG16:
    """Put the arrays, named "fc1/kernel" and so on, into a VGG16."""
    layers = dict.fromkeys(name.split("/")[0] for name in arrays)
    weights = {name: (arrays[f"{name}/kernel"], arrays[f"{name}/bias"]) for name in layers}
    dtype = next(iter(arrays.values())).dtype
    return VGG16(
        **arch._asdict(), labels=labels, precision=precision, param_dtype=dtype, weights=weights
    )
