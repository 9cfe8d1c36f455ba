"""uint8 RGB -> what VGG16 reads, and back: Keras's mode "caffe". No JAX needed."""

import sys
from typing import Any

import numpy as np
from jaxtyping import Float, Num, UInt8

from jaxvis.errors import InputError

BGR_MEAN = (103.939, 116.779, 123.68)  # of ImageNet


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
