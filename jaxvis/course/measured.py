"""What scripts in weights/ have measured for lessons, where that takes longer than a lesson."""

import json
from importlib.resources import files
from typing import Any

NAMES = ("backdoor", "attacks", "fooling")


def measured(name: str) -> dict[str, Any]:
    """Return one of the tables of `NAMES`: lists with a number a scene, by what they are of.

    "backdoor" was made by weights/measure_backdoor.py, and so on; the scripts say what is what.

    Raises:
        KeyError: there is no such table.
        FileNotFoundError: its script has not been run.
    """
    if name not in NAMES:
        raise KeyError(f"nothing of the name {name!r} was measured; wanted {', '.join(NAMES)}")
    return json.loads((files("jaxvis") / "data" / f"{name}.json").read_text())
