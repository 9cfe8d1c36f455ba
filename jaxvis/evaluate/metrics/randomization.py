"""Networks of which some layers have forgotten what they learned.

A map that stays the same when the network is drawn anew does not show what that network does:
Adebayo et al., "Sanity Checks for Saliency Maps" (arXiv 1810.03292, 2018), section 3. Weights are
data to compiled functions, so that one compilation serves a network and all its random relatives.
"""

import math
from collections.abc import Iterator, Sequence

import jax
import numpy as np
from jax.typing import DTypeLike
from jaxtyping import Float

from jaxvis.models.layers import layer_shapes
from jaxvis.models.vgg16 import VGG16

CASCADE = tuple(layer.name for layer in reversed(layer_shapes()) if layer.kernel_shape is not None)


def randomized(model: VGG16, layers: Sequence[str], *, seed: int = 0) -> VGG16:
    """Return a copy of the model with new weights in some layers: kernels He-normal, biases 0.

    Kernels are normal of variance 2 / fan-in (He et al., arXiv 1502.01852, 2015). A layer's depend
    on `seed` and its name alone, so that a layer gets the same ones whatever others are drawn, and
    not those of `VGG16(seed=seed)`, or nothing would change there. All else, dtypes, devices,
    precision and labels too, is the model's, which is not changed and shares the other arrays.

    Raises:
        ValueError: a layer that has no weights or that the model does not have.
    """
    if isinstance(layers, str):
        raise ValueError(f"layers is {layers!r}; wanted a sequence of names, such as [{layers!r}]")
    present = _present(model)
    unknown = [name for name in layers if name not in present]
    if unknown:
        raise ValueError(
            f"the model has no layer with weights named {', '.join(map(repr, unknown))}; wanted "
            f"some of {', '.join(present)}"
        )
    copy = jax.tree.map(lambda array: array, model)  # other objects around the same arrays
    for name in layers:
        layer = getattr(copy, name)
        kernel, bias = layer.kernel[...], layer.bias[...]
        layer.kernel[...] = _like(kernel, _he_normal(name, kernel.shape, seed, kernel.dtype))
        layer.bias[...] = _like(bias, np.zeros(bias.shape, bias.dtype))
    return copy


def cascading(model: VGG16, seed: int = 0) -> Iterator[tuple[str, VGG16]]:
    """Yield (layer, model) down `CASCADE`: this layer and all above it are random.

    Adebayo et al. (2018), section 3.1. Layers that the model does not have are left out.
    """
    for name in _present(model):
        model = randomized(model, [name], seed=seed)
        yield name, model


def independent(model: VGG16, seed: int = 0) -> Iterator[tuple[str, VGG16]]:
    """Yield (layer, model) down `CASCADE`: this layer alone is random, with `cascading`'s weights.

    Adebayo et al. (2018), section 3.2. Layers that the model does not have are left out.
    """
    for name in _present(model):
        yield name, randomized(model, [name], seed=seed)


def _present(model: VGG16) -> list[str]:
    """Names of the layers that have weights; without a classifier, the top three are missing."""
    return [name for name in CASCADE if hasattr(model, name)]


def _he_normal(
    name: str, shape: tuple[int, ...], seed: int, dtype: DTypeLike
) -> Float[np.ndarray, "..."]:
    rng = np.random.Generator(np.random.PCG64([seed, CASCADE.index(name)]))
    kernel = rng.standard_normal(shape, np.float32)
    kernel *= np.float32(math.sqrt(2 / math.prod(shape[:-1])))
    return kernel.astype(dtype, copy=False)


def _like(array: jax.Array, values: np.ndarray) -> jax.Array:
    """Put values where an array is; one that may move must stay so, or functions recompile."""
    return jax.device_put(values, array.sharding if array.committed else None)
