"""Every address of the repository follows from one line: Repository, in pyproject.toml.

    python3 docs/addresses.py --check      # says what does not follow, and ends with 1
    python3 docs/addresses.py --write      # makes it follow

It looks at the notebooks and pages in tutorials/, docs/, README.md and weights/: a link to Colab
leads to the very notebook that it stands in, `pip install git+` installs this repository, and a
link to one of its files names a file that is there.
"""

import argparse
import json
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parents[1]
BRANCH = "main"

COLAB = re.compile(
    r"https://colab\.research\.google\.com/github/[\w.-]+/[\w.-]+/blob/[\w.-]+/([\w./-]+\.ipynb)"
)
INSTALL = re.compile(r"git\+https://[\w.-]+/[\w.-]+/([\w-]+)")


def repository(root: Path = ROOT) -> str:
    """Return the address, without a slash at its end."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return project["urls"]["Repository"].rstrip("/")


def owner_and_name(address: str) -> str:
    """Return "owner/name" of an address at GitHub."""
    return urlsplit(address).path.strip("/")


def colab(path: str, address: str) -> str:
    """Return the address that opens a notebook of the repository in Colab."""
    return (
        f"https://colab.research.google.com/github/{owner_and_name(address)}/blob/{BRANCH}/{path}"
    )


def file_at(path: str, address: str) -> str:
    """Return the address at which a file of the repository is shown."""
    return f"{address}/blob/{BRANCH}/{path}"


def site(address: str) -> str:
    """Return where GitHub Pages shows the site."""
    owner, name = owner_and_name(address).split("/")
    return f"https://{owner}.github.io/{name}/"


def followed(text: str, path: str, address: str) -> str:
    """Return the text of a file with all addresses of the repository as they should be."""
    name = owner_and_name(address).rpartition("/")[2]

    def to_colab(match: re.Match[str]) -> str:
        return colab(path if path.endswith(".ipynb") else match[1], address)

    def to_install(match: re.Match[str]) -> str:
        return f"git+{address}" if match[1] == name else match[0]

    text = COLAB.sub(to_colab, text)
    text = INSTALL.sub(to_install, text)
    # Any other address of a repository of this name: files, issues, clones.
    other = re.compile(rf"https://github\.com/[\w.-]+/{re.escape(name)}(?=[/\"'\s)#.\\]|$)")
    return other.sub(address, text)


def files(root: Path = ROOT) -> Iterator[Path]:
    """Yield the files that may hold an address."""
    yield root / "README.md"
    for folder in ("tutorials", "docs", "weights", "benchmarks"):
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in (".ipynb", ".md") and ".ipynb_checkpoints" not in path.parts:
                yield path


def missing(text: str, address: str, root: Path = ROOT) -> list[str]:
    """Return the paths that the text links to at the repository, and that it does not have."""
    start = re.escape(file_at("", address))
    named = {match.rstrip("/") for match in re.findall(rf"{start}([\w./-]+)", text)}
    named |= set(COLAB.findall(text))
    return sorted(path for path in named if not (root / path).exists())


def problems(root: Path = ROOT) -> list[str]:
    """Return a sentence for every address that does not follow, or leads nowhere."""
    address, found = repository(root), []
    for path in files(root):
        text, name = path.read_text(encoding="utf-8"), path.relative_to(root).as_posix()
        if followed(text, name, address) != text:
            found.append(f"{name}: an address that is not that of pyproject.toml, {address}")
        elif lost := missing(text, address, root):
            found.append(f"{name}: links to {', '.join(lost)}, which the repository does not have")
        if path.suffix == ".ipynb" and path.parent.name == "tutorials" and not COLAB.search(text):
            found.append(f"{name}: has no link to Colab")
    return found


def write(root: Path = ROOT) -> list[str]:
    """Make all addresses follow; return the files that were changed."""
    address, changed = repository(root), []
    for path in files(root):
        text = path.read_text(encoding="utf-8")
        new = followed(text, path.relative_to(root).as_posix(), address)
        if new != text:
            if path.suffix == ".ipynb":
                json.loads(new)  # still a notebook
            path.write_text(new, encoding="utf-8")
            changed.append(path.relative_to(root).as_posix())
    return changed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--check", action="store_true")
    what.add_argument("--write", action="store_true")
    if parser.parse_args().write:
        for name in write():
            print(f"written: {name}")
    found = problems()
    print("\n".join(found) or f"all addresses follow from {repository()}")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
