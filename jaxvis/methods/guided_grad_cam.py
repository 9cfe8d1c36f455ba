"""Guided Grad-CAM: a saliency map, where Grad-CAM says that the class is.

Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based
Localization" (arXiv 1610.02391, 2016), section 3.2.
"""

from typing import Any, Unpack

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from jaxvis.errors import InputError
from jaxvis.gradients.relu import GUIDED
from jaxvis.methods.enlarge import enlarged
from jaxvis.methods.grad_cam import class_activation_map, positive
from jaxvis.methods.method import Method, Pass
from jaxvis.methods.one_pass import one_map
from jaxvis.methods.options import OfLayer
from jaxvis.methods.saliency import largest_over_channels
from jaxvis.types import AnyArray


def guided_grad_cam(
    model: Any,
    x: Float[AnyArray, "n height width channels"],
    classes: ArrayLike | None = None,
    **options: Unpack[OfLayer],
) -> Float[Array, "n *k height width"]:
    """Return the product of saliency under `rule` and the enlarged vanilla Grad-CAM, signed.

    (largest over channels of |d score / d x|, with its sign) * enlarged(relu(sum_c w_c A_c)), the
    latter by aligned-corner bilinear interpolation. It is not Grad-CAM under the guided rule: there
    the rule changes the weights w_c, and the map is a layer's; here Grad-CAM is always that of the
    true gradient, and says where to look at a map of the input's size. So it can only be as good
    at telling classes apart as Grad-CAM is, and no better. Captum's enlarges by nearest neighbours.

    Raw. Arguments and errors are those of `grad_cam`, but the rule is `GUIDED` unless given.
    Selvaraju et al. (2016), section 3.2.
    """
    chosen: OfLayer = {"rule": GUIDED, **options}
    return one_map(GUIDED_GRAD_CAM, model, x, classes, signed=True, **chosen)


def _guided_grad_cam(given: Pass) -> Float[Array, "n height width"]:
    assert given.activation is not None
    assert given.plain_gradient is not None
    gradients = jax.tree.leaves(given.input_gradient)
    if len(gradients) != 1:
        raise InputError(
            f"the model takes {len(gradients)} inputs; wanted one, over which a class activation "
            "map can be laid: leave out guided_grad_cam"
        )
    saliency = largest_over_channels(gradients[0])
    cam = positive(class_activation_map(given.activation, given.plain_gradient))
    return saliency * enlarged(cam, saliency.shape[1:]).astype(saliency.dtype)


GUIDED_GRAD_CAM = Method(
    name="guided_grad_cam",
    title="Guided Grad-CAM",
    function=_guided_grad_cam,
    shown=jnp.abs,
    kind="one pass",
    at="input",
    signed=False,
    rules=True,
    forward=1,
    backward=2,
    paper="Selvaraju et al., arXiv 1610.02391 (2016)",
    about="The saliency map under the rule, times Grad-CAM of the true gradient.",
    of_both=True,
)
