"""RISE: the mean of random masks, each weighed by what the model still sees.

Petsiuk, Das & Saenko, "RISE: Randomized Input Sampling for Explanation of Black-box Models" (arXiv
1806.07421, 2018), section 3. Nothing of the model is asked for but its output.
"""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float, Int

from jaxvis.errors import InputError
from jaxvis.gradients.onednn import bare
from jaxvis.gradients.target import Model, Score
from jaxvis.methods.masked import BATCH, sides_of, under_masks
from jaxvis.methods.method import Method
from jaxvis.methods.samples import check_count, each_class, one_array
from jaxvis.types import AnyArray

MASKS, CELLS, KEPT = 1000, 7, 0.5


def rise(
    model: Model,
    x: Float[AnyArray, "n height width channels"],
    classes: ArrayLike | None = None,
    *,
    masks: int = MASKS,
    cells: int = CELLS,
    kept: float = KEPT,
    score: Score | None = None,
    key: Array | None = None,
    batch_size: int = BATCH,
    channel_axis: int | None = None,
) -> Float[Array, "n height width"]:
    """Return sum_k p(x * M_k) M_k / (kept * masks), raw: at least 0 for a probability p.

    M are grids of `cells` x `cells` zeros and ones, enlarged bilinearly by one cell more than the
    image and shifted at random by up to a cell. p is softmax(logits) at the class, as in the paper,
    or the `score`. A map that is nearly flat says that too few masks were drawn.

    Args:
        model, x, classes, score, channel_axis: as in `saliency`, but x is one array, and classes
            one for each image.
        masks: how many are drawn, the same for all images; the paper takes 4,000 for VGG16.
        cells: of the grid, along each side.
        kept: the probability of a one, between 0 and 1.
        key: of the draws; `jax.random.key(0)` unless given.
        batch_size: masked images in one compiled call, which bounds memory, however many masks.

    Raises:
        TypeError, ValueError: as `saliency`; numbers out of range.
    """
    x = one_array(x)
    sides = sides_of(x, channel_axis)
    for name, value in (("masks", masks), ("cells", cells), ("batch_size", batch_size)):
        check_count(name, value)
    if not 0 < kept < 1:
        raise InputError(f"kept is {kept!r}; wanted a probability between 0 and 1")
    targets = each_class(model, x, classes, score)
    key = jax.random.key(0) if key is None else key

    drawn = Grids(sides, cells)
    made_of = key, jnp.asarray(kept, jnp.float32)
    sums = [
        total
        for _, _, total in under_masks(
            model, x, targets, drawn, lambda _: made_of, masks, score=score,
            batch_size=batch_size, of_all=True, channel_axis=channel_axis,
        )
    ]  # fmt: skip
    return jnp.stack(sums) / jnp.asarray(kept * masks, jnp.float32)


@dataclass(frozen=True)
class Grids:
    """Masks that are drawn at random, given a key and the share that is kept: see `masked.Masks`.

    A mask depends on the key and its number alone, whatever others are asked for.
    """

    sides: tuple[int, int]
    cells: int

    def __call__(
        self, made_of: tuple[Array, Array], numbers: Int[Array, " b"]
    ) -> Float[Array, "b height width"]:
        """Return grids of cells that are 0 or 1, shifted and enlarged."""
        key, kept = made_of

        def one(number: Array) -> Array:
            grid_key, shift_key = jax.random.split(jax.random.fold_in(key, number))
            grid = jax.random.bernoulli(grid_key, kept, (self.cells, self.cells))
            shifts = jax.random.uniform(shift_key, (2,))
            rows, columns = (
                _lines(side, self.cells, shift)
                for side, shift in zip(self.sides, shifts, strict=True)
            )
            by_row = bare(jnp.matmul(rows, grid.astype(jnp.float32), precision="highest"))
            return bare(jnp.matmul(by_row, columns.T, precision="highest"))

        return jax.vmap(one)(numbers)


def _lines(side: int, cells: int, shift: Array) -> Float[Array, "side cells"]:
    """Return a matrix that interpolates a shifted grid, whose cells are ceil(side / cells) long.

    The grid covers one cell more than the image. Beyond the middle of its first and last cell it
    goes on as there.
    """
    length = -(-side // cells)
    whole = (cells + 1) * length
    first = jnp.floor(shift * length)
    places = (first + jnp.arange(side, dtype=jnp.float32) + 0.5) * (cells / whole) - 0.5
    places = jnp.clip(places, 0, cells - 1)
    grid = jnp.arange(cells, dtype=jnp.float32)
    return jnp.maximum(0, 1 - jnp.abs(places[:, None] - grid[None]))


def _as_row(model: Any, x: Any, classes: Any, **options: Any) -> Array:
    return rise(model, x, classes, score=options["score"], channel_axis=options["channel_axis"])


RISE = Method(
    name="rise",
    title="RISE",
    function=_as_row,
    shown=lambda maps: maps - jnp.min(maps, axis=tuple(range(1, maps.ndim)), keepdims=True),
    kind="masks",
    at="input",
    signed=False,
    rules=False,
    forward=MASKS,
    backward=0,
    paper="Petsiuk, Das & Saenko, arXiv 1806.07421 (2018)",
    about=f"The mean of {MASKS} random masks, each weighed by the probability that is left, less "
    "its smallest value.",
)
