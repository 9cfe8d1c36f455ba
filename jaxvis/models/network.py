"""A network and all that one must know to use it: for report, evaluation and command alike.

Nothing that works on a `Network` knows VGG16 by name. `describe` makes one of a model of one's own.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import UInt8

from jaxvis.any_model.adapters import as_model
from jaxvis.errors import InputError, InputTypeError
from jaxvis.gradients.cut import is_pair
from jaxvis.gradients.target import as_inputs, channels_first, check_inputs, check_logits
from jaxvis.models import labels as _labels
from jaxvis.models.layers import summary_table
from jaxvis.models.parameters import parameter_table
from jaxvis.models.preprocessing import preprocess as _caffe
from jaxvis.models.vgg16 import VGG16
from jaxvis.pictures.files import check_filter

Preprocess = Callable[[UInt8[np.ndarray, "n height width 3"]], Any]


class Network(NamedTuple):
    """A network, described: plain data and functions.

    Attributes:
        model: `model(x, relu=...) -> logits`, with `cut(layer)`, or a pair `(body, head)`.
        size: height and width of its input in pixels.
        preprocess: from uint8 RGB (n, height, width, 3) to what the model takes.
        labels: a name for every class, or None.
        layer: where Grad-CAM is taken unless another layer is asked for.
        name: for captions.
        resample: the filter by which images are resized for it: one of Pillow's, by name.
    """

    model: Any
    size: tuple[int, int]
    preprocess: Preprocess
    labels: tuple[str, ...] | None
    layer: str | int
    name: str
    resample: str = "nearest"

    def class_index(self, name: str) -> int:
        """Return the index of a class by name, or by its number as text: 99 for "goose" or "99".

        Raises:
            ValueError: an unknown or ambiguous name, with the nearest names; or no names at all.
        """
        if self.labels is not None:
            return _labels.class_index(name, self.labels)
        if name.isdecimal():
            return int(name)
        raise InputError(
            f"{self.name} has no class names, so {name!r} cannot be found; pass the index, or give "
            "the network labels="
        )

    def class_name(self, index: int) -> str:
        """Return the name of a class, or "class 7" where there are no names."""
        return self.labels[index] if self.labels else f"class {index}"

    @property
    def layer_name(self) -> str:
        """The layer as a caption names it: by its name, or as "convolution -1"."""
        return self.layer if isinstance(self.layer, str) else f"convolution {self.layer}"

    @property
    def forward(self) -> Callable[[Any], Any]:
        """The network as one function from its input to logits, also where the model is a pair."""
        if is_pair(self.model):
            return jax.tree_util.Partial(_joined, *self.model)
        return self.model

    def summary(self) -> str:
        """Return the table of layers and parameters: Keras's for a VGG16, else one of arrays."""
        if isinstance(self.model, VGG16):
            size = jax.tree.leaves(self.model)[0].dtype.itemsize
            return summary_table(self.model.architecture, bytes_per_parameter=size)
        return parameter_table(self.model)


def _joined(body: Any, head: Any, x: Any) -> Any:
    return head(body(x))


def as_network(model: Any) -> Network:
    """Return a `Network` as it is, and the description of a model that describes itself."""
    return model if isinstance(model, Network) else describe(model)


def with_layer(network: Network, layer: str | int | None) -> Network:
    """Return the network with another layer for Grad-CAM; None leaves its own."""
    return network if layer is None else network._replace(layer=layer)


def grey_level(network: Network) -> float:
    """Return how much of the network's input one grey level of 255 is: 1 in Keras's mode "caffe".

    Noise and offsets are meant in grey levels, whatever `preprocess` makes of them. It is asked
    about two images half black and half white: one that divides by an image's own deviation would
    make nothing of an even one.
    """
    half = np.zeros((*network.size, 3), np.uint8)
    half[: network.size[0] // 2] = 255
    ends = np.stack([half, 255 - half])
    leaves = [np.asarray(leaf, np.float64) for leaf in jax.tree.leaves(network.preprocess(ends))]
    return max(float(np.abs(leaf[1] - leaf[0]).mean()) / 255 for leaf in leaves)


def describe(
    model: Any,
    *,
    size: tuple[int, int] | None = None,
    preprocess: Preprocess | None = None,
    labels: Sequence[str] | None = None,
    layer: str | int | None = None,
    name: str | None = None,
    resample: str = "nearest",
) -> Network:
    """Return the `Network` of a model, checked by tracing it once; nothing is computed.

    A `VGG16` knows all of it by itself. Of any other model, `size` and `preprocess` are wanted;
    `layer` is its last convolution unless given (see `cut_at`), and a Keras, Flax or Equinox model
    is exposed as by `expose_relu`.

    Args:
        model: as in `input_gradient`, or a pair `(body, head)`.
        size, preprocess, labels, layer, name, resample: as in `Network`.

    Raises:
        TypeError: the model cannot be called, takes no `relu=`, or something that it needs to be
            told is missing.
        ValueError: `preprocess` or the model returns something else than wanted, or the number of
            labels is not that of the classes.
    """
    if isinstance(model, VGG16):
        side = model.architecture.size
        names = model.labels if labels is None else tuple(labels)
        made = Network(
            model, size or (side, side), preprocess or _caffe, names,
            "block5_conv3" if layer is None else layer,
            name or "VGG16", resample,
        )  # fmt: skip
    else:
        if size is None or preprocess is None:
            raise InputTypeError(
                f"a {type(model).__name__} does not say what it reads; wanted size=(height, width) "
                "and preprocess=, a function from uint8 RGB (n, height, width, 3) to its input"
            )
        names = None if labels is None else tuple(labels)
        made = Network(
            as_model(model), size, preprocess, names, -1 if layer is None else layer,
            name or _name_of(model), resample,
        )  # fmt: skip
    _check(made)
    return made


def _name_of(model: Any) -> str:
    """The name that a model or function has of its own, else that of its class."""
    for attribute in ("function", "func"):  # what an exposed model and a Partial are made of
        if callable(getattr(model, attribute, None)):
            return _name_of(getattr(model, attribute))
    found = getattr(model, "name", None) or getattr(model, "__name__", None)
    return found if isinstance(found, str) else type(model).__name__


def _check(network: Network) -> None:
    """Raise what is wrong between an image and its logits; only `preprocess` computes."""
    size = network.size
    if (
        not isinstance(size, tuple)
        or len(size) != 2
        or not all(isinstance(side, int) and side > 0 for side in size)
    ):
        raise InputError(f"size is {size!r}; wanted (height, width) in pixels, such as (224, 224)")
    check_filter(network.resample)
    if isinstance(network.model, VGG16) and not network.model.architecture.top:
        return  # without a classifier there are no logits, but a body to cut
    x = network.preprocess(np.zeros((1, *size, 3), np.uint8))
    try:
        x = as_inputs(x)
        fits = check_inputs(x) == 1
    except (TypeError, ValueError):
        fits = False
    if not fits:
        found = ", ".join(
            f"{leaf.dtype} {leaf.shape}" if hasattr(leaf, "shape") else f"a {type(leaf).__name__}"
            for leaf in jax.tree.leaves(x)
        )
        raise InputError(
            f"preprocess returned {found or 'nothing'} for uint8 {(1, *size, 3)}, one image; "
            "wanted floats whose first axis is that of the images"
        )
    shape: tuple[int, ...] = getattr(x, "shape", ())
    if channels_first(shape):
        raise InputError(
            f"preprocess returned {x.dtype} {shape}, channels first; wanted (n, height, width, "
            "channels), and a model that moves them: model(jnp.moveaxis(x, -1, 1))"
        )
    try:
        logits = jax.eval_shape(network.forward, x)
    except TypeError as error:
        if "required" not in str(error) or "'relu'" not in str(error):
            raise
        raise InputTypeError(
            f"{network.name} cannot be called without relu=; wanted a default, as in "
            "def model(x, relu=jax.nn.relu)"
        ) from error
    check_logits(logits, 1)
    classes = logits.shape[1]
    if network.labels is not None and len(network.labels) != classes:
        raise InputError(
            f"labels has {len(network.labels)} names; wanted {classes}, one per class of "
            f"{network.name}"
        )
