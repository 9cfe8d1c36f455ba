"""`explain` for more images than memory holds at once, in batches of one compiled shape."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Literal, Unpack

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Float

from jaxvis.errors import InputError
from jaxvis.gradients.groups import IMAGES, MOST_GROUPS, on_cpu
from jaxvis.gradients.target import as_inputs, as_targets, check_arrays, check_target_shape
from jaxvis.methods.batches import filling
from jaxvis.methods.catalogue import SALIENCY
from jaxvis.methods.explain import asked_of, compile_explain
from jaxvis.methods.maps import Maps
from jaxvis.methods.options import Options
from jaxvis.streaming.devices import Devices
from jaxvis.streaming.loop import steps
from jaxvis.types import AnyArray

LARGEST = 256  # images in a batch that "auto" chooses, however much memory there is


def explain_batches(
    model: Any,
    x: Float[AnyArray, "n height width channels"],
    classes: ArrayLike | None = None,
    *,
    batch_size: int | Literal["auto"] = "auto",
    memory: int = 1 << 30,
    progress: Callable[[int, int], None] = lambda done, total: None,
    **options: Unpack[Options],
) -> Maps:
    """Return what `explain` returns, as NumPy arrays, computed batch by batch.

    Args:
        model, x, classes, options: as in `explain`.
        batch_size: images in one compiled call, or "auto" for as many as fit into `memory`. The
            last batch is filled up with copies of its last image, so one compilation serves all.
        memory: bytes that a call may take for temporaries beside weights, images and maps.
        progress: called with the number of batches done and of all, before each and at the end.

    Raises:
        ValueError: no images, a batch size below 1, or `memory` too small for one image; else as
            `explain`.
    """
    total = _count(x)
    targets = None
    if classes is not None:
        targets = np.asarray(as_targets(classes, options.get("score")))
        check_target_shape(targets, total)
        if targets.ndim == 0:
            targets = np.broadcast_to(targets, (total,))
    if batch_size == "auto":
        size = fitting_batch(model, x, targets, memory=memory, **options)
    else:
        size = min(batch_size, total)
    if size < 1:
        raise InputError(f"batch_size is {batch_size}; wanted at least 1, or 'auto'")
    starts = range(0, total, size)
    # No more devices than batches; the only one is not named, so that x stays where it is.
    several = jax.local_devices()[: len(starts)] if jax.local_device_count() > 1 else None
    devices = Devices(model, size, devices=several, **options)
    first = _step(x, targets, starts[: devices.count], devices)
    devices.compile(*first)

    def inputs(taken: Sequence[int]) -> tuple[Any, Any]:
        progress(taken[0] // size, len(starts))
        return first if taken[0] == 0 else _step(x, targets, taken, devices)

    found: Any = None
    for step in steps(iter(starts), devices, inputs):
        for start, (maps, _) in step.parts(lambda start: min(size, total - start)):
            if found is None:  # room for all, so that no batch has to be kept and copied at the end
                found = jax.tree.map(lambda a: np.empty((total, *a.shape[1:]), a.dtype), maps)
            jax.tree.map(partial(_fill, start=start), found, maps)
    progress(len(starts), len(starts))
    return found


def _step(
    x: Any, classes: AnyArray | None, starts: Sequence[int], devices: Devices
) -> tuple[Any, Any]:
    """Return the images of some batches and their classes, filled up for all devices."""
    start = starts[0]
    return _rows(x, classes, start + filling(_count(x) - start, devices.batch * devices.count))


def _fill(whole: np.ndarray, part: np.ndarray, start: int) -> None:
    whole[start : start + len(part)] = part


def fitting_batch(
    model: Any,
    x: Float[AnyArray, "n height width channels"],
    classes: AnyArray | None,
    *,
    memory: int,
    **options: Unpack[Options],
) -> int:
    """Return how many images fit into `memory` bytes of temporaries, by the compiler's own plan.

    Methods that run the network many times keep to a batch size of their own, and have no part.

    The plan grows about linearly from two images on, so those for two and four tell it roughly for
    any number, and the number is lowered until its own plan fits.

    Raises:
        ValueError: one image does not fit.
    """

    methods = [method for method in asked_of(options)[0].methods if method.kind == "one pass"]
    options = {**options, "methods": methods or [SALIENCY]}

    def planned(size: int) -> int:
        return compile_explain(model, *_batch(x, classes, 0, size), **options).planned_bytes

    cpu = all(on_cpu(jnp.asarray(leaf[:1])) for leaf in jax.tree.leaves(x))
    largest = IMAGES * MOST_GROUPS if cpu else LARGEST
    two, four = planned(2), planned(4)
    guess = 2 + 2 * (memory - two) // max(four - two, 1)
    count = max(1, min(guess, largest, _count(x)))
    while (needed := planned(count)) > memory:
        if count == 1:
            raise InputError(
                f"memory is {memory:,} bytes, and one image takes {needed:,}; wanted at least that"
            )
        count = max(1, min(count - 1, count * memory // needed))
    return count


def _count(x: Any) -> int:
    """The number of images; raise ValueError if there is none."""
    check_arrays(x)
    sizes = {len(leaf) for leaf in jax.tree.leaves(x) if leaf.ndim}
    if len(sizes) != 1 or 0 in sizes:
        raise InputError(f"x holds {sorted(sizes) or 'no'} images; wanted one number, at least 1")
    return sizes.pop()


def _batch(x: Any, classes: AnyArray | None, start: int, size: int) -> tuple[Any, AnyArray | None]:
    """`size` images and their classes from `start` on, the last one repeated to fill up."""
    taken, targets = _rows(x, classes, start + filling(_count(x) - start, size))
    return as_inputs(taken), targets


def _rows(x: Any, classes: AnyArray | None, rows: np.ndarray) -> tuple[Any, Any]:
    taken = jax.tree.map(lambda leaf: leaf[rows], x)
    return taken, None if classes is None else classes[rows]
