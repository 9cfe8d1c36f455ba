"""A network as it is in training cannot be explained: what its library then raises, put plainly.

Batch normalisation would update its averages and dropout would draw at random, while the network is
traced. The libraries are recognised by the names of their errors, and never imported.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from jaxvis.errors import InputError

_WHAT_TO_DO = {
    "TraceContextError": "call model.eval(), which a Flax NNX module has, before it is handed over",
    "ModifyScopeVariableError": "pass what the Flax Linen module calls it, as in "
    "jv.from_linen(module, variables, arguments={'train': False})",
    "InvalidRngError": "pass what the Flax Linen module calls it, as in "
    "jv.from_linen(module, variables, arguments={'deterministic': True})",
}


@contextmanager
def in_plain_words() -> Iterator[None]:
    """Raise InputError in the place of a library's error about a network in training."""
    try:
        yield
    except Exception as error:
        do = _WHAT_TO_DO.get(type(error).__name__)
        if do is None:
            raise
        raise InputError(
            "the network runs as in training, with batch statistics that it updates or dropout "
            f"that draws at random; wanted it as at prediction: {do}"
        ) from error
