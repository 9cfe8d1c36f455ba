"""Where a platform keeps caches: ours, and Keras's."""

import os
from pathlib import Path

from platformdirs import user_cache_path


def cache_folder() -> Path:
    """Return where fetched files are kept: JAXVIS_CACHE, or the platform's cache folder."""
    chosen = os.environ.get("JAXVIS_CACHE")
    return Path(chosen).expanduser() if chosen else user_cache_path("jaxvis", appauthor=False)


def keras_folder() -> Path:
    """Return where Keras keeps what it fetched; files there are used but never changed."""
    chosen = os.environ.get("KERAS_HOME")
    return (Path(chosen) if chosen else Path("~/.keras")).expanduser() / "models"
