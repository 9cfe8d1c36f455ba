"""Which files in a folder an earlier run wrote: the next one may replace them, and no others.

A folder among them counts as one file: it is as it was written if all in it is.
"""

import hashlib
import json
from pathlib import Path

MANIFEST = ".jaxvis.json"

Hashes = dict[str, str]


def read(folder: Path) -> dict[str, Hashes]:
    """Return the hashes of the files of each kind of result that stand as they were written."""
    try:
        noted = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        return {
            kind: {
                name: noted_hash
                for name, noted_hash in files.items()
                if Path(name).name == name and noted_hash and _hash(folder / name) == noted_hash
            }
            for kind, files in noted.items()
        }
    except (OSError, ValueError, AttributeError, TypeError):
        return {}


def write(place: Path, kind: str, others: dict[str, Hashes]) -> None:
    """Note the files in `place` as results of this kind, beside those of other kinds."""
    hashes = {file.name: _hash(file) for file in sorted(place.iterdir())}
    text = json.dumps({**others, kind: hashes}, indent=1)
    (place / MANIFEST).write_text(text + "\n", encoding="utf-8")


def _hash(file: Path) -> str | None:
    if file.is_dir() and not file.is_symlink():
        inside = [(one.name, _hash(one)) for one in sorted(file.iterdir())]
        return hashlib.sha256(json.dumps(inside).encode()).hexdigest()
    if file.is_symlink() or not file.is_file():
        return None
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
