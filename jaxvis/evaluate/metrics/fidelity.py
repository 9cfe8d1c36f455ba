"""Is a map faithful to small changes of the image, and stable under them?

Yeh, Hsieh, Suggala, Inouye & Ravikumar, "On the (In)fidelity and Sensitivity of Explanations"
(arXiv 1901.09392, 2019): infidelity, definition 2.1, and max-sensitivity, definition 3.1.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float, Float32

from jaxvis.errors import InputError
from jaxvis.evaluate.metrics.draws import Seed, streams
from jaxvis.gradients.compiled import Compiled
from jaxvis.gradients.target import as_targets, check_inputs, check_targets
from jaxvis.types import AnyArray

RADIUS = 5.0  # grey levels: about 0.02 of 255, as in Captum

Images = Float[AnyArray, "n height width 3"]


def infidelity(
    model: Callable[..., Any],
    x: Images,
    classes: ArrayLike,
    attributions: Float[AnyArray, "n height width *channels"],
    perturbations: Float[AnyArray, "samples n height width 3"],
    *,
    normalize: bool = False,
) -> Float32[np.ndarray, " n"]:
    """Return the mean over perturbations I of (I . Phi - (f(x) - f(x - I)))^2, f the class's logit.

    Args:
        model, x, classes: as in `input_gradient`.
        attributions: Phi, of the shape of x, or (n, height, width) for all channels alike.
        perturbations: I, as `square_perturbations` makes them: what is taken away from x.
        normalize: scale Phi by the factor that makes the result smallest, so that only its
            pattern counts; a map has no unit.

    Returns:
        At least 0, in squared logits; 0 where Phi tells every change.

    Raises:
        TypeError, ValueError: as `input_gradient`; ValueError for other shapes.
    """
    x, changes = jnp.asarray(x), jnp.asarray(perturbations)
    if changes.ndim != 5 or changes.shape[1:] != x.shape:
        raise InputError(
            f"perturbations have shape {changes.shape}; wanted (samples, *{x.shape}), as "
            "square_perturbations returns them"
        )
    return unexplained(logit_changes(model, x, classes, changes), attributions, changes, normalize)


def logit_changes(
    model: Callable[..., Any],
    x: Images,
    classes: ArrayLike,
    perturbations: Float[AnyArray, "samples n height width 3"],
) -> Float[Array, "samples n"]:
    """Return f(x) - f(x - I) for every perturbation I: the same for every map of an image."""
    x, targets = jnp.asarray(x), as_targets(classes, None)
    before, logits = _logits(model, x, targets)
    check_targets(targets, logits)
    # One after another, so that one compilation serves any number of samples.
    after = [_logits(model, x - jnp.asarray(change), targets)[0] for change in perturbations]
    return before[None] - jnp.stack(after)


def unexplained(
    changes: Float[Array, "samples n"],
    attributions: Float[AnyArray, "n height width *channels"],
    perturbations: Float[AnyArray, "samples n height width 3"],
    normalize: bool,
) -> Float32[np.ndarray, " n"]:
    """Return `infidelity` from what `logit_changes` returned."""
    phi, perturbations = jnp.asarray(attributions), jnp.asarray(perturbations)
    if phi.shape == perturbations.shape[1:-1]:
        phi = phi[..., None]
    if phi.ndim != 4 or phi.shape[:3] != perturbations.shape[1:4]:
        raise InputError(
            f"attributions have shape {phi.shape}; wanted {perturbations.shape[1:]}, or without "
            "channels"
        )
    return np.asarray(_unexplained(changes, phi, perturbations, normalize))


def max_sensitivity(
    function: Callable[[Array], Any],
    x: Images,
    offsets: Float[AnyArray, "samples n height width 3"],
) -> Any:
    """Return the maximum over offsets o of ||Phi(x + o) - Phi(x)|| / ||Phi(x)||, Phi = function.

    Args:
        function: from images to maps (n, ...), or a pytree of maps such as `explain` makes of
            them, measured each.
        x: the images.
        offsets: as `uniform_offsets` makes them.

    Returns:
        The pytree of `function`, in place of each array one value per image, (n,): at least 0,
        small for a stable map, NaN where Phi(x) is zero everywhere.
    """
    x, offsets = jnp.asarray(x), jnp.asarray(offsets)
    if offsets.ndim != x.ndim + 1 or offsets.shape[1:] != x.shape:
        raise InputError(f"offsets have shape {offsets.shape}; wanted (samples, *{x.shape})")
    plain = function(x)
    worst = jax.tree.map(lambda a: jnp.zeros(len(a)), plain)
    for offset in offsets:
        moved = function(x + offset)
        worst = jax.tree.map(lambda w, a, b: jnp.maximum(w, _change(a, b)), worst, plain, moved)
    return jax.tree.map(np.asarray, worst)


def square_perturbations(
    x: Images,
    *,
    samples: int = 50,
    smallest: float = 1 / 16,
    largest: float = 1 / 3,
    seed: Seed = 0,
) -> Float32[np.ndarray, "samples n height width 3"]:
    """Return what is lost when a random square of every image becomes 0, the mean colour.

    Yeh et al. (2019), section 2.3, "square removal": the sides are drawn evenly between two shares
    of the image's height, the places evenly within the image. `seed` is one for all images, which
    then lose the same squares, or one for each.
    """
    images = np.asarray(x, np.float32)
    n, height, width = images.shape[:3]
    low, high = (max(1, round(share * height)) for share in (smallest, largest))
    rngs = streams(seed, n)
    sides = np.stack([rng.integers(low, high + 1, samples) for rng in rngs], axis=1)
    tops, lefts = (
        np.floor(np.stack([rng.random(samples) for rng in rngs], axis=1) * (extent - sides + 1))
        for extent in (height, width)
    )
    rows, columns = np.arange(height), np.arange(width)

    def between(places: np.ndarray, starts: np.ndarray) -> np.ndarray:
        inside = (places >= starts[..., None]) & (places < (starts + sides)[..., None])
        return inside.astype(np.float32)

    squares = between(rows, tops)[..., :, None] * between(columns, lefts)[..., None, :]
    return squares[..., None] * images


def uniform_offsets(
    x: Images, *, samples: int = 10, radius: float = RADIUS, seed: Seed = 0
) -> Float32[np.ndarray, "samples n height width 3"]:
    """Return noise, even in [-radius, radius] grey levels for every pixel and channel.

    `seed` is one for all images, which then have the same noise, or one for each.
    """
    n, *shape = np.shape(x)
    unit = np.stack([r.random((samples, *shape), np.float32) for r in streams(seed, n)], axis=1)
    return (2 * unit - 1) * np.float32(radius)


@Compiled
def _logits(
    model: Any, x: Array, targets: Array | None
) -> tuple[Float[Array, " n"], Float[Array, "n classes"]]:
    check_inputs(x)
    logits = model(x)
    if targets is None:
        targets = jnp.argmax(logits, axis=1)
    indices = jnp.broadcast_to(targets, logits.shape[:1])
    return jnp.take_along_axis(logits, indices[:, None], axis=1)[:, 0], logits


@jax.jit(static_argnames="normalize")
def _unexplained(
    changes: Array, phi: Array, perturbations: Array, normalize: bool
) -> Float[Array, " n"]:
    told = jnp.sum(perturbations * phi.astype(perturbations.dtype)[None], axis=(2, 3, 4))
    if normalize:
        power = jnp.mean(told**2, axis=0)
        known = jnp.mean(told * changes, axis=0)
        told = told * (known / jnp.where(power > 0, power, jnp.ones_like(power)))[None]
    return jnp.mean((told - changes) ** 2, axis=0)


@jax.jit
def _change(plain: Array, moved: Array) -> Float[Array, " n"]:
    axes = tuple(range(1, plain.ndim))
    length = jnp.sqrt(jnp.sum(plain**2, axis=axes))
    return jnp.sqrt(jnp.sum((moved - plain) ** 2, axis=axes)) / length
