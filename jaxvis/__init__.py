"""What does VGG16 look at? Saliency maps and Grad-CAM in JAX, with every gradient rule in the open.

import jaxvis as jv

model = jv.load_vgg16("demo")
x = jv.preprocess(jv.load_images(["goose_1.jpg"]))
maps = jv.explain(model, x, model.class_index("goose"))
maps.saliency["guided"], maps.grad_cam["vanilla"]

The public names stand in `__init__.pyi`, each once, and are looked up when they are first used:
`import jaxvis` is quick, and what needs no JAX works without it.
"""

import lazy_loader

from jaxvis.version import __version__ as __version__

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
