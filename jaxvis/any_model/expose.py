"""`expose_relu`: any JAX function, its code untouched, with every ReLU replaced by one's own.

The function is traced into a jaxpr (`jaxprs.trace`), a plan says which of its equations are ReLUs
(`relu_sites.plan_relus`), and `run` runs it equation by equation with another ReLU in those places.
"""

import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax

from jaxvis.any_model import jaxprs
from jaxvis.any_model.cut_at import cut_at
from jaxvis.any_model.last_activation import last_activation
from jaxvis.any_model.relu_sites import FORMS, Site, check_forms, no_relus, plan_relus
from jaxvis.any_model.run import run_steps
from jaxvis.any_model.training import in_plain_words
from jaxvis.errors import InputTypeError
from jaxvis.gradients.called import note_last, only_differentiated, without_note
from jaxvis.gradients.relu import Relu, Rule, relu_under

Function = Callable[..., Any]


@partial(jax.tree_util.register_dataclass, data_fields=["function"], meta_fields=["forms"])
@dataclass(frozen=True, eq=False)
class ExposedRelu:
    """What `expose_relu` returns: the function, which now takes `relu=` and can be `cut`.

    A pytree that holds the function, so that the weights of one that is a pytree (Flax NNX,
    Equinox, `jax.tree_util.Partial`) are traced, and not frozen, when it is compiled as a model.
    """

    function: Function
    forms: tuple[str, ...]

    def __call__(self, *args: Any, relu: Relu | Rule = jax.nn.relu, **kwargs: Any) -> Any:
        """Call the function with `relu` in the place of its ReLUs."""
        if relu is jax.nn.relu:
            with in_plain_words():
                return self.function(*args, **kwargs)
        traced = jaxprs.trace(self.function, args, kwargs)
        plan, found = plan_relus(traced.jaxpr, traced.consts, self.forms)
        if not found.relus:
            warnings.warn(no_relus(found.left_alone), stacklevel=2)
        note_last(relu, last_activation(traced.jaxpr))
        cheaply = only_differentiated(relu)
        relu = without_note(relu, bool(found.relus))
        environment = jaxprs.start(traced.jaxpr, traced.consts, traced.values)
        run_steps(traced.jaxpr.eqns, plan, relu_under(relu), environment, cheaply=cheaply)
        outputs = [jaxprs.read(environment, atom) for atom in traced.jaxpr.outvars]
        return jax.tree.unflatten(traced.out_tree, outputs)

    def cut(self, layer: str | int) -> tuple[Function, Function]:
        """Cut the function at a value, as `cut_at` does, into `(body, head)`."""
        return cut_at(self.function, layer, forms=self.forms)


def expose_relu(f: Function, *, forms: Sequence[str] = FORMS) -> ExposedRelu:
    """Return `g(*args, relu=jax.nn.relu, **kwargs)`: f with every ReLU replaced by `relu`.

    With the default, g is f. Otherwise f is traced, as by `jax.jit`, at every call of g: nothing
    is frozen, and f may use `relu` in jit, checkpoint, loops, branches and shard_map. A function
    with a custom gradient that holds a ReLU (and is not one) is differentiated through its body.

    Args:
        f: any function that JAX can trace; arrays among its arguments, in pytrees too, are
            traced, and all else is passed on as it is.
        forms: what counts as a ReLU. "relu" is `jax.nn.relu`, under whatever name a library gives
            it, or any function with a custom gradient that computes max(x, 0); "relu6" the lower
            gate of `jax.nn.relu6`; "maximum", "where", "clip" and "product" are
            `jnp.maximum(x, 0)`, `jnp.where(x > 0, x, 0)`, `jnp.clip(x, 0)` and `x * (x > 0)`, of
            floats, in any order. Caps keep their gradient. Not counted are the two halves of a
            PReLU, relu(x) - a relu(-x), a maximum that guards a square root, and other activations:
            see `count_relus`. "gelu", "silu", "elu" and "leaky_relu", JAX's own, are no ReLUs, but
            may be named here: then the rules act on them too, which must be of kind `Rule`, as
            `jaxvis.gradients.smooth` says; that is ours, and no paper's.

    The result takes as `relu` a ReLU function, a `Rule`, or a function of `(x, where)`, in which
    `where` is the `Site` of that ReLU: its index, form and name stack.

    Raises:
        TypeError: f cannot be called.
        ValueError: an unknown form.
        NotImplementedError: when called, if a primitive that cannot be entered holds a ReLU.
    """
    if not callable(f):
        raise InputTypeError(f"f is a {type(f).__name__}; wanted a function of arrays")
    return ExposedRelu(f, check_forms(forms))


class ReluCount(NamedTuple):
    """The ReLUs of a function, in the order in which they run, and what only looks like one.

    One inside a loop counts once. In `left_alone`, `form` says what it is, and `index` how many
    ReLUs come before it.
    """

    relus: tuple[Site, ...]
    left_alone: tuple[Site, ...]

    @property
    def by_form(self) -> dict[str, int]:
        """How many ReLUs there are of every form found."""
        return dict(Counter(site.form for site in self.relus))

    def __str__(self) -> str:
        """A table of one line for each."""
        rows = [(str(site.index), *_row(site)) for site in self.relus]
        rows += [("left alone", *_row(site)) for site in self.left_alone]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
        return "\n".join([f"{len(self.relus)} ReLUs", *lines])


def _row(site: Site) -> tuple[str, str, str]:
    return site.form, f"{site.dtype}{list(site.shape)}", site.name_stack


def count_relus(f: Function, *args: Any, forms: Sequence[str] = FORMS, **kwargs: Any) -> ReluCount:
    """Return which ReLUs `expose_relu(f, forms=forms)` replaces for such arguments, and where.

    Nothing is computed; `jax.ShapeDtypeStruct` will do for an array.

    Raises:
        TypeError, ValueError, NotImplementedError: as `expose_relu`.
    """
    exposed = f if isinstance(f, ExposedRelu) else expose_relu(f, forms=forms)
    traced = jaxprs.trace(exposed.function, args, kwargs)
    _, found = plan_relus(traced.jaxpr, traced.consts, exposed.forms)
    return ReluCount(tuple(found.relus), tuple(found.left_alone))
