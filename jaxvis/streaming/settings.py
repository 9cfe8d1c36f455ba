"""What a store was begun with: a run that goes on has to agree in all of it."""

import hashlib
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from jaxvis.errors import InputError
from jaxvis.gradients.captured import Captured
from jaxvis.methods.options import Asked, Rules
from jaxvis.models.network import Network
from jaxvis.types import AnyArray


def digest(model: Any) -> str:
    """Return the SHA-256 of all arrays of a model, with their shapes and dtypes."""
    found = hashlib.sha256()
    leaves = [leaf for leaf in jax.tree.leaves(model) if isinstance(leaf, AnyArray)]
    for array in (*leaves, *Captured((model,)).arrays):
        values = np.asarray(array)
        found.update(f"{values.dtype} {values.shape}\n".encode())
        found.update(np.ascontiguousarray(values).reshape(-1).view(np.uint8).data)
    return found.hexdigest()


def settings_of(
    network: Network,
    asked: Asked,
    rules: Rules,
    *,
    classes: str | int | list[int],
    resample: str,
    dtype: str,
    keep_images: bool,
) -> dict[str, Any]:
    """Return all that decides what is in a store, as JSON can hold it."""
    return {
        "network": network.name,
        "weights": digest(network.model),
        "size": list(network.size),
        "resample": resample,
        "precision": getattr(network.model, "precision", None),
        "classes": classes,
        "methods": [method.name for method in asked.methods],
        "rules": {name: _rule(rule) for name, rule in rules.items()},
        "layer": asked.layers[0],
        "signed": asked.signed,
        "dtype": dtype,
        "images kept": keep_images,
        "platform": jax.local_devices()[0].platform,
        "jax": jax.__version__,
    }


def _rule(rule: Any) -> list[bool]:
    gates = jax.tree.leaves(rule)
    if len(gates) != 2:
        raise InputError(
            f"rules has {rule!r}; wanted jv.Rule, or names: a ReLU function of your own cannot be "
            "told from another one when a run goes on"
        )
    return [bool(gate) for gate in gates]


def check_same(place: str, begun: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Raise InputError, with the first difference, unless the settings agree."""
    for name, value in now.items():
        if begun.get(name) != value:
            raise InputError(
                f"{place}: was begun with {name} {_short(begun.get(name))}, and now it is "
                f"{_short(value)}; wanted the same, or another output"
            )


def _short(value: Any) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, list | dict) else str(value)
    return text if len(text) <= 60 else text[:12] + "..."
