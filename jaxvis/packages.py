"""Files that other packages bring, found without importing those packages."""

from importlib.util import find_spec
from pathlib import Path

INSTALL_PHOTOS = (
    "one command brings them: python3 -m pip install 'jaxvis[photos]' (in a checkout of jaxvis: "
    "'.[photos]')"
)


def file_in(package: str, file: str) -> Path | None:
    """Return the path of a file in an installed package, or None if either is not there.

    `importlib.resources.files` would import the package; a look at where it lies does not.
    """
    spec = find_spec(package)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(folder, *file.split("/"))
        if path.is_file():
            return path
    return None
