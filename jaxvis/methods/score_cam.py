"""Score-CAM: a channel weighs by what the model makes of the image where the channel is active.

Wang, Wang, Du, Yang, Zhang, Ding, Mardziel & Hu, "Score-CAM: Score-Weighted Visual Explanations for
Convolutional Neural Networks" (arXiv 1910.01279, 2019), section 3. No gradient is taken.
"""

from dataclasses import dataclass
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float, Int

from jaxvis.errors import InputError
from jaxvis.gradients.target import Score
from jaxvis.methods.enlarge import enlarged
from jaxvis.methods.forward import body, maps_of
from jaxvis.methods.grad_cam import positive
from jaxvis.methods.masked import BATCH, sides_of, under_masks
from jaxvis.methods.method import Method
from jaxvis.methods.options import Layer
from jaxvis.methods.samples import check_count, each_class, one_array
from jaxvis.methods.unit import to_unit
from jaxvis.methods.wide import space, weighed
from jaxvis.types import AnyArray

Weights = Literal["class", "channels"]


def score_cam(
    model: Any,
    x: Float[AnyArray, "n height width channels"],
    classes: ArrayLike | None = None,
    *,
    layer: Layer = "block5_conv3",
    channels: int | None = None,
    union: bool = False,
    weights: Weights = "class",
    score: Score | None = None,
    batch_size: int = BATCH,
    grid: tuple[int, int] | None = None,
    channel_axis: int | None = None,
) -> Float[Array, "n h w"]:
    """Return relu(sum_c w_c A_c), w_c from the score of x * M_c, M_c = A_c enlarged, in [0, 1].

    Raw: at least 0, not scaled. A channel that is constant has an M_c of 0. The weights of "class"
    and "channels" are never negative, so `layer` should end with a ReLU, as VGG16's do: elsewhere a
    channel that is below 0 at a place counts against the place, whatever it is there.

    Args:
        model, x, classes, layer, grid, channel_axis: as in `grad_cam`, but x is one array, and
            classes one for each image.
        channels: the number of channels taken, those whose activation varies most over the image
            (tf-keras-vis: `max_N`, "faster Score-CAM"); None for all. They are chosen for each
            image, so that a map does not depend on the other images.
        union: take for every image what was chosen for any of them, as tf-keras-vis does.
        weights: "class", softmax(logits) at the class, as in tf-keras-vis and in the authors' code;
            "channels", a softmax over the channels of the class's logit, as in pytorch-grad-cam
            (the paper takes the logit of a baseline off first, equation 4, which a softmax does not
            see).
        score: in the place of the class's logit or probability.
        batch_size: masked images in one compiled call, which bounds memory, however many channels.

    Raises:
        TypeError, ValueError: as `grad_cam`; numbers out of range.
    """
    return positive(
        _score_cam(
            model, x, classes, layer, channels, union, weights, score, batch_size, grid,
            channel_axis,
        )
    )  # fmt: skip


def _score_cam(
    model: Any, x: Any, classes: Any, layer: Layer, channels: int | None = None,
    union: bool = False, weights: Weights = "class", score: Score | None = None,
    batch_size: int = BATCH, grid: tuple[int, int] | None = None, channel_axis: int | None = None,
) -> Float[Array, "n h w"]:  # fmt: skip
    """Return the map before its ReLU."""
    if weights not in ("class", "channels"):
        raise InputError(f"weights is {weights!r}; wanted 'class' or 'channels'")
    check_count("batch_size", batch_size)
    x = one_array(x)
    sides = sides_of(x, channel_axis)
    targets = each_class(model, x, classes, score)
    at_cut = body(model, x, layer)
    activation, _ = maps_of(at_cut, layer, x, grid, channel_axis)
    chosen = _chosen(activation, channels, union)

    places = jnp.asarray(chosen)
    rows = [
        values
        for _, values, _ in under_masks(
            model, x, targets, Channels(sides), lambda image: (activation[image], places[image]),
            chosen.shape[1], score=score, batch_size=batch_size, of_all=weights == "class",
            channel_axis=channel_axis,
        )
    ]  # fmt: skip
    of_channels = jnp.stack(rows).astype(activation.dtype)
    if weights != "class":
        of_channels = jax.nn.softmax(of_channels, axis=1)
    taken = jax.vmap(lambda a, places: jnp.take(a, places, axis=-1))(activation, places)
    return weighed(taken, of_channels)


def _chosen(
    activation: Float[Array, "n *space channels"], channels: int | None, union: bool
) -> Int[np.ndarray, "n k"]:
    """Return the channels to take of every image, in their order."""
    n, every = len(activation), activation.shape[-1]
    if channels is None:
        return np.broadcast_to(np.arange(every), (n, every))
    if check_count("channels", channels) > every:
        raise InputError(f"channels is {channels}; wanted at most {every}, as many as there are")
    spread = np.std(np.asarray(activation, np.float64), axis=space(activation))
    best = np.sort(np.argsort(-spread, axis=1, kind="stable")[:, :channels], axis=1)
    if union:
        of_any = np.unique(best)
        return np.broadcast_to(of_any, (n, len(of_any)))
    return best


@dataclass(frozen=True)
class Channels:
    """Masks that are channels of an activation, enlarged and in [0, 1]: see `masked.Masks`."""

    sides: tuple[int, int]

    def __call__(
        self, made_of: tuple[Float[Array, "h w channels"], Int[Array, " k"]], numbers: Array
    ) -> Float[Array, "b height width"]:
        """Return some channels by their places among the k; one that is flat masks all."""
        activation, places = made_of
        maps = jnp.moveaxis(jnp.take(activation, places[numbers], axis=-1), -1, 0)
        return to_unit(enlarged(maps, self.sides), (1, 2))


def _as_row(model: Any, x: Any, classes: Any, **options: Any) -> Array:
    names = ("layer", "score", "grid", "channel_axis")
    return _score_cam(model, x, classes, **{name: options[name] for name in names})


SCORE_CAM = Method(
    name="score_cam",
    title="Score-CAM",
    function=_as_row,
    shown=positive,
    kind="masks",
    at="layer",
    signed=False,
    rules=False,
    forward=513,
    backward=0,
    paper="Wang et al., arXiv 1910.01279 (2019)",
    about="Where channels are active that leave the class its probability when they cover the "
    "image.",
)
