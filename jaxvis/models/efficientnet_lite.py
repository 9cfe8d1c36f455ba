"""EfficientNet-Lite0 by hand: an ImageNet network of today's kind that is small enough to ship.

Every block widens its channels by a 1 x 1 convolution, filters each of them by itself (depthwise),
and narrows them again; where nothing changes shape, the block's input is added to what comes out.
Behind every convolution stands a batch normalisation, behind all but the narrowing ones a ReLU6.

Tan & Le, "EfficientNet" (arXiv 1905.11946, 2019); Sandler et al., "MobileNetV2" (arXiv 1801.04381,
2018), the blocks; "lite" as in TensorFlow's tpu repository (efficientnet/lite): without squeeze and
excitation, with ReLU6 in the place of SiLU, and stem and head of the same width in all sizes.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, UInt8

from jaxvis.errors import InputError
from jaxvis.gradients.depthwise import depthwise
from jaxvis.gradients.relu import Relu
from jaxvis.types import AnyArray

Part = Callable[..., Float[Array, "n ..."]]
SIZE, CLASSES, HEAD = 224, 1000, 1280
EPSILON = 1e-3  # of the batch normalisations


class Group(NamedTuple):
    """Blocks that follow each other; the first of them strides and changes the channels."""

    blocks: int
    kernel: int
    stride: int
    expansion: int
    channels_in: int
    channels_out: int


GROUPS = (
    Group(1, 3, 1, 1, 32, 16),
    Group(2, 3, 2, 6, 16, 24),
    Group(2, 5, 2, 6, 24, 40),
    Group(3, 3, 2, 6, 40, 80),
    Group(3, 5, 1, 6, 80, 112),
    Group(4, 5, 2, 6, 112, 192),
    Group(1, 3, 1, 6, 192, 320),
)


class Block(NamedTuple):
    """One block: the window and stride of its depthwise convolution, and its channels."""

    kernel: int
    stride: int
    channels_in: int
    inside: int
    channels_out: int


def _blocks() -> dict[str, Block]:
    """Return the blocks by name, as Keras names them: "block2a" is the first of group 2."""
    made = {}
    for number, group in enumerate(GROUPS, start=1):
        stride, channels = group.stride, group.channels_in
        for letter in "abcd"[: group.blocks]:
            inside = channels * group.expansion
            made[f"block{number}{letter}"] = Block(
                group.kernel, stride, channels, inside, group.channels_out
            )
            stride, channels = 1, group.channels_out
    return made


BLOCKS: Mapping[str, Block] = _blocks()
LAYERS = ("stem", *BLOCKS, "head", "classifier")  # where the network can be cut, in order
# Where Grad-CAM is taken by default, 7 x 7: the last place with a ReLU above it, the head's, so
# that the rules differ. Behind the head there is none: its maps lie closer round the object (on the
# photographs), and are those of Zhou et al.'s CAM (arXiv 1512.04150, 2015) under every rule.
LAYER = "block7a"


def weight_shapes() -> dict[str, dict[str, tuple[int, ...]]]:
    """Return the shape of every array by layer and role; kernels are height, width, in, out."""

    def normalised(*kernel: int) -> dict[str, tuple[int, ...]]:
        of_norm = dict.fromkeys(("scale", "bias", "mean", "variance"), kernel[-1:])
        return {"kernel": kernel, **of_norm}

    shapes = {"stem": normalised(3, 3, 3, 32)}
    for name, block in BLOCKS.items():
        side = block.kernel
        if block.inside != block.channels_in:
            shapes[f"{name}/expand"] = normalised(1, 1, block.channels_in, block.inside)
        shapes[f"{name}/depthwise"] = normalised(side, side, 1, block.inside)
        shapes[f"{name}/project"] = normalised(1, 1, block.inside, block.channels_out)
    shapes["head"] = normalised(1, 1, GROUPS[-1].channels_out, HEAD)
    shapes["classifier"] = {"kernel": (HEAD, CLASSES), "bias": (CLASSES,)}
    return shapes


class _Layers(NamedTuple):
    """Some layers of the network, as a function of it and what comes in."""

    start: int
    end: int

    def __call__(self, model: "EfficientNetLite0", x: AnyArray, relu: Relu = jax.nn.relu) -> Array:
        """Return what comes out of them."""
        return model._run(x, relu, self.start, self.end)


@partial(jax.tree_util.register_dataclass, data_fields=["weights"], meta_fields=["precision"])
@dataclass(frozen=True, eq=False)
class EfficientNetLite0:
    """`model(x)` maps what `preprocess` returns, (n, 224, 224, 3), to logits (n, 1000).

    Attributes:
        weights: arrays by layer and role, of the shapes in `weight_shapes`; data to compiled code.
        precision: of every product, as in `VGG16`. "bfloat16" rounds what goes into each; sums and
            normalisations stay as they are.
    """

    weights: Mapping[str, Mapping[str, Array]]
    precision: str | None = None

    def __call__(
        self, x: Float[AnyArray, "n 224 224 3"], relu: Relu = jax.nn.relu
    ) -> Float[Array, "n 1000"]:
        """Return the logits, with min(relu(x), 6) as the activation.

        Raises:
            ValueError: x is no float batch of images.
        """
        return self._run(x, relu, 0, len(LAYERS))

    def cut(self, layer: str) -> tuple[Part, Part]:
        """Cut behind a layer: `(body, head)` with `head(body(x)) == model(x)`, each taking `relu=`.

        Behind "stem" and "head" that is behind their ReLU6, behind a block behind its sum.

        Raises:
            ValueError: no such layer.
        """
        if layer not in LAYERS:
            raise InputError(
                f"EfficientNet-Lite0 has no layer {layer!r}; wanted one of {', '.join(LAYERS)}"
            )
        end = LAYERS.index(layer) + 1
        body, head = (
            jax.tree_util.Partial(_Layers(*ends), self) for ends in ((0, end), (end, len(LAYERS)))
        )
        return body, head

    def _run(self, x: AnyArray, relu: Relu, start: int, end: int) -> Array:
        if start == 0:
            _check_input(x)
        y = jnp.asarray(x)
        for name in LAYERS[start:end]:
            if name == "stem":
                y = relu6(self._convolved("stem", y, stride=2), relu)
            elif name == "head":
                y = relu6(self._convolved("head", y), relu)
            elif name == "classifier":
                y = self._product("classifier", y.mean(axis=(1, 2)), jnp.dot)
                y = y + self.weights["classifier"]["bias"].reshape(1, -1)
            else:
                y = self._block(name, y, relu)
        return y

    def _block(self, name: str, x: Array, relu: Relu) -> Array:
        y, stride = x, BLOCKS[name].stride
        if f"{name}/expand" in self.weights:
            y = relu6(self._convolved(f"{name}/expand", y), relu)
        y = relu6(self._convolved(f"{name}/depthwise", y, stride), relu)
        y = self._convolved(f"{name}/project", y)
        return x + y if y.shape == x.shape else y

    def _convolved(self, name: str, x: Array, stride: int = 1) -> Array:
        """A convolution without bias, and the batch normalisation behind it."""
        norm = self.weights[name]
        if name.endswith("/depthwise"):
            y = depthwise(x, norm["kernel"], stride)
        else:
            y = self._product(name, x, partial(_convolve, stride=stride))
        scale = norm["scale"] / jnp.sqrt(norm["variance"] + EPSILON)
        shift = norm["bias"] - norm["mean"] * scale
        return y * scale.reshape(1, 1, 1, -1) + shift.reshape(1, 1, 1, -1)

    def _product(self, name: str, x: Array, multiply: Callable[..., Array]) -> Array:
        kernel, precision = self.weights[name]["kernel"], self.precision
        if precision == "bfloat16":
            half = multiply(x.astype(jnp.bfloat16), kernel.astype(jnp.bfloat16))
            return half.astype(x.dtype)
        return multiply(x, kernel, precision=precision)


def _convolve(x: Array, kernel: Array, *, stride: int, precision: str | None = None) -> Array:
    """TensorFlow's padding "SAME": at stride 2 one zero more below and on the right."""
    return jax.lax.conv_general_dilated(
        x, kernel, (stride, stride), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"),
        precision=precision,
    )  # fmt: skip


def relu6(x: Float[Array, "..."], relu: Relu) -> Float[Array, "..."]:
    """Return min(relu(x), 6); where the cap holds, at 6 too, no gradient passes under any rule."""
    y = relu(x)
    return jnp.where(y < 6, y, jnp.asarray(6, y.dtype))


def preprocess(images: UInt8[AnyArray, "n height width 3"]) -> Float[AnyArray, "n height width 3"]:
    """Return RGB in 0..255 as (x - 127) / 128, float32, which is what the network was trained on.

    Raises:
        ValueError: the images are not uint8 RGB.
    """
    if getattr(images, "dtype", None) != np.uint8 or images.ndim < 3 or images.shape[-1] != 3:
        found = f"{getattr(images, 'dtype', type(images).__name__)} {np.shape(images)}"
        raise InputError(
            f"images are {found}; wanted uint8 (n, height, width, 3), as load_images returns them"
        )
    return (images.astype(np.float32) - np.float32(127)) / np.float32(128)


def _check_input(x: Any) -> None:
    dtype = getattr(x, "dtype", None)
    if jnp.shape(x)[1:] != (SIZE, SIZE, 3) or dtype is None:
        raise InputError(
            f"the input has shape {jnp.shape(x)}; wanted (n, {SIZE}, {SIZE}, 3): "
            "network.preprocess(jv.load_images(files, network.size, resample=network.resample))"
        )
    if not jnp.issubdtype(dtype, jnp.floating):
        raise InputError(
            f"the input has dtype {dtype}; wanted the floats that network.preprocess returns"
        )
