"""What the metrics share that take pixels away: order, one class per image, its probability."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float, Float32, Int

from jaxvis.errors import InputError
from jaxvis.gradients.compiled import Compiled
from jaxvis.gradients.target import as_targets, check_inputs, check_logits

# Of the metrics' argument `output`: what makes probabilities of the logits, as in `Network`.
OUTPUT = "softmax"


class Curve(NamedTuple):
    """Probability of the class after every step, and the area under it, both per image."""

    probability: Float32[np.ndarray, "n steps"]
    area: Float32[np.ndarray, " n"]


def ranks(maps: Float[Array, "n height width"]) -> Int[Array, "n height width"]:
    """Return every pixel's place by value, 0 the largest; ties in reading order."""
    flat = maps.reshape(maps.shape[0], -1)
    order = jnp.argsort(flat, axis=1, descending=True, stable=True)
    places = jnp.broadcast_to(jnp.arange(flat.shape[1], dtype=jnp.int32), flat.shape)
    rows = jnp.arange(flat.shape[0])[:, None]
    return jnp.zeros_like(places).at[rows, order].set(places).reshape(maps.shape)


def targets_of(classes: ArrayLike, n: int) -> Int[Array, " n"]:
    """Return one class per image; raise ValueError for another number."""
    targets = as_targets(classes, None)
    if targets is None or targets.shape not in ((), (n,)):
        found = None if targets is None else targets.shape
        raise InputError(f"classes have shape {found}; wanted one index, or one per image: ({n},)")
    return jnp.broadcast_to(targets, (n,))


@Compiled
def class_probability(
    model: Any, x: Array, targets: Array, output: str
) -> tuple[Float[Array, " n"], Float[Array, "n classes"]]:
    """Return the probability of one class per image, and the logits; `output` as in `Network`."""
    check_inputs(x)
    logits = model(x)
    check_logits(logits, x.shape[0])
    return probability_of(logits, targets, output), logits


def log_probability_of(logits: Array, targets: Array, output: str) -> Float[Array, " n"]:
    """Logarithm of the probability of one class per row, a number where that underflows to 0."""
    z = logits.astype(jnp.float32)
    logs = jax.nn.log_sigmoid(z) if output == "sigmoid" else jax.nn.log_softmax(z, axis=1)
    return jnp.take_along_axis(logs, targets[:, None], axis=1)[:, 0]


def probability_of(logits: Array, targets: Array, output: str) -> Float[Array, " n"]:
    """Probability of one class per row: of a softmax, or the sigmoid of its logit."""
    z = logits.astype(jnp.float32)
    shares = jax.nn.sigmoid(z) if output == "sigmoid" else jax.nn.softmax(z, axis=1)
    return jnp.take_along_axis(shares, targets[:, None], axis=1)[:, 0]
