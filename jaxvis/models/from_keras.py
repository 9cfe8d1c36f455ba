"""A Keras model -> `Network`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import UInt8

from jaxvis.any_model.adapters import keras_call
from jaxvis.any_model.relu_sites import FORMS
from jaxvis.errors import InputTypeError
from jaxvis.models.adapted import adapted
from jaxvis.models.network import Network, Preprocess
from jaxvis.models.preprocessing import preprocessing


@dataclass(frozen=True, eq=False)
class _Reads:
    """The preprocessing of a Keras model, which keeps the model: elsewhere it is held weakly."""

    preprocess: Preprocess
    model: Any

    def __call__(self, images: UInt8[np.ndarray, "n height width 3"]) -> Any:
        return self.preprocess(images)


def from_keras(
    model: Any,
    *,
    preprocess: str | Preprocess,
    size: tuple[int, int] | None = None,
    labels: Sequence[str] | None = None,
    layer: str | int | None = None,
    forms: Sequence[str] = FORMS,
    name: str | None = None,
) -> Network:
    """Return the `Network` of a Keras 3 model on its JAX backend, with the weights it has now.

    It runs as at prediction: no dropout, batch statistics as they were trained. A softmax or
    sigmoid at its end is taken off, so that maps explain logits.

    Args:
        model: a built `keras.Model`, whether functional, sequential or a subclass.
        preprocess: from uint8 RGB (n, height, width, 3) to its input, a list of arrays as a tuple;
            or one of Keras's modes by its name, as in `describe`: "caffe", "tf", "torch".
        size: height and width of its input, unless the model says so itself.
        labels, name: as in `Network`; the name is the model's own unless given.
        layer: the name of a Keras layer, of a nested model too ("vgg16/block5_conv3"), or anything
            else that `cut_at` takes; unless given, `cut_points(model, x).last`.
        forms: what counts as a ReLU, as in `expose_relu`.

    Raises:
        TypeError: no such model, another backend, or no size.
        ValueError: as `describe`.
    """
    call = keras_call(model)
    shape = getattr(model, "input_shape", None)
    channels = 1 if isinstance(shape, tuple) and shape[-1] == 1 else 3
    return adapted(
        call, size=_size(model) if size is None else size, labels=labels, layer=layer, forms=forms,
        preprocess=_Reads(preprocessing(preprocess, channels), model), name=name or model.name,
    )  # fmt: skip


def _size(model: Any) -> tuple[int, int]:
    shape = getattr(model, "input_shape", None)
    if isinstance(shape, tuple) and len(shape) == 4:
        sides = shape[1:3]
        if all(isinstance(side, int) for side in sides):
            return sides
    raise InputTypeError(
        f"the Keras model {model.name!r} reads {shape}, which is no height and width of images; "
        "wanted size=(height, width), those of the images that preprocess is given"
    )
