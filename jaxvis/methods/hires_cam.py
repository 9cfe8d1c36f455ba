"""HiResCAM: the gradient is not averaged, so that the map is what the layer adds to the score.

Draelos & Carin, "Use HiResCAM instead of Grad-CAM for faithful explanations of convolutional neural
networks" (arXiv 2011.08891, 2020), section 3.
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


def hires_cam(
    model: Any,
    x: Float[AnyArray, "n height width channels"],
    classes: ArrayLike | None = None,
    **options: Unpack[OfLayer],
) -> Float[Array, "n *k h w"]:
    """Return the map relu(sum_c d score / d A_c * A_c), raw: at least 0, not scaled.

    Gradient times input at a layer: where what stands above the layer is linear around A and has no
    biases, the map before its ReLU adds up to the logit. Arguments and errors are those of
    `grad_cam`. Draelos & Carin (2020), equation 4.
    """
    return one_map(HIRES_CAM, model, x, classes, **options)


def _hires_cam(given: Pass) -> Float[Array, "n *space"]:
    activation, gradient = wide(given)
    return summed(gradient, activation)


HIRES_CAM = Method(
    name="hires_cam",
    title="HiResCAM",
    function=_hires_cam,
    shown=positive,
    kind="one pass",
    at="layer",
    signed=False,
    rules=True,
    forward=1,
    backward=1,
    paper="Draelos & Carin, arXiv 2011.08891 (2020)",
    about="What every place of the layer adds to the class's logit, if the rest were linear.",
)
