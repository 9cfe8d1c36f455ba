"""Scenes of which every pixel's owner is known, drawn with NumPy, and the demo made of them."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__, submodules=["images", "scenes", "silhouettes", "trigger"]
)
