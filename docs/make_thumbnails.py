"""Draw the gallery's small pictures: a drawn goose, and what every method makes of it.

    python3 docs/make_thumbnails.py        # docs/_static/methods/*.jpg; half a minute

To be run after a method is added; a test wants a picture for each.
"""

from pathlib import Path

import numpy as np
from PIL import Image

import jaxvis as jv

FOLDER = Path(__file__).parent / "_static" / "methods"


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    network = jv.load("demo")
    images = jv.load_images(jv.demo_images()[:1], network.size)
    x, goose = network.preprocess(images), network.class_index("goose")
    for name, method in jv.METHODS.items():
        rule = "guided" if name == "guided_grad_cam" else "vanilla"
        maps = jv.explain(
            network.model, x, goose, methods=[name], rules=[rule], layer=network.layer
        )
        (found,) = maps.values()
        values = np.asarray(found)
        if method.at == "input":  # up to the brightest but 1 in 200, or the rest is black
            values = np.minimum(values, np.percentile(values, 99.5))
        under = images if method.at == "layer" else None
        picture = jv.present(values, images=under)[0]
        Image.fromarray(picture).save(FOLDER / f"{name}.jpg", quality=85, optimize=True)


if __name__ == "__main__":
    main()
