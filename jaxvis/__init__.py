"""What does VGG16 look at? Saliency maps and Grad-CAM in JAX, with every gradient rule in the open.

import jaxvis as jv

model = jv.load_vgg16("demo")
x = jv.preprocess(jv.load_images(["goose_1.jpg"]))
maps = jv.explain(model, x, model.class_index("goose"))
maps.saliency["guided"], maps.grad_cam["vanilla"]
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from jaxvis.demo.images import demo_images as demo_images
from jaxvis.gradients.relu import GUIDED as GUIDED
from jaxvis.gradients.relu import RECTIFIED as RECTIFIED
from jaxvis.gradients.relu import RULES as RULES
from jaxvis.gradients.relu import VANILLA as VANILLA
from jaxvis.gradients.relu import Rule as Rule
from jaxvis.gradients.relu import guided_relu as guided_relu
from jaxvis.gradients.relu import rectified_relu as rectified_relu
from jaxvis.gradients.relu import relu as relu
from jaxvis.gradients.relu import vanilla_relu as vanilla_relu
from jaxvis.methods.grad_cam import grad_cam as grad_cam
from jaxvis.methods.one_pass import Maps as Maps
from jaxvis.methods.one_pass import compile_explain as compile_explain
from jaxvis.methods.one_pass import explain as explain
from jaxvis.methods.saliency import input_gradient as input_gradient
from jaxvis.methods.saliency import saliency as saliency
from jaxvis.models.labels import top_k as top_k
from jaxvis.models.layers import LAYERS as LAYERS
from jaxvis.models.preprocessing import deprocess as deprocess
from jaxvis.models.preprocessing import preprocess as preprocess
from jaxvis.models.vgg16 import VGG16 as VGG16
from jaxvis.pictures.files import ImageError as ImageError
from jaxvis.pictures.files import find_images as find_images
from jaxvis.pictures.files import load_images as load_images
from jaxvis.pictures.render import heat_map as heat_map
from jaxvis.pictures.render import normalize as normalize
from jaxvis.pictures.render import overlay as overlay
from jaxvis.pictures.render import upsample as upsample
from jaxvis.streaming.batches import explain_batches as explain_batches
from jaxvis.version import __version__ as __version__

if TYPE_CHECKING:
    from jaxvis.any_model.cut_at import cut_at as cut_at
    from jaxvis.any_model.expose import count_relus as count_relus
    from jaxvis.any_model.expose import expose_relu as expose_relu
    from jaxvis.demo.scenes import scene as scene
    from jaxvis.demo.scenes import two_objects as two_objects
    from jaxvis.gradients.compile_cache import use_compile_cache as use_compile_cache
    from jaxvis.pictures.figures import figure_comparison as figure_comparison
    from jaxvis.pictures.figures import figure_grad_cam as figure_grad_cam
    from jaxvis.pictures.figures import figure_images as figure_images
    from jaxvis.pictures.figures import figure_saliency as figure_saliency
    from jaxvis.weights.errors import WeightsError as WeightsError
    from jaxvis.weights.load import load_vgg16 as load_vgg16
    from jaxvis.weights.load import save_vgg16 as save_vgg16

# What many programs never use is imported when it is first used: `import jaxvis` stays quick.
_LATER = {
    "WeightsError": "jaxvis.weights.errors",
    "count_relus": "jaxvis.any_model.expose",
    "cut_at": "jaxvis.any_model.cut_at",
    "expose_relu": "jaxvis.any_model.expose",
    "figure_comparison": "jaxvis.pictures.figures",
    "figure_grad_cam": "jaxvis.pictures.figures",
    "figure_images": "jaxvis.pictures.figures",
    "figure_saliency": "jaxvis.pictures.figures",
    "load_vgg16": "jaxvis.weights.load",
    "save_vgg16": "jaxvis.weights.load",
    "scene": "jaxvis.demo.scenes",
    "two_objects": "jaxvis.demo.scenes",
    "use_compile_cache": "jaxvis.gradients.compile_cache",
}


def __getattr__(name: str) -> Any:
    if name in _LATER:
        return getattr(import_module(_LATER[name]), name)
    raise AttributeError(f"module 'jaxvis' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_LATER])
