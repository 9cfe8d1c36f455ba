"""What an equation that is run again keeps of where it came from."""

import jax
import jax.numpy as jnp

from jaxvis.any_model.expose import expose_relu
from jaxvis.any_model.jaxprs import walk


def scoped(x):
    with jax.named_scope("stem"):
        return jax.nn.relu(jnp.sin(x)).sum()


def test_names_of_scopes_are_kept_inside_those_of_the_caller():
    """They are what a profile shows a model's parts by."""
    exposed = expose_relu(scoped)

    def call(x):
        with jax.named_scope("outer"):
            return exposed(x, relu=jax.nn.relu6)

    traced = jax.make_jaxpr(call)(jnp.ones(3))
    (sine,) = [v.eqn for v in walk(traced.jaxpr) if v.eqn.primitive.name == "sin"]
    assert str(sine.source_info.name_stack) == "outer/stem"
