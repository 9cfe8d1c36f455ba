"""The weights of any model as layers: arrays of its pytree, grouped by their path."""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxvis.errors import InputError


class Parameter(NamedTuple):
    """One array of weights: its layer's path, its own name, and its place among the leaves."""

    layer: str
    name: str
    place: int
    array: jax.Array


def parameters(model: Any) -> list[Parameter]:
    """Return the floating-point arrays of a model's pytree, in the pytree's order.

    The last part of an array's path is its name ("kernel"), what stands before it its layer
    ("blocks/3/conv"). An array in no layer is one by itself.

    Raises:
        ValueError: the model holds no such array, as a function that closes over its weights.
    """
    found = []
    for place, (path, leaf) in enumerate(jax.tree_util.tree_leaves_with_path(model)):
        if not hasattr(leaf, "dtype") or not jnp.issubdtype(leaf.dtype, jnp.floating):
            continue
        *above, name = _steps(path) or ["weights"]
        found.append(Parameter("/".join(above) or name, name, place, leaf))
    if not found:
        raise InputError(
            "the model holds no weights: it is a function that closes over them, or no pytree; "
            "wanted a module of Flax or Equinox, or jax.tree_util.Partial(f, weights)"
        )
    return found


def layers(model: Any) -> dict[str, list[Parameter]]:
    """Return the parameters of every layer, in the pytree's order."""
    grouped: dict[str, list[Parameter]] = {}
    for parameter in parameters(model):
        grouped.setdefault(parameter.layer, []).append(parameter)
    return grouped


def parameter_table(model: Any) -> str:
    """Return a table of layers, the shapes of their arrays, and how many numbers those hold."""
    rows = [("Layer", "Weights", "Param #")]
    total = 0
    try:
        found = layers(model)
    except InputError as error:
        return f"no table of layers: {error}"
    for layer, arrays in found.items():
        shapes = ", ".join(f"{p.name} {tuple(p.array.shape)}" for p in arrays)
        count = sum(p.array.size for p in arrays)
        total += count
        rows.append((layer, shapes, f"{count:,}"))
    first, second, third = (max(len(row[i]) for row in rows) for i in range(3))
    lines = [f"{a:<{first}}  {b:<{second}}  {c:>{third}}" for a, b, c in rows]
    rule = "-" * len(lines[0])
    return "\n".join([lines[0], rule, *lines[1:], rule, f"Total params: {total:,}"])


# Keys that wrappers put around what people named: an exposed function, the value of an NNX
# parameter, the collections of a Linen module, those of `any_model.adapters`.
_WRAPPERS = {"function", "value", "params", "batch_stats", "trained", "others"}
_NUMBER = re.compile(r"^\d+\|")


def _steps(path: Sequence[Any]) -> list[str]:
    """Return the parts of a path that people named."""
    steps: list[str] = []
    partial = False
    for key in path:
        if isinstance(key, jax.tree_util.FlattenedIndexKey):  # of a Partial: positional arguments
            partial = True
            continue
        if partial and isinstance(key, jax.tree_util.SequenceKey) and key.idx == 0:
            partial = False
            continue
        partial = False
        text = next(str(getattr(key, a)) for a in ("name", "key", "idx") if hasattr(key, a))
        steps += [s for s in _NUMBER.sub("", text).split("/") if s and s not in _WRAPPERS]
    return steps
