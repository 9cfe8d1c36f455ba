"""SmoothGrad: the mean of the gradients at noisy copies of an image.

Smilkov, Thorat, Kim, Viegas & Wattenberg, "SmoothGrad: removing noise by adding noise" (arXiv
1706.03825, 2017), section 3. Gradients of a network of ReLUs jump from one place to the next; what
they have in common does not.
"""

from typing import Any, Literal, Unpack

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float, Int

from jaxvis.errors import InputError
from jaxvis.gradients.relu import VANILLA, Relu, Rule
from jaxvis.gradients.target import Model, Score, channels_last
from jaxvis.methods.grad_cam import GRAD_CAM, positive
from jaxvis.methods.method import Method
from jaxvis.methods.options import OfLayer
from jaxvis.methods.saliency import GRADIENT, largest_over_channels
from jaxvis.methods.samples import BATCH, check_count, each_class, maps_at, one_array, own_key
from jaxvis.types import AnyArray

Mean = Literal["signed", "absolute", "square", "variance"]
SAMPLES, NOISE = 25, 0.15


def smoothgrad(
    model: Model,
    x: Float[AnyArray, "n height width channels"],
    classes: ArrayLike | None = None,
    *,
    rule: Rule | Relu = VANILLA,
    score: Score | None = None,
    samples: int = SAMPLES,
    noise: float = NOISE,
    mean: Mean = "signed",
    key: Array | None = None,
    batch_size: int = BATCH,
    channel_axis: int | None = None,
) -> Float[Array, "n height width"]:
    """Return the saliency map of the mean over samples of d score / d x at x + noise.

    Raw and signed: of the mean gradient, the value that is largest in absolute value over the
    channels, with its sign; `jnp.abs` of it is the saliency map of the paper.

    Args:
        model, x, classes, rule, score, channel_axis: as in `saliency`, but x is one array, and
            classes one for each image. Without classes, each image's prediction before any noise.
        samples: noisy copies of every image.
        noise: standard deviation of the normal noise, as a share of max(x) - min(x) of the image.
        mean: of what: "signed" gradients, as the paper has it; their "absolute" values, as
            tf-keras-vis; their "square" (Hooker et al., arXiv 1806.10758, 2018), or their
            "variance" (VarGrad: Adebayo et al., arXiv 1810.03307, 2018), divided by `samples`.
        key: of the noise; `jax.random.key(0)` unless given. An image's noise depends on the key
            and on the image, not on the others or its place among them.
        batch_size: images in one compiled call, which bounds memory. With a `score` all images are
            in one call, since a score may have a class for each.

    Raises:
        TypeError, ValueError: as `saliency`; numbers out of range.
    """
    if mean not in ("signed", "absolute", "square", "variance"):
        raise InputError(f"mean is {mean!r}; wanted 'signed', 'absolute', 'square' or 'variance'")
    found = _noisy(
        GRADIENT, model, x, classes, score, samples, noise, key, batch_size, mean, rule=rule,
    )  # fmt: skip
    return largest_over_channels(channels_last(found, channel_axis, x))


def smooth_grad_cam(
    model: Any,
    x: Float[AnyArray, "n height width channels"],
    classes: ArrayLike | None = None,
    *,
    samples: int = SAMPLES,
    noise: float = NOISE,
    key: Array | None = None,
    batch_size: int = BATCH,
    **options: Unpack[OfLayer],
) -> Float[Array, "n h w"]:
    """Return relu(mean over samples of sum_c w_c A_c at x + noise): Grad-CAM under noise.

    The maps are averaged before their ReLU. Omeiza et al., "Smooth Grad-CAM++" (arXiv 1908.01224,
    2019) average weights in the place of maps. Arguments as in `grad_cam` and `smoothgrad`.
    """
    chosen: dict[str, Any] = dict(options)
    score = chosen.pop("score", None)
    found = _noisy(
        GRAD_CAM, model, x, classes, score, samples, noise, key, batch_size, "signed", **chosen
    )
    return positive(found)


def _noisy(
    method: Method, model: Any, x: Any, classes: Any, score: Score | None, samples: int,
    noise: float, key: Array | None, batch_size: int, mean: Mean, **options: Any,
) -> Array:  # fmt: skip
    """Return the mean of what a method makes of noisy images."""
    x = one_array(x)
    check_count("samples", samples, 2 if mean == "variance" else 1)
    if not noise >= 0 or not np.isfinite(noise):
        raise InputError(f"noise is {noise!r}; wanted a share of the image's range, at least 0")
    targets = each_class(model, x, classes, score)
    key = jax.random.key(0) if key is None else key

    def version(number: int, some: Array, rows: Int[np.ndarray, " m"]) -> Array:
        return _with_noise(some, jnp.asarray(number), key, noise)

    means: dict[int, tuple[Array, Array]] = {}
    for images, number, found in maps_at(
        method, model, x, targets, version, samples, batch_size=batch_size, score=score, **options
    ):
        if mean == "absolute":
            found = jnp.abs(found)
        elif mean == "square":
            found = found * found
        before, squares = means.get(images.start, (jnp.zeros_like(found), jnp.zeros_like(found)))
        means[images.start] = _welford(before, squares, found, jnp.asarray(number + 1, found.dtype))
    parts = [
        squares / jnp.asarray(samples, squares.dtype) if mean == "variance" else average
        for average, squares in means.values()
    ]
    return jnp.concatenate(parts)


@jax.jit
def _with_noise(
    x: Float[Array, "n ..."], number: Array, key: Array, noise: Any
) -> Float[Array, "n ..."]:
    def one(image: Array) -> Array:
        own = jax.random.fold_in(own_key(key, image), number)
        sigma = (jnp.max(image) - jnp.min(image)) * jnp.asarray(noise, image.dtype)
        return image + sigma * jax.random.normal(own, image.shape, image.dtype)

    return jax.vmap(one)(x)


@jax.jit
def _welford(mean: Array, squares: Array, new: Array, count: Array) -> tuple[Array, Array]:
    """Welford, "Note on a method for calculating corrected sums of squares" (1962)."""
    after = mean + (new - mean) / count
    return after, squares + (new - mean) * (new - after)


def _as_row(model: Any, x: Any, classes: Any, **options: Any) -> Array:
    names = ("rule", "score", "channel_axis")
    return smoothgrad(model, x, classes, **{name: options[name] for name in names})


SMOOTHGRAD = Method(
    name="smoothgrad",
    title="SmoothGrad",
    function=_as_row,
    shown=jnp.abs,
    kind="average",
    at="input",
    signed=False,
    rules=True,
    forward=SAMPLES,
    backward=SAMPLES,
    paper="Smilkov et al., arXiv 1706.03825 (2017)",
    about=f"The mean gradient at {SAMPLES} noisy copies of the image, its absolute value.",
)
