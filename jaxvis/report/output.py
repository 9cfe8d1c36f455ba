"""What every command that writes files needs: all of them or none, and what made them."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from platform import python_version
from typing import Any

from jaxvis.version import __version__

PACKAGES = ("jax", "jaxlib", "flax", "numpy", "h5py", "matplotlib", "pillow")


class OutputError(OSError):
    """The folder for the results cannot be written to."""


@contextmanager
def staging(folder: Path) -> Iterator[Path]:
    """A folder inside `folder` whose files move there at the end, or vanish after an error.

    Raises:
        OutputError: `folder` cannot be made or written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        place = Path(tempfile.mkdtemp(prefix=".jaxvis-", dir=folder))
    except OSError as error:
        raise OutputError(
            f"{folder}: nothing can be written there: {error.strerror}; choose another folder "
            "with --out"
        ) from error
    try:
        yield place
        for file in sorted(place.iterdir()):
            os.replace(file, folder / file.name)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def environment() -> dict[str, Any]:
    """Return the versions and the device that a result names."""
    import jax

    device = jax.devices()[0]
    cores = f", {os.cpu_count()} cores" if device.platform == "cpu" else ""
    return {
        "versions": {"jaxvis": __version__, "python": python_version()}
        | {name: version(name) for name in PACKAGES},
        "device": f"{device.platform} ({device.device_kind}{cores})",
    }
