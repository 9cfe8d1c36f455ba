"""The pictures that come with jaxvis."""

from importlib.resources import files
from pathlib import Path


def demo_images() -> list[Path]:
    """Return the files of the four geese that the demo explains: scenes that training never saw."""
    folder = Path(str(files("jaxvis"))) / "data"
    return [folder / f"goose_{number}.png" for number in range(1, 5)]
