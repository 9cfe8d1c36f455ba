"""Photographs that come with other packages: real ones, with open licences, and no download."""

from pathlib import Path

from jaxvis.packages import INSTALL_PHOTOS, file_in
from jaxvis.pictures.errors import ImageError

# What licences and authors are is said in weights/README.md. The first five are scikit-image's.
FILES = (
    ("skimage", "data/chelsea.png"),
    ("skimage", "data/coffee.png"),
    ("skimage", "data/motorcycle_left.png"),
    ("skimage", "data/rocket.jpg"),
    ("skimage", "data/astronaut.png"),
    ("sklearn", "datasets/images/china.jpg"),
    ("sklearn", "datasets/images/flower.jpg"),
)
REPORTED = 5  # of them by `jaxvis report --photographs`: a figure has as many in a row


def photographs() -> list[Path]:
    """Return the files of seven photographs, which scikit-image and scikit-learn bring.

    A cat, a cup of coffee, a motorcycle, a rocket, an astronaut, a Chinese palace and a flower.
    Neither package is imported.

    Raises:
        ImageError: a package is not installed.
    """
    found = []
    for package, file in FILES:
        path = file_in(package, file)
        if path is None:
            raise ImageError(f"{file}: the photographs are not installed; {INSTALL_PHOTOS}")
        found.append(path)
    return found
