"""The only list of methods. A new one is a file beside this one, a row here, and a test."""

from collections.abc import Mapping
from types import MappingProxyType

from jaxvis.methods.grad_cam import GRAD_CAM
from jaxvis.methods.method import Method
from jaxvis.methods.saliency import SALIENCY

METHODS: Mapping[str, Method] = MappingProxyType(
    {method.name: method for method in (SALIENCY, GRAD_CAM)}
)

LAB = (SALIENCY.name, GRAD_CAM.name)  # what the lab asks for, and what nobody has to ask for
