"""Numbers of many pictures, one in a column for each, as the scripts here write them to JSON."""

import json
from pathlib import Path
from typing import Any

import numpy as np


def joined(parts: list[Any]) -> Any:
    """Return tables of some pictures each as one table: arrays (n,) become lists, nan is None."""
    if isinstance(parts[0], dict):
        return {name: joined([part[name] for part in parts]) for name in parts[0]}
    values = np.concatenate([np.asarray(part, float) for part in parts])
    return [round(float(value), 4) if np.isfinite(value) else None for value in values]


def write(path: Path, table: dict[str, Any]) -> None:
    """Replace the file: its place must not hold half a table when a run is stopped."""
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(json.dumps(table, separators=(",", ":")) + "\n")
    partial.replace(path)
