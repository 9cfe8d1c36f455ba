"""Equations of a followed network that are computed otherwise: the same values, in less time.

XLA's way back through a maximum over windows, and both its ways through a convolution of each
channel by itself, take ten to fifty times what the forms of `gradients` take on a CPU. These have
no derivative forwards (`jax.jvp`), so they stand in only where a map is computed.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxvis.any_model import jaxprs
from jaxvis.gradients.convolution import USUAL
from jaxvis.gradients.depthwise import depthwise_padded
from jaxvis.gradients.max_pool import max_pool

MOST_PLACES = 64  # of a window: each is a line of the compiled program


def bind(eqn: Any, values: Sequence[Any]) -> list:
    """Run one equation, in a cheaper form where there is one."""
    form = FORMS.get(eqn.primitive.name)
    found = form(eqn.params, *values) if form else None
    return jaxprs.bind(eqn, values) if found is None else [found]


def _maximum_of_windows(params: dict, x: Any) -> Any:
    window, strides = params["window_dimensions"], params["window_strides"]
    dilated = any(n != 1 for n in (*params["base_dilation"], *params["window_dilation"]))
    if dilated or math.prod(window) > MOST_PLACES or not jnp.issubdtype(x.dtype, jnp.floating):
        return None
    pads = [(*pair, 0) for pair in params["padding"]]
    if any(map(any, pads)):
        x = jax.lax.pad(x, jnp.full((), -jnp.inf, x.dtype), pads)
    return max_pool(x, tuple(window), tuple(strides))


def _convolution(params: dict, x: Any, kernel: Any) -> Any:
    """A convolution of each channel by itself, in float32, channels last."""
    numbers, strides = params["dimension_numbers"], params["window_strides"]
    channels, wanted = x.shape[-1], params["preferred_element_type"]
    usual = (
        x.ndim == 4
        and x.dtype == kernel.dtype == jnp.float32
        and (wanted is None or wanted == jnp.float32)
        and numbers == jax.lax.conv_dimension_numbers(x.shape, kernel.shape, USUAL)
        and params["feature_group_count"] == channels == kernel.shape[-1]
        and params["batch_group_count"] == 1
        and len(set(strides)) == 1
        and not any(n != 1 for n in (*params["lhs_dilation"], *params["rhs_dilation"]))
        and math.prod(kernel.shape[:2]) <= MOST_PLACES
        and min(map(min, params["padding"])) >= 0
    )
    if not usual or channels == 1:
        return None
    return depthwise_padded(x, kernel, strides[0], tuple(map(tuple, params["padding"])))


FORMS: dict[str, Callable[..., Any]] = {
    "reduce_window_max": _maximum_of_windows,
    "conv_general_dilated": _convolution,
}
