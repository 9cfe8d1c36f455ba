"""Errors about weight files, all of which are a `WeightsError`."""

from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike

from jaxvis.errors import InputError


class WeightsError(InputError):
    """Weights that cannot be had or used; the message says file, array, found, wanted, what to do.

    Attributes:
        problem, do: what was wrong, and what to do about it.
        array: the layer or array inside the file, if one is to blame, as "fc1/kernel".
        file: the weight file, as text; None until whoever opened it has said so (`about`).
    """

    def __init__(
        self, problem: str, *, array: str | None = None, do: str = "",
        file: str | PathLike[str] | None = None,
    ) -> None:  # fmt: skip
        super().__init__(problem)
        self.problem, self.array, self.do = problem, array, do
        self.file = None if file is None else str(file)

    def __str__(self) -> str:
        """The whole message."""
        where = ": ".join(part for part in (self.file, self.array) if part)
        return ": ".join(filter(None, (where, self.problem))) + (f"; {self.do}" if self.do else "")


class WeightsFileError(WeightsError):
    """The file is missing, unreadable, truncated or no HDF5 file."""


class WeightsLayoutError(WeightsError):
    """The file's groups, names, links or storage are not those of a Keras VGG16 file."""


class WeightsMismatchError(WeightsError):
    """An array's shape, dtype or values are not those that the network needs."""


class WeightsFetchError(WeightsError):
    """A known weight file could not be downloaded, verified or put into the cache."""


@contextmanager
def about(file: str | PathLike[str]) -> Iterator[None]:
    """A context in which errors that do not name a file yet are about this one.

    Opened once at the door, so that nothing behind it needs to know the file's name.
    """
    try:
        yield
    except WeightsError as error:
        if error.file is None:
            error.file = str(file)
        raise
