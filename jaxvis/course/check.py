"""Judge an answer and say what is wrong with it: `check`, and `hint` for one more hint."""

import inspect
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from jaxvis.course.attempt import explained


class NotYet(Exception):  # noqa: N818 - it is what a student reads, not a fault of the program
    """What is not right yet, and hints towards it, the gentlest first."""

    def __init__(self, seen: str, *hints: str) -> None:
        super().__init__(seen)
        self.seen, self.hints = seen, hints


class Exercise(NamedTuple):
    """A judge, which returns the praise or raises `NotYet`, and the hint that comes last."""

    judge: Callable[..., str]
    last_hint: str


EXERCISES: dict[str, Exercise] = {}
_waiting: list[str] = []  # hints of the last check that have not been shown


def exercise(last_hint: str) -> Callable[[Callable[..., str]], Callable[..., str]]:
    """Register a judge under its name. Its arguments are what it takes from the notebook, by name.

    One with a default may be missing there.
    """

    def register(judge: Callable[..., str]) -> Callable[..., str]:
        EXERCISES[judge.__name__] = Exercise(judge, last_hint)
        return judge

    return register


def check(name: str, names: Mapping[str, object]) -> None:
    """Print "Right ..." or "Not yet ..." with a first hint; `names` are the notebook's `globals()`."""
    judge, last_hint = EXERCISES[name]
    _waiting.clear()
    try:
        with np.errstate(all="ignore"):  # of an answer on its way
            print("Right:", judge(**_taken(judge, names)))
        return
    except NotYet as reason:
        seen, hints = reason.seen, reason.hints
    except Exception as error:  # an answer of a form that nobody thought of
        seen, hints = f"your answer could not be compared: {explained(error)}", ()
    print(f"Not yet: {seen}")
    _waiting.extend(one for one in (*hints, last_hint) if one)
    hint()


def hint() -> None:
    """Print one more hint for the exercise that was checked last."""
    if not _waiting:
        print("No more hints. The solution is folded below the check.")
        return
    print("Hint:", _waiting.pop(0))
    if _waiting:
        print("(For one more hint: jv.course.hint())")


def _taken(judge: Callable[..., str], names: Mapping[str, object]) -> dict[str, object]:
    taken = {}
    for name, parameter in inspect.signature(judge).parameters.items():
        if name in names:
            taken[name] = names[name]
        elif parameter.default is parameter.empty:
            raise NotYet(
                f"`{name}` is not there.",
                "Run the cell of the exercise, and the cells above it, then this one again.",
            )
    return taken
