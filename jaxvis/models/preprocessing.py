"""uint8 RGB -> what a network reads. No JAX needed.

`preprocess` is Keras's mode "caffe", which its VGG16 was trained with; `Preprocessing` has the
others. Which one a network wants cannot be seen from its weights.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Num, UInt8

from jaxvis.errors import InputError, InputTypeError

BGR_MEAN = (103.939, 116.779, 123.68)  # of ImageNet
RGB_MEAN, RGB_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, in [0, 1]
LUMA = (0.299, 0.587, 0.114)  # of red, green and blue in grey: ITU-R BT.601, as in Pillow's "L"

MODES = {
    "caffe": "BGR, ImageNet's mean subtracted",
    "tf": "-1 to 1",
    "torch": "0 to 1, then ImageNet's mean subtracted, divided by its deviation",
    "rescale": "0 to 1",
    "raw": "0 to 255, for a network that scales them itself",
}


@dataclass(frozen=True)
class Preprocessing:
    """A way from uint8 RGB (n, height, width, 3) to what a network reads, float32, by its name.

    "tf" and "torch" are modes of Keras's `preprocess_input`, whose "caffe" is `preprocess`.

    Attributes:
        mode: one of `MODES`, but for "caffe".
        channels: 3, or 1 for a network that reads grey images, which are then made first.
    """

    mode: str
    channels: int = 3

    def __call__(
        self, images: UInt8[Any, "n height width 3"]
    ) -> Float[Any, "n height width channels"]:
        """Return the images as the network reads them.

        Raises:
            ValueError: as `preprocess`.
        """
        _check_array("images", images, ("uint8",), "uint8, 0 to 255, as load_images returns them")
        x = images.astype(np.float32)
        if self.channels == 1:
            x = (x * np.array(LUMA, np.float32)).sum(axis=-1, keepdims=True)
        match self.mode:
            case "tf":
                return x / np.float32(127.5) - np.float32(1)
            case "rescale":
                return x / np.float32(255)
            case "torch":
                mean, deviation = (np.array(a, np.float32) for a in (RGB_MEAN, RGB_STD))
                return (x / np.float32(255) - mean) / deviation
        return x


def preprocessing(mode: str | Callable[[Any], Any], channels: int = 3) -> Callable[..., Any]:
    """Return the preprocessing of a name in `MODES`; a function as it is.

    Raises:
        TypeError: neither a name nor a function.
        ValueError: an unknown name, or one that has no meaning for a single channel.
    """
    listed = ", ".join(f"{name!r} ({about})" for name, about in MODES.items())
    if not isinstance(mode, str):
        if callable(mode):
            return mode
        raise InputTypeError(
            f"preprocess is a {type(mode).__name__}; wanted a function of uint8 RGB images "
            f"(n, height, width, 3), or one of {listed}"
        )
    if mode not in MODES:
        raise InputError(f"preprocess is {mode!r}; wanted a function, or one of {listed}")
    if channels == 1 and mode in ("caffe", "torch"):
        raise InputError(
            f"preprocess is {mode!r}, which is made for three channels, but the network reads one; "
            "wanted 'rescale', 'tf', 'raw' or a function"
        )
    return preprocess if mode == "caffe" else Preprocessing(mode, channels)


def preprocess(images: Num[Any, "*n height width 3"]) -> Float[Any, "*n height width 3"]:
    """Return RGB in 0..255 as BGR minus the ImageNet mean, (103.939, 116.779, 123.68).

    Keras's `preprocess_input` in mode "caffe", but the input is left alone. Takes NumPy or JAX
    arrays, also under `jax.jit`, and returns the same kind: float64 for float64, else float32.

    Raises:
        ValueError: the last axis is not 3; the dtype is neither uint8 nor float; a float is below
            0, as after this function; or none is above 1, as in images scaled to [0, 1] (all-black
            ones pass; neither is seen under `jax.jit`).
    """
    _check_array("images", images, ("uint8", "float", "bfloat"), "uint8 or float, 0 to 255")
    traced = "jax" in sys.modules and isinstance(images, sys.modules["jax"].core.Tracer)
    if images.dtype != np.uint8 and images.size and not traced:
        low, high = float(images.min()), float(images.max())
        if low < 0:
            raise InputError(
                f"images are floats from {low:.4g} to {high:.4g}; wanted 0 to 255: were they "
                "preprocessed already? Do that once, to what load_images returned"
            )
        if high <= 1 and (low, high) != (0, 0):
            raise InputError(
                f"images are floats from {low:.4g} to {high:.4g}; wanted 0 to 255: "
                "multiply by 255 if they were scaled to [0, 1]"
            )
    mean = _mean_for(images)
    return images[..., ::-1].astype(mean.dtype) - mean


def in_words(function: Callable[..., Any]) -> str:
    """Return what a preprocessing does, as a page says it."""
    function = getattr(function, "preprocess", function)  # one that keeps its model
    mode = "caffe" if function is preprocess else getattr(function, "mode", None)
    if mode in MODES:
        return f"{mode} ({MODES[mode]})"
    return getattr(function, "__name__", "a function of its own")


def deprocess(x: Float[Any, "*n height width 3"]) -> UInt8[Any, "*n height width 3"]:
    """Return the uint8 RGB images that `preprocess` made `x` from, rounded and clipped to 0..255.

    Raises:
        ValueError: the last axis is not 3, or the dtype is not float.
    """
    _check_array("x", x, ("float", "bfloat"), "float, as preprocess(images) returns it")
    mean = _mean_for(x)
    return (x.astype(mean.dtype) + mean)[..., ::-1].round().clip(0, 255).astype(np.uint8)


def _mean_for(array: Any) -> np.ndarray:
    dtype = np.float64 if array.dtype == np.float64 else np.float32
    return np.array(BGR_MEAN, dtype).reshape((1,) * (array.ndim - 1) + (3,))


def _check_array(name: str, array: Any, dtypes: tuple[str, ...], wanted: str) -> None:
    if not hasattr(array, "dtype"):
        raise InputError(f"{name} is a {type(array).__name__}; wanted one array: np.stack({name})")
    if array.ndim < 3 or array.shape[-1] != 3:
        raise InputError(f"{name} has shape {tuple(array.shape)}; wanted (n, height, width, 3)")
    if not array.dtype.name.startswith(dtypes):
        raise InputError(f"{name} has dtype {array.dtype.name}; wanted {wanted}")
