"""Maps of a layer at the size of the input, inside a compiled call."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxvis.gradients.onednn import bare
from jaxvis.pictures.render import interpolation


def enlarged(maps: Float[Array, "n *small"], size: tuple[int, ...]) -> Float[Array, "n *size"]:
    """Return maps at another size, linear with aligned corners along every axis, as `jv.upsample`.

    (n, length) and (n, depth, height, width) are enlarged likewise.
    """
    for axis, (found, wanted) in enumerate(zip(maps.shape[1:], size, strict=True), start=1):
        weights = jnp.asarray(interpolation(found, wanted), maps.dtype)
        lines = bare(jnp.tensordot(weights, maps, axes=(1, axis), precision="highest"))
        maps = jnp.moveaxis(lines, 0, axis)
    return maps
