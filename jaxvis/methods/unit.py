"""Values brought to [0, 1], inside a compiled call."""

import jax.numpy as jnp
from jaxtyping import Array, Float


def to_unit(values: Float[Array, "..."], axes: tuple[int, ...]) -> Float[Array, "..."]:
    """Return (values - min) / (max - min) along some axes, and 0 where they are constant there."""
    low = jnp.min(values, axis=axes, keepdims=True)
    extent = jnp.max(values, axis=axes, keepdims=True) - low
    return jnp.where(extent > 0, (values - low) / jnp.where(extent > 0, extent, 1), 0)
