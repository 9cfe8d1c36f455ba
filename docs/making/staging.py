"""Lays out what the site is made of: the pages of docs/, the notebooks, and pages from elsewhere.

In the repository links lead from file to file. Here each leads to the page made of that file, or,
where the site has none, to the file at the repository's address.
"""

import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import addresses

from making import api, gallery, notebooks

ROOT = notebooks.ROOT
# Files of the repository that are pages of the site, beside docs/**.md and tutorials/*.md, *.ipynb.
PAGES = ("weights/README.md", "benchmarks/README.md", "benchmarks/notes.md", "CHANGELOG.md",
         "CONTRIBUTING.md")  # fmt: skip
NO_PAGES = {"docs/README.md"}
LINK = re.compile(r"(?<=\]\()(?!https?:|mailto:|#)([^)\s#]+)(#[^)\s]*)?(?=\))")
PICTURES = {".png", ".jpg", ".svg", ".webp"}


def staged_path(path: str) -> str:
    """Return where a file of the repository lies in the staged folder: docs/ is its root."""
    return path.removeprefix("docs/")


def sources() -> list[str]:
    """Return the files, relative to the repository, that become pages."""
    found = [path.relative_to(ROOT).as_posix() for path in sorted((ROOT / "docs").rglob("*.md"))]
    found += [path.relative_to(ROOT).as_posix() for path in sorted(notebooks.TUTORIALS.glob("*"))
              if path.suffix in (".md", ".ipynb")]  # fmt: skip
    found += [path for path in PAGES if (ROOT / path).exists()]
    return [path for path in found if path not in NO_PAGES]


def by_stem(name: str, pages: list[str], source: str) -> str:
    """Return the notebook that is called NN_name.ipynb, whatever its number."""
    for page in pages:
        if re.fullmatch(rf"tutorials/\d+_{re.escape(name)}\.ipynb", page):
            return page
    raise FileNotFoundError(f"no notebook is called NN_{name}.ipynb, to which {source} links")


def relinked(text: str, source: str, pages: list[str], copied: set[str], address: str) -> str:
    """Return a page's text with its links leading to pages, copied pictures, or the repository."""
    here = PurePosixPath(staged_path(source)).parent

    def lead(match: re.Match[str]) -> str:
        target, anchor = match[1], match[2] or ""
        if target.startswith("nb:"):
            path = by_stem(target.removeprefix("nb:"), pages, source)
        else:
            path = os.path.normpath(PurePosixPath(source).parent / target).replace(os.sep, "/")
        if path == "README.md" and path not in pages:
            path, anchor = "docs/index.md", ""
        if path in pages or (PurePosixPath(path).suffix in PICTURES and (ROOT / path).exists()):
            if path not in pages:
                copied.add(path)
            return os.path.relpath(staged_path(path), here).replace(os.sep, "/") + anchor
        if (ROOT / path).exists():
            return addresses.file_at(path, address)
        return match[0]  # of the staged folder, or nowhere: then Sphinx says so

    return LINK.sub(lead, text)


def staged_notebook(path: Path, change: Callable[[str], str]) -> str:
    """Return a notebook for reading: outputs as stored, what only runs folded away."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            cell["source"] = change("".join(cell["source"]))
            continue
        tags = cell["metadata"].setdefault("tags", [])
        if "check" in tags or "pip install" in "".join(cell["source"]):
            tags.append("hide-input")
        # Pictures have a text for those who do not see them, and no "Figure size 640x480".
        for output in cell["outputs"]:
            if notebooks.SUFFIXES.keys() & output.get("data", {}):
                output["data"].pop("text/plain", None)
    return json.dumps(notebook)


def read(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def stage(folder: Path) -> None:
    """Fill a new folder with all that Sphinx reads."""
    folder.mkdir(parents=True)
    address, pages, copied = addresses.repository(), sources(), set()
    found = notebooks.lessons()
    filled = {"<!-- lessons -->": gallery.table(found), "<!-- toctree of lessons -->":
              gallery.toctree(found), "<!-- repository -->": address,
              "<!-- cards of lessons -->": gallery.lesson_cards(found, folder / "_thumbnails"),
              "<!-- cards of methods -->": gallery.method_cards(), "<!-- also cited -->":
              gallery.also_cited(read("docs/bibliography.md"), found)}  # fmt: skip
    for source in pages:
        target = folder / staged_path(source)
        target.parent.mkdir(parents=True, exist_ok=True)

        def change(text: str, source: str = source) -> str:
            for mark, filling in filled.items():
                text = text.replace(mark, filling)
            return relinked(text, source, pages, copied, address)

        if source.endswith(".ipynb"):
            target.write_text(staged_notebook(ROOT / source, change), encoding="utf-8")
        else:
            target.write_text(change(read(source)), encoding="utf-8")
    for picture in copied:
        target = folder / staged_path(picture)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / picture, target)
    shutil.copytree(ROOT / "docs" / "_static", folder / "_static")
    for name, text in api.pages().items():
        (folder / "api").mkdir(exist_ok=True)
        (folder / "api" / name).write_text(text, encoding="utf-8")
