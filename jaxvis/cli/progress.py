"""A line on stderr that says what is being done, on a terminal only."""

from collections.abc import Callable


class Progress:
    """A context that yields a function from a text to that line."""

    def __init__(self, quiet: bool) -> None:
        from tqdm import tqdm

        # tqdm's disable=None means: unless the stream is a terminal
        self._bar = tqdm(
            desc="jaxvis", bar_format="{desc} ({elapsed})", leave=False,
            disable=True if quiet else None,
        )  # fmt: skip

    def __enter__(self) -> Callable[[str], None]:
        return lambda text: self._bar.set_description_str(f"jaxvis: {text}")

    def __exit__(self, *_: object) -> None:
        self._bar.close()
