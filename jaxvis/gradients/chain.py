"""A network taken apart: a chain of layers, each behind the one before, as plain data.

What needs more of a layer than its gradient, such as relevance propagation, walks through it. A
model that can be taken apart has a method `chain() -> Chain`.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxvis.errors import InputError, InputTypeError, NotSupportedError
from jaxvis.gradients.convolution import linear, row
from jaxvis.gradients.max_pool import max_pool

# What a link may be, by Keras's names, and which arrays it has then.
LINKS = {
    "Affine": ("sources", "scale", "offset"),  # of pixels: x[..., sources] * scale + offset
    "Conv2D": ("kernel", "bias"),  # stride 1, zeros around the edge: "SAME"
    "Dense": ("kernel", "bias"),
    "MaxPooling2D": (),  # 2 x 2, stride 2
    "Flatten": (),
    "GlobalAveragePooling2D": (),
    "GlobalMaxPooling2D": (),
    "Activation": (),
}


class Link(NamedTuple):
    """One layer of a chain.

    Attributes:
        name: by which it is known.
        kind: one of `LINKS`.
        arrays: its numbers by name, as there; a bias may be missing.
        relu: whether a ReLU follows; nothing else may.
        precision: of its products, as in `jax.lax.conv_general_dilated`.
    """

    name: str
    kind: str
    arrays: Mapping[str, Any] = {}
    relu: bool = False
    precision: Any = None


class Chain(NamedTuple):
    """A network from its input to its logits, (n, classes).

    Attributes:
        links: its layers, first to last.
        low, high: the lowest and highest values that each channel of the input can have, or None
            where that is not known.
    """

    links: tuple[Link, ...]
    low: Any = None
    high: Any = None


def chain_of(model: Any) -> Chain:
    """Return the layers of a model.

    Raises:
        TypeError: it cannot be taken apart.
        ValueError: two layers of one name, of which rules would not be told apart.
        NotImplementedError: a layer of another kind.
    """
    if not hasattr(model, "chain"):
        network = hasattr(model, "model") and hasattr(model, "preprocess")
        what = "a Network, a description of a model" if network else f"a {type(model).__name__}"
        raise InputTypeError(
            f"the model is {what}, which does not come apart into layers, and this method "
            "goes back layer by layer; wanted "
            + ("what it describes: network.model" if network else
               "a jv.VGG16 (jv.load_vgg16 reads Keras's files), or a model with a method "
               "chain() -> jaxvis.gradients.chain.Chain")
        )  # fmt: skip
    chain = model.chain()
    names = [link.name for link in chain.links]
    for link in chain.links:
        if names.count(link.name) > 1:
            raise InputError(f"two layers are called {link.name!r}; wanted each name once")
        if link.kind not in LINKS:
            raise NotSupportedError(
                f"the layer {link.name!r} is a {link.kind!r}; wanted one of {', '.join(LINKS)}"
            )
    return chain


def dtype_of(chain: Chain) -> Any:
    """Return the dtype to walk through it in: that of its kernels, and float32 at least."""
    kernel = next(link.arrays["kernel"] for link in chain.links if "kernel" in link.arrays)
    return kernel.dtype if kernel.dtype.itemsize >= 4 else jnp.float32


def plain(link: Link, x: Float[Array, "n ..."]) -> Float[Array, "n ..."]:
    """Return what one layer makes of x, in the dtype of x; without the ReLU that may follow."""
    match link.kind:
        case "Affine":
            x, arrays = x[..., list(link.arrays["sources"])], link.arrays
            return x * row(arrays["scale"], x) + row(arrays["offset"], x)
        case "Conv2D" | "Dense":
            sums = linear(x, jnp.asarray(link.arrays["kernel"], x.dtype), link.precision)
            return sums + row(link.arrays["bias"], sums) if "bias" in link.arrays else sums
        case "MaxPooling2D":
            return max_pool(x)
        case "GlobalMaxPooling2D":
            return x.max(axis=(1, 2))
        case "GlobalAveragePooling2D":
            return x.mean(axis=(1, 2))
        case "Flatten":
            return x.reshape(len(x), -1)
        case "Activation":  # a ReLU by itself
            return x
        case _:
            raise AssertionError(link.kind)  # `chain_of` has seen it
