"""Integrated gradients: the gradient added up along the way from a baseline to the image.

Sundararajan, Taly & Yan, "Axiomatic Attribution for Deep Networks" (arXiv 1703.01365, 2017),
section 3. What all pixels get adds up to the difference of the scores at both ends: completeness.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float, Int

from jaxvis.errors import InputError
from jaxvis.gradients.relu import VANILLA, Relu, Rule
from jaxvis.gradients.target import Model, Score, channels_last
from jaxvis.methods.baseline import Baseline, baseline_of
from jaxvis.methods.forward import outputs, scores
from jaxvis.methods.input_x_gradient import products
from jaxvis.methods.method import Method
from jaxvis.methods.saliency import GRADIENT
from jaxvis.methods.samples import BATCH, check_count, each_class, maps_at, one_array, own_key
from jaxvis.types import AnyArray

STEPS = 32


class Integrated(NamedTuple):
    """What `integrated_gradients` returns.

    Attributes:
        maps: (n, height, width), raw and signed, summed over channels.
        error: (n,), what the maps add up to, less score(x) - score(baseline): 0 if the integral
            were exact. Only `VANILLA` gradients are those of the score.
    """

    maps: Float[Array, "n height width"]
    error: Float[Array, " n"]


def integrated_gradients(
    model: Model,
    x: Float[AnyArray, "n height width channels"],
    classes: ArrayLike | None = None,
    *,
    baseline: Baseline = 0.0,
    steps: int = STEPS,
    rule: Rule | Relu = VANILLA,
    score: Score | None = None,
    key: Array | None = None,
    batch_size: int = BATCH,
    channel_axis: int | None = None,
) -> Integrated:
    """Return sum over channels of (x - b) * mean over a in 0..1 of d score / d x at b + a (x - b).

    By Gauss-Legendre quadrature, which is exact for polynomials of a degree below 2 `steps`; the
    gradient of a network of ReLUs jumps, so the error of completeness is returned.

    Args:
        model, x, classes, rule, score, channel_axis: as in `saliency`, but x is one array, and
            classes one for each image.
        baseline: b, of the network's input: a number (0: what the network reads as 0, of VGG16 the
            mean colour), an array that broadcasts to x, "black", "blurred" or "uniform": see
            `jaxvis.methods.baseline`.
        steps: points on the way.
        key: of the "uniform" baseline; `jax.random.key(0)` unless given.
        batch_size: images in one compiled call, which bounds memory. With a `score` all images are
            in one call, since a score may have a class for each.

    Raises:
        TypeError, ValueError: as `saliency`; numbers out of range, or a baseline of another shape.
    """
    x = one_array(x)
    check_count("steps", steps)
    start = baseline_of(model, x, baseline, key=key, channel_axis=channel_axis)
    targets = each_class(model, x, classes, score)
    nodes, weights = np.polynomial.legendre.leggauss(steps)
    shares, weights = (nodes + 1) / 2, weights / 2

    def version(number: int, some: Array, rows: Int[np.ndarray, " m"]) -> Array:
        return _between(start[rows], some, jnp.asarray(shares[number], some.dtype))

    sums: dict[int, Array] = {}
    for images, number, found in maps_at(
        GRADIENT, model, x, targets, version, steps, batch_size=batch_size, rule=rule, score=score
    ):
        weighed = found * jnp.asarray(weights[number], found.dtype)
        sums[images.start] = sums[images.start] + weighed if images.start in sums else weighed
    maps = products(*channels_last((x - start, jnp.concatenate([*sums.values()])), channel_axis, x))
    ends = [scores(outputs(model, end), targets, score) for end in (x, start)]
    total = jnp.sum(maps, axis=tuple(range(1, maps.ndim)))
    return Integrated(maps, total - (ends[0] - ends[1]).astype(total.dtype))


@jax.jit
def _between(start: Array, end: Array, share: Array) -> Array:
    return start + share * (end - start)


def expected_gradients(
    model: Model,
    x: Float[AnyArray, "n height width channels"],
    baselines: Float[AnyArray, "m height width channels"],
    classes: ArrayLike | None = None,
    *,
    samples: int = 64,
    rule: Rule | Relu = VANILLA,
    score: Score | None = None,
    key: Array | None = None,
    batch_size: int = BATCH,
    channel_axis: int | None = None,
) -> Float[Array, "n height width"]:
    """Return the mean over b and a of sum over channels of (x - b) d score / d x at b + a (x - b).

    Integrated gradients from every one of some images as the baseline, so that none has to be
    chosen: for each sample one of the baselines and a point on the way to it, uniformly. Raw and
    signed. Erion, Janizek, Sturmfels, Lundberg & Lee, "Improving performance of deep learning
    models with axiomatic attribution priors and expected gradients" (arXiv 1906.10670, 2019),
    section 2.

    Args:
        baselines: network inputs, such as some of the training set.
        samples: draws for every image.
        key: of the draws; `jax.random.key(0)` unless given.
        model, x, classes, rule, score, batch_size, channel_axis: as in `integrated_gradients`.

    Raises:
        TypeError, ValueError: as `integrated_gradients`.
    """
    x, others = one_array(x), one_array(baselines)
    check_count("samples", samples)
    _check_alike(others, x)
    targets = each_class(model, x, classes, score)
    key = jax.random.key(0) if key is None else key

    def draws(image: Array) -> tuple[Array, Array]:
        which_key, share_key = jax.random.split(own_key(key, image))
        which = jax.random.randint(which_key, (samples,), 0, len(others))
        return which, jax.random.uniform(share_key, (samples,), image.dtype)

    drawn, shares = jax.vmap(draws)(x)
    which = np.asarray(drawn)

    def version(number: int, some: Array, rows: Int[np.ndarray, " m"]) -> Array:
        share = shares[rows, number].reshape(-1, *(1,) * (x.ndim - 1))
        return _between(others[which[rows, number]], some, share)

    sums: dict[int, Array] = {}
    for images, number, found in maps_at(
        GRADIENT, model, x, targets, version, samples, batch_size=batch_size, rule=rule, score=score
    ):
        away = x[images] - others[which[images, number]]
        added = products(*channels_last((away, found), channel_axis, x))
        sums[images.start] = sums[images.start] + added if images.start in sums else added
    return jnp.concatenate([*sums.values()]) / jnp.asarray(samples, x.dtype)


def _check_alike(others: Array, x: Array) -> None:
    if others.shape[1:] != x.shape[1:] or others.dtype != x.dtype:
        raise InputError(
            f"baselines have shape {others.shape} and dtype {others.dtype}; wanted images like x, "
            f"(m, {', '.join(map(str, x.shape[1:]))}) and {x.dtype}"
        )


def _as_row(model: Any, x: Any, classes: Any, **options: Any) -> Array:
    names = ("rule", "score", "channel_axis")
    return integrated_gradients(model, x, classes, **{name: options[name] for name in names}).maps


INTEGRATED_GRADIENTS = Method(
    name="integrated_gradients",
    title="integrated gradients",
    function=_as_row,
    shown=jnp.abs,
    kind="average",
    at="input",
    signed=False,
    rules=True,
    forward=STEPS,
    backward=STEPS,
    paper="Sundararajan, Taly & Yan, arXiv 1703.01365 (2017)",
    about="The gradient added up on the way from a baseline, what the network reads as 0, to the "
    "image, times what the image adds to the baseline; its absolute value.",
)
