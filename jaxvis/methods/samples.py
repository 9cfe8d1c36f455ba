"""Raw maps of one-pass methods at many versions of an image, a bounded number at a time.

A Python loop around one compiled step, and not a loop inside of it: XLA's CPU backend runs
convolutions inside `lax.scan` on one thread.
"""

from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from jaxvis.errors import InputError, InputTypeError
from jaxvis.gradients.target import (
    Score,
    as_inputs,
    as_targets,
    check_inputs,
    check_logits,
    check_target_shape,
)
from jaxvis.methods.batches import filled
from jaxvis.methods.forward import outputs
from jaxvis.methods.method import Method
from jaxvis.methods.one_pass import one_map

BATCH = 8  # versions of images in one compiled call


def own_key(key: Array, image: Float[Array, "..."]) -> Array:
    """Return a key that belongs to an image: by its values, not by its place among others.

    So a map does not depend on which images are explained with it, or in what order.
    """
    bits = jax.lax.bitcast_convert_type(image.astype(jnp.float32), jnp.uint32).ravel()
    odd = 2 * jnp.arange(bits.size, dtype=jnp.uint32) + 1
    return jax.random.fold_in(key, jnp.sum(bits * odd, dtype=jnp.uint32))  # modulo 2^32


def one_array(x: Any) -> Float[Array, "n ..."]:
    """Return the input of a model as one array of images.

    Raises:
        TypeError: it is a tuple or dict of arrays.
        ValueError: no floats, or no images.
    """
    x = as_inputs(x)
    if not isinstance(x, jax.Array):
        raise InputTypeError(
            f"x is a {type(x).__name__}; wanted one array (n, ...): this method changes images, "
            "and does not know which of several inputs to change"
        )
    check_inputs(x)
    return x


def each_class(
    model: Any, x: Float[Array, "n ..."], classes: Any, score: Score | None
) -> Int[Array, " n"] | None:
    """Return one class for every image, that which the model predicts for the image as it is.

    None with a score, which picks its own. Changed images might be of another class.
    """
    targets = one_class(x, classes, score)
    if targets is not None or score is not None:
        return targets
    logits = outputs(model, x)
    check_logits(logits, len(x))
    return jnp.argmax(logits, axis=1).astype(jnp.int32)


def one_class(
    x: Float[Array, "n ..."], classes: Any, score: Score | None
) -> Int[Array, " n"] | None:
    """Return the class that is given for every image; None where none is.

    Raises:
        TypeError, ValueError: no classes, or several for an image.
    """
    targets = as_targets(classes, score)
    if targets is None:
        return None
    check_target_shape(targets, len(x))
    if targets.ndim == 2:
        raise InputError(
            f"classes have shape {targets.shape}; wanted one class for each image: ask once for "
            "each class"
        )
    return jnp.broadcast_to(targets, (len(x),))


def check_count(name: str, value: Any, least: int = 1) -> int:
    """Return a number of samples, masks or images; raise ValueError unless it is at least 1."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise InputError(f"{name} is {value!r}; wanted a whole number, at least {least}")
    return int(value)


def maps_at(
    method: Method,
    model: Any,
    x: Float[Array, "n ..."],
    targets: Int[Array, " n"] | None,
    version: Callable[[int, Array, Int[np.ndarray, " m"]], Array],
    count: int,
    *,
    batch_size: int,
    **options: Any,
) -> Iterator[tuple[slice, int, Array]]:
    """Yield (images, number, raw maps of them) for every version of all images, in this order.

    Args:
        method: a one-pass method; its maps keep their signs.
        version: from (number, x[images], indices of these images) to other images.
        count: of the versions.
        batch_size: images in one compiled call; versions fill up what images leave.
        options: as in `one_map`.
    """
    check_count("batch_size", batch_size)
    n = len(x)
    # A score of one's own may know how many images there are, so they come as they are.
    images = n if targets is None else min(n, batch_size)
    together = 1 if targets is None else min(count, batch_size // images)
    for start, rows in filled(n, images):
        part = slice(start, min(start + images, n))
        some = x[rows]
        wanted = None if targets is None else jnp.tile(targets[rows], together)
        for first, numbers in filled(count, together):
            given = jnp.concatenate([version(int(k), some, rows) for k in numbers])
            found = one_map(method, model, given, wanted, signed=True, **options)
            found = found.reshape(together, images, *found.shape[1:])
            for place in range(min(together, count - first)):
                yield part, first + place, found[place, : part.stop - part.start]
