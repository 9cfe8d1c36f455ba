"""Keras's ImageNet weights: found in a cache, or fetched, verified and kept there."""

import os
import shutil
from functools import partial
from pathlib import Path
from typing import NamedTuple

from jaxvis.folders import cache_folder, expanded, keras_folder
from jaxvis.weights.cache import PART, Source, incoming, problem
from jaxvis.weights.errors import WeightsFetchError

HOSTS = (
    "https://storage.googleapis.com/tensorflow/keras-applications/vgg16/",
    "https://github.com/fchollet/deep-learning-models/releases/download/v0.1/",
)


def _keras(file: str, size: int, md5: str) -> Source:
    return Source(file, size, md5, tuple(host + file for host in HOSTS))


# Sizes and hashes: keras/src/applications/vgg16.py. MD5 is what Keras publishes; nobody knows how
# to make another file with a given MD5, only two that agree.
SOURCES = {
    "imagenet": _keras(
        "vgg16_weights_tf_dim_ordering_tf_kernels.h5",
        553_467_096, "64373286793e3c8b2b4e3219cbf3544b",
    ),
    "imagenet-notop": _keras(
        "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5",
        58_889_256, "6d6bbae143d832006294945121d1f1fc",
    ),
}  # fmt: skip


class Entry(NamedTuple):
    """A line of `jaxvis weights`: `state` is "verified" or says what is wrong."""

    name: str
    path: Path
    size: int
    state: str


def find(name: str) -> Path | None:
    """Return a verified copy of a known file, in jaxvis's cache or Keras's, or None.

    Raises:
        WeightsFetchError: no known name.
    """
    source = _source(name)
    for folder in (cache_folder(), keras_folder()):
        path = folder / source.file
        if not problem(path, source):
            return path
    return None


def fetch(name: str, *, file: str | os.PathLike[str] | None = None, progress: bool = True) -> Path:
    """Return a verified copy of a known file, downloaded if need be, or installed from `file`.

    Raises:
        WeightsFetchError: no known name; no network; a copy that is not the file; a cache that
            cannot be written to. The message says how to go on by hand.
    """
    source = _source(name)
    target = cache_folder() / source.file
    if file is not None:
        given = expanded(file)
        wrong = problem(given, source)
        if wrong:
            raise WeightsFetchError(f"is not {source.file}: {wrong}", do=_by_hand(name), file=given)
        if not problem(target, source):
            return target
        with incoming(target, source) as staged:
            shutil.copyfile(given, staged)
        return target
    found = find(name)
    if found is not None:
        return found
    if os.environ.get("JAXVIS_OFFLINE", "") not in ("", "0"):
        what = f"damaged ({problem(target, source)})" if target.exists() else "not here"
        raise WeightsFetchError(f"{what}, and JAXVIS_OFFLINE is set", do=_by_hand(name), file=name)
    with incoming(target, source) as staged:
        _download(name, source, staged, progress)
    return target


def _download(name: str, source: Source, staged: Path, progress: bool) -> None:
    """Let pooch fetch and verify the file from the first source that has it."""
    import pooch

    from jaxvis.weights.https import DownloadError, download

    pooch.get_logger().setLevel("WARNING")  # the progress bar says it all
    failures = []
    for url in source.urls:
        try:
            pooch.retrieve(
                url, f"md5:{source.md5}", fname=staged.name, path=staged.parent,
                downloader=partial(download, size=source.size, progress=progress),
            )  # fmt: skip
            return
        except (DownloadError, ValueError) as error:  # ValueError: pooch, about the hash
            failures.append(f"{url}: {error}")
    raise WeightsFetchError(
        "cannot be downloaded:\n  " + "\n  ".join(failures) + "\n", do=_by_hand(name), file=name
    )


def _source(name: str) -> Source:
    if name not in SOURCES:
        raise WeightsFetchError("no known weights", do=f"wanted {' or '.join(SOURCES)}", file=name)
    return SOURCES[name]


def _by_hand(name: str) -> str:
    source = SOURCES[name]
    return (
        f"to go on by hand, download {source.urls[0]} ({source.size:,} bytes, MD5 {source.md5}) "
        f"anywhere, then run `jaxvis fetch {name} --file PATH`, or put it at "
        f"{cache_folder() / source.file}"
    )


def inventory() -> list[Entry]:
    """Return what is there of the known files, each hashed anew, and what can be removed."""
    entries = []
    for name, source in SOURCES.items():
        for folder in (cache_folder(), keras_folder()):
            path = folder / source.file
            if path.exists():
                state = problem(path, source, again=True) or "verified"
                entries.append(Entry(name, path, path.stat().st_size, state))
        aside = cache_folder() / f"{source.file}.corrupt"
        if aside.exists():
            entries.append(Entry(name, aside, aside.stat().st_size, "set aside as corrupt"))
    for part in sorted(cache_folder().glob("*".join(PART))):
        size = sum(path.stat().st_size for path in part.iterdir())
        entries.append(Entry("", part, size, "unfinished download"))
    return entries
