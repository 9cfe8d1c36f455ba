"""Links of the finished site, checked without a network.

Every link from page to page leads to a file and an anchor that are there; nothing is fetched from
elsewhere when a page opens; what leads to a paper has the form of a DOI or of arXiv's numbers.
"""

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

FETCHED = {"script", "img", "iframe", "source", "video", "audio", "embed"}  # by src
FETCHING = {"stylesheet", "preload", "modulepreload", "icon", "manifest"}  # a <link>'s rel
DOI = re.compile(r"https://doi\.org/10\.\d{4,9}/\S+")
ARXIV = re.compile(r"https://arxiv\.org/abs/\d{4}\.\d{4,5}(v\d+)?")


class Link(NamedTuple):
    address: str
    fetches: bool


class Page(HTMLParser):
    """What a page links to, and where it can be linked to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[Link] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attributes}
        if "id" in found:
            self.anchors.add(found["id"])
        if tag == "a" and "name" in found:
            self.anchors.add(found["name"])
        if "src" in found:
            self.links.append(Link(found["src"], tag in FETCHED))
        if "href" in found:
            fetches = tag == "link" and bool(FETCHING & set(found.get("rel", "").split()))
            self.links.append(Link(found["href"], fetches))


def problems(folder: Path) -> list[str]:
    """Return a sentence for every link that leads nowhere, or that fetches from elsewhere."""
    folder = folder.resolve()
    # Folders that begin with _ hold templates of the theme, and no pages.
    paths = [path for path in sorted(folder.rglob("*.html"))
             if not path.relative_to(folder).parts[0].startswith("_")]  # fmt: skip
    if not paths:
        return [f"{folder} has no pages"]
    pages = {path: Page(path.read_text(encoding="utf-8")) for path in paths}
    found = []
    for path, page in pages.items():
        for link in page.links:
            if problem := wrong(folder, pages, path, link):
                found.append(f"{path.relative_to(folder).as_posix()}: {link.address}: {problem}")
    for style in sorted(folder.rglob("*.css")):
        for address in re.findall(r"url\(\s*['\"]?((?:https?:)?//[^)]+)", style.read_text("utf-8")):
            found.append(f"{style.relative_to(folder).as_posix()}: fetches {address}")
    return found


def wrong(folder: Path, pages: dict[Path, Page], path: Path, link: Link) -> str | None:
    """Return what is wrong with a link of the page at `path`."""
    if link.address.startswith(("data:", "mailto:")):
        return None
    parts = urlsplit(link.address)
    if parts.scheme or parts.netloc:
        if link.fetches:
            return "fetched from elsewhere"
        if parts.scheme not in ("https", "http"):
            return f"a link of kind {parts.scheme!r}"
        if parts.netloc == "doi.org" and not DOI.fullmatch(link.address):
            return "no DOI"
        if parts.netloc == "arxiv.org" and not ARXIV.fullmatch(link.address):
            return "no number of arXiv"
        return None
    target = path if not parts.path else (path.parent / unquote(parts.path)).resolve()
    if target.is_dir():
        target = target / "index.html"
    if not target.is_file():
        return "there is no such file"
    if not target.is_relative_to(folder):
        return "outside the site"
    if parts.fragment and target in pages:
        anchor = unquote(parts.fragment)
        if anchor != "top" and anchor not in pages[target].anchors:
            return "there is no such anchor"
    return None
