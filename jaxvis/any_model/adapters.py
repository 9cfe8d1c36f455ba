"""Models as people have them -> models that take the ReLU they are handed.

Keras, Flax and Equinox write networks that know no `relu=`. Where it is safe, such a model is
exposed here without being asked; where it is not, an error says what to do.
"""

import inspect
import sys
import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax

from jaxvis.any_model.expose import ExposedRelu, expose_relu
from jaxvis.errors import InputError, InputTypeError
from jaxvis.gradients.called import takes_no_relu
from jaxvis.gradients.cut import is_pair


def as_model(model: Any) -> Any:
    """Return a model that takes `relu=`: as it is, or exposed if it is of a known kind.

    Raises:
        TypeError: it cannot be called, or takes no `relu=` and is of no known kind.
    """
    if is_pair(model) or isinstance(model, ExposedRelu):
        return model
    if _is_network(model):
        raise InputTypeError(
            "the model is a Network, a description of one; wanted what it describes: "
            "jv.explain(network.model, network.preprocess(images), layer=network.layer)"
        )
    if not callable(model):
        raise InputTypeError(
            f"the model is a {type(model).__name__}; wanted a callable model(x, relu=...)"
        )
    names, any_name = keywords(model)
    kinds = {cls.__module__.partition(".")[0] for cls in type(model).__mro__}
    if "flax" in kinds and hasattr(model, "unbind"):  # Linen, whose bound modules have no hash
        called = linen_call(model)
        return called if "relu" in names else expose_relu(called)
    if "relu" in names:
        return model
    if "keras" in kinds:
        return expose_relu(keras_call(model))
    if kinds & {"equinox", "flax"}:  # modules of Equinox and Flax NNX are pytrees
        return expose_relu(model)
    if any_name:
        return model  # it may use relu=; if it does not, `check_called` will say so
    raise InputTypeError(takes_no_relu(model))


def keywords(model: Any) -> tuple[set[str], bool]:
    """Names that a callable takes by keyword, and whether it takes any name at all."""
    try:
        parameters = inspect.signature(model).parameters.values()
    except (ValueError, TypeError):  # built-in functions have none: let it try
        return set(), True
    by_name = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    names = {parameter.name for parameter in parameters if parameter.kind in by_name}
    return names, any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters)


def _is_network(model: Any) -> bool:
    """Whether this is a `jaxvis.models.network.Network`, which stands above this folder."""
    return isinstance(model, tuple) and {"model", "preprocess"} <= set(
        getattr(model, "_fields", ())
    )


def _name(model: Any) -> str:
    return getattr(model, "__name__", None) or f"a {type(model).__name__}"


@dataclass(frozen=True)
class _KerasCall:
    """A Keras model as a function of its variables, which are data: new weights are seen.

    The model itself is held weakly, so that compiled code does not keep it in memory.
    """

    model: Any  # weakref.ref, equal for the same model

    def __call__(self, variables: Mapping[str, Mapping[str, jax.Array]], x: Any) -> Any:
        model = self.model()
        if model is None:
            raise InputError(
                "the Keras model is gone, which jaxvis holds only weakly; wanted a name that keeps "
                "it, or the Network of jv.from_keras, which does"
            )
        _check_shape(model, x)
        listed = isinstance(x, tuple) and hasattr(model, "inputs")  # as functional models have them
        inputs = list(x) if listed else x
        trained, others = (list(variables[kind].values()) for kind in ("trained", "others"))
        names, _ = keywords(model.call)  # not every subclass of keras.Model takes training=
        options = {"training": False} if "training" in names else {}
        outputs, _ = model.stateless_call(trained, others, inputs, **options)
        return outputs


def _check_shape(model: Any, x: Any) -> None:
    """Keras checks no shapes here: what convolves and averages takes any size, and another one."""
    wanted = getattr(model, "input_shape", None)
    if not isinstance(wanted, tuple) or not hasattr(x, "shape"):
        return
    fits = len(x.shape) == len(wanted) and all(
        size in (None, found) for size, found in zip(wanted[1:], x.shape[1:], strict=True)
    )
    if wanted and not isinstance(wanted[0], tuple) and not fits:
        shape = ", ".join("any" if size is None else str(size) for size in wanted[1:])
        raise InputError(
            f"the Keras model {model.name!r} reads (n, {shape}), and x has shape {tuple(x.shape)}"
        )


def keras_call(model: Any) -> jax.tree_util.Partial:
    """Return a Keras model as a function of its input, as at prediction; its weights are data.

    Raises:
        TypeError: it was not built, or Keras does not run on JAX.
    """
    if not hasattr(model, "stateless_call") or not getattr(model, "built", False):
        raise InputTypeError(
            f"{_name(model)} is of Keras, but no model whose variables can be handed in; wanted a "
            "keras.Model of Keras 3 that was built"
        )
    backend = sys.modules["keras"].backend.backend()
    if backend != "jax":
        raise InputTypeError(
            f"Keras runs on {backend} here; wanted its JAX backend: set KERAS_BACKEND=jax before "
            "keras is imported"
        )
    variables = {
        "trained": _by_path(model.trainable_variables),
        "others": _by_path(model.non_trainable_variables),
    }
    return jax.tree_util.Partial(_KerasCall(weakref.ref(model)), variables)


def _by_path(variables: Any) -> dict[str, jax.Array]:
    """Arrays by the variables' paths, in their order; numbered, since a path may come twice."""
    width = len(str(len(variables)))
    return {f"{i:0{width}}|{v.path}": v.value for i, v in enumerate(variables)}


def linen_call(model: Any, variables: Any = None, **options: Any) -> jax.tree_util.Partial:
    """Return a Flax Linen module as a function of its input; its variables are data.

    Args:
        model: a bound module, or one that is not, and its variables.
        options: keyword arguments of its call, such as train=False.

    Raises:
        TypeError: it is not bound, and there are no variables.
    """
    bound = getattr(model, "scope", None) is not None
    if not bound and variables is None:
        raise InputTypeError(
            f"{_name(model)} is a Flax Linen module without variables; wanted them bound: "
            "module.bind(variables), or jv.expose_relu(jax.tree_util.Partial(module.apply, "
            "variables))"
        )
    if bound:
        model, own = model.unbind()
        variables = own if variables is None else variables
    return jax.tree_util.Partial(_LinenCall(model, tuple(sorted(options.items()))), variables)


@dataclass(frozen=True)
class _LinenCall:
    """A Linen module as a function of its variables; equal for equal modules."""

    module: Any
    options: tuple[tuple[str, Any], ...]

    def __call__(self, variables: Any, x: Any, **relu: Any) -> Any:
        return self.module.apply(variables, x, **dict(self.options), **relu)
