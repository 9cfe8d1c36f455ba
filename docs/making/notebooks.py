"""The notebooks of the course, as they are found in tutorials/: none is known by name."""

import base64
import io
import re
from pathlib import Path
from typing import Any, NamedTuple

import nbformat
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
TUTORIALS = ROOT / "tutorials"
THUMBNAIL = (360, 240)  # pixels


class Lesson(NamedTuple):
    """One notebook: its file, its first heading, the first sentence behind it, its exercises."""

    path: Path
    title: str
    about: str
    exercises: list[str]
    words: int

    @property
    def number(self) -> str:
        return self.path.stem.partition("_")[0]

    @property
    def minutes(self) -> int:
        """To read at 130 words a minute, and twelve for each exercise; in steps of five."""
        return 5 * round((self.words / 130 + 12 * len(self.exercises)) / 5)


def paths(folder: Path = TUTORIALS) -> list[Path]:
    return sorted(folder.glob("*.ipynb"))


def read(path: Path) -> Any:
    return nbformat.read(path, as_version=4)


def tagged(cell: Any, tag: str) -> bool:
    return tag in cell.metadata.get("tags", [])


def lessons(folder: Path = TUTORIALS) -> list[Lesson]:
    return [lesson(path) for path in paths(folder)]


def lesson(path: Path) -> Lesson:
    cells = read(path).cells
    text = "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    heading = re.search(r"^# (.+)$", text, re.MULTILINE)
    assert heading is not None, f"{path.name} has no heading"
    return Lesson(
        path,
        heading[1].strip(),
        _about(text[heading.end() :]),
        re.findall(r"^#+ Exercise[^:\n]*: *(.+)$", text, re.MULTILINE)
        or ["exercise"] * sum(tagged(cell, "exercise") for cell in cells),
        len(re.findall(r"\w+", _without_solutions(text))),
    )


def _without_solutions(text: str) -> str:
    return re.sub(r"<details>.*?</details>", "", text, flags=re.DOTALL)


def _about(text: str) -> str:
    """Return the first paragraph that is no link to Colab."""
    for paragraph in re.split(r"\n\s*\n", text):
        words = paragraph.strip()
        if words and "colab.research" not in words and words[0] not in "#|<`!":
            return re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", " ".join(words.split()))
    return ""


def solution_code(cell: Any) -> str:
    """Return the code of a solution cell: that of a code cell, or the fenced one of Markdown."""
    if cell.cell_type == "code":
        return cell.source
    (source,) = re.findall(r"```python\n(.*?)```", cell.source, re.DOTALL)
    return source.rstrip("\n")


def exercise_cells(cells: list[Any]) -> list[tuple[int, int, int]]:
    """Return for every exercise the places of its gap, its check and its solution."""
    found = [
        [place for place, cell in enumerate(cells) if tagged(cell, tag)]
        for tag in ("exercise", "check", "solution")
    ]
    return list(zip(*found, strict=True))


SUFFIXES = {"image/png": ".png", "image/jpeg": ".jpg"}  # of the pictures that notebooks hold


def picture_of(output: Any) -> tuple[str, bytes] | None:
    """Return the picture that an output of a cell is, with its file's suffix; else None."""
    for kind, suffix in SUFFIXES.items():
        if kind in output.get("data", {}):
            return suffix, base64.b64decode(output["data"][kind])
    return None


def pictures(notebook: Any) -> list[tuple[int, str, bytes]]:
    """Return the pictures that a notebook holds: the cell's place, the file's suffix, the file."""
    return [
        (place, *found)
        for place, cell in enumerate(notebook.cells)
        for output in cell.get("outputs", [])
        if (found := picture_of(output))
    ]


def thumbnail(path: Path) -> bytes | None:
    """Return a small JPEG of the picture that stands for a notebook, or None if it has none.

    That is the one of a cell tagged "thumbnail"; else the one whose file is the largest: maps and
    photographs, where a chart's file is small.
    """
    notebook = read(path)
    found = pictures(notebook)
    chosen = [one for one in found if tagged(notebook.cells[one[0]], "thumbnail")] or found
    if not chosen:
        return None
    picture = Image.open(io.BytesIO(max((data for *_, data in chosen), key=len))).convert("RGB")
    return small(picture)


def small(picture: Image.Image, size: tuple[int, int] = THUMBNAIL) -> bytes:
    """Return a JPEG of `size`: the picture's upper left, as wide as fits, on white."""
    width, height = size
    scale = max(width / picture.width, min(height / picture.height, 1.0))
    picture = picture.resize(
        (max(width, round(picture.width * scale)), max(1, round(picture.height * scale))),
        Image.Resampling.LANCZOS,
    )
    ground = Image.new("RGB", size, "white")
    ground.paste(picture.crop((0, 0, width, min(height, picture.height))), (0, 0))
    data = io.BytesIO()
    ground.save(data, "JPEG", quality=86)
    return data.getvalue()
