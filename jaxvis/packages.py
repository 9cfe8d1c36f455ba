"""Files that other packages bring, found without importing those packages."""

from importlib.util import find_spec
from pathlib import Path

from jaxvis.errors import InputError

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


def check_installed(what: str, *packages: str, extra: str) -> None:
    """Raise InputError, with the command that helps, unless the packages of an extra are there."""
    lacking = [package for package in packages if find_spec(package) is None]
    if lacking:
        raise InputError(
            f"{what} need {' and '.join(lacking)}, which {'is' if len(lacking) == 1 else 'are'} "
            f"not installed; one command brings all: python3 -m pip install 'jaxvis[{extra}]' (in "
            f"a checkout of jaxvis: '.[{extra}]')"
        )
