"""JAX's persistent compilation cache, for those who ask for it.

JAX runs what it finds there, so the folder belongs to one user alone. It is kept apart by version
of jaxlib, whose compiler made what is in it.
"""

import os
import stat
from pathlib import Path

import jax
import jaxlib.version

VARIABLE = "JAXVIS_COMPILE_CACHE"


def use_compile_cache(folder: str | os.PathLike[str] | None = None) -> Path:
    """Keep compiled code in a folder from now on, and return the folder.

    Without `folder` it is the platform's cache folder for jaxvis. A folder that does not exist is
    made, readable by its user alone (mode 0700).

    Raises:
        PermissionError: the folder belongs to somebody else, or others may enter it.
        OSError: the folder cannot be made.
    """
    from jaxvis.folders import cache_folder, expanded

    root = cache_folder() / "compiled" if folder is None else expanded(folder)
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = root.stat()
    if hasattr(os, "getuid") and (found.st_uid != os.getuid() or found.st_mode & 0o077):
        raise PermissionError(
            f"{root}: owner {found.st_uid}, mode {stat.S_IMODE(found.st_mode):04o}; JAX runs what "
            f"lies there, so wanted a folder of your own (user {os.getuid()}) with mode 0700: "
            "chmod 700 it, or name another"
        )
    cache = root / f"jaxlib-{jaxlib.version.__version__}"
    cache.mkdir(mode=0o700, exist_ok=True)
    jax.config.update("jax_compilation_cache_dir", str(cache))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    return cache


def use_compile_cache_if_asked() -> Path | None:
    """`use_compile_cache` if JAXVIS_COMPILE_CACHE is 1 or names a folder; "" and 0 do nothing.

    The words for yes and no that other programs take are taken too, and no names of folders.
    """
    value = os.environ.get(VARIABLE, "")
    if value.lower() in ("", "0", "false", "no", "off"):
        return None
    return use_compile_cache(None if value.lower() in ("1", "true", "yes", "on") else value)
