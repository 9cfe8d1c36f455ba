"""VGG16 as a Flax NNX module that uses the ReLU it is handed and can be cut at any layer."""

import math
from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.typing import DTypeLike
from jaxtyping import Array, Float

from jaxvis.errors import InputError
from jaxvis.gradients.relu import Relu
from jaxvis.models import labels as _labels
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
from jaxvis.models.pooling import max_pool
from jaxvis.types import AnyArray

Part = Callable[..., Float[Array, "n ..."]]
PRECISIONS = ("default", "high", "highest", "bfloat16")
# In place of nnx.Rngs, whose keys take XLA a second to compile, where nothing random is drawn.
NO_KEYS = SimpleNamespace(params=lambda: None)
Weights = Mapping[str, tuple[AnyArray, AnyArray]]


class _Layers(NamedTuple):
    """Some layers of a `VGG16`, as a function of the model and what comes in."""

    start: int
    end: int

    def __call__(self, model: "VGG16", x: AnyArray, relu: Relu = jax.nn.relu) -> Array:
        """Return what comes out of them."""
        return model._run(x, relu, self.start, self.end)


class VGG16(nnx.Module):
    """Configuration D of Simonyan & Zisserman (2014), with Keras's layer names, up to the logits.

    `model(x)` maps float (n, size, size, 3), BGR with the ImageNet mean subtracted, to logits
    (n, classes): there is no softmax. Weights are He-normal unless given.

    Args:
        width: multiplies the channels of every convolution; a multiple of 1/64.
        classes: number of logits.
        fc: units of fc1 and fc2; 4096 * width unless given.
        size: height and width of the input in pixels.
        top: whether there is a classifier behind block5_pool; without one `cut` still works.
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

    def __init__(
        self,
        *,
        width: float = 1.0,
        classes: int = 1000,
        fc: int | None = None,
        size: int = 224,
        top: bool = True,
        labels: Sequence[str] | None = None,
        precision: str | None = None,
        param_dtype: DTypeLike = jnp.float32,
        weights: Weights | None = None,
        seed: int = 0,
    ) -> None:
        self.architecture = architecture(width=width, classes=classes, fc=fc, size=size, top=top)
        if not top and labels is not None:
            raise InputError("a model without a classifier (top=False) has no classes to label")
        if labels is None and classes == 1000 and top:
            labels = _labels.imagenet_labels()
        if labels is not None and len(labels) != classes:
            raise InputError(f"labels has {len(labels)} names; wanted {classes}, one per class")
        self.labels = None if labels is None else tuple(labels)
        if precision not in (None, *PRECISIONS):
            raise InputError(
                f"precision is {precision!r}; wanted one of {', '.join(map(repr, PRECISIONS))}"
            )
        if weights is None:
            weights = he_normal(self.architecture, seed, param_dtype)
        for layer in layer_shapes(self.architecture):
            if layer.kernel_shape is None:
                continue
            setattr(self, layer.name, _with_weights(layer, weights, precision, param_dtype))

    def __call__(
        self, x: Float[AnyArray, "n size size 3"], relu: Relu = jax.nn.relu
    ) -> Float[Array, "n classes"]:
        """Return the logits, with `relu` as the activation of every hidden layer.

        Raises:
            ValueError: x is no float batch of images of the model's size, or the model has no
                classifier.
        """
        return self._run(x, relu, 0, len(LAYERS))

    def cut(self, layer: str) -> tuple[Part, Part]:
        """Cut behind a layer: `(body, head)` with `head(body(x)) == model(x)`, each taking `relu=`.

        The body's output is the layer's, after its ReLU if it has one.

        Raises:
            ValueError: no such layer.
        """
        end = layer_index(layer) + 1
        # The weights are data of both halves: cut anew, they compile nothing anew.
        body, head = (jax.tree_util.Partial(_Layers(*ends), self)
                      for ends in ((0, end), (end, len(LAYERS))))  # fmt: skip
        return body, head

    def _run(self, x: AnyArray, relu: Relu, start: int, end: int) -> Array:
        if start == 0:
            self._check_input(x)
        if end > NO_TOP and not self.architecture.top:
            raise InputError(
                "the model has no classifier (no top), so there are no logits; wanted weights with "
                'one, or use the part before it: body, _ = model.cut("block5_pool")'
            )
        dtype = jax.tree.leaves(self)[0].dtype
        y = jnp.asarray(x, dtype)
        for name, kind, _ in LAYERS[start:end]:
            if kind == "MaxPooling2D":
                y = max_pool(y)
            elif kind == "Flatten":
                y = y.reshape(y.shape[0], -1)  # height, width, channel: the order of Keras's fc1
            else:
                y = getattr(self, name)(y)
                if name != "predictions":
                    y = relu(y)
        if end == len(LAYERS) and dtype == jnp.bfloat16:
            y = y.astype(jnp.float32)
        return y

    def _check_input(self, x: AnyArray) -> None:
        size = self.architecture.size
        if not hasattr(x, "ndim"):
            raise InputError(
                f"the input is a {type(x).__name__}; wanted one array (n, {size}, {size}, 3): "
                "np.stack(images) makes one of a list"
            )
        if jnp.ndim(x) != 4 or jnp.shape(x)[1:] != (size, size, 3):
            raise InputError(
                f"the input has shape {jnp.shape(x)}; wanted (n, {size}, {size}, 3): "
                f"jv.preprocess(jv.load_images(files, size=({size}, {size})))"
            )
        if not jnp.issubdtype(jnp.result_type(x), jnp.floating):
            raise InputError(
                f"the input has dtype {jnp.result_type(x)}; wanted the floats that "
                "jv.preprocess(images) returns"
            )

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


def _with_weights(
    layer: LayerShape, weights: Weights, precision: str | None, dtype: DTypeLike
) -> nnx.Module:
    """A convolution or dense layer that holds the given arrays; random ones are never made."""
    if layer.name not in weights:
        raise InputError(f"weights has no {layer.name!r}; wanted its kernel and bias")
    shapes = zip(("kernel", "bias"), (layer.kernel_shape, layer.bias_shape), strict=True)
    for (role, shape), array in zip(shapes, weights[layer.name], strict=True):
        if array.shape != shape or array.dtype != dtype:
            raise InputError(
                f"weights[{layer.name!r}] has a {role} of shape {array.shape} and dtype "
                f"{array.dtype}; wanted {shape} and {np.dtype(dtype)}"
            )
    half = precision == "bfloat16"
    kernel, bias = (
        jnp.asarray(array, jnp.bfloat16) if half else jax.device_put(array)
        for array in weights[layer.name]
    )
    *window, fan_in, features = kernel.shape
    options: dict[str, Any] = {
        "precision": None if half else precision,
        "param_dtype": kernel.dtype,
        "kernel_init": lambda *_: kernel,
        "bias_init": lambda *_: bias,
        "rngs": NO_KEYS,
    }
    if layer.kind == "Conv2D":
        return nnx.Conv(fan_in, features, tuple(window), padding="SAME", **options)
    return nnx.Linear(fan_in, features, **options)


def he_normal(arch: Architecture, seed: int, dtype: DTypeLike) -> Weights:
    """Return seeded weights: normal kernels of variance 2 / fan-in, biases 0, as NumPy arrays.

    He, Zhang, Ren & Sun, "Delving Deep into Rectifiers" (arXiv 1502.01852, 2015), section 2.2.
    """
    rng = np.random.Generator(np.random.PCG64(seed))
    weights = {}
    for name, _, _, kernel_shape in layer_shapes(arch):
        if kernel_shape is not None:
            scale = math.sqrt(2 / math.prod(kernel_shape[:-1]))
            # Drawn in one precision, so that a seed means the same weights in any dtype.
            kernel = rng.standard_normal(kernel_shape, np.float32) * np.float32(scale)
            weights[name] = kernel.astype(dtype), np.zeros(kernel_shape[-1], dtype)
    return weights
