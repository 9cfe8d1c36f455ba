"""The explorable: one file made of its page, style, scripts and data."""

from pathlib import Path

HERE = Path(__file__).resolve().parents[1] / "explorable"
PARTS = {
    "/*style*/": "style.css",
    "/*units*/": "units.js",
    "/*scenes*/": "scenes.js",
    "/*data*/": "scenes.json",
}


def page() -> str:
    """Return the page, which asks for no other file."""
    text = (HERE / "page.html").read_text(encoding="utf-8")
    for mark, name in PARTS.items():
        content = (HERE / name).read_text(encoding="utf-8")
        if name.endswith(".json"):
            content = content.replace("</", "<\\/")
        text = text.replace(mark, content)
    return text


def write(path: Path) -> None:
    path.write_text(page(), encoding="utf-8")
