"""VGG16 as a Flax NNX module that uses the ReLU it is handed and can be cut at any layer."""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from flax import nnx
from jax.typing import DTypeLike
from jaxtyping import Array, Float

from jaxvis import labels as _labels
from jaxvis.layers import LAYERS, architecture, layer_index, layer_shapes, summary_table
from jaxvis.pooling import max_pool
from jaxvis.relu import Relu

Part = Callable[..., Float[Array, "n ..."]]


class VGG16(nnx.Module):
    """Configuration D of Simonyan & Zisserman (2014), with Keras's layer names, up to the logits.

    `model(x)` maps float (n, size, size, 3), BGR with the ImageNet mean subtracted, to logits
    (n, classes): there is no softmax. Weights are He-normal under `rngs` until a file is loaded.

    Args:
        width: multiplies the channels of every convolution; a multiple of 1/64.
        classes: number of logits.
        fc: units of fc1 and fc2; 4096 * width unless given.
        size: height and width of the input in pixels.
        labels: a name for every class; the ImageNet names where there are 1000 classes.
        precision: of every product, as in `jax.lax.dot_general`; None is JAX's default, which on
            a GPU is TF32 and on a TPU bfloat16.
        param_dtype: dtype of the weights.
        rngs: source of the initial weights; seed 0 unless given.

    Raises:
        ValueError: impossible sizes, or a number of labels that is not the number of classes.
    """

    def __init__(
        self,
        *,
        width: float = 1.0,
        classes: int = 1000,
        fc: int | None = None,
        size: int = 224,
        labels: Sequence[str] | None = None,
        precision: str | None = None,
        param_dtype: DTypeLike = jnp.float32,
        rngs: nnx.Rngs | None = None,
    ) -> None:
        self.architecture = architecture(width=width, classes=classes, fc=fc, size=size)
        if labels is None and classes == 1000:
            labels = _labels.imagenet_labels()
        if labels is not None and len(labels) != classes:
            raise ValueError(f"labels has {len(labels)} names; wanted {classes}, one per class")
        self.labels = None if labels is None else tuple(labels)
        rngs = nnx.Rngs(0) if rngs is None else rngs
        he_normal = nnx.initializers.he_normal()
        for layer in layer_shapes(self.architecture):
            if layer.kernel_shape is None:
                continue
            *kernel, fan_in, features = layer.kernel_shape
            if layer.kind == "Conv2D":
                part: nnx.Module = nnx.Conv(
                    fan_in, features, tuple(kernel), padding="SAME", kernel_init=he_normal,
                    precision=precision, param_dtype=param_dtype, rngs=rngs,
                )  # fmt: skip
            else:
                part = nnx.Linear(
                    fan_in, features, kernel_init=he_normal,
                    precision=precision, param_dtype=param_dtype, rngs=rngs,
                )  # fmt: skip
            setattr(self, layer.name, part)

    def __call__(
        self, x: Float[Array, "n size size 3"], relu: Relu = jax.nn.relu
    ) -> Float[Array, "n classes"]:
        """Return the logits, with `relu` as the activation of every hidden layer.

        Raises:
            ValueError: x is no float batch of images of the model's size.
        """
        return self._run(x, relu, 0, len(LAYERS))

    def cut(self, layer: str) -> tuple[Part, Part]:
        """Cut behind a layer: `(body, head)` with `head(body(x)) == model(x)`, each taking `relu=`.

        The body's output is the layer's, after its ReLU if it has one.

        Raises:
            ValueError: no such layer.
        """
        end = layer_index(layer) + 1

        def body(x: Float[Array, "n size size 3"], relu: Relu = jax.nn.relu) -> Array:
            return self._run(x, relu, 0, end)

        def head(activation: Float[Array, "n ..."], relu: Relu = jax.nn.relu) -> Array:
            return self._run(activation, relu, end, len(LAYERS))

        return body, head

    def _run(self, x: Array, relu: Relu, start: int, end: int) -> Array:
        if start == 0:
            self._check_input(x)
        for name, kind, _ in LAYERS[start:end]:
            if kind == "MaxPooling2D":
                x = max_pool(x)
            elif kind == "Flatten":
                x = x.reshape(x.shape[0], -1)  # height, width, channel: the order of Keras's fc1
            else:
                x = getattr(self, name)(x)
                if name != "predictions":
                    x = relu(x)
        return x

    def _check_input(self, x: Array) -> None:
        size = self.architecture.size
        if jnp.ndim(x) != 4 or jnp.shape(x)[1:] != (size, size, 3):
            raise ValueError(
                f"the input has shape {jnp.shape(x)}; wanted (n, {size}, {size}, 3): "
                f"jv.preprocess(jv.load_images(files, size=({size}, {size})))"
            )
        if not jnp.issubdtype(jnp.result_type(x), jnp.floating):
            raise ValueError(
                f"the input has dtype {jnp.result_type(x)}; wanted the floats that "
                "jv.preprocess(images) returns"
            )

    def class_index(self, name: str) -> int:
        """Return the index of a class by name: 99 for "goose" on ImageNet.

        Raises:
            ValueError: an unknown or ambiguous name, with the nearest names; or no names at all.
        """
        if self.labels is None:
            raise ValueError(
                f"the model has no class names, so {name!r} cannot be found; pass the index, or "
                "give the model labels="
            )
        return _labels.class_index(name, self.labels)

    def summary(self) -> None:
        """Print the table of layers, types, output shapes and parameters, as Keras prints it."""
        bytes_per_parameter = jax.tree.leaves(self)[0].dtype.itemsize
        print(summary_table(self.architecture, bytes_per_parameter=bytes_per_parameter))
