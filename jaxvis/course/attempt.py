"""Run a student's function; whatever it raises becomes one sentence, never a traceback."""

import linecache
import sysconfig
from pathlib import Path
from types import TracebackType

# Files that the student has not written: this package, Python's library, what pip has installed.
_NOT_THEIRS = (
    str(Path(__file__).parent.parent),
    *{sysconfig.get_path(key) for key in ("stdlib", "platstdlib", "purelib", "platlib")},
)

# What the message of an exception leaves open, by the name of its type.
_MEANING = {
    "NameError": "nothing has that name here",
    "UnboundLocalError": "the name is used before it gets a value",
    "TracerBoolConversionError": "JAX runs this with stand-ins that have no value yet, so `if`, "
    "`and`, `or`, `not` cannot ask for one",
    "TracerArrayConversionError": "JAX runs this with stand-ins that have no value yet, so NumPy "
    "cannot compute with them: jnp in the place of np",
    "TracerIntegerConversionError": "JAX runs this with stand-ins that have no value yet",
    "ConcretizationTypeError": "JAX runs this with stand-ins that have no value yet",
    "RecursionError": "the function calls itself without end",
}


def explained(error: BaseException) -> str:
    """The type and message of an exception, and the line of the student's code that raised it."""
    kind = type(error).__name__
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    message = lines[0] if lines else "no message"
    if len(message) > 200:
        message = message[:200] + " ..."
    line = _their_line(error.__traceback__)
    where = f" at the line `{line}`" if line else ""
    meaning = f" ({_MEANING[kind]})" if kind in _MEANING else ""
    return f"{kind}{where}: {message.rstrip('.')}{meaning}."


def _their_line(traceback: TracebackType | None) -> str:
    line = ""
    while traceback is not None:
        file = traceback.tb_frame.f_code.co_filename
        if not file.startswith(_NOT_THEIRS):
            line = linecache.getline(file, traceback.tb_lineno).strip() or line
        traceback = traceback.tb_next
    return line
