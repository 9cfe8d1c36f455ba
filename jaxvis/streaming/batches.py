"""`explain` for more images than memory holds at once, in batches of one compiled shape."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal

import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Float

from jaxvis.gradients.groups import IMAGES, MOST_GROUPS, on_cpu
from jaxvis.gradients.relu import RULES, Rule
from jaxvis.gradients.target import Score
from jaxvis.methods.one_pass import Maps, compile_explain, planned_bytes
from jaxvis.types import AnyArray

LARGEST = 256  # images in a batch that "auto" chooses, however much memory there is


def explain_batches(
    model: Any,
    x: Float[AnyArray, "n height width channels"],
    classes: ArrayLike | None = None,
    *,
    layer: str | int = "block5_conv3",
    rules: Mapping[str, Rule] = RULES,
    score: Score | None = None,
    batch_size: int | Literal["auto"] = "auto",
    memory: int = 1 << 30,
    step: Callable[[int, int], None] = lambda done, total: None,
) -> Maps:
    """Return what `explain` returns, as NumPy arrays, computed batch by batch.

    Args:
        model, x, classes, layer, rules, score: as in `explain`.
        batch_size: images in one compiled call, or "auto" for as many as fit into `memory`. The
            last batch is filled up with copies of its last image, so one compilation serves all.
        memory: bytes that a call may take for temporaries beside weights, images and maps.
        step: called with the number of batches done and of all, before each of them and at the end.

    Raises:
        ValueError: a batch size below 1, or `memory` too small for one image; else as `explain`.
    """
    options: dict[str, Any] = {"layer": layer, "rules": rules, "score": score}
    targets = None if classes is None else np.broadcast_to(np.asarray(classes), x.shape[:1])
    if batch_size == "auto":
        size = fitting_batch(model, x, targets, memory=memory, **options)
    else:
        size = min(batch_size, len(x))
    if size < 1:
        raise ValueError(f"batch_size is {batch_size}; wanted at least 1, or 'auto'")
    starts = range(0, len(x), size)
    run = compile_explain(model, *_batch(x, targets, 0, size), **options)
    parts = []
    for number, start in enumerate(starts):
        step(number, len(starts))
        maps = run(model, *_batch(x, targets, start, size))
        parts.append(_kept(maps, min(size, len(x) - start)))
    step(len(starts), len(starts))
    return _joined(parts)


def fitting_batch(
    model: Any,
    x: Float[AnyArray, "n height width channels"],
    classes: AnyArray | None,
    *,
    memory: int,
    **options: Any,
) -> int:
    """Return how many images fit into `memory` bytes of temporaries, by the compiler's own plan.

    The plan grows about linearly from two images on, so those for two and four tell it roughly for
    any number, and the number is lowered until its own plan fits.

    Raises:
        ValueError: one image does not fit.
    """

    def planned(size: int) -> int:
        return planned_bytes(model, *_batch(x, classes, 0, size), **options)

    largest = IMAGES * MOST_GROUPS if on_cpu(jnp.asarray(x[:1])) else LARGEST
    two, four = planned(2), planned(4)
    guess = 2 + 2 * (memory - two) // max(four - two, 1)
    count = max(1, min(guess, largest, len(x)))
    while (needed := planned(count)) > memory:
        if count == 1:
            raise ValueError(
                f"memory is {memory:,} bytes, and one image takes {needed:,}; wanted at least that"
            )
        count = max(1, min(count - 1, count * memory // needed))
    return count


def _batch(
    x: AnyArray, classes: AnyArray | None, start: int, size: int
) -> tuple[AnyArray, AnyArray | None]:
    """`size` images and their classes from `start` on, the last one repeated to fill up."""
    rows = np.minimum(np.arange(start, start + size), len(x) - 1)
    return jnp.asarray(x[rows]), None if classes is None else classes[rows]


def _kept(maps: Maps, count: int) -> Maps:
    def keep(array: AnyArray) -> np.ndarray:
        return np.asarray(array)[:count]

    return _mapped(keep, maps)


def _joined(parts: Sequence[Maps]) -> Maps:
    def columns() -> Iterator[tuple[AnyArray, ...]]:
        for part in parts:
            yield part.logits, *part.saliency.values(), *part.grad_cam.values()

    arrays = iter([np.concatenate(column) for column in zip(*columns(), strict=True)])
    return _mapped(lambda _: next(arrays), parts[0])


def _mapped(function: Callable[[AnyArray], np.ndarray], maps: Maps) -> Maps:
    """Apply a function to every array, the rules in their order; `jax.tree.map` sorts them."""
    return Maps(
        function(maps.logits),
        {rule: function(array) for rule, array in maps.saliency.items()},
        {rule: function(array) for rule, array in maps.grad_cam.items()},
    )
