"""VGG16 and its backward pass under each rule in plain NumPy: to read, and to test against.

Slow on purpose: every step is written out, in float64, with nothing but NumPy. The network is
`LAYERS`; `weights` maps a layer's name to its (kernel, bias); a rule is a pair of booleans
(gate_input, gate_gradient), such as `jaxvis.GUIDED`.

A backward pass is the chain rule read from the last layer to the first. Each layer receives the
gradient of the score with respect to its output and turns it into that with respect to its input:

    dense, convolution   y = x W + b         dx = dy W^T
    2 x 2 max pooling    y = max of four     dx = dy where the maximum was, 0 elsewhere
    ReLU                 y = max(x, 0)       dx = dy [x > 0] [dy > 0], each gate if the rule says so
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float64

from jaxvis.errors import InputError
from jaxvis.models.heads import standard_head
from jaxvis.models.layers import LAYERS, layer_index

Array = np.ndarray
Weights = Mapping[str, tuple[Array, Array]]
Rule = tuple[Any, Any]


class Tape(NamedTuple):
    """What the forward pass leaves for the backward pass, by the name of the layer."""

    inputs: dict[str, Array]  # what the layer received
    sums: dict[str, Array]  # what its ReLU received
    outputs: dict[str, Array]  # what it passed on


def weights_of(model: Any) -> dict[str, tuple[Array, Array]]:
    """Return kernel and bias of every layer of a `VGG16`, as float64 arrays.

    Raises:
        ValueError: its head is not Keras's own, which alone is written out here.
    """
    arch = model.architecture
    rows = [(layer.name, layer.kind, layer.activation) for layer in arch.head]
    *hidden, last = [(layer.name, layer.kind, layer.activation) for layer in standard_head()]
    of_its_own = rows[:-1] != hidden or any(
        row[:2] != last[:2] or row[2] == "relu" for row in rows[-1:]
    )
    if not arch.top or arch.front or arch.units == 1 or of_its_own:
        raise InputError(
            "the network has a head or a front of its own; wanted Keras's VGG16: flatten, fc1, "
            "fc2, predictions"
        )
    weights = {}
    for name, kind, _ in LAYERS:
        if kind in ("Conv2D", "Dense"):
            layer = getattr(model, name)
            weights[name] = (
                np.asarray(layer.kernel[...], np.float64),
                np.asarray(layer.bias[...], np.float64),
            )
    return weights


def forward(
    weights: Weights, x: Float64[np.ndarray, "n height width 3"]
) -> tuple[Float64[np.ndarray, "n classes"], Tape]:
    """Return the logits and the tape of a batch x."""
    tape = Tape({}, {}, {})
    x = np.asarray(x, np.float64)
    for name, kind, _ in LAYERS:
        tape.inputs[name] = x
        if kind == "Conv2D":
            tape.sums[name] = convolve(x, *weights[name])
        elif kind == "MaxPooling2D":
            x = max_pool(x)
        elif kind == "Flatten":
            x = x.reshape(len(x), -1)
        else:
            kernel, bias = weights[name]
            tape.sums[name] = x @ kernel + bias
        if name in tape.sums:
            x = tape.sums[name] if name == "predictions" else np.maximum(tape.sums[name], 0)
        tape.outputs[name] = x
    return x, tape


def backward(
    weights: Weights, tape: Tape, gradient: Array, rule: Rule, *, stop: str | None = None
) -> Array:
    """Pull the gradient of the logits back to the input, or to the output of the layer `stop`."""
    last = -1 if stop is None else layer_index(stop)
    for name, kind, _ in reversed(LAYERS[last + 1 :]):
        if name in tape.sums and name != "predictions":
            gradient = relu_backward(tape.sums[name], gradient, rule)
        if kind == "Conv2D":
            gradient = convolve_backward(gradient, weights[name][0])
        elif kind == "MaxPooling2D":
            gradient = max_pool_backward(tape.inputs[name], gradient)
        elif kind == "Flatten":
            gradient = gradient.reshape(tape.inputs[name].shape)
        else:
            gradient = gradient @ weights[name][0].T
    return gradient


def input_gradient(weights: Weights, x: Array, classes: Any, rule: Rule) -> Array:
    """Return d logit / d x, of the shape of x, for one class or one per image."""
    logits, tape = forward(weights, x)
    return backward(weights, tape, one_hot(classes, logits.shape), rule)


def saliency(
    weights: Weights, x: Array, classes: Any, rule: Rule
) -> Float64[np.ndarray, "n height width"]:
    """Return max over channels of |d logit / d x|."""
    return np.abs(input_gradient(weights, x, classes, rule)).max(axis=-1)


def grad_cam(
    weights: Weights, x: Array, classes: Any, rule: Rule, *, layer: str = "block5_conv3"
) -> Float64[np.ndarray, "n h w"]:
    """Return relu(sum_c w_c A_c), w_c the mean of the gradient of A_c over height and width."""
    logits, tape = forward(weights, x)
    gradient = backward(weights, tape, one_hot(classes, logits.shape), rule, stop=layer)
    channel_weights = gradient.mean(axis=(1, 2), keepdims=True)
    return np.maximum((channel_weights * tape.outputs[layer]).sum(axis=-1), 0)


def one_hot(classes: Any, shape: tuple[int, int]) -> Array:
    """Return the gradient of a logit with respect to all logits: 1 at its class, else 0."""
    rows = np.zeros(shape)
    rows[np.arange(shape[0]), classes] = 1
    return rows


def relu_backward(x: Array, gradient: Array, rule: Rule) -> Array:
    """Return what a ReLU with input x passes back."""
    gate_input, gate_gradient = rule
    keep: Bool[Array, "..."] = np.ones(x.shape, bool)
    if gate_input:
        keep &= x > 0
    if gate_gradient:
        keep &= gradient > 0
    return np.where(keep, gradient, 0)


def convolve(x: Array, kernel: Array, bias: Array) -> Array:
    """Convolve (n, h, w, c) with (3, 3, c, k), zeros around the edge: (n, h, w, k)."""
    n, height, width, _ = x.shape
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    y = np.zeros((n, height, width, kernel.shape[-1])) + bias
    for row in range(3):
        for column in range(3):
            y += padded[:, row : row + height, column : column + width] @ kernel[row, column]
    return y


def convolve_backward(gradient: Array, kernel: Array) -> Array:
    """Every output pixel sends its gradient back to the nine input pixels that it was made of."""
    n, height, width, _ = gradient.shape
    padded = np.zeros((n, height + 2, width + 2, kernel.shape[2]))
    for row in range(3):
        for column in range(3):
            share = gradient @ kernel[row, column].T
            padded[:, row : row + height, column : column + width] += share
    return padded[:, 1:-1, 1:-1]


def max_pool(x: Array) -> Array:
    """Return the maximum of every 2 x 2 window; an odd last row or column is left out."""
    n, height, width, channels = x.shape
    y = np.zeros((n, height // 2, width // 2, channels))
    for row in range(height // 2):
        for column in range(width // 2):
            window = x[:, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2]
            y[:, row, column] = window.max(axis=(1, 2))
    return y


def max_pool_backward(x: Array, gradient: Array) -> Array:
    """Send the gradient to the first maximum of every window, reading row by row."""
    n, _, _, channels = x.shape
    image, channel = np.meshgrid(np.arange(n), np.arange(channels), indexing="ij")
    dx = np.zeros(x.shape)
    for row in range(gradient.shape[1]):
        for column in range(gradient.shape[2]):
            window = x[:, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2]
            first = window.reshape(n, 4, channels).argmax(axis=1)  # argmax takes the first
            place = (image, 2 * row + first // 2, 2 * column + first % 2, channel)
            dx[place] = gradient[:, row, column]
    return dx
