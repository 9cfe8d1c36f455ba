"""An Equinox module, of one image and channels first -> `Network`."""

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from jaxvis.any_model.relu_sites import FORMS
from jaxvis.models.adapted import adapted
from jaxvis.models.network import Network, Preprocess


def from_equinox(
    model: Any,
    state: Any = None,
    *,
    preprocess: str | Preprocess,
    size: tuple[int, int],
    labels: Sequence[str] | None = None,
    layer: str | int | None = None,
    forms: Sequence[str] = FORMS,
    name: str | None = None,
    channels_first: bool = True,
) -> Network:
    """Return the `Network` of an Equinox module, in inference mode, a last softmax taken off.

    It reads images (n, height, width, channels), as all networks here, and hands them to the module
    one by one, as modules of Equinox are written, by `jax.vmap`.

    Args:
        model: an `equinox.Module`, called as `model(x)`, or `model(x, state)` with a state.
        state: an `equinox.nn.State` of batch normalisation, as `eqx.nn.make_with_state` returns.
        preprocess: from uint8 RGB (n, height, width, 3) to floats (n, height, width, channels), or
            to a tuple of arrays, which the module is then given as one argument; or one of Keras's
            modes by its name, as in `describe`.
        size, labels, name: as in `Network`; the name is that of its class unless given.
        layer: anything that `cut_at` takes; Equinox has no names of layers. Unless given,
            `cut_points(model, x).last`.
        forms: what counts as a ReLU, as in `expose_relu`.
        channels_first: whether the module takes an image as (channels, height, width); other
            arrays than images are handed over as they are.

    Raises:
        TypeError, ValueError: as `describe`.
    """
    frozen = importlib.import_module("equinox").nn.inference_mode(model)
    call = jax.tree_util.Partial(_EquinoxCall(channels_first), frozen, state)
    return adapted(
        call, size=size, preprocess=preprocess, labels=labels, layer=layer, forms=forms,
        name=name or type(model).__name__,
    )  # fmt: skip


@dataclass(frozen=True)
class _EquinoxCall:
    """An Equinox module as a function of many images; module and state are data."""

    channels_first: bool

    def __call__(self, model: Any, state: Any, x: Any) -> Any:
        if self.channels_first:
            x = jax.tree.map(lambda a: jnp.moveaxis(a, -1, 1) if a.ndim == 4 else a, x)
        if state is None:
            return jax.vmap(model, axis_name="batch")(x)
        one = jax.vmap(model, axis_name="batch", in_axes=(0, None), out_axes=(0, None))
        outputs, _ = one(x, state)
        return outputs
