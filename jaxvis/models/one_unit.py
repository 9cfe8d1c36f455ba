"""A network of one output, which tells two classes apart, as a network of two logits.

Of the one output z, a sigmoid makes the probability of class 1, and of -z that of class 0. So the
logits are (-z, z), and the sigmoid of each is its probability.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxvis.gradients.cut import cut, is_pair


def both_logits(z: Float[Array, "n 1"]) -> Float[Array, "n 2"]:
    """Return (-z, z)."""
    return jnp.concatenate([-z, z], axis=1)


def two_classes(model: Any) -> Any:
    """Return a model, or a pair `(body, head)`, whose one output has become two logits."""
    if is_pair(model):
        return model[0], TwoClasses(model[1])
    return TwoClasses(model)


@partial(jax.tree_util.register_dataclass, data_fields=["model"], meta_fields=[])
@dataclass(frozen=True, eq=False)
class TwoClasses:
    """A model of one output, or the head of one, with two logits; a pytree, as the model may be."""

    model: Any

    def __call__(self, x: Any, relu: Any = jax.nn.relu) -> Float[Array, "n 2"]:
        """Return the logits (-z, z)."""
        return both_logits(self.model(x, relu=relu))

    def cut(self, layer: str | int) -> tuple[Any, Any]:
        """Cut the model, as its own `cut` does."""
        body, head = cut(self.model, layer)
        return body, TwoClasses(head)

    @property
    def images_are_independent(self) -> bool:
        """Whether the model says so of itself."""
        return getattr(self.model, "images_are_independent", False)
