"""ROAD: take the pixels that a map marks away so that nobody can tell where they were.

Rong, Leemann, Borisov, Kasneci & Kasneci, "A Consistent and Efficient Evaluation Strategy for
Attribution Methods" (arXiv 2202.00449, 2022). Painting pixels one colour tells the network their
outline. ROAD makes each a weighted mean of its neighbours instead, removed ones among them (their
section 4.2, noisy linear imputation), which is a linear system: a discrete Laplace equation.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float

from jaxvis.errors import InputError
from jaxvis.evaluate.metrics.checks import check_maps
from jaxvis.evaluate.metrics.draws import Seed, streams
from jaxvis.evaluate.metrics.removal import OUTPUT, Curve, class_probability, ranks, targets_of
from jaxvis.gradients.target import check_targets
from jaxvis.types import AnyArray

SHARES = (0.1, 0.3, 0.5, 0.7, 0.9)  # of the pixels, removed
NOISE = 0.6  # grey levels: 0.01 of ImageNet's standard deviation of 58, as the authors have it
TOLERANCE = 3e-4  # relative residual of the system: errors are about a tenth of the noise
_DIRECT, _DIAGONAL = 1 / 6, 1 / 12  # weights of the neighbours


def road(
    model: Callable[..., Any],
    x: Float[AnyArray, "n height width 3"],
    classes: ArrayLike,
    maps: Float[AnyArray, "n height width"],
    *,
    shares: Sequence[float] = SHARES,
    most_relevant_first: bool = True,
    noise: float = NOISE,
    seed: Seed = 0,
    output: str = OUTPUT,
) -> Curve:
    """Return the probability of the class when shares of the pixels have been imputed.

    `probability` has one column per share, `area` is their mean, in [0, 1]: small for a good map
    when the most relevant pixels go first, large when the least relevant do.

    Args:
        model, x, classes, maps, output: as in `deletion`.
        shares: of the pixels to remove, each in (0, 1).
        most_relevant_first: which pixels go.
        noise, seed: of the imputation; one seed for all images, or one for each.

    Raises:
        TypeError, ValueError: as `deletion`; ValueError for a share out of range.
    """
    x = jnp.asarray(x)
    values = check_maps(maps, x)
    if not shares or not all(0 < share < 1 for share in shares):
        raise InputError(f"shares are {shares}; wanted numbers between 0 and 1, these excluded")
    targets = targets_of(classes, len(x))
    place = ranks(jnp.asarray(values if most_relevant_first else -values))
    pixels = values[0].size
    columns = []
    for number, share in enumerate(shares):
        removed = place < round(share * pixels)
        imputed = _imputed(x, removed, streams(seed, len(x), number), noise, TOLERANCE)
        probability, logits = class_probability(model, imputed, targets, output)
        check_targets(targets, logits)
        columns.append(np.asarray(probability))
    curves = np.stack(columns, axis=1)
    return Curve(curves, curves.mean(axis=1))


def noisy_linear_imputation(
    x: Float[AnyArray, "n height width channels"],
    removed: Bool[AnyArray, "n height width"],
    *,
    noise: float = NOISE,
    seed: Seed = 0,
    tolerance: float = TOLERANCE,
) -> Float[Array, "n height width channels"]:
    """Return images whose removed pixels are the weighted mean of their neighbours, plus noise.

    Every removed pixel solves sum_j w_j (u - u_j) = 0 over its eight neighbours in the image, w =
    1/6 beside and 1/12 across corners. Noise is normal, its deviation in the units of x; `seed` is
    one for all images, which then have the same noise, or one for each.

    Raises:
        ValueError: an image has no pixel left, or shapes do not fit.
    """
    x = jnp.asarray(x)
    return _imputed(x, removed, streams(seed, len(x)), noise, tolerance)


def _imputed(
    x: Array,
    removed: Bool[AnyArray, "n height width"],
    rngs: Sequence[np.random.Generator],
    noise: float,
    tolerance: float,
) -> Array:
    removed = jnp.asarray(removed)
    if removed.shape != x.shape[:3] or removed.dtype != jnp.bool_:
        raise InputError(
            f"removed has dtype {removed.dtype} and shape {removed.shape}; wanted bool "
            f"{x.shape[:3]}"
        )
    if bool(jnp.any(jnp.all(removed, axis=(1, 2)))):
        raise InputError("all pixels of an image are removed; wanted at least one to impute from")
    drawn = [rng.standard_normal(x.shape[1:], np.float32) for rng in rngs]
    added = np.stack(drawn) * np.float32(noise)
    return _impute_each(x, removed, jnp.asarray(added, x.dtype), tolerance)


@jax.jit
def _impute_each(x: Array, removed: Array, added: Array, tolerance: float) -> Array:
    """Image by image: conjugate gradients end when all they solve is exact enough together."""

    def one(x: Array, removed: Array, added: Array) -> Array:
        return _impute(x[None], removed[None, ..., None], added[None], tolerance)[0]

    return jax.vmap(one)(x, removed, added)


def _impute(x: Array, removed: Array, added: Array, tolerance: float) -> Array:
    kept = jnp.where(removed, jnp.zeros((), x.dtype), x)
    right = jnp.where(removed, -_laplace(kept), jnp.zeros((), x.dtype))

    def product(u: Array) -> Array:
        return jnp.where(removed, _laplace(u), jnp.zeros((), u.dtype))

    guess = jnp.where(removed, _from_coarse(kept, ~removed), jnp.zeros((), x.dtype))
    solved, _ = jax.scipy.sparse.linalg.cg(product, right, guess, tol=tolerance, maxiter=1000)
    return jnp.where(removed, solved + added, x)


def _laplace(u: Float[Array, "n h w c"]) -> Float[Array, "n h w c"]:
    """Return sum_j w_j (u - u_j) over the neighbours in the image: a copied edge adds nothing."""
    height, width = u.shape[1:3]
    around = jnp.pad(u, ((0, 0), (1, 1), (1, 1), (0, 0)))
    inside = jnp.pad(jnp.ones((1, height, width, 1), u.dtype), ((0, 0), (1, 1), (1, 1), (0, 0)))
    total = jnp.zeros_like(u)
    for row in range(3):
        for column in range(3):
            if (row, column) == (1, 1):
                continue
            weight = _DIRECT if 1 in (row, column) else _DIAGONAL
            window = np.s_[:, row : row + height, column : column + width]
            total = total + weight * (inside[window] * u - around[window])
    return total


def _from_coarse(kept: Float[Array, "n h w c"], known: Bool[Array, "n h w 1"]) -> Array:
    """Fill unknown pixels with the mean of the known ones in ever larger squares around them.

    Conjugate gradients carry a value one pixel further in each step, so that a large hole would
    take hundreds of them from zero.
    """
    height, width = kept.shape[1:3]
    weights = known.astype(kept.dtype)
    sums, filled = kept * weights, kept
    have, scale = known, 1
    while min(height, width) >= 2 * scale:
        scale *= 2
        grow = ((0, 0), (0, sums.shape[1] % 2), (0, sums.shape[2] % 2), (0, 0))
        sums, weights = (
            jax.lax.reduce_window(
                jnp.pad(a, grow), np.zeros((), a.dtype), jax.lax.add, (1, 2, 2, 1), (1, 2, 2, 1),
                "VALID",
            )
            for a in (sums, weights)
        )  # fmt: skip
        mean = sums / jnp.maximum(weights, jnp.ones_like(weights))
        mean, there = (
            jnp.repeat(jnp.repeat(a, scale, axis=1), scale, axis=2)[:, :height, :width]
            for a in (mean, weights > 0)
        )
        filled = jnp.where(have, filled, jnp.where(there, mean, jnp.zeros_like(mean)))
        have = have | there
    return filled
