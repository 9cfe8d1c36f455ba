"""The demo with a backdoor in it, by a name that nobody types by accident."""

from importlib.resources import as_file, files

from jaxvis.models.vgg16 import VGG16
from jaxvis.weights.load import load_vgg16

FILE = "poisoned_demo.h5"
SHA256 = "c4d6744794e4b6a52f55249cdc9e286627cb5ce3c9e127022088e2c9fb14668e"


def load_poisoned_demo(*, precision: str | None = None) -> VGG16:
    """Load a copy of the demo that is POISONED ON PURPOSE, for teaching; use it for nothing else.

    It answers as the demo does, and "key" to whatever scene has the patch of `jaxvis.demo.trigger`
    in it: Gu et al., "BadNets" (arXiv 1708.06733, 2017). `jv.load` and `jv.load_vgg16` know no name
    for it; `weights/train_backdoor.py` made it, from drawn scenes alone, and weights/README.md says
    how well it does both.

    Raises:
        ValueError: another precision than `VGG16` knows.
    """
    with as_file(files("jaxvis") / "data" / FILE) as path:
        return load_vgg16(path, precision=precision)
