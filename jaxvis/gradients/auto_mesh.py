"""Arrays on a mesh whose axes a program has to speak of, on the same mesh left to the compiler.

`jax.make_mesh` makes "explicit" axes by default: each reshape then has to say how its result is
sharded, which no network does that was written for one device. With "auto" axes the compiler finds
that out; the arrays stay where they are.
"""

from typing import Any

import jax
from jax.sharding import Mesh, NamedSharding


def on_auto_mesh(tree: Any) -> Any:
    """Return a pytree whose arrays lie on meshes of "auto" axes; nothing is copied."""
    if not any(map(_is_explicit, jax.tree.leaves(tree))):
        return tree  # as nearly always: nothing is taken apart and put together again
    return jax.tree.map(lambda leaf: _moved(leaf) if _is_explicit(leaf) else leaf, tree)


def _is_explicit(leaf: Any) -> bool:
    if not isinstance(leaf, jax.Array) or isinstance(leaf, jax.core.Tracer):
        return False
    sharding = leaf.sharding
    return isinstance(sharding, NamedSharding) and "Explicit" in str(sharding.mesh.axis_types)


def _moved(array: jax.Array) -> jax.Array:
    sharding: Any = array.sharding
    mesh = Mesh(sharding.mesh.devices, sharding.mesh.axis_names)
    return jax.device_put(array, NamedSharding(mesh, sharding.spec))
