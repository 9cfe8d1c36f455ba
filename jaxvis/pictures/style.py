"""Matplotlib's own style for our figures, whatever style the user has set, in any thread."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

# What is no matter of drawing, or acts when it is set, or is of a kind of file.
NO_STYLE = (
    "backend", "date.epoch", "docstring.", "figure.max_open", "figure.hooks", "interactive",
    "keymap.", "pdf.", "savefig.directory", "svg.", "timezone", "tk.", "toolbar", "webagg.",
)  # fmt: skip

_one_at_a_time = threading.RLock()  # drawing a figure comes back here from saving it


@contextmanager
def plain_style() -> Iterator[None]:
    """Draw in Matplotlib's default style; also a decorator of what draws.

    A figure reads some 150 settings, when it is built and again when it is drawn, and a release of
    Matplotlib adds more, so that setting each by hand would miss one: `axes.inverted` images, white
    letters on white. There is one set of them for all threads, so ours take turns; drawing holds
    Python's own lock most of the time, and 16 threads that draw 16 figures take 4 % longer so.
    Where the user has the default style, nothing is set. Where not, the settings change while a
    figure is drawn; then every one that still has our value gets the user's back, and one that
    another thread of theirs has set meanwhile keeps that.
    """
    import matplotlib

    with _one_at_a_time:
        # As a plain dict: a setting that is on its way out warns when it is read by name.
        settings, plain = matplotlib.rcParams, dict(matplotlib.rcParamsDefault.items())
        theirs = {
            name: dict.__getitem__(settings, name)
            for name, value in plain.items()
            if not name.startswith(NO_STYLE) and dict.__getitem__(settings, name) != value
        }
        ours = {name: plain[name] for name in theirs}
        dict.update(settings, ours)
        try:
            yield
        finally:
            for name, value in theirs.items():
                if dict.__getitem__(settings, name) is ours[name]:
                    dict.__setitem__(settings, name, value)


@contextmanager
def file_settings(**ours: Any) -> Iterator[None]:
    """Set some of what `plain_style` leaves as it is: "svg." and "pdf.", with _ for the dot."""
    import matplotlib

    with _one_at_a_time:
        settings: Any = matplotlib.rcParams
        named = {name.replace("_", ".", 1): value for name, value in ours.items()}
        theirs = {name: settings[name] for name in named}
        settings.update(named)
        try:
            yield
        finally:
            settings.update(theirs)
