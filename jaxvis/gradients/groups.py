"""Differentiate a function of many images a few at a time, inside one compiled call.

A CPU convolves two images in less than half the time of four: what a layer reads and writes then
stays in its cache. Measured in benchmarks/notes.md; a GPU or TPU wants all images at once.
"""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

IMAGES = 2  # in a group on a CPU
MOST_GROUPS = 8  # every group is compiled, so many images make larger groups


def on_cpu(x: Float[Array, "n ..."]) -> bool:
    """Return whether x lies in a CPU's memory; under `jax.jit`, whether that is the default."""
    if isinstance(x, jax.core.Tracer):
        return jax.default_backend() == "cpu"
    return all(device.platform == "cpu" for device in x.devices())


def on_several(x: Float[Array, "n ..."]) -> bool:
    """Return whether x lies on several devices; under `jax.jit`, whether it may."""
    if isinstance(x, jax.core.Tracer):
        return jax.device_count() > 1
    return len(x.devices()) > 1


def group_size(x: Float[Array, "n ..."]) -> int:
    """Return how many of the images x should go through the convolutions together.

    Images on several devices all do: a group of two would first be gathered from there.
    """
    if on_several(x):
        return len(x)
    return group_of(len(x), cpu=on_cpu(x))


def group_of(count: int, *, cpu: bool) -> int:
    """Return how many of the images on one device should go through the convolutions together."""
    return max(IMAGES, math.ceil(count / MOST_GROUPS)) if cpu else count


def vjp_in_groups(
    function: Callable[[Float[Array, "n ..."]], Any], x: Float[Array, "n ..."], size: int
) -> tuple[Any, Callable[[Any], tuple[Float[Array, "n ..."]]]]:
    """Return `jax.vjp(function, x)`, computed for `size` images after `size` images.

    `function` treats every image by itself. If it returns anything but one array with an axis for
    the images, nobody knows how to join the groups' results, and all images go together.
    """
    starts = range(0, len(x), size)
    if len(starts) < 2:
        return jax.vjp(function, x)
    first, pull_back = jax.vjp(function, x[:size])
    if not isinstance(first, jax.Array) or first.shape[:1] != (size,):
        return jax.vjp(function, x)
    outputs, pulls = [first], [pull_back]
    for start in starts[1:]:
        output, pull_back = jax.vjp(function, x[start : start + size])
        outputs.append(output)
        pulls.append(pull_back)

    def pull_all_back(g: Float[Array, "n ..."]) -> tuple[Float[Array, "n ..."]]:
        parts = [pull(g[i : i + size])[0] for i, pull in zip(starts, pulls, strict=True)]
        return (jnp.concatenate(parts),)

    return jnp.concatenate(outputs), pull_all_back
