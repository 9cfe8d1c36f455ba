"""The only list of methods. A new one is a file beside this one, a row here, and a test."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from jaxvis.gradients.chain import chain_of
from jaxvis.methods.ablation_cam import ABLATION_CAM
from jaxvis.methods.eigen_cam import EIGEN_CAM
from jaxvis.methods.full_grad import FULL_GRAD
from jaxvis.methods.grad_cam import GRAD_CAM
from jaxvis.methods.grad_cam_plus_plus import GRAD_CAM_PLUS_PLUS
from jaxvis.methods.guided_grad_cam import GUIDED_GRAD_CAM
from jaxvis.methods.hires_cam import HIRES_CAM
from jaxvis.methods.input_x_gradient import INPUT_X_GRADIENT
from jaxvis.methods.integrated_gradients import INTEGRATED_GRADIENTS
from jaxvis.methods.layer_cam import LAYER_CAM
from jaxvis.methods.lrp import LRP
from jaxvis.methods.method import Method
from jaxvis.methods.occlusion import OCCLUSION
from jaxvis.methods.rise import RISE
from jaxvis.methods.saliency import SALIENCY
from jaxvis.methods.score_cam import SCORE_CAM
from jaxvis.methods.smoothgrad import SMOOTHGRAD
from jaxvis.methods.xgrad_cam import XGRAD_CAM

FROM_ONE_PASS = (
    SALIENCY, INPUT_X_GRADIENT, GUIDED_GRAD_CAM, GRAD_CAM, GRAD_CAM_PLUS_PLUS, LAYER_CAM, HIRES_CAM,
    XGRAD_CAM, EIGEN_CAM,
)  # fmt: skip

OTHERS = (
    SMOOTHGRAD, INTEGRATED_GRADIENTS, FULL_GRAD, LRP, OCCLUSION, RISE, SCORE_CAM, ABLATION_CAM,
)  # fmt: skip

METHODS: Mapping[str, Method] = MappingProxyType(
    {method.name: method for method in (*FROM_ONE_PASS, *OTHERS)}
)

LAB = (SALIENCY.name, GRAD_CAM.name)  # what the lab asks for, and what nobody has to ask for


def at_hand(methods: Sequence[str], model: Any) -> tuple[str, ...]:
    """Return names of methods; where all are asked for, those that the model can have.

    Raises:
        TypeError: by `chain_of`, which says what a method wants that was asked for by name.
    """
    lacking = [name for name in methods if METHODS[name].of_chain and not hasattr(model, "chain")]
    if lacking and set(methods) != set(METHODS):
        chain_of(model)
    return tuple(name for name in methods if name not in lacking)
