"""Run by `test_sharding` in a process of four devices: sharded images give sharded maps."""

import re
from functools import partial

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

import jaxvis as jv
from jaxvis.gradients.groups import group_size

assert jax.device_count() == 4
MESH = Mesh(np.array(jax.devices()), ("images",))
BY_IMAGE = PartitionSpec("images")
RNG = np.random.Generator(np.random.PCG64(0))
X = RNG.normal(0, 60, (8, 32, 32, 3)).astype(np.float32)
SHARDED = jax.device_put(X, NamedSharding(MESH, BY_IMAGE))
MODEL = jv.VGG16(width=1 / 64, classes=7, size=32)
EXPOSED = jv.expose_relu(lambda x: jax.nn.relu(x.mean((1, 2)) @ IN) @ OUT)
IN, OUT = (RNG.normal(0, 1, s).astype(np.float32) for s in ((3, 5), (5, 7)))
KERNEL, LAST = (RNG.normal(0, 1, s).astype(np.float32) for s in ((3, 3, 3, 4), (4, 7)))


def convolved(x):
    """What stands for a network of convolutions where 13 of them find no more than one."""
    y = jax.lax.conv_general_dilated(
        x, KERNEL, (2, 2), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
    return jax.nn.relu(y).mean((1, 2)) @ LAST


SMALL = jv.expose_relu(convolved)

# Every program takes seconds to compile for four devices, so not all calls have all classes.
CASES = (
    (partial(jv.explain, MODEL), 3),
    (partial(jv.explain, MODEL, methods=["saliency"]), np.arange(16).reshape(8, 2) % 7),
    (partial(jv.saliency, SMALL, rule=jv.GUIDED), None),
    (partial(jv.grad_cam, SMALL, rule=jv.RECTIFIED, layer=0), np.arange(8) % 7),
    (partial(jv.saliency, EXPOSED, rule=jv.GUIDED), 3),
    (partial(jv.saliency, EXPOSED, score=lambda logits: logits[:, 0]), None),
)
COLLECTIVES = r"(all-gather|all-reduce|all-to-all|collective-permute)(-start)?\("


def check(found, wanted):
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(wanted), strict=True):
        assert a.sharding.is_equivalent_to(NamedSharding(MESH, BY_IMAGE), a.ndim), a.sharding
        np.testing.assert_allclose(a, b, atol=1e-5 * np.abs(b).max())


for call, classes in CASES:
    wanted = call(X, classes)
    check(call(SHARDED, classes), wanted)
    # Every device has its images and all of the weights, and needs nothing from the others.
    compiled = jax.jit(partial(call, classes=classes)).lower(SHARDED).compile()
    assert not re.search(COLLECTIVES, compiled.as_text())
    each = np.ndim(classes) > 0
    given = classes if each else np.zeros(8, np.int32)

    def inside(x, given, call=call, classes=classes, each=each):
        return call(x, given if each else classes)

    mapped = jax.shard_map(inside, mesh=MESH, in_specs=(BY_IMAGE, BY_IMAGE), out_specs=BY_IMAGE)
    check(jax.jit(mapped)(SHARDED, given), wanted)

assert group_size(jax.numpy.asarray(X)) == 2
assert group_size(SHARDED) == 8

# Axes that `jax.make_mesh` makes by default, of which networks do not know how to speak.
explicit = NamedSharding(jax.make_mesh((4,), ("images",)), BY_IMAGE)
check(jv.explain(MODEL, jax.device_put(X, explicit), 3), jv.explain(MODEL, X, 3))
