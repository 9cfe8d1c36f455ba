"""What a user can do wrong has classes of its own; whatever else is raised is a fault of jaxvis.

Each is also the built-in error that fits, so that `except ValueError` does what one expects. The
command shows these as one line, and any other error with its traceback.
"""


class InputError(ValueError):
    """Something handed over cannot be used; the message says what, found, wanted and what to do."""


class InputTypeError(InputError, TypeError):
    """It is of the wrong kind altogether."""


class OutputError(OSError):
    """Results cannot be written where they should go."""


class NotSupportedError(InputError, NotImplementedError):
    """It is sound, but jaxvis does not know how to work with it."""
