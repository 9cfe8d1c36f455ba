"""Slides of a lesson, by nbconvert, as one file with reveal.js in it."""

import copy
import importlib.util
import io
import re
from pathlib import Path

from nbconvert import SlidesExporter
from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell, new_notebook
from PIL import Image
from pygments.formatters import HtmlFormatter
from traitlets.config import Config

from making import mathml, notebooks
from making.notebooks import picture_of, tagged

HERE = Path(__file__).parent
LETTERS = 620  # of text in one part of a cell
ROOM, PICTURE = 660, 470  # pixels of a slide, and of a picture's height at most
CODE = re.compile(r"(```.*?```|`[^`\n]*`)", re.DOTALL)
FORMULA = re.compile(r"\$\$(.+?)\$\$|\$([^$\n]+)\$", re.DOTALL)


def page(path: Path) -> str:
    """Return the slides of a notebook, which ask for no other file."""
    exporter = SlidesExporter(
        config=Config({"SlidesExporter": {"anchor_link_text": ""}}),
        extra_template_basedirs=[str(HERE.parent)],
        template_name=HERE.name,
    )
    notebook = slides(notebooks.read(path))
    notebook.metadata.update(title=notebooks.lesson(path).title, style=style(), script=script())
    html, _ = exporter.from_notebook_node(notebook, {"metadata": {"name": path.stem}})
    return html


def reveal(name: str) -> str:
    """Return a file of reveal.js, of which sphinx-revealjs brings a copy; nothing of it is run."""
    found = importlib.util.find_spec("sphinx_revealjs")
    if found is None or found.origin is None:
        raise SystemExit("slides want reveal.js: python3 -m pip install '.[docs]'")
    folder = Path(found.origin).parent / "_static" / "revealjs" / "dist"
    return (folder / name).read_text(encoding="utf-8")


def style() -> str:
    code = HtmlFormatter(style="friendly").get_style_defs(".highlight")
    own = (HERE / "slides.css").read_text(encoding="utf-8")
    return "\n".join([reveal("reset.css"), reveal("reveal.css"), code, own])


def script() -> str:
    own = (HERE / "slides.js").read_text(encoding="utf-8")
    return "\n".join([reveal("reveal.js"), own]).replace("</script", "<\\/script")


def slides(notebook: NotebookNode) -> NotebookNode:
    """Return a notebook of which every cell begins a slide, or goes on with the one before.

    A heading of the first or second level begins a new slide, to the right; one of the third, or
    what finds no room on a slide, goes down. Left out are installation, checks and solutions.
    """
    made: list[NotebookNode] = []
    used = 0.0  # of the slide, in pixels
    for cell in shown_cells(notebook):
        needed = height(cell)
        text = cell.source if cell.cell_type == "markdown" else ""
        if text.startswith(("# ", "## ")) or not made:
            kind, used = "slide", needed
        elif text.startswith("#") or used + needed > ROOM:
            kind, used = "subslide", needed
        else:
            kind, used = "-", used + needed
        cell.metadata["slideshow"] = {"slide_type": kind}
        if text:
            cell.source = with_mathml(text)
        made.append(cell)
    return new_notebook(cells=made, metadata={"language_info": {"name": "python"}})


def shown_cells(notebook: NotebookNode) -> list[NotebookNode]:
    """Return the cells of a lecture; long texts in parts."""
    found = []
    for cell in notebook.cells:
        if left_out(cell):
            continue
        if cell.cell_type == "markdown":
            found += [new_markdown_cell(text) for text in pieces(cell.source)]
            continue
        shown = copy.deepcopy(cell)
        if tagged(cell, "exercise"):
            shown.outputs = []
        if any(map(picture_of, shown.outputs)):
            shown.metadata["tags"] = [*shown.metadata.get("tags", []), "picture"]
        found.append(shown)
    return found


def height(cell: NotebookNode) -> float:
    """Return about how many pixels a cell takes on a slide, as slides.css has it."""
    if cell.cell_type == "markdown":
        blocks = re.split(r"\n\s*\n|\n(?=[-|\d])", cell.source)
        return sum(
            37 * (-(-len(block) // 88)) + 16 + 30 * block.startswith("#") for block in blocks
        )
    pixels = 40.0 if "picture" in cell.metadata.get("tags", []) else 24 * lines(cell.source) + 36
    for output in cell.outputs:
        if found := picture_of(output):
            width, tall = Image.open(io.BytesIO(found[1])).size
            pixels += min(PICTURE, tall * max(1.0, 760 / width)) + 12
        else:
            pixels += 24 * lines(output.get("text", "")) + 36
    return pixels


def lines(text: str) -> int:
    return text.rstrip("\n").count("\n") + 1


def left_out(cell: NotebookNode) -> bool:
    if tagged(cell, "check") or tagged(cell, "solution") or "pip install" in cell.source:
        return True
    return cell.cell_type == "markdown" and cell.source.startswith("The next cell installs")


def pieces(text: str) -> list[str]:
    """Return a cell's text in parts that fit on a slide; a heading begins one."""
    blocks = re.split(r"\n\s*\n(?=\S)", text.strip())
    blocks = [block for block in _whole(blocks) if "colab.research.google.com" not in block]
    parts: list[list[str]] = []
    for block in blocks:
        size = sum(len(one) for one in parts[-1]) if parts else 0
        alone = bool(parts) and len(parts[-1]) == 1 and parts[-1][0].startswith("#")
        if not parts or block.startswith("#") or (size + len(block) > LETTERS and not alone):
            parts.append([block])
        else:
            parts[-1].append(block)
    return ["\n\n".join(part) for part in parts]


def _whole(blocks: list[str]) -> list[str]:
    """Join what a blank line inside a code fence has parted."""
    found: list[str] = []
    for block in blocks:
        if found and found[-1].count("```") % 2:
            found[-1] += "\n\n" + block
        else:
            found.append(block)
    return found


def with_mathml(text: str) -> str:
    """Return Markdown whose formulas are MathML, and whose links lead to other lessons' slides."""

    def formula(match: re.Match[str]) -> str:
        made = mathml.display(match[1]) if match[1] else mathml.inline(match[2])
        return made.replace("*", "&#42;").replace("_", "&#95;")

    parts = CODE.split(text)
    parts[::2] = [FORMULA.sub(formula, part) for part in parts[::2]]
    return re.sub(r"\]\((\d\d_\w+)\.ipynb\)", r"](\1.html)", "".join(parts))


def pictures(path: Path) -> dict[str, bytes]:
    """Return the figures of a lesson as PNG or JPEG files, numbered in their order."""
    found = notebooks.pictures(notebooks.read(path))
    return {
        f"{path.stem}_figure_{number}{suffix}": data
        for number, (_, suffix, data) in enumerate(found, start=1)
    }
