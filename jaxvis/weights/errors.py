"""Errors about weight files, all of which are a `WeightsError`."""

from os import PathLike


class WeightsError(ValueError):
    """Weights that cannot be had or used; the message says file, array, found, wanted, what to do.

    Attributes:
        file: the weight file, as text.
        array: the layer or array inside it, if one is to blame, as "fc1/kernel".
        problem, do: what was wrong, and what to do about it.
    """

    def __init__(
        self, file: str | PathLike[str], problem: str, *, array: str | None = None, do: str = ""
    ) -> None:
        self.file, self.problem, self.array, self.do = str(file), problem, array, do
        where = f"{self.file}: {array}" if array else self.file
        super().__init__(f"{where}: {problem}" + (f"; {do}" if do else ""))


class WeightsFileError(WeightsError):
    """The file is missing, unreadable, truncated or no HDF5 file."""


class WeightsLayoutError(WeightsError):
    """The file's groups, names, links or storage are not those of a Keras VGG16 file."""


class WeightsMismatchError(WeightsError):
    """An array's shape, dtype or values are not those that the network needs."""


class WeightsFetchError(WeightsError):
    """A known weight file could not be downloaded, verified or put into the cache."""
