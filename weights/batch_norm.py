"""VGG16 with a batch normalisation between every convolution and its ReLU, and how to fold it away.

Without it the thirteen-layer stack does not learn from scratch. A normalisation with fixed
statistics is linear, so that after training it is multiplied into the convolution before it, and a
plain VGG16 is left.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jaxtyping import Float

from jaxvis.gradients.max_pool import max_pool
from jaxvis.models.layers import LAYERS, Architecture, layer_shapes

INPUT_SCALE = 1 / 64  # brings the input near unit variance
EPSILON = 1e-3  # of batch normalisation, as in Keras

Variables = dict[str, dict[str, Array]]


def initial_variables(arch: Architecture, seed: int) -> tuple[Variables, Variables]:
    """He-normal kernels; batch normalisation that changes nothing yet; its running statistics."""
    rng = np.random.default_rng(seed)
    parameters: Variables = {}
    statistics: Variables = {}
    shapes = [(layer.name, layer.kind, layer.kernel_shape) for layer in layer_shapes(arch)]
    for name, kind, shape in [
        *shapes,
        ("auxiliary", "Dense", (int(512 * arch.width), arch.classes)),
    ]:
        if shape is None:
            continue
        spread = np.sqrt(2 / np.prod(shape[:-1]))
        kernel = jnp.asarray(rng.normal(0, spread, shape), jnp.float32)
        parameters[name] = {"kernel": kernel, "bias": jnp.zeros(shape[-1])}
        if kind == "Conv2D":
            parameters[name]["scale"] = jnp.ones(shape[-1])
            statistics[name] = {"mean": jnp.zeros(shape[-1]), "variance": jnp.ones(shape[-1])}
    return parameters, statistics


def forward(
    parameters: Variables,
    statistics: Variables,
    x: Float[Array, "n size size 3"],
    *,
    training: bool,
    head: bool = True,
) -> tuple[Array | None, Array, Variables]:
    """Run VGG16 with a batch normalisation after every convolution.

    Returns the logits (None without `head`), the auxiliary logits, and the statistics: the batch's
    own in training, else those given.
    """
    used: Variables = {}
    auxiliary = jnp.zeros(0)
    x = x * INPUT_SCALE
    for name, kind, _ in LAYERS:
        if kind == "Conv2D":
            p = parameters[name]
            x = lax.conv_general_dilated(
                x, p["kernel"], (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
            )
            used[name] = _moments(x) if training else statistics[name]
            gain = p["scale"] * lax.rsqrt(used[name]["variance"] + EPSILON)
            offset = p["bias"] - used[name]["mean"] * gain
            x = jax.nn.relu(x * gain[None, None, None] + offset[None, None, None])
        elif kind == "MaxPooling2D":
            x = max_pool(x)
        elif kind == "Flatten":
            x = x.reshape(x.shape[0], -1)
        else:
            x = x @ _kernel(name, parameters[name]) + parameters[name]["bias"][None]
            x = x if name == "predictions" else jax.nn.relu(x)
        if name == "block5_conv3":
            p = parameters["auxiliary"]
            auxiliary = x.mean(axis=(1, 2)) @ p["kernel"] + p["bias"][None]
            if not head:
                return None, auxiliary, used
    return x, auxiliary, used


def _kernel(name: str, p: dict[str, Array]) -> Array:
    """The kernel itself, but fc1's with each unit's weights centred, so that they sum to zero.

    Free weights of fc1 end up negative on the whole. The rectified rule, which lets gradients
    through units that are off, then sums to a Grad-CAM that is zero everywhere on every scene.
    """
    kernel = p["kernel"]
    return kernel - kernel.mean(axis=0, keepdims=True) if name == "fc1" else kernel


def _moments(x: Float[Array, "n h w c"]) -> dict[str, Array]:
    mean = x.mean(axis=(0, 1, 2))
    return {"mean": mean, "variance": jnp.maximum((x * x).mean(axis=(0, 1, 2)) - mean * mean, 0)}


def fold(parameters: Variables, statistics: Variables) -> dict[str, tuple[Array, Array]]:
    """Multiply each normalisation, and the input's scale, into the kernel and bias before it.

    gain = scale / sqrt(variance + epsilon); kernel * gain, bias - mean * gain. Returns kernel and
    bias of every layer, as `VGG16(weights=...)` takes them, without the auxiliary classifier.
    """
    folded = {}
    for name, p in parameters.items():
        kernel, bias = _kernel(name, p), p["bias"]
        if name in statistics:
            gain = p["scale"] / jnp.sqrt(statistics[name]["variance"] + EPSILON)
            bias = bias - statistics[name]["mean"] * gain
            kernel = kernel * gain[None, None, None]
        if name == LAYERS[0].name:
            kernel = kernel * INPUT_SCALE
        if name != "auxiliary":
            folded[name] = kernel, bias
    return folded
