"""What a user calls his images -> paths: a file, a folder, a pattern, or several of these."""

import glob
import os
import re
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path

from jaxvis.errors import InputTypeError
from jaxvis.folders import near_name
from jaxvis.pictures.errors import ImageError

StrPath = str | os.PathLike[str]
Source = StrPath | Iterable[StrPath]

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff",
            ".ppm", ".pgm", ".pbm", ".pnm", ".jpe", ".jfif", ".mpo", ".dib")  # fmt: skip
FOREIGN = (".heic", ".heif", ".avif", ".jxl")  # photographs that jaxvis does not read
_SEPARATORS = re.escape(os.sep + (os.altsep or ""))
_ANY_DEPTH = re.compile(rf"(?:^|(?<=[{_SEPARATORS}]))\*\*(?:[{_SEPARATORS}]+|$)")


def find_images(source: Source) -> list[Path]:
    """Return the files that a path, a folder, a glob pattern or several of these stand for.

    A folder gives its image files, known by suffix, hidden ones left out, sub-folders not searched,
    with a warning if there are photographs in a format that jaxvis does not read. A pattern gives
    every file it matches, each once, even if links lead to it in several ways. Both are in natural
    order, goose_2 before goose_10; a list keeps its order and duplicates. A name that exists is
    taken literally; `~` is the home folder.

    Raises:
        ImageError: nothing is found.
        InputTypeError: the source is no path, nor a list of paths.
    """
    if isinstance(source, Iterable) and not isinstance(source, str | bytes | os.PathLike):
        entries = list(source)
        if not entries:
            raise ImageError("the list of images is empty; wanted at least one file or folder")
        return [path for entry in entries for path in find_images(entry)]
    if not isinstance(source, str | bytes | os.PathLike):
        raise InputTypeError(
            f"images are given as {type(source).__name__}; wanted a path, or a list of paths"
        )
    name = os.path.expanduser(os.fsdecode(source))
    if not name:
        raise ImageError("a file name is empty; wanted a file, a folder ('.') or a pattern")
    if os.path.isdir(name):
        return _images_in(Path(name))
    if os.path.lexists(name):
        return [Path(name)]
    if not glob.has_magic(name):
        raise missing(Path(name))
    matches = {match for match in _matches(name) if not os.path.isdir(match)}
    if not matches:
        raise ImageError(f"{name}: the pattern matches no file; check the folder and the suffix")
    ordered = sorted(map(Path, sorted(matches)), key=_natural_order)
    unique: dict[str, Path] = {}
    for path in ordered:
        unique.setdefault(os.path.realpath(path), path)
    return list(unique.values())


def _matches(pattern: str) -> Iterator[str]:
    """As `glob.glob`, which goes round for ever where links lead upward."""
    found = _ANY_DEPTH.search(pattern)
    if found is None:
        yield from glob.glob(pattern)
        return
    before, after = pattern[: found.start()], pattern[found.end() :] or "*"
    for base in glob.glob(before) if before else [""]:
        for folder in _folders_below(base):
            yield from _matches(os.path.join(glob.escape(folder), after))


def _folders_below(base: str) -> Iterator[str]:
    """A folder and those below it, each once, real ones before those behind links."""
    seen: set[str] = set()
    folders, links = [base], list[str]()
    while folders or links:
        folder = folders.pop() if folders else links.pop()
        real = os.path.realpath(folder or ".")
        if real in seen:
            continue
        seen.add(real)
        yield folder
        try:
            inside = sorted(os.scandir(folder or "."), key=lambda entry: entry.name)
        except OSError:
            continue  # as glob: what cannot be read has nothing in it
        for entry in inside:
            if not entry.name.startswith(".") and entry.is_dir():
                where = links if entry.is_symlink() else folders
                where.append(os.path.join(folder, entry.name))


def _images_in(folder: Path) -> list[Path]:
    try:
        names = sorted(name for name in os.listdir(folder) if not name.startswith("."))
    except OSError as error:
        raise ImageError(f"{folder}: the folder cannot be read: {error.strerror}") from error
    paths = [folder / name for name in names if name.lower().endswith(SUFFIXES)]
    foreign = [name for name in names if name.lower().endswith(FOREIGN)]
    if not paths:
        advice = "; HEIC, AVIF and JPEG XL are not read: export them as JPEG" if foreign else ""
        raise ImageError(
            f"{folder}: no image in this folder, only {', '.join(names[:3]) or 'nothing'}; "
            f"wanted {' '.join(SUFFIXES)}; sub-folders are not searched{advice}"
        )
    if foreign:
        warnings.warn(
            f"{folder}: {len(foreign)} left out, such as {foreign[0]}: HEIC, AVIF and JPEG XL are "
            "not read; export them as JPEG", stacklevel=3,
        )  # fmt: skip
    return sorted(paths, key=_natural_order)


def _natural_order(path: Path) -> list[list[str | int]]:
    split = [re.split(r"(\d+)", name.casefold()) for name in path.parts]
    # Text and numbers take turns, so two keys never compare one with the other.
    return [[int(part) if i % 2 else part for i, part in enumerate(parts)] for parts in split]


def missing(path: Path) -> ImageError:
    """Return the error for a file that is not there, with the name that was perhaps meant."""
    if not path.parent.is_dir():
        return ImageError(f"{path}: no such file, nor a folder {path.parent}; check the path")
    near = near_name(path)
    hint = f"did you mean {near}?" if near else "check the spelling"
    return ImageError(f"{path}: no such file; {hint}")
