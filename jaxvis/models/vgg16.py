"""VGG16 as a Flax NNX module that uses the ReLU it is handed and can be cut at any layer.

Its convolutions are Keras's; its head may be anybody's (`models.heads`).
"""

import math
from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.typing import DTypeLike
from jaxtyping import Array, Float, UInt8

from jaxvis.errors import InputError
from jaxvis.gradients.chain import Chain
from jaxvis.gradients.convolution import convolve, same
from jaxvis.gradients.devices import PRECISIONS
from jaxvis.gradients.max_pool import max_pool
from jaxvis.gradients.onednn import bare
from jaxvis.gradients.relu import Relu
from jaxvis.models import labels as _labels
from jaxvis.models.chain import chain_of_vgg16
from jaxvis.models.heads import Affine, HeadLayer
from jaxvis.models.layers import (
    LAYERS,
    NO_TOP,
    Architecture,
    LayerShape,
    architecture,
    layer_index,
    layer_shapes,
    summary_table,
)
from jaxvis.models.one_unit import both_logits
from jaxvis.models.preprocessing import preprocessing
from jaxvis.types import AnyArray

Part = Callable[..., Float[Array, "n ..."]]
# In place of nnx.Rngs, whose keys take XLA a second to compile, where nothing random is drawn.
NO_KEYS = SimpleNamespace(params=lambda: None)
Weights = Mapping[str, tuple[AnyArray, ...]]  # of each layer, in the order of `LayerShape.arrays`


class _Layers(NamedTuple):
    """Some layers of a `VGG16`, as a function of the model and what comes in."""

    start: int
    end: int | None

    @property
    def asks_onednn(self) -> bool:
        """As `VGG16`, of which this is a part."""
        return VGG16.asks_onednn

    def __call__(self, model: "VGG16", x: AnyArray, relu: Relu = jax.nn.relu) -> Array:
        """Return what comes out of them."""
        return model._run(x, relu, self.start, self.end)


class VGG16(nnx.Module):
    """Configuration D of Simonyan & Zisserman (2014), with Keras's layer names, up to the logits.

    `model(x)` maps float (n, size, size, 3), BGR with the ImageNet mean subtracted, to logits
    (n, classes): there is no softmax. Weights are He-normal unless given. With a head or a front of
    your own it is the VGG16 that somebody fine-tuned.

    Args:
        width: multiplies the channels of every convolution; a multiple of 1/64.
        classes: number of logits.
        fc: units of fc1 and fc2; 4096 * width unless given.
        size: height and width of the input in pixels, or one number for both.
        top: whether there is a classifier behind block5_pool; without one `cut` still works.
        channels: of the input, 3 or 1.
        head: another head than Keras's, in place of `classes`, `fc` and `top`. Its last softmax or
            sigmoid is left off. A last layer of one unit z gives two logits, (-z, z): class 1 is
            the unit, class 0 its negative.
        front: what happens to the input before the first convolution.
        reads: how images become the input; "caffe" unless there is a front, which takes them as
            they are ("raw"); of one channel without a front it is not known, None.
        labels: a name for every class; the ImageNet names where there are 1000 classes.
        precision: of every product. "default" (or None) is JAX's own, which on a GPU is TF32 and
            on a TPU bfloat16; "highest" is float32 everywhere; "bfloat16" makes weights and
            activations bfloat16 too, while inputs, logits and gradients stay as they came.
        param_dtype: dtype of the weights.
        weights: kernel and bias of every layer by name, as NumPy or JAX arrays of `param_dtype`.
        seed: of the initial weights, where none are given.

    Raises:
        ValueError: impossible sizes, weights of another shape or dtype, or a number of labels that
            is not the number of classes.
    """

    images_are_independent = True  # no image changes another's logits: they may go in groups
    asks_onednn = True  # all products are `bare`

    def __init__(
        self,
        *,
        width: float = 1.0,
        classes: int = 1000,
        fc: int | None = None,
        size: int | Sequence[int] = 224,
        top: bool = True,
        channels: int = 3,
        head: Sequence[HeadLayer] | None = None,
        front: Sequence[Affine] = (),
        reads: Callable[[Any], Any] | None = None,
        labels: Sequence[str] | None = None,
        precision: str | None = None,
        param_dtype: DTypeLike = jnp.float32,
        weights: Weights | None = None,
        seed: int = 0,
    ) -> None:
        arch = architecture(
            width=width, classes=classes, fc=fc, size=size, top=top, channels=channels, head=head,
            front=front,
        )  # fmt: skip
        self.architecture = arch
        self.rows = layer_shapes(arch)
        if reads is None and (front or channels == 3):
            reads = preprocessing("raw" if front else "caffe", channels)
        self.reads = reads
        if not arch.top and labels is not None:
            raise InputError("a model without a classifier (top=False) has no classes to label")
        if labels is None and arch.classes == 1000:
            labels = _labels.imagenet_labels()
        if labels is not None and len(labels) != arch.classes:
            raise InputError(
                f"labels has {len(labels)} names; wanted {arch.classes}, one per class"
            )
        self.labels = None if labels is None else tuple(labels)
        if precision not in (None, *PRECISIONS):
            raise InputError(
                f"precision is {precision!r}; wanted one of {', '.join(map(repr, PRECISIONS))}"
            )
        self.precision = precision
        if weights is None:
            weights = he_normal(arch, seed, param_dtype)
        for layer in self.rows:
            if layer.arrays:
                setattr(self, layer.name, _with_weights(layer, weights, precision, param_dtype))

    def __call__(
        self, x: Float[AnyArray, "n height width channels"], relu: Relu = jax.nn.relu
    ) -> Float[Array, "n classes"]:
        """Return the logits, with `relu` as the activation of every hidden layer.

        Raises:
            ValueError: x is no float batch of images of the model's size, or the model has no
                classifier.
        """
        return self._run(x, relu, 0, None)

    def cut(self, layer: str) -> tuple[Part, Part]:
        """Cut behind a layer: `(body, head)` with `head(body(x)) == model(x)`, each taking `relu=`.

        The body's output is the layer's, after its ReLU if it has one.

        Raises:
            ValueError: no such layer.
        """
        if not self.architecture.top and layer in {row.name for row in LAYERS[NO_TOP:]}:
            raise _no_classifier()
        end = layer_index(layer, self.architecture) + 1
        # The weights are data of both halves: cut anew, they compile nothing anew.
        body, head = (jax.tree_util.Partial(_Layers(*ends), self)
                      for ends in ((0, end), (end, None)))  # fmt: skip
        return body, head

    def chain(self) -> Chain:
        """Return the layers as plain data, for what walks through them; see `models.chain`.

        Raises:
            ValueError: the model has no classifier.
            NotImplementedError: its head has a layer that is neither affine nor a maximum.
        """
        if not self.architecture.top:
            raise _no_classifier()
        return chain_of_vgg16(self)

    def _run(self, x: AnyArray, relu: Relu, start: int, end: int | None) -> Array:
        if end is None and not self.architecture.top:
            raise _no_classifier()
        if start == 0:
            self.check_input(x)
        dtype = jax.tree.leaves(self)[0].dtype
        y = jnp.asarray(x, dtype)
        if start == 0:
            y = _front(y, self.architecture.front)
        for row in self.rows[start:end]:
            y = self._layer(row, y, relu)
        if end in (None, len(self.rows)):
            if self.architecture.units == 1:
                y = both_logits(y)
            if dtype == jnp.bfloat16:
                y = y.astype(jnp.float32)
        return y

    def _layer(self, row: LayerShape, y: Array, relu: Relu) -> Array:
        if row.arrays:
            y = getattr(self, row.name)(y)
        match row.kind:
            case "MaxPooling2D":
                y = max_pool(y)
            case "Flatten":
                y = y.reshape(y.shape[0], -1)  # height, width, channel: the order of Keras's fc1
            case "GlobalAveragePooling2D":
                y = y.mean(axis=(1, 2))
            case "GlobalMaxPooling2D":
                y = y.max(axis=(1, 2))  # equal maxima share the gradient, as in Keras
        match row.activation:
            case "relu":
                y = relu(y)
            case "softmax":
                y = jax.nn.softmax(y)
            case "sigmoid":
                y = jax.nn.sigmoid(y)
        return y

    def check_input(self, x: AnyArray) -> None:
        """Raise ValueError if x is no float batch of images of the model's size."""
        wanted = (*self.architecture.size, self.architecture.channels)
        shape = f"(n, {', '.join(map(str, wanted))})"
        if not hasattr(x, "ndim"):
            raise InputError(
                f"the input is a {type(x).__name__}; wanted one array {shape}: "
                "np.stack(images) makes one of a list"
            )
        if jnp.ndim(x) != 4 or jnp.shape(x)[1:] != wanted:
            one = " (x[None] is a batch of one image)" if jnp.shape(x) == wanted else ""
            raise InputError(
                f"the input has shape {jnp.shape(x)}; wanted {shape}{one}: "
                f"{self._reader()}(jv.load_images(files, size={wanted[:2]}))"
            )
        if not jnp.issubdtype(jnp.result_type(x), jnp.floating):
            raise InputError(
                f"the input has dtype {jnp.result_type(x)}; wanted the floats that "
                f"{self._reader()}(images) returns"
            )

    def _reader(self) -> str:
        return "jv.preprocess" if self.reads is preprocessing("caffe") else "model.preprocess"

    def preprocess(
        self, images: UInt8[Any, "n height width 3"]
    ) -> Float[Any, "n height width channels"]:
        """Return uint8 RGB images as this network reads them; see `reads`.

        Raises:
            ValueError: it is not known how; or as `jv.preprocess`.
        """
        if self.reads is None:
            raise InputError(
                "how images become what a network of one channel reads is not known; wanted "
                "preprocess= where it is loaded: 'rescale' (0 to 1), 'tf' (-1 to 1), 'raw' (0 to "
                "255), or a function"
            )
        return self.reads(images)

    def class_index(self, name: str) -> int:
        """Return the index of a class by name, or by its number as text: 99 for "goose" or "99".

        Raises:
            ValueError: an unknown or ambiguous name, with the nearest names; or no names at all.
        """
        if self.labels is None:
            if name.isdecimal() and int(name) < self.architecture.classes:
                return int(name)
            raise InputError(
                f"the model has no class names, so {name!r} cannot be found; pass the index, or "
                "give the model labels="
            )
        return _labels.class_index(name, self.labels)

    def summary(self) -> None:
        """Print the table of layers, types, output shapes and parameters, as Keras prints it."""
        bytes_per_parameter = jax.tree.leaves(self)[0].dtype.itemsize
        print(summary_table(self.architecture, bytes_per_parameter=bytes_per_parameter))


def _no_classifier() -> InputError:
    return InputError(
        "the model has no classifier (no top), so there are no logits; wanted weights with one, or "
        'use the part before it: body, _ = model.cut("block5_pool")'
    )


def _front(x: Array, front: Sequence[Affine]) -> Array:
    """Apply what a network does to its pixels first."""
    for affine in front:
        if affine.sources != tuple(range(x.shape[-1])):
            x = x[..., list(affine.sources)]
        scale, offset = (jnp.asarray(a, x.dtype).reshape(1, 1, 1, -1) for a in affine[3:])
        x = x * scale + offset
    return x


def _with_weights(
    layer: LayerShape, weights: Weights, precision: str | None, dtype: DTypeLike
) -> nnx.Module:
    """A layer that holds the given arrays; random ones are never made."""
    if layer.name not in weights or len(weights[layer.name]) != len(layer.arrays):
        roles = " and ".join(name for name, _ in layer.arrays)
        raise InputError(f"weights has no {layer.name!r}; wanted its {roles}")
    for (role, shape), array in zip(layer.arrays, weights[layer.name], strict=True):
        if array.shape != shape or array.dtype != dtype:
            raise InputError(
                f"weights[{layer.name!r}] has a {role} of shape {array.shape} and dtype "
                f"{array.dtype}; wanted {shape} and {np.dtype(dtype)}"
            )
    half = precision == "bfloat16"
    arrays = {
        role: jnp.asarray(array, jnp.bfloat16) if half else jax.device_put(array)
        for (role, _), array in zip(layer.arrays, weights[layer.name], strict=True)
    }
    if layer.kind == "BatchNormalization":
        return BatchNormalization(arrays, layer.numbers[0])
    kernel = arrays["kernel"]
    *window, fan_in, features = kernel.shape
    options: dict[str, Any] = {
        "precision": None if half else precision,
        "param_dtype": kernel.dtype,
        "use_bias": "bias" in arrays,
        "kernel_init": lambda *_: kernel,
        "bias_init": lambda *_: arrays["bias"],
        "rngs": NO_KEYS,
    }
    if layer.kind == "Conv2D":
        # Flax hands it what it would hand to JAX: stride 1, padding "SAME".
        options["conv_general_dilated"] = _convolution
        return nnx.Conv(fan_in, features, tuple(window), padding="SAME", **options)
    return nnx.Linear(fan_in, features, dot_general=_product, **options)


def _product(x: Array, kernel: Array, *others: Any, **options: Any) -> Array:
    return bare(jax.lax.dot_general(x, kernel, *others, **options))


def _convolution(x: Array, kernel: Array, *_: Any, precision: Any, **__: Any) -> Array:
    return convolve(x, kernel, same(kernel), precision)


class BatchNormalization(nnx.Module):
    """y = gamma (x - mean) / sqrt(variance + epsilon) + beta, with what training has measured.

    Ioffe & Szegedy, "Batch Normalization" (arXiv 1502.03167, 2015), section 3.1, by Keras's names.
    A network that is explained does not train, so a batch's own statistics have no part in it.
    """

    def __init__(self, arrays: Mapping[str, Array], epsilon: float) -> None:
        self.epsilon = epsilon
        for role, array in arrays.items():
            kind = nnx.BatchStat if role.startswith("moving") else nnx.Param
            setattr(self, role, kind(array))
        self.roles = tuple(arrays)

    def __call__(self, x: Float[Array, "... features"]) -> Float[Array, "... features"]:
        """Normalise the last axis."""
        scale, offset = (a.reshape((1,) * (x.ndim - 1) + (-1,)) for a in self.scale_and_offset())
        return x * scale + offset

    def scale_and_offset(self) -> tuple[Float[Array, " features"], Float[Array, " features"]]:
        """Return a and c of y = a x + c."""
        known = {role: getattr(self, role)[...] for role in self.roles}
        variance = known["moving_variance"]
        epsilon = jnp.asarray(self.epsilon, variance.dtype)
        scale = known.get("gamma", 1) * jax.lax.rsqrt(variance + epsilon)
        return scale, known.get("beta", 0) - known["moving_mean"] * scale


def he_normal(arch: Architecture, seed: int, dtype: DTypeLike) -> Weights:
    """Return seeded weights: normal kernels of variance 2 / fan-in, biases 0, as NumPy arrays.

    He, Zhang, Ren & Sun, "Delving Deep into Rectifiers" (arXiv 1502.01852, 2015), section 2.2.
    """
    rng = np.random.Generator(np.random.PCG64(seed))
    weights: dict[str, tuple[AnyArray, ...]] = {}
    for layer in layer_shapes(arch):
        drawn = []
        for role, shape in layer.arrays:
            if role == "kernel":
                scale = math.sqrt(2 / math.prod(shape[:-1]))
                # Drawn in one precision, so that a seed means the same weights in any dtype.
                array = rng.standard_normal(shape, np.float32) * np.float32(scale)
            else:  # of a normalisation, what changes nothing
                array = np.full(shape, role in ("gamma", "moving_variance"), np.float32)
            drawn.append(array.astype(dtype))
        if drawn:
            weights[layer.name] = tuple(drawn)
    return weights
