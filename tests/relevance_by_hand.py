"""Relevance propagation in NumPy, float64, unit by unit, as the papers write it: an oracle.

One unit's share of another's relevance is a fraction, and all of a layer's fractions are written
down: slow, and nothing here but sums. Rules are read by name; none of their code is.
"""

import numpy as np

from jaxvis.models import reference
from jaxvis.models.layers import LAYERS


def fractions(rule, x, there, w, b):
    """Which part of each unit's relevance goes to each input, and which to its bias.

    x (i,), of which only those `there` are no padding; w (i, j); b (j,): (i, j) and (j,).
    """
    z = x[:, None] * w
    plus, minus = np.maximum(z, 0), np.minimum(z, 0)
    b_plus, b_minus = np.maximum(b, 0), np.minimum(b, 0)
    total = z.sum(axis=0) + b
    kind = type(rule).__name__
    if kind == "Epsilon":
        return over(z, b, rule.epsilon)
    if kind == "Gamma":
        above = over(z + rule.gamma * plus, b + rule.gamma * b_plus)
        below = over(z + rule.gamma * minus, b + rule.gamma * b_minus)
        return tuple((total > 0) * a + (total < 0) * c for a, c in zip(above, below, strict=True))
    if kind == "ZPlus":
        return over(plus, b_plus)
    if kind == "AlphaBeta":
        pairs = zip(over(plus, b_plus), over(minus, b_minus), strict=True)
        return tuple(rule.alpha * a - rule.beta * c for a, c in pairs)
    if kind == "Flat":
        return over(there[:, None] * np.ones_like(w), 0 * b)
    if kind == "WSquare":
        return over(there[:, None] * w**2, 0 * b)
    assert kind == "Box"
    low, high = (one_each(end, len(x)) for end in (rule.low, rule.high))
    box = z - there[:, None] * (low * np.maximum(w, 0) + high * np.minimum(w, 0))
    return over(box, 0 * b)


def one_each(end, inputs):
    """A bound of every input: channels are the last axis of a window, and come round again."""
    end = np.asarray(end, np.float64).reshape(-1)
    return np.tile(end, inputs // len(end))[:, None]


def over(z, b, epsilon=1e-6):
    total = z.sum(axis=0) + b
    total = np.where(total < 0, total - epsilon, total + epsilon)
    with np.errstate(divide="ignore", invalid="ignore"):
        return tuple(np.where(total == 0, 0, part / total) for part in (z, b))


def dense_backward(rule, x, w, b, relevance):
    """Relevance (n, j) -> of inputs (n, i), and kept by biases (n,)."""
    result, kept = np.zeros_like(x), np.zeros(len(x))
    for n in range(len(x)):
        to_inputs, to_bias = fractions(rule, x[n], np.ones(x.shape[1]), w, b)
        result[n] = to_inputs @ relevance[n]
        kept[n] = to_bias @ relevance[n]
    return result, kept


def convolution_backward(rule, x, kernel, b, relevance):
    """The same, with the 3 x 3 window of one place after another as the inputs."""
    n, height, width, channels = x.shape
    w = kernel.reshape(-1, kernel.shape[-1])
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    there = np.pad(np.ones_like(x), ((0, 0), (1, 1), (1, 1), (0, 0)))
    result, kept = np.zeros_like(padded), np.zeros(n)
    for image, row, column in np.ndindex(n, height, width):
        window = (image, slice(row, row + 3), slice(column, column + 3))
        to_inputs, to_bias = fractions(rule, padded[window].ravel(), there[window].ravel(), w, b)
        given = relevance[image, row, column]
        result[window] += (to_inputs @ given).reshape(3, 3, channels)
        kept[image] += to_bias @ given
    return result[:, 1:-1, 1:-1], kept


def vgg16_relevance(model, x, classes, rule_of):
    """Relevance of every input number, and kept by biases, of the classes' logits.

    `rule_of` is a function of a layer's name and kind.
    """
    weights = reference.weights_of(model)
    logits, tape = reference.forward(weights, x)
    relevance = reference.one_hot(classes, logits.shape) * logits
    kept = np.zeros(len(x))
    for name, kind, _ in reversed(LAYERS):
        given = tape.inputs[name]
        if kind == "MaxPooling2D":
            relevance = reference.max_pool_backward(given, relevance)
        elif kind == "Flatten":
            relevance = relevance.reshape(given.shape)
        else:
            backward = convolution_backward if kind == "Conv2D" else dense_backward
            relevance, by_bias = backward(rule_of(name, kind), given, *weights[name], relevance)
            kept += by_bias
    return relevance, kept
