"""What is left of the class's probability when an image is dimmed by its map.

Average drop and increase in confidence: Chattopadhay et al., "Grad-CAM++" (arXiv 1710.11063, 2017),
section 5.1.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float, Float32

from jaxvis.evaluate.metrics.checks import check_maps
from jaxvis.evaluate.metrics.removal import OUTPUT, log_probability_of, targets_of
from jaxvis.gradients.compiled import Compiled
from jaxvis.gradients.target import check_inputs, check_logits, check_targets
from jaxvis.types import AnyArray

Images = Float[AnyArray, "n height width 3"]
RawMaps = Float[AnyArray, "n height width"]


class Drop(NamedTuple):
    """What is lost when the image is dimmed by its map, as a share; whether anything was gained."""

    drop: Float32[np.ndarray, " n"]
    increase: Bool[np.ndarray, " n"]


def drop_and_increase(
    model: Callable[..., Any], x: Images, classes: ArrayLike, maps: RawMaps, *,
    output: str = OUTPUT,
) -> Drop:  # fmt: skip
    """Return max(0, p(x) - p(x L)) / p(x) and p(x L) > p(x), L the map scaled to [0, 1].

    Their means over images are Grad-CAM++'s average drop (small is good) and increase in
    confidence (large is good), here as shares, not per cent. x L dims the image towards the mean
    colour of ImageNet where the map is low; of a map without a positive value nothing is left.
    Arguments and errors are those of `deletion`.
    """
    x = jnp.asarray(x)
    values = check_maps(maps, x)
    targets = targets_of(classes, len(x))
    drop, increase, logits = _drop(model, x, targets, jnp.asarray(values), output)
    check_targets(targets, logits)
    return Drop(np.asarray(drop), np.asarray(increase))


@Compiled
def _drop(
    model: Any, x: Array, targets: Array, maps: Array, output: str
) -> tuple[Float[Array, " n"], Bool[Array, " n"], Float[Array, "n classes"]]:
    check_inputs(x)
    low, high = (f(maps, axis=(1, 2), keepdims=True) for f in (jnp.min, jnp.max))
    span = high - low
    # Not divided by the span, as XLA would multiply by a reciprocal that is 0 above 2^126.
    scale = lax.rsqrt(jnp.where(span > 0, span, jnp.ones_like(span)))
    scaled = jnp.where(span > 0, (maps - low) * scale * scale, 0.0)
    dimmed = x * scaled[..., None].astype(x.dtype)
    logits = model(jnp.concatenate([x, dimmed]))
    check_logits(logits, 2 * x.shape[0])
    logs = log_probability_of(logits, jnp.concatenate([targets, targets]), output)
    # 1 - p(x L) / p(x): of logarithms, for p(x) may be too small for float32, and 0 / 0 is NaN.
    before, after = jnp.split(logs, 2)
    drop = -jnp.expm1(jnp.minimum(after - before, jnp.zeros_like(before)))
    return drop, after > before, logits
