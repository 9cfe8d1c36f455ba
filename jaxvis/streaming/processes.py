"""Which process of several this is: each takes its share of the batches, and writes it itself.

Nothing that a process computes needs another one, so they exchange no arrays. `connect` is for
clusters that start and end all together (SLURM, Kubernetes, a TPU pod): JAX's own coordination
then notices a process that is gone, and ends the others, so that the scheduler can start the job
again. Without it processes only have to know their numbers, as in a job array.
"""

import os
from collections.abc import Sequence
from typing import NamedTuple

from jaxvis.errors import InputError


class Process(NamedTuple):
    """One of several.

    Attributes:
        number: from 0.
        of: how many there are.
        connected: whether JAX knows of the others, and all are there until the last is done.
    """

    number: int = 0
    of: int = 1
    connected: bool = False

    def share(self, batches: Sequence[int]) -> Sequence[int]:
        """Return this process's part of all batches: every `of`-th, so that all have equally
        many, or one less."""
        return batches[self.number :: self.of]


def process_of(number: int | None, count: int | None) -> Process:
    """Return the process that these numbers name, the only one without them.

    Raises:
        InputError: one without the other, or out of range.
    """
    if number is None and count is None:
        return Process()
    if number is None or count is None or not 0 <= number < count:
        raise InputError(
            f"process is {number} of {count}; wanted both, the first from 0 and below the second"
        )
    return Process(number, count)


def connect(coordinator: str | None, number: int | None, count: int | None) -> Process:
    """Join the other processes by `jax.distributed.initialize`, before JAX is used.

    Without arguments JAX finds them by what SLURM, Open MPI, Kubernetes or a TPU pod tells it.

    Raises:
        InputError: they cannot be found, or not all arguments are given.
    """
    import jax

    given = (coordinator, number, count)
    if any(given_one is not None for given_one in given) and None in given:
        raise InputError(
            "processes that know each other's address need all three: coordinator, process and "
            "processes"
        )
    if number is not None:
        process_of(number, count)
    try:
        jax.distributed.initialize(coordinator, count, number)
    except (ValueError, RuntimeError) as error:
        name = os.environ.get("JAX_PLATFORMS", "")
        raise InputError(
            f"the other processes are not found: {error}; wanted a scheduler that JAX knows, or "
            f"coordinator, process and processes (JAX_PLATFORMS is '{name}')"
        ) from error
    return Process(jax.process_index(), jax.process_count(), connected=True)
