"""A picture moved a little before the network sees it: rolled, turned, scaled.

What excites a network only where it stands to the pixel is noise to everybody else. So every step
of an ascent moves the picture at random, and its gradient comes back the same way: Olah et al.,
"Feature Visualization" (Distill, 2017), "Transformation Robustness".
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

Pictures = Float[Array, "n height width channels"]


class Moves(NamedTuple):
    """How far a picture is moved at random, each one by itself, all evenly distributed.

    Attributes:
        jitter: pixels, up or down and to a side, at most.
        rotation: degrees, either way, at most.
        scale: smallest and largest factor of its size.
    """

    jitter: int
    rotation: float
    scale: tuple[float, float]

    @property
    def any(self) -> bool:
        """Whether a picture is moved at all."""
        return self.jitter > 0 or self.warps

    @property
    def warps(self) -> bool:
        """Whether pixels are interpolated."""
        return self.rotation > 0 or self.scale != (1, 1)


def moved(x: Pictures, key: Array, moves: Moves) -> Pictures:
    """Return pictures turned and scaled about their middle, then rolled, each by its own key.

    The key of picture i is `jax.random.fold_in(key, i)`, so that no picture depends on how many
    others there are.
    """
    if not moves.any:
        return x

    def draw(number: Array) -> tuple[Array, Array, Array]:
        turn, grow, shift = jax.random.split(jax.random.fold_in(key, number), 3)
        low, high = moves.scale
        degrees = jax.random.uniform(turn, (), x.dtype, -moves.rotation, moves.rotation)
        factor = jax.random.uniform(grow, (), x.dtype, low, high)
        return degrees, factor, jax.random.randint(shift, (2,), -moves.jitter, moves.jitter + 1)

    degrees, factors, shifts = jax.vmap(draw)(jnp.arange(len(x)))
    if moves.warps:
        x = warp(x, degrees, factors)
    return roll(x, shifts) if moves.jitter else x


def roll(x: Pictures, shifts: Int[Array, "n 2"]) -> Pictures:
    """Return pictures rolled by (down, right) pixels; what leaves at one side enters at the other.

    `np.roll(picture, shift, axis=(0, 1))` of each.
    """
    return jax.vmap(lambda one, shift: jnp.roll(one, shift, axis=(0, 1)))(x, shifts)


def warp(x: Pictures, degrees: Float[Array, " n"], factors: Float[Array, " n"]) -> Pictures:
    """Return pictures turned about their middle and scaled, of the same size, bilinear.

    A factor above 1 enlarges. Beyond the edge the picture is mirrored, the edge pixel twice (`d c b
    a | a b c d`): `scipy.ndimage.rotate(order=1, mode="reflect", reshape=False)` for factor 1.
    """
    height, width = x.shape[1:3]
    middle = (height - 1) / 2, (width - 1) / 2
    down, right = jnp.meshgrid(
        jnp.arange(height, dtype=x.dtype) - middle[0],
        jnp.arange(width, dtype=x.dtype) - middle[1],
        indexing="ij",
    )

    def one(picture: Array, angle: Array, factor: Array) -> Array:
        cosine, sine = jnp.cos(jnp.deg2rad(angle)), jnp.sin(jnp.deg2rad(angle))
        rows = (cosine * down + sine * right) / factor + middle[0]
        columns = (cosine * right - sine * down) / factor + middle[1]
        return _bilinear(picture, rows, columns)

    return jax.vmap(one)(x, degrees, factors)


def _bilinear(picture: Array, rows: Array, columns: Array) -> Array:
    """Return the values of a picture (height, width, channels) at places between its pixels."""
    top, left = jnp.floor(rows), jnp.floor(columns)
    below, beside = rows - top, columns - left  # shares of the next row and column
    total = jnp.zeros((*rows.shape, picture.shape[-1]), picture.dtype)
    for row, of_row in ((top, 1 - below), (top + 1, below)):
        for column, of_column in ((left, 1 - beside), (left + 1, beside)):
            at = _mirrored(row, picture.shape[0]), _mirrored(column, picture.shape[1])
            total = total + picture[at] * (of_row * of_column)[..., jnp.newaxis]
    return total


def _mirrored(places: Array, size: int) -> Int[Array, "height width"]:
    """Return places on an axis as those of the pixels that a picture mirrored at both ends has."""
    inside = jnp.mod(places.astype(jnp.int32), 2 * size)
    return jnp.where(inside < size, inside, 2 * size - 1 - inside)
