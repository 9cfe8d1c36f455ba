"""oneDNN, which jaxlib holds, for the convolutions and products of a compiled call on a CPU.

XLA hands them to it only where options of the compiler ask. Its bfloat16 uses units that some CPUs
have for it: AMX, tiles of 16 x 32 numbers (Intel, since 2023), or AVX-512's BF16 (AMD since Zen 4,
Intel since Cooper Lake). benchmarks/notes.md has what the options gain.

They are set for a model that says `asks_onednn` alone: with them XLA joins what follows a product
to it, and JAX 0.12 joins a silu wrongly, without a word, by 40 % of the gradient
(tests/gradients/test_onednn.py). The products of such a model are `bare`, and nothing is joined.
"""

import functools
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

# The second takes them away from YNNPACK, which comes first in JAX 0.12, and is slower.
OPTIONS = (
    ("xla_cpu_experimental_onednn_custom_call", True),
    ("xla_cpu_experimental_ynn_fusion_type", ""),
)
SINCE = (0, 12)  # JAX 0.10.2 knows the first, and it changes nothing there
SWITCH = "JAXVIS_ONEDNN"  # an environment variable: 0 turns this off
# What of a CPU makes it worth while, as Linux calls it, the fastest first.
UNITS = {"bfloat16": ("amx_bf16", "avx512_bf16"), "float32": ("avx512f",)}


@functools.cache
def _flags() -> frozenset[str]:
    """What the CPU can, by Linux's names; empty if that is not known."""
    try:
        text = Path("/proc/cpuinfo").read_text("utf-8", "replace")
    except OSError:  # no Linux
        return frozenset()
    flags = (line.partition(":")[2] for line in text.splitlines() if line.startswith("flags"))
    return frozenset(next(flags, "").split())


def units(dtype: str) -> str | None:
    """Return the units of the CPU that make oneDNN worth while for a dtype; None if none."""
    return next((unit for unit in UNITS.get(dtype, ()) if unit in _flags()), None)


@functools.cache
def _known() -> bool:
    """Whether the compiler takes the options: they are experimental, and may go."""
    try:
        jax.jit(lambda x: x, compiler_options=dict(OPTIONS)).lower(0.0).compile()
    except jax.errors.JaxRuntimeError:
        return False
    return True


def too_old() -> bool:
    """Whether this JAX is older than the first in which the options gain something."""
    return tuple(int(part) for part in jax.__version__.split(".")[:2]) < SINCE


def is_asked(dtype: str) -> bool:
    """Whether oneDNN is asked for products of this dtype here, unless the switch is off."""
    wanted = units(dtype) is not None and not too_old() and os.environ.get(SWITCH) != "0"
    return wanted and _known()


def bare(product: Array) -> Array:
    """Return the result of a product as it is, so that XLA joins nothing to it."""
    return jax.lax.optimization_barrier(product)


def compiler_options(
    arguments: Iterable[Any], arrays: Iterable[Any]
) -> tuple[tuple[str, bool | str], ...]:
    """Return the compiler's options for a function of these arguments and arrays, as pairs.

    There are some if an argument is a model that `asks_onednn`, or a part of one.
    The dtype that counts is bfloat16 if any has it, else float32. None are returned if an array is
    not in a CPU's memory, or inside somebody's `jax.jit` or `jax.grad`, whose own options hold.
    """
    models = [getattr(argument, "func", argument) for argument in arguments]
    if not any(getattr(model, "asks_onednn", False) for model in models):
        return ()
    arrays = [array for array in arrays if hasattr(array, "dtype")]
    half = any(array.dtype == jnp.bfloat16 for array in arrays)
    if not is_asked("bfloat16" if half else "float32") or jax.default_backend() != "cpu":
        return ()
    if any(isinstance(array, jax.core.Tracer) for array in (*arrays, jnp.zeros(()))):
        return ()
    placed = [array for array in arrays if isinstance(array, jax.Array)]
    if any(device.platform != "cpu" for array in placed for device in array.devices()):
        return ()
    return OPTIONS
