"""Links of the finished site, checked without a network.

Every link from page to page leads to a file and an anchor that are there; nothing is fetched from
elsewhere when a page opens; what leads elsewhere is https and, for papers, of the right form.
"""

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

from bs4 import BeautifulSoup

FETCHED = {"script": "src", "img": "src", "iframe": "src", "source": "src", "video": "src"}
FETCHING = {"stylesheet", "preload", "modulepreload", "icon", "manifest"}
DOI = re.compile(r"https://doi\.org/10\.\d{4,9}/\S+")
ARXIV = re.compile(r"https://arxiv\.org/abs/\d{4}\.\d{4,5}(v\d+)?")


class Pages:
    """The site's pages, each parsed once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        # Folders that begin with _ hold templates of the theme, and no pages.
        self.paths = [path for path in sorted(self.folder.rglob("*.html"))
                      if not path.relative_to(self.folder).parts[0].startswith("_")]  # fmt: skip
        self.soups = {
            path: BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
            for path in self.paths
        }
        self.anchors = {
            path: {tag["id"] for tag in soup.find_all(id=True)}
            | {tag["name"] for tag in soup.find_all("a", attrs={"name": True})}
            for path, soup in self.soups.items()
        }


def problems(folder: Path) -> list[str]:
    """Return a sentence for every link that leads nowhere, or that fetches from elsewhere."""
    pages, found = Pages(folder), []
    if not pages.paths:
        return [f"{folder} has no pages"]
    for path, soup in pages.soups.items():
        name = path.relative_to(pages.folder).as_posix()
        for tag in soup.find_all(True):
            for attribute in ("href", "src"):
                link = tag.get(attribute)
                if link is None or link.startswith(("data:", "mailto:")):
                    continue
                if problem := wrong(pages, path, tag, attribute, link):
                    found.append(f"{name}: {link}: {problem}")
    for style in sorted(pages.folder.rglob("*.css")):
        for link in re.findall(r"url\(\s*['\"]?(https?:)?//", style.read_text(errors="replace")):
            found.append(f"{style.name}: fetches {link}")
    return found


def wrong(pages: Pages, path: Path, tag: object, attribute: str, link: str) -> str | None:
    parts = urlsplit(link)
    fetches = FETCHED.get(tag.name) == attribute or (
        tag.name == "link" and FETCHING & set(tag.get("rel", []))
    )
    if parts.scheme or parts.netloc:
        if fetches:
            return "fetched from elsewhere"
        if parts.scheme not in ("https", "http"):
            return f"a link of kind {parts.scheme!r}"
        if parts.netloc == "doi.org" and not DOI.fullmatch(link):
            return "no DOI"
        if parts.netloc == "arxiv.org" and not ARXIV.fullmatch(link):
            return "no number of arXiv"
        return None
    target = path if not parts.path else (path.parent / unquote(parts.path)).resolve()
    if target.is_dir():
        target = target / "index.html"
    if not target.is_file():
        return "there is no such file"
    if not target.is_relative_to(pages.folder):
        return "outside the site"
    if parts.fragment and target in pages.anchors:
        anchor = unquote(parts.fragment)
        if anchor not in pages.anchors[target] and anchor not in ("", "top"):
            return "there is no such anchor"
    return None
