"""What needs no JAX works where there is none: drawn scenes, pictures, tables, the NumPy twin."""

import subprocess
import sys

import pytest

# A machine without JAX, as far as imports can tell.
REFUSED = """
from importlib.machinery import PathFinder

found = PathFinder.find_spec

def find_spec(name, path=None, target=None):
    hidden = name.partition(".")[0] in ("jax", "jaxlib", "flax")
    return None if hidden else found(name, path, target)

PathFinder.find_spec = staticmethod(find_spec)
import sys
import numpy as np
import jaxvis as jv
"""

USES = {
    "scenes": """
scene = jv.scene(jv.demo.scenes.GEESE[0], "goose")
assert scene.mask.any() and jv.two_objects(1, "cat", "key").image.shape == (224, 224, 3)
assert np.array_equal(jv.load_images(jv.demo_images()[:1])[0], scene.image)
""",
    "pictures": """
images = jv.load_images(jv.demo_images())
maps = np.random.default_rng(0).random((4, 14, 14))
large = jv.upsample(maps, (224, 224))
assert jv.overlay(images, large).shape == jv.heat_map(large).shape == images.shape
assert jv.normalize(maps).max() > 0.99
assert jv.figure_images(images).axes and jv.figure_grad_cam(images, maps, None, title=None).axes
""",
    "preprocessing": """
images = jv.load_images(jv.demo_images())
x = jv.preprocess(images)
assert x.dtype == np.float32 and np.array_equal(jv.deprocess(x), images)
""",
    "classes": """
from jaxvis.models.labels import class_index
assert class_index("goose") == 99
assert jv.top_k(np.eye(1, 1000, 99), k=1)[0][0].name == "goose"
""",
    "the table of layers": """
from jaxvis.models.layers import summary_table
assert len(jv.LAYERS) == 22 and "138,357,544" in summary_table()
""",
    "the NumPy twin": """
from jaxvis.models import reference
from jaxvis.models.layers import architecture, layer_shapes
rng = np.random.default_rng(0)
weights = {
    row.name: (rng.normal(0, 0.1, row.kernel_shape), np.zeros(row.bias_shape))
    for row in layer_shapes(architecture(width=1 / 64, size=32, classes=3))
    if row.kernel_shape
}
x = rng.normal(size=(1, 32, 32, 3))
assert reference.saliency(weights, x, 0, (True, True)).shape == (1, 32, 32)
""",
    "errors": """
assert issubclass(jv.WeightsError, ValueError) and issubclass(jv.ImageError, ValueError)
""",
}


@pytest.mark.parametrize("use", USES)
def test_it_works_without_jax(use):
    run(REFUSED + USES[use])


NEEDS = """
try:
    jv.explain
except ImportError as error:
    assert "jax" in str(error)
else:
    sys.exit("there is a JAX")
"""


def test_what_needs_jax_says_so():
    """Else the refusal above would refuse nothing."""
    run(REFUSED + NEEDS)


def run(code: str) -> None:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
