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
    return jax.tree.map(_moved, tree)


def _moved(leaf: Any) -> Any:
    if not isinstance(leaf, jax.Array) or isinstance(leaf, jax.core.Tracer):
        return leaf
    sharding = leaf.sharding
    if not isinstance(sharding, NamedSharding) or "Explicit" not in str(sharding.mesh.axis_types):
        return leaf
    mesh = Mesh(sharding.mesh.devices, sharding.mesh.axis_names)
    return jax.device_put(leaf, NamedSharding(mesh, sharding.spec))
