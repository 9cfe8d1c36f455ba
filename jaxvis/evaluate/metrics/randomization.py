"""Networks of which some layers have forgotten what they learned.

A map that stays the same when the network is re-initialised does not show what that network does:
Adebayo et al., "Sanity Checks for Saliency Maps" (arXiv 1810.03292, 2018), section 3. Weights are
data to compiled functions, so that one compilation serves a network and all its random relatives.
A network is any pytree of weights; its layers are told apart by their path in the tree.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from jaxvis.any_model import jaxprs
from jaxvis.errors import InputError
from jaxvis.gradients.cut import is_pair
from jaxvis.models.layers import layer_shapes
from jaxvis.models.parameters import Parameter, parameters
from jaxvis.models.parameters import layers as layers_of
from jaxvis.models.vgg16 import VGG16

CASCADE = tuple(layer.name for layer in reversed(layer_shapes()) if layer.arrays)
How = Literal["he_normal", "permuted"]
# What normalisations keep beside kernels, by the names that Flax, Haiku, Equinox and Keras use.
# Equinox calls a kernel "weight" too; Haiku's averages are told apart by their module.
ONES = {"scale", "gamma", "var", "variance", "moving_variance", "var_ema"}
ZEROS = {"bias", "b", "beta", "offset", "mean", "moving_mean", "mean_ema"}
AVERAGES = {"average", "hidden"}
# Equations that only give an array another form: it is used where the result is.
FORMS = {"convert_element_type", "reshape", "squeeze", "transpose", "broadcast_in_dim", "copy"}


def layer_order(model: Any, x: Any = None) -> tuple[str, ...]:
    """Return the names of the layers with weights, from the logits down to the image.

    Of a `VGG16` they are known; any other model is traced on `x`, and its layers go by when the
    first of their arrays is used. Layers whose arrays are never used are left out.

    Raises:
        ValueError: another model without `x`, or one that holds no weights or uses none.
    """
    if isinstance(model, VGG16):
        return tuple(layer.name for layer in reversed(model.rows) if layer.arrays)
    if x is None:
        raise InputError(
            "the order of the layers of such a model is not known; wanted layer_order(model, x), "
            "traced on an input, which the others take as order="
        )
    leaves, tree = jax.tree.flatten(model)
    found = parameters(model)

    def with_weights(arrays: list, x: Any) -> Any:
        changed = list(leaves)
        for parameter, array in zip(found, arrays, strict=True):
            changed[parameter.place] = array
        network = jax.tree.unflatten(tree, changed)
        return network[1](network[0](x)) if is_pair(network) else network(x)

    traced = jaxprs.trace(with_weights, ([p.array for p in found], x), {})
    used = _first_uses(traced.jaxpr)
    when: dict[str, tuple[int, ...]] = {}
    for parameter, variable in zip(found, traced.jaxpr.invars, strict=False):
        if variable in used:
            first = used[variable]
            when[parameter.layer] = min(when.get(parameter.layer, first), first)
    if not when:
        raise InputError("the model holds weights, but its logits use none of them")
    return tuple(sorted(when, key=lambda name: when[name], reverse=True))


def _first_uses(jaxpr: Any) -> dict[Any, tuple[int, ...]]:
    """Return where each variable is first used: the equation's number, and on inside it."""
    first: dict[Any, tuple[int, ...]] = {}

    def note(variable: Any, place: tuple[int, ...]) -> None:
        first[variable] = min(first.get(variable, place), place)

    for variable in jaxprs.variables(jaxpr.outvars):
        note(variable, (len(jaxpr.eqns),))
    # Backwards, so that it is known where a result is used.
    for number, eqn in reversed(list(enumerate(jaxpr.eqns))):
        bodies = jaxprs.bodies(eqn)
        for body in bodies:
            inside = _first_uses(body.jaxpr)
            # What a loop scans over varies inside of it, but comes in at the same place.
            alike = len(eqn.invars) == len(body.jaxpr.invars)
            pairs = zip(eqn.invars if alike else body.operands, body.jaxpr.invars, strict=True)
            for atom, variable in pairs:
                if atom is not None and not jaxprs.is_literal(atom) and variable in inside:
                    note(atom, (number, *inside[variable]))
        if bodies:
            continue
        places: list[tuple[int, ...]] = [(number,)]
        if eqn.primitive.name in FORMS:
            places = [first[variable] for variable in eqn.outvars if variable in first]
        for variable in jaxprs.variables(eqn.invars):
            for place in places:
                note(variable, place)
    return first


def randomized(
    model: Any,
    layers: Sequence[str],
    *,
    seed: int = 0,
    how: How = "he_normal",
    order: Sequence[str] | None = None,
) -> Any:
    """Return a copy of the model with new weights in some layers.

    They depend on `seed` and the layer's place from the top alone, so that a layer gets the same
    ones whatever others are drawn. All else, dtypes, devices, precision and labels too, is the
    model's, which is not changed and shares the other arrays.

    Args:
        model: any pytree of weights.
        layers: names, as `layer_order` returns them.
        seed: of the new weights.
        how: "he_normal" draws kernels of variance 2 / fan-in (He et al., arXiv 1502.01852, 2015),
            sets biases and means to 0, scales and variances to 1, and permutes what is neither;
            "permuted" permutes the values of every array, which asks for no layout.
        order: what `layer_order` returned; default that of a `VGG16`.

    Raises:
        ValueError: a layer that has no weights or that the model does not have.
    """
    if isinstance(layers, str):
        raise InputError(f"layers is {layers!r}; wanted a sequence of names, such as [{layers!r}]")
    if how not in ("he_normal", "permuted"):
        raise InputError(f"how is {how!r}; wanted 'he_normal' or 'permuted'")
    order = layer_order(model) if order is None else order
    unknown = [name for name in layers if name not in order]
    if unknown:
        raise InputError(
            f"the model has no layer with weights named {', '.join(map(repr, unknown))}; wanted "
            f"some of {', '.join(order)}"
        )
    leaves, tree = jax.tree.flatten(model)
    grouped = layers_of(model)
    for name in layers:
        # One stream for a layer's arrays; kernels come first in it, wherever the tree has them.
        rng = np.random.Generator(np.random.PCG64([seed, list(order).index(name)]))
        for parameter in sorted(grouped[name], key=lambda p: p.array.ndim < 2):
            leaves[parameter.place] = _like(parameter.array, _drawn(parameter, how, rng))
    return jax.tree.unflatten(tree, leaves)


def cascading(
    model: Any, seed: int = 0, *, how: How = "he_normal", order: Sequence[str] | None = None
) -> Iterator[tuple[str, Any]]:
    """Yield (layer, model) from the logits down: this layer and all above it are random.

    Adebayo et al. (2018), section 3.1. Arguments as for `randomized`.
    """
    order = layer_order(model) if order is None else order
    for name in order:
        model = randomized(model, [name], seed=seed, how=how, order=order)
        yield name, model


def independent(
    model: Any, seed: int = 0, *, how: How = "he_normal", order: Sequence[str] | None = None
) -> Iterator[tuple[str, Any]]:
    """Yield (layer, model) from the logits down: this layer alone is random, as in `cascading`.

    Adebayo et al. (2018), section 3.2. Arguments as for `randomized`.
    """
    order = layer_order(model) if order is None else order
    for name in order:
        yield name, randomized(model, [name], seed=seed, how=how, order=order)


def _drawn(parameter: Parameter, how: How, rng: np.random.Generator) -> np.ndarray:
    shape, dtype, name = parameter.array.shape, parameter.array.dtype, parameter.name
    if how == "he_normal":
        role = parameter.layer.rpartition("/")[2] if name in AVERAGES else name
        if role in ZEROS:
            return np.zeros(shape, dtype)
        if role in ONES or (role == "weight" and len(shape) < 2):
            return np.ones(shape, dtype)
        if len(shape) >= 2:
            # Equinox has kernels (out, in, ...) under the name "weight"; all others (..., out).
            fan_in = math.prod(shape[1:] if role == "weight" else shape[:-1])
            kernel = rng.standard_normal(shape, np.float32)
            kernel *= np.float32(math.sqrt(2 / fan_in))
            return kernel.astype(dtype, copy=False)
    values = np.asarray(parameter.array.astype(jnp.float32))
    return rng.permutation(values.ravel()).reshape(shape).astype(dtype)


def _like(array: jax.Array, values: np.ndarray) -> jax.Array:
    """Put values where an array is; one that may move must stay so, or functions recompile."""
    if not isinstance(array, jax.Array):
        return jnp.asarray(values)
    return jax.device_put(values, array.sharding if array.committed else None)
