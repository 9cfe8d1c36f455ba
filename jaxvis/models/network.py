"""A network and all that one must know to use it: for report, evaluation and command alike.

Nothing that works on a `Network` knows VGG16 by name. `describe` makes one of a model of one's own.
"""

from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

import jax
import numpy as np
from jaxtyping import UInt8

from jaxvis.any_model.adapters import as_model
from jaxvis.any_model.cut_points import LAST, NUMBERED, cut_points
from jaxvis.any_model.expose import ExposedRelu
from jaxvis.errors import InputError, InputTypeError
from jaxvis.gradients.cut import is_pair
from jaxvis.gradients.target import as_inputs, channels_first, check_inputs, check_logits
from jaxvis.models import labels as _labels
from jaxvis.models.layers import summary_table
from jaxvis.models.one_unit import two_classes
from jaxvis.models.parameters import parameter_table
from jaxvis.models.preprocessing import preprocessing
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
        output: what makes probabilities of the logits: "softmax", or "sigmoid" of each by itself.
        resample: the filter by which images are resized for it: one of Pillow's, by name.
    """

    model: Any
    size: tuple[int, int]
    preprocess: Preprocess
    labels: tuple[str, ...] | None
    layer: str | int
    name: str
    output: Literal["softmax", "sigmoid"] = "softmax"
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
        """The layer as a caption names it: by its name, "convolution -1", or "value #3"."""
        if isinstance(self.layer, str):
            return f"value {self.layer}" if self.layer.startswith(NUMBERED) else self.layer
        return f"convolution {self.layer}"

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
    preprocess: Preprocess | str | None = None,
    labels: Sequence[str] | None = None,
    layer: str | int | None = None,
    name: str | None = None,
    output: Literal["softmax", "sigmoid"] | None = None,
    resample: str = "nearest",
) -> Network:
    """Return the `Network` of a model, checked by tracing it once; nothing is computed.

    A `VGG16` knows all of it by itself, but for the preprocessing, which no file of weights tells:
    Keras's "caffe" unless given. Of any other model, `size` and `preprocess` are wanted;
    `layer` is the last value that all paths go through, `cut_points(model, x).last`, unless it is
    given, or the model brings a `cut` of its own, which is asked for layer -1. A Keras, Flax or
    Equinox model is exposed as by `expose_relu`.

    Args:
        model: as in `input_gradient`, or a pair `(body, head)`.
        size, labels, layer, name, resample: as in `Network`.
        preprocess: as there, or one of Keras's modes by its name: "caffe", "tf" (-1 to 1), "torch",
            "rescale" (0 to 1), or "raw" (0 to 255).
        output: as there, "softmax" unless given. The one output z of a model of a single unit, a
            sigmoid as a rule, becomes two: class 1 is the unit, class 0 its negative.

    Raises:
        TypeError: the model cannot be called, takes no `relu=`, or something that it needs to be
            told is missing.
        ValueError: `preprocess` or the model returns something else than wanted, or the number of
            labels is not that of the classes.
    """
    names = None if labels is None else tuple(labels)
    if isinstance(model, VGG16):
        arch = model.architecture
        by: Literal["softmax", "sigmoid"] = output or arch.output
        chosen = model.reads or model.preprocess if preprocess is None else preprocess
        made = Network(
            model, size or arch.size, preprocessing(chosen, arch.channels), names or model.labels,
            "block5_conv3" if layer is None else layer, name or "VGG16",
            by, resample,
        )  # fmt: skip
    else:
        if size is None or preprocess is None:
            raise InputTypeError(
                f"a {type(model).__name__} does not say what it reads; wanted size=(height, width) "
                "and preprocess=, a function from uint8 RGB (n, height, width, 3) to its input"
            )
        given = as_model(model)
        default = LAST if isinstance(given, ExposedRelu) else -1
        made = Network(
            given, size, preprocessing(preprocess), names, default if layer is None else layer,
            name or _name_of(model), output or "softmax", resample,
        )  # fmt: skip
    return _checked(made)


def _with_last(network: Network, x: Any) -> Network:
    """Return a network whose layer "last" is called by its name, where there is such a value."""
    last = cut_points(network.model, x).last
    return network if last is None else network._replace(layer=last.layer)


def _name_of(model: Any) -> str:
    """The name that a model or function has of its own, else that of its class."""
    for attribute in ("function", "func"):  # what an exposed model and a Partial are made of
        if callable(getattr(model, attribute, None)):
            return _name_of(getattr(model, attribute))
    found = getattr(model, "name", None) or getattr(model, "__name__", None)
    return found if isinstance(found, str) else type(model).__name__


def check_size(size: Any) -> None:
    """Raise ValueError unless this is (height, width)."""
    if (
        not isinstance(size, tuple)
        or len(size) != 2
        or not all(isinstance(side, int) and side > 0 for side in size)
    ):
        raise InputError(f"size is {size!r}; wanted (height, width) in pixels, such as (224, 224)")


def one_input(size: tuple[int, int], preprocess: Preprocess) -> Any:
    """Return what a network is given for one black image, checked; only `preprocess` computes."""
    x = preprocess(np.zeros((1, *size, 3), np.uint8))
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
    return x


def _checked(network: Network) -> Network:
    """Return the network, two classes made of one unit, its layer called by its name.

    Raises what is wrong between an image and its logits; only `preprocess` computes.
    """
    check_size(network.size)
    check_filter(network.resample)
    if isinstance(network.model, VGG16) and not network.model.architecture.top:
        return network  # without a classifier there are no logits, but a body to cut
    x = one_input(network.size, network.preprocess)
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
    if network.layer == LAST:
        network = _with_last(network, x)
    if classes == 1:
        network, classes = network._replace(model=two_classes(network.model), output="sigmoid"), 2
    if network.labels is not None and len(network.labels) != classes:
        raise InputError(
            f"labels has {len(network.labels)} names; wanted {classes}, one per class of "
            f"{network.name}"
        )
    return network
