"""What an image file can be blamed for."""

from jaxvis.errors import InputError


class ImageError(InputError):
    """A file that cannot serve as an image; the message names it and says what to do."""


class UnfitError(Exception):
    """The same before anybody has said which file it is: found, wanted and what to do."""
