"""Where a platform keeps caches, ours and Keras's; what `~` stands for; the name that was meant."""

import difflib
import os
from pathlib import Path

from platformdirs import user_cache_path

from jaxvis.errors import InputError


def expanded(path: str | os.PathLike[str]) -> Path:
    """Return the path with `~` or `~user` replaced by the home folder.

    Raises:
        InputError: there is no such user.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise InputError(
            f"{os.fspath(path)}: no home folder is known for {Path(path).parts[0]}; "
            "write the path without ~"
        ) from error


def cache_folder() -> Path:
    """Return where fetched files are kept: JAXVIS_CACHE, or the platform's cache folder."""
    chosen = os.environ.get("JAXVIS_CACHE")
    return expanded(chosen) if chosen else user_cache_path("jaxvis", appauthor=False)


def keras_folder() -> Path:
    """Return where Keras keeps what it fetched; files there are used but never changed."""
    chosen = os.environ.get("KERAS_HOME")
    return expanded(chosen or "~/.keras") / "models"


def near_name(path: Path) -> Path | None:
    """Return the file beside a path that is not there whose name is most like it, if one is."""
    try:
        names = {name.lower(): name for name in sorted(os.listdir(path.parent))}
    except OSError:
        return None
    near = difflib.get_close_matches(path.name.lower(), names, n=1)
    return path.parent / names[near[0]] if near else None
