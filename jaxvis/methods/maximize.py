"""The network's own pictures: what excites a class, a channel or any score the most.

Gradient ascent on the input in place of the weights: Erhan, Bengio, Courville & Vincent,
"Visualizing Higher-Layer Features of a Deep Network" (2009), section 4; Simonyan, Vedaldi &
Zisserman, "Deep Inside Convolutional Networks" (arXiv 1312.6034, 2013), section 2; Olah,
Mordvintsev & Schubert, "Feature Visualization" (Distill, 2017), of whom the transformations and the
Fourier parametrisation are. The steps are a Python loop round one compiled step: inside a loop of
its own, XLA convolves on a single thread of a CPU.
"""

import functools
import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.typing import ArrayLike
from jaxtyping import Array, Float, Int, UInt8

from jaxvis.any_model.adapters import as_model
from jaxvis.any_model.last_activation import probabilities_warning
from jaxvis.errors import InputError, InputTypeError
from jaxvis.gradients.auto_mesh import on_auto_mesh
from jaxvis.gradients.called import Calls, NotedRelu, check_called
from jaxvis.gradients.compiled import Compiled
from jaxvis.gradients.groups import group_size, vjp_in_groups
from jaxvis.gradients.relu import VANILLA, Relu, Rule, relu_under
from jaxvis.gradients.target import Score
from jaxvis.methods import image_priors
from jaxvis.methods.objective import Objective, check_index, objective_of, reached, scores_of
from jaxvis.methods.options import Layer
from jaxvis.methods.parametrisation import FOURIER, PIXELS, Bounds, Parametrisation
from jaxvis.methods.start import begin
from jaxvis.methods.transforms import Moves, moved
from jaxvis.types import AnyArray

Pictures = Float[Array, "n height width channels"]
PARAMETRISATIONS = {"pixels": PIXELS, "fourier": FOURIER}
RATES = {"pixels": 2.0, "fourier": 0.05}  # grey levels a step; of waves whose deviation is about 1
# Weights of the total variation, chosen by eye: the demo's logits rise to 50, the means of its
# channels to 5. Of a score of one's own nothing is known.
SMOOTH_CLASS, SMOOTH_CHANNEL, SMOOTH_SCORE = 2.0, 0.05, 0.0


class Maximized(NamedTuple):
    """What an ascent found, in the network's own input space, and the way there.

    Picture t is what t steps made of the start, so that there are `steps` + 1 of them.

    Attributes:
        last: the pictures after the last step; of the dtype of `start`, float32 if there was none.
        best: of each picture, the one of the highest score on the way, the first of equals.
        best_steps: int (n,), after how many steps that was.
        scores: float (steps + 1, n), of every picture itself: not moved, without the priors.
        frames: (k, n, height, width, channels), pictures on the way, evenly spaced.
        frame_steps: int (k,), after how many steps each was.
    """

    last: Pictures
    best: Pictures
    best_steps: Int[np.ndarray, " n"]
    scores: Float[np.ndarray, "pictures n"]
    frames: Float[np.ndarray, "k n height width channels"]
    frame_steps: Int[np.ndarray, " k"]


def maximize(
    model: Any,
    classes: ArrayLike | None = None,
    *,
    layer: Layer | None = None,
    channel: ArrayLike | None = None,
    score: Score | None = None,
    rule: Rule | Relu = VANILLA,
    start: Float[AnyArray, "n height width channels"] | None = None,
    size: tuple[int, int] | None = None,
    preprocess: Callable[[UInt8[np.ndarray, "n height width 3"]], Any] | None = None,
    bounds: tuple[ArrayLike, ArrayLike] | None = None,
    steps: int = 256,
    key: Array | None = None,
    optimizer: optax.GradientTransformation | None = None,
    parametrization: Literal["pixels", "fourier"] = "fourier",
    normalize_gradient: bool = False,
    total_variation: float | None = None,
    norm: float = 0.0,
    norm_order: float = 1.0,
    jitter: int = 8,
    rotation: float = 10.0,
    scale: tuple[float, float] = (0.8, 1.2),
    keep: int = 0,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Maximized:
    """Return pictures made by ascent: x(t + 1) = x(t) + step(d (score - priors) / d x).

    The score is a class's logit (Simonyan et al. 2013, section 2), the mean of a layer's channel
    (Erhan et al. 2009), or any other. The priors are `total_variation` TV(x) + `norm` |x|, see
    `image_priors`, of x in grey levels. Every step moves the picture at random before the network
    sees it, `transforms`, and its gradient comes back through that; the picture stays where it is.
    What the picture looks like comes of the network and of these choices together, none of which is
    neutral: a picture is shown with its settings.

    Args:
        model: as in `input_gradient`, of images (n, height, width, channels); with `layer`, one
            that can be cut, as in `grad_cam`.
        classes: index of the logit to excite, one, or one for each picture, (n,): all are made at
            once, and none depends on another. Not the class of the softmax, which could be raised
            by lowering all others.
        layer, channel: in place of classes, the mean over all places of this channel of this layer,
            after its ReLU; of a dense layer, this unit. One, or one for each picture, (n,).
        score: in place of an index, a function from what the model returns, or with `layer` from
            the layer's activation, to scores (n,), each of its own picture.
        rule: of the ReLUs on the way back, as in `input_gradient`. Under any other than `VANILLA`
            the steps do not follow the gradient of the score, which then need not grow.
        start: pictures to begin with, float, in the network's input space, (n, height, width,
            channels); one may serve for several classes. Default: normal noise of 10 grey levels
            about the middle of the bounds.
        size: height and width in pixels, unless there is `start`. A `VGG16` knows its own.
        preprocess: from uint8 RGB to what the network reads, as a `Network` has it; shape and
            bounds are those of what it makes of black and white. A `VGG16` knows its own; of
            another `Network` hand over network.size and network.preprocess.
        bounds: (low, high) of the network's input, each a number or one for each channel; (-inf,
            inf) for none. In "caffe", VGG16's, they are -mean and 255 - mean. A grey level is
            (high - low) / 255, or 1 without an end.
        steps: at least 1.
        key: of all that is random; default `jax.random.key(0)`. The same key, the same pictures,
            on the same machine.
        optimizer: of Optax, told to go down -score. Its learning rate is in grey levels in
            "pixels", and in the waves' own unit in "fourier". Default Adam: 2 and 0.05. One that is
            made anew for every call compiles anew.
        parametrization: "fourier", the waves of x, each by its length, squashed into the bounds by
            a sigmoid; or "pixels", which are clipped to the bounds after every step.
        normalize_gradient: divide each picture's gradient, of score and priors with respect to what
            is optimised, by its l2 norm.
        total_variation, norm: weights of the priors, in units of the score for a grey level. The
            first is 2 for classes, 0.05 for channels and 0 for a score unless given: what suits
            the demo network. If the picture comes out even, it was too much; if grainy, too little.
        norm_order: p of (mean |x|^p)^(1/p), at least 1. It is taken about 0 in the network's input,
            which in "caffe" is ImageNet's mean colour.
        jitter: pixels that a picture is rolled by, up to, along each axis; 0 for none.
        rotation: degrees that it is turned by, up to, either way; 0 for none.
        scale: smallest and largest factor of its size; (1, 1) for none.
        keep: number of pictures on the way to return, at most; they are held in the computer's
            memory, not the device's.
        progress: called with the number of steps done and of all, before each and at the end.

    Returns:
        `Maximized`. For VGG16 `jv.deprocess(found.best)` is uint8 RGB; frames likewise, for
        `pictures.frames`. For a network that reads RGB it is 255 (x - low) / (high - low). Where
        pictures are moved, scoring each as it is costs one forward pass a step more: it is two
        forward passes and one backward.

    In tf-keras-vis 0.8.7, `ActivationMaximization` begins with uniform (0, 255), moves the picture
    for good in each of 200 steps, jitter 4 and rotation 1, and clips what it returns, the last one.
    Without its moves, `parametrization="pixels", bounds=(-np.inf, np.inf), steps=200,
    optimizer=optax.rmsprop(1.0, decay=0.999, eps=1e-7), total_variation=1.0, norm=0.3, jitter=0,
    rotation=0, scale=(1, 1)` and its start give its pictures. keras-vis normalises the gradient.

    Raises:
        TypeError: the model cannot be called or cut, or takes no `relu=`; neither it nor the
            arguments say what a picture is; an argument of a wrong type.
        ValueError: nothing or too much is asked for; a class, channel or layer that there is not;
            wrong shapes; a picture outside its bounds; a score that is not finite, or whose
            gradient is 0 in all steps; a model that never calls its ReLU under another rule than
            `VANILLA`.
    """
    model = on_auto_mesh(as_model(model))
    objective = objective_of(classes, layer, channel, score)
    relu = relu_under(rule)
    ways, optimizer = _ways(parametrization, optimizer)
    moves = _checked_moves(jitter, rotation, scale)
    if total_variation is None:
        total_variation = _default_smoothness(objective)
    _check_priors(total_variation, norm, norm_order)
    _check_whole("steps", steps, 1)
    _check_whole("keep", keep, 0)
    to_begin, to_move = jax.random.split(_checked_key(key))
    x, limits = begin(model, objective, start, size, preprocess, bounds, to_begin)
    getattr(model, "check_input", lambda x: None)(x)
    if ways is FOURIER and not bool(jnp.all(jnp.isfinite(limits.high - limits.low))):
        raise InputError(
            'bounds are infinite, but parametrization="fourier" squashes pictures into them; '
            'wanted finite ones, or "pixels"'
        )
    group = group_size(x) if getattr(model, "images_are_independent", False) else None
    given = _Given(
        objective, moves, jnp.array([total_variation, norm], x.dtype), float(norm_order), ways,
        limits, x.shape, bool(normalize_gradient), optimizer, group,
    )  # fmt: skip
    parameters = ways.parameters(x, limits)
    ascent = _Ascent(parameters, optimizer.init(parameters), x, jnp.full(len(x), -jnp.inf, x.dtype))
    wanted_frames = _evenly(keep, steps)
    scores, frames = [], []
    climbs = np.zeros(len(x), bool)
    for number in range(steps + 1):  # the last time for the score of the last picture
        progress(number, steps)
        ascent, seen = _step(model, relu, ascent, to_move, np.array(number, np.int32), given)
        if number == 0:
            check_index(objective, seen.noted.indices)
            check_called(seen.noted.relu, {"": rule})
            if seen.noted.last is not None and classes is not None:
                warnings.warn(probabilities_warning(seen.noted.last), stacklevel=2)
        scores.append(np.asarray(seen.scores))
        _check_finite(scores[-1], number)
        if number < steps:
            climbs |= np.asarray(seen.climbs)
        if number in wanted_frames:
            frames.append(np.asarray(seen.x))
    _check_climbs(climbs)
    best_steps = np.argmax(np.stack(scores), axis=0)
    if not best_steps.all():
        warnings.warn(no_rise_warning(np.flatnonzero(best_steps == 0)), stacklevel=2)
    return Maximized(
        last=seen.x,
        best=ascent.best,
        best_steps=best_steps,
        scores=np.stack(scores),
        frames=np.stack(frames) if frames else np.zeros((0, *x.shape), x.dtype),
        frame_steps=np.array(wanted_frames, int),
    )


class _Ascent(NamedTuple):
    """What goes from one step to the next."""

    parameters: Any
    state: Any  # the optimiser's
    best: Pictures
    best_scores: Float[Array, " n"]


class _Given(NamedTuple):
    """What stays the same; the arrays in it are data, all else is compiled in."""

    objective: Objective
    moves: Moves
    priors: Float[Array, " 2"]  # weights of the total variation and of the norm
    norm_order: float
    ways: Parametrisation
    bounds: Bounds
    shape: tuple[int, ...]
    normalize_gradient: bool
    optimizer: optax.GradientTransformation
    group: int | None


@jax.tree_util.register_static
@dataclass(frozen=True)
class _Noted:
    """What was seen of the model while it was traced.

    Attributes:
        relu: whether it called the ReLU.
        last: the activation that its output comes out of, if that was seen.
        indices: how many classes or channels there are; None if that was not asked.
    """

    relu: bool
    last: str | None
    indices: int | None


class _Seen(NamedTuple):
    """The picture that a step began with."""

    x: Pictures
    scores: Float[Array, " n"]
    climbs: Array  # whether the gradient of its score is anything but 0
    noted: _Noted


@Compiled
def _step(
    model: Any, relu: Relu, ascent: _Ascent, key: Array, number: Int[AnyArray, ""], given: _Given
) -> tuple[_Ascent, _Seen]:
    """Return what comes after one step up, and the picture before it with its score."""
    n = given.shape[0]
    calls = Calls()
    noted = NotedRelu(relu, calls)
    objective = given.objective

    def model_at(x: Any) -> Any:
        return reached(model, noted, objective.layer, x)

    def score(outputs: Any) -> Float[Array, " n"]:
        return scores_of(outputs, objective, n)

    x, pull_to_parameters = jax.vjp(
        lambda parameters: given.ways.pictures(parameters, given.bounds, given.shape),
        ascent.parameters,
    )
    key = jax.random.fold_in(key, number)
    seen, pull_to_picture = jax.vjp(lambda x: moved(x, key, given.moves), x)
    if given.group is None:
        outputs, pull_to_seen = jax.vjp(model_at, seen)
    else:
        outputs, pull_to_seen = vjp_in_groups(model_at, seen, given.group)
    scores, pull_to_outputs = jax.vjp(score, outputs)
    (gradient,) = pull_to_picture(*pull_to_seen(*pull_to_outputs(jnp.ones_like(scores))))
    if given.moves.any:
        scores = score(model_at(x))
    scores = scores.astype(x.dtype)

    downhill = jax.grad(lambda x: jnp.sum(_priors(x, given)))(x) - gradient
    (downhill,) = pull_to_parameters(downhill)
    if given.normalize_gradient:
        downhill = _of_length_one(downhill)
    parameters, state = _updated(given.optimizer, downhill, ascent)
    better = scores > ascent.best_scores
    after = _Ascent(
        given.ways.project(parameters, given.bounds),
        state,
        jnp.where(better[:, None, None, None], x, ascent.best),
        jnp.where(better, scores, ascent.best_scores),
    )
    indices = None if objective.which is None else outputs.shape[-1]
    climbs = jnp.any(gradient != 0, axis=(1, 2, 3))
    return after, _Seen(x, scores, climbs, _Noted(calls.any, calls.last, indices))


def _updated(
    optimizer: optax.GradientTransformation, downhill: Any, ascent: _Ascent
) -> tuple[Any, Any]:
    """Return parameters and state of the optimiser after its step; any tree of its own dtypes.

    Optax's own code does not hold to strict promotion, which a user may have asked JAX for.
    """
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        updates, state = optimizer.update(downhill, ascent.state, ascent.parameters)
        return optax.apply_updates(ascent.parameters, updates), state


def _priors(x: Pictures, given: _Given) -> Float[Array, " n"]:
    """Return what is taken off the score, of pictures in grey levels."""
    levels = x / given.bounds.grey.reshape(1, 1, 1, -1)
    smooth = image_priors.total_variation(levels)
    small = image_priors.mean_norm(levels, given.norm_order)
    return given.priors[0] * smooth + given.priors[1] * small


def _of_length_one(gradient: Float[Array, "n ..."]) -> Float[Array, "n ..."]:
    """Return the gradient of each picture by its l2 norm; one of zeros as it is."""
    axes = tuple(range(1, gradient.ndim))
    length = jnp.sqrt(jnp.sum(gradient**2, axis=axes, keepdims=True))
    return gradient / jnp.where(length > 0, length, jnp.ones_like(length))


@functools.cache  # a new one is a new function, which would be compiled anew
def _adam(rate: float) -> optax.GradientTransformation:
    return optax.adam(rate)


def _ways(
    parametrization: Any, optimizer: Any
) -> tuple[Parametrisation, optax.GradientTransformation]:
    if parametrization not in PARAMETRISATIONS:
        raise InputError(
            f"parametrization is {parametrization!r}; wanted one of "
            f"{', '.join(map(repr, PARAMETRISATIONS))}"
        )
    if optimizer is None:
        optimizer = _adam(RATES[parametrization])
    if not isinstance(optimizer, optax.GradientTransformation):
        raise InputTypeError(
            f"optimizer is a {type(optimizer).__name__}; wanted one of Optax, such as "
            "optax.adam(2.0)"
        )
    return PARAMETRISATIONS[parametrization], optimizer


def _checked_moves(jitter: Any, rotation: Any, scale: Any) -> Moves:
    _check_whole("jitter", jitter, 0)
    _check_number("rotation", rotation, "degrees")
    if not isinstance(scale, tuple | list) or len(scale) != 2:
        raise InputTypeError(f"scale is {scale!r}; wanted (smallest, largest), such as (0.9, 1.1)")
    for factor in scale:
        _check_number("scale", factor, "factors")
    low, high = map(float, scale)
    if not 0 < low <= high:
        raise InputError(f"scale is {scale!r}; wanted (smallest, largest), both above 0")
    return Moves(int(jitter), float(rotation), (low, high))


def _default_smoothness(objective: Objective) -> float:
    if objective.score is not None:
        return SMOOTH_SCORE
    return SMOOTH_CLASS if objective.layer is None else SMOOTH_CHANNEL


def _check_priors(total_variation: Any, norm: Any, norm_order: Any) -> None:
    for name, weight in (("total_variation", total_variation), ("norm", norm)):
        _check_number(name, weight, "a weight")
    _check_number("norm_order", norm_order, "an order")
    if norm_order < 1:
        raise InputError(f"norm_order is {norm_order!r}; wanted at least 1: below, it is no norm")


def _check_number(name: str, value: Any, what: str) -> None:
    """Raise unless this is a finite number of at least 0."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.number):
        raise InputTypeError(f"{name} is {value!r}; wanted {what}, a number")
    if not 0 <= value < math.inf:  # nor where it is NaN
        raise InputError(f"{name} is {value!r}; wanted {what}, finite and at least 0")


def _check_whole(name: str, value: Any, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise InputTypeError(f"{name} is {value!r}; wanted a whole number")
    if value < least:
        raise InputError(f"{name} is {value}; wanted at least {least}")


def _checked_key(key: Any) -> Array:
    if key is None:
        return jax.random.key(0)
    try:
        jax.random.split(key)
    except (TypeError, ValueError) as error:
        raise InputTypeError(
            f"key is a {type(key).__name__}; wanted one of JAX's, such as jax.random.key(0)"
        ) from error
    return key


def _evenly(keep: int, steps: int) -> list[int]:
    """Return after which steps pictures are kept: first and last, and evenly between; 1: last."""
    if keep == 1:
        return [steps]
    places = np.linspace(0, steps, min(keep, steps + 1))
    return [int(place) for place in np.rint(places)]


def _check_finite(scores: np.ndarray, number: int) -> None:
    for picture, value in enumerate(scores):
        if not np.isfinite(value):
            raise InputError(
                f"the score of picture {picture} is {value} after {number} steps; wanted finite "
                "ones: a lower learning rate (optimizer=), bounds that are finite, or a score "
                "that has no logarithm of 0"
            )


def no_rise_warning(pictures: np.ndarray) -> str:
    """Say that the best pictures are those that were there at the start."""
    return (
        f"the score of picture {', '.join(map(str, pictures))} is nowhere higher than at the start;"
        " wanted less weight on total_variation= and norm=, which may outweigh the score, a lower "
        "learning rate (optimizer=), or rule=jv.VANILLA, which alone follows its gradient"
    )


def _check_climbs(climbs: np.ndarray) -> None:
    if not climbs.all():
        raise InputError(
            f"the gradient of the score is 0 in every step of picture "
            f"{', '.join(map(str, np.flatnonzero(~climbs)))}, so that it is made of noise and "
            "priors alone; wanted a score that depends on the picture: of a unit whose ReLU lets "
            "nothing through, rule=jv.RECTIFIED has a gradient, another start= may"
        )
