"""Eigen-CAM: the first principal component of a layer, which asks for no class.

Muhammad & Yeasin, "Eigen-CAM: Class Activation Map using Principal Components" (arXiv 2008.00299,
2020), section III.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxvis.methods.grad_cam import positive
from jaxvis.methods.method import Method, Pass
from jaxvis.methods.one_pass import one_map
from jaxvis.methods.options import Layer
from jaxvis.methods.wide import widened
from jaxvis.types import AnyArray


def eigen_cam(
    model: Any,
    x: Float[AnyArray, "n height width channels"],
    *,
    layer: Layer = "block5_conv3",
    grid: tuple[int, int] | None = None,
    channel_axis: int | None = None,
) -> Float[Array, "n h w"]:
    """Return relu(A v) for the first right singular vector v of A, as (places, channels); raw.

    It shows what the layer's activations have most in common, whatever the class: none is asked
    for, and no rule matters. A singular vector has no sign; this one's is that with which A v adds
    up to more than 0. As in the paper, the channels' means are not taken off first;
    pytorch-grad-cam takes them off, and leaves the sign to chance.
    Arguments and errors are those of `grad_cam`. Muhammad & Yeasin (2020), equations 2 and 3.
    """
    return one_map(
        EIGEN_CAM, model, x, None, layer=layer, score=_nothing, grid=grid, channel_axis=channel_axis
    )


def principal(matrix: Float[Array, "places channels"]) -> Float[Array, " places"]:
    """Return A v, of the largest singular value, with the sign that makes its sum positive.

    A v = s u, for the eigenvector u of the smaller of A A^T and A^T A.
    """
    scale = jnp.max(jnp.abs(matrix))
    matrix = matrix / jnp.where(scale > 0, scale, 1)  # squares stay in range
    places, channels = matrix.shape
    smaller = matrix if places <= channels else matrix.T
    vector = jnp.linalg.eigh(jnp.matmul(smaller, smaller.T, precision="highest"))[1][:, -1]
    if places <= channels:
        vector = vector * jnp.linalg.norm(jnp.matmul(vector, matrix, precision="highest"))
    else:
        vector = jnp.matmul(matrix, vector, precision="highest")
    return vector * jnp.where(jnp.sum(vector) < 0, -1, 1).astype(vector.dtype) * scale


def _eigen_cam(given: Pass) -> Float[Array, "n *space"]:
    assert given.activation is not None
    activation = widened(given.activation)
    n, *places, channels = activation.shape
    found = jax.vmap(principal)(activation.reshape(n, -1, channels))
    return found.reshape(n, *places)


def _nothing(outputs: Any) -> Float[Array, " n"]:
    """A score for a method that asks for none."""
    first = jax.tree.leaves(outputs)[0]
    return jnp.zeros(first.shape[0], jnp.float32) + 0 * jnp.sum(
        first.astype(jnp.float32), axis=tuple(range(1, first.ndim))
    )


EIGEN_CAM = Method(
    name="eigen_cam",
    title="Eigen-CAM",
    function=_eigen_cam,
    shown=positive,
    kind="one pass",
    at="layer",
    signed=False,
    rules=False,
    forward=1,
    backward=0,
    paper="Muhammad & Yeasin, arXiv 2008.00299 (2020)",
    about="What the layer's channels have most in common, whatever the class: its first principal "
    "component.",
)
