"""LayerCAM: every place of a layer weighs its own activation, in place of one weight a channel.

Jiang, Zhang, Hou, Cheng & Wei, "LayerCAM: Exploring Hierarchical Class Activation Maps for
Localization" (IEEE Transactions on Image Processing 30, 2021), section III-B.
"""

from typing import Any, Unpack

from jax.typing import ArrayLike
from jaxtyping import Array, Float

from jaxvis.methods.grad_cam import positive
from jaxvis.methods.method import Method, Pass
from jaxvis.methods.one_pass import one_map
from jaxvis.methods.options import OfLayer
from jaxvis.methods.wide import summed, wide
from jaxvis.types import AnyArray


def layer_cam(
    model: Any,
    x: Float[AnyArray, "n height width channels"],
    classes: ArrayLike | None = None,
    **options: Unpack[OfLayer],
) -> Float[Array, "n *k h w"]:
    """Return the map relu(sum_c relu(d score / d A_c) A_c), raw: at least 0, not scaled.

    Made for early layers too, where one weight a channel says little. The paper scales maps of
    early layers by a tanh before it adds them to others; as in tf-keras-vis, that is left out.
    Arguments and errors are those of `grad_cam`. Jiang et al. (2021), equations 5 to 7.
    """
    return one_map(LAYER_CAM, model, x, classes, **options)


def _layer_cam(given: Pass) -> Float[Array, "n *space"]:
    activation, gradient = wide(given)
    return summed(positive(gradient), activation)


LAYER_CAM = Method(
    name="layer_cam",
    title="LayerCAM",
    function=_layer_cam,
    shown=positive,
    kind="one pass",
    at="layer",
    signed=False,
    rules=True,
    forward=1,
    backward=1,
    paper="Jiang et al., IEEE Transactions on Image Processing 30 (2021)",
    about="Where the layer is active and more of it, at that very place, speaks for the class.",
)
