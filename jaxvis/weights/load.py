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

from jaxvis.errors import InputError, InputTypeError
from jaxvis.folders import expanded
from jaxvis.models.heads import ACTIVATIONS, OUTPUTS, POOLINGS, Affine
from jaxvis.models.layers import Architecture, layer_shapes
from jaxvis.models.network import Network, Preprocess, as_network, describe
from jaxvis.models.preprocessing import preprocessing
from jaxvis.models.vgg16 import VGG16
from jaxvis.text import near_names
from jaxvis.weights.apart import plan_apart
from jaxvis.weights.archive import weights_inside
from jaxvis.weights.arrays import NORMALIZATION, Plan, Told, read_arrays
from jaxvis.weights.efficientnet_lite import NAME as EFFICIENTNET_LITE0
from jaxvis.weights.efficientnet_lite import load_efficientnet_lite0
from jaxvis.weights.errors import WeightsFileError, WeightsMismatchError, about
from jaxvis.weights.fetch import SOURCES, fetch
from jaxvis.weights.pixels import of_normalization

Arrays = dict[str, np.ndarray]
DEMO = "demo"


def load(
    network: str | os.PathLike[str] = "demo",
    *,
    labels: Sequence[str] | None = None,
    precision: str | None = None,
    preprocess: Preprocess | str | None = None,
    size: tuple[int, int] | None = None,
    pool: str | None = None,
    activation: str | None = None,
    last: str | None = None,
) -> Network:
    """Return a `Network`: one that jaxvis knows, a VGG16 from a file, or your own.

    Args:
        network: "demo", "imagenet", or "efficientnet-lite0", whose weights another package brings;
            the path of a file of a VGG16 that Keras saved, with a head of your own or Keras's:
            .keras, .h5 or .weights.h5; or "module:function", which is imported, the working
            directory included, and called without arguments: it returns a `Network`, as
            `jv.describe` makes one, or a VGG16. What such a module does when it is imported is
            done: it is code.
        labels: one name per class, in place of those that the network has.
        precision: of a network that jaxvis builds, as in `VGG16`; others see to their own.
        preprocess: how images become what a network from a file reads, which its weights do not
            tell: "caffe" (Keras's own, and the default), "tf" (-1 to 1), "torch", "rescale" (0 to
            1), "raw" (0 to 255; the default where the model in the file scales them itself), or a
            function from uint8 RGB (n, height, width, 3).
        size, pool, activation, last: as in `load_vgg16`.

    Raises:
        WeightsError: as `load_vgg16`.
        NetworkError: there is no such module or function, or it returns something else.
        ValueError: another number of labels than classes.
    """
    text = str(network)
    if not names_function(text) and text != EFFICIENTNET_LITE0:
        model = load_vgg16(
            network, labels=labels, precision=precision, size=size, pool=pool,
            activation=activation, last=last, preprocess=preprocess,
        )  # fmt: skip
        return describe(model, name=f"VGG16, {text}")
    told = {
        "preprocess": preprocess, "size": size, "pool": pool, "activation": activation, "last": last
    }  # fmt: skip
    for name, value in told.items():
        if value is not None:
            raise NetworkError(
                f"{text}: {name}={value!r} is for networks from files; this one says it itself "
                "(a function of yours with jv.describe); leave it out"
            )
    if text == EFFICIENTNET_LITE0:
        found = load_efficientnet_lite0(precision=precision)
        return found if labels is None else _relabelled(found, labels)
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
    preprocess: Preprocess | str | None = None,
    size: tuple[int, int] | None = None,
    pool: str | None = None,
    activation: str | None = None,
    last: str | None = None,
) -> VGG16:
    """Load a VGG16 from "demo", "imagenet" or a file of Keras, all of it or nothing.

    Keras's own network, or its convolutions under a head of yours: Flatten or a global pooling,
    then dense layers, dropout, batch normalisation and activations; flat, or a model in a model.
    The last softmax or sigmoid is left off, so that the outputs are logits. Files are .keras, or
    .h5 of Keras 1, 2 or 3, of a whole model or its weights alone. A whole one says itself what the
    network is, and all else in it is refused by its name; nothing in it is executed. Every name,
    shape and dtype is checked before the first array is read.

    Args:
        weights: "demo", the small network in the package; "imagenet" or "imagenet-notop", Keras's
            own files, fetched on first use; or the path of a file, float32 or float16, which is
            only read.
        labels: one name per class; default those in the file, or ImageNet's for 1000 classes. A
            network of one unit has two classes: class 1 is the unit, class 0 its negative.
        top: False for a file without classifier; default what the file or its name says.
        precision, param_dtype: as in `VGG16`; the dtype is one of floating-point numbers.
        preprocess: as in `load`; it becomes the model's `preprocess`.
        size: height and width of the input, where the file does not say.
        pool: "avg" or "max", of weights alone behind a global pooling.
        activation: of the hidden dense layers, of weights alone: "relu", "linear", "sigmoid".
        last: what follows the last dense layer, of weights alone: "softmax", as is assumed of
            several units, or "sigmoid". It is left off, and makes probabilities of the logits.

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
    if isinstance(labels, str | os.PathLike):
        raise InputTypeError(
            f"labels is {str(labels)!r}, one text; wanted a sequence of names: of a file with one "
            "a line, Path(file).read_text().splitlines()"
        )
    told = _checked_told(size, pool, activation, last)
    file = weights_file(weights)
    with about(file), weights_inside(file) as (inside, description):
        plan = _plan(weights, inside, top=top, told=told, description=description)
        arch = plan.architecture
        if labels is not None and len(labels) != arch.classes:
            raise WeightsMismatchError(
                f"has {arch.classes} classes, but labels= (--labels) gives {len(labels)} names",
                do="leave it out, or give as many, one a line",
            )
        reads = None
        if preprocess is not None:
            reads = preprocessing(preprocess, arch.channels)
            if arch.front and preprocess != "raw":
                warnings.warn(
                    f"{file}: the model scales its input itself, and preprocess={preprocess!r} "
                    'comes before that; wanted "raw", the default, unless it was trained so',
                    stacklevel=2,
                )
        arrays = read_arrays(inside, plan.places, plan.checksums, plan.identity)
    for name in list(arrays):
        values = arrays[name].reshape(-1)
        if name.endswith("/kernel") and not (values[:1000].any() or values.any()):
            warnings.warn(f"{file}: {name} is zero everywhere", stacklevel=2)
        arrays[name] = arrays[name].astype(param_dtype, copy=False)
    names = plan.labels if labels is None else labels
    return build(arch, arrays, labels=names, precision=precision, reads=reads)


def _checked_told(size: Any, pool: Any, activation: Any, last: Any) -> Told:
    """What the user says of the network, checked as far as that goes without its file."""
    if size is not None:
        sides = tuple(size) if isinstance(size, tuple | list) else ()
        if len(sides) != 2 or not all(type(side) is int and side >= 32 for side in sides):
            raise InputError(f"size is {size!r}; wanted (height, width), each at least 32 pixels")
        size = sides
    if pool is not None and pool not in POOLINGS:
        raise InputError(f"pool is {pool!r}; wanted 'avg' or 'max'")
    if activation is not None and activation not in ACTIVATIONS:
        raise InputError(f"activation is {activation!r}; wanted one of {', '.join(ACTIVATIONS)}")
    if last is not None and last not in OUTPUTS:
        raise InputError(f"last is {last!r}; wanted {' or '.join(map(repr, OUTPUTS))}")
    return Told(size, pool, activation, last)


def weights_file(weights: str | os.PathLike[str]) -> Path:
    """Return the path behind "demo" or a known name, fetched; anything else is a path already."""
    if weights == DEMO:
        return Path(str(files("jaxvis") / "data" / "demo.h5"))
    if weights in SOURCES:
        return fetch(str(weights))
    path = expanded(weights)
    near = near_names(str(weights), (DEMO, *SOURCES, EFFICIENTNET_LITE0), 1)
    if near and not os.path.lexists(path):
        raise WeightsFileError(
            "there is no such file, nor a network of that name", do=f"did you mean {near[0]}?",
            file=str(weights),
        )  # fmt: skip
    return path


def _plan(
    weights: str | os.PathLike[str], file: Path, *, top: bool | None = None, told: Told = Told(),  # noqa: B008
    description: str | None = None,
) -> Plan:  # fmt: skip
    """Parse a file whose hash is known, or that came with the package, here; others apart."""
    if weights in (DEMO, *SOURCES):
        from jaxvis.weights.keras import make_plan

        return make_plan(file, top=top, told=told)
    return plan_apart(file, top=top, told=told, description=description)


def facts(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return what `save_vgg16` was told to keep with the weights; {} for other files.

    Raises:
        WeightsError: as `load_vgg16`.
    """
    with about(path):
        return _plan(path, weights_file(path)).facts


def build(
    arch: Architecture, arrays: Arrays, *, labels: Sequence[str] | None = None,
    precision: str | None = None, reads: Preprocess | None = None,
) -> VGG16:  # fmt: skip
    """Put arrays, named "fc1/kernel" and so on, into a VGG16."""
    weights = {
        row.name: tuple(arrays[f"{row.name}/{role}"] for role, _ in row.arrays)
        for row in layer_shapes(arch) if row.arrays
    }  # fmt: skip
    front = [affine if affine.sources else _filled(affine, arrays) for affine in arch.front]
    return VGG16(
        width=arch.width, size=arch.size, channels=arch.channels, top=arch.top, head=arch.head,
        front=front, reads=reads, labels=labels, precision=precision,
        param_dtype=next(iter(arrays.values())).dtype, weights=weights,
    )  # fmt: skip


def _filled(affine: Affine, arrays: Arrays) -> Affine:
    """A Normalization with the numbers that were arrays of the file."""
    mean, variance = (arrays[f"{affine.name}/{role}"].tolist() for role in NORMALIZATION)
    return of_normalization(affine.name, mean, variance, len(mean))
