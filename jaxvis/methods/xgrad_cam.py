"""XGrad-CAM: a channel weighs by its gradient where it is active.

Fu, Hu, Dong, Guo, Gao & Li, "Axiom-based Grad-CAM: Towards Accurate Visualization and Explanation
of CNNs" (arXiv 2008.02312, 2020), section 3.
"""

from typing import Any, Unpack

import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from jaxvis.methods.grad_cam import positive
from jaxvis.methods.method import Method, Pass
from jaxvis.methods.one_pass import one_map
from jaxvis.methods.options import OfLayer
from jaxvis.methods.wide import space, summed_over_space, weighed, wide
from jaxvis.types import AnyArray


def xgrad_cam(
    model: Any,
    x: Float[AnyArray, "n height width channels"],
    classes: ArrayLike | None = None,
    **options: Unpack[OfLayer],
) -> Float[Array, "n *k h w"]:
    """Return relu(sum_c w_c A_c) with w_c = sum(A_c d score / d A_c) / sum(A_c) over all places.

    Raw: at least 0, not scaled. A channel that is 0 everywhere has the weight 0. Before its ReLU
    the map has the sum of HiResCAM's. Arguments and errors are those of `grad_cam`. Fu et al.
    (2020), equation 10.
    """
    return one_map(XGRAD_CAM, model, x, classes, **options)


def _xgrad_cam(given: Pass) -> Float[Array, "n *space"]:
    activation, gradient = wide(given)
    total = jnp.sum(activation, axis=space(activation))
    found = summed_over_space(activation, gradient)
    weights = jnp.where(total == 0, 0, found / jnp.where(total == 0, 1, total))
    return weighed(activation, weights)


XGRAD_CAM = Method(
    name="xgrad_cam",
    title="XGrad-CAM",
    function=_xgrad_cam,
    shown=positive,
    kind="one pass",
    at="layer",
    signed=False,
    rules=True,
    forward=1,
    backward=1,
    paper="Fu et al., arXiv 2008.02312 (2020)",
    about="Grad-CAM with every channel weighed by its gradient where the channel is active.",
)
