"""An unknown file's structure is parsed by HDF5 in a process of its own.

A few changed bytes can crash the HDF5 library or keep it going round for ever, out of reach even of
Ctrl-C (tests/test_fuzz_weights.py counts how often). So a child process parses and checks the
structure, and says where the arrays are; this process reads them, without HDF5. That keeps a crash
or a hang out of the user's session; it is no sandbox against code that takes over the child.
"""

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from jaxvis.models.layers import architecture_of, as_config
from jaxvis.weights import errors
from jaxvis.weights.arrays import Block, Plan, Stored, Told
from jaxvis.weights.opened import AGAIN, Identity, check_whole

TIMEOUT = 60.0  # seconds; a sound file takes a fifth of one, most of it to start Python
# Of the child, where the system can enforce it: seconds of processor time, and bytes beyond those
# that Python and HDF5 have once they are loaded; a sound file takes one megabyte.
PROCESSOR, MEMORY = 10, 100 << 20

CHILD = """
import json, sys
job = json.load(sys.stdin)
sys.path[:] = job.pop("path")
from jaxvis.weights.apart import answer
print(json.dumps(answer(**job)))
"""


def plan_apart(
    file: Path, *, top: bool | None = None, told: Told = Told(), description: str | None = None,  # noqa: B008
) -> Plan:  # fmt: skip
    """Do what `keras.make_plan` does, in a child process.

    Raises:
        WeightsError: as `make_plan`; or parsing crashed, or did not end within a minute.
    """
    identity = check_whole(file)
    if getattr(sys, "frozen", False) or not sys.executable:  # no Python to start: parse here
        from jaxvis.weights.keras import make_plan

        return make_plan(file, top=top, told=told, description=description, identity=identity)
    reply = _ask(
        {
            "file": str(file), "top": top, "told": told, "description": description,
            "identity": identity,
        }
    )  # fmt: skip
    if "error" in reply:
        kind = getattr(errors, reply.pop("error"))
        raise kind(reply["problem"], array=reply["array"], do=reply["do"])
    places = {
        name: Stored(
            tuple(shape), dtype, tuple(Block(tuple(start), *rest) for start, *rest in blocks),
            None if chunk is None else tuple(chunk), tuple(filters),
        )
        for name, (shape, dtype, blocks, chunk, filters) in reply["places"].items()
    }  # fmt: skip
    labels = None if reply["labels"] is None else tuple(reply["labels"])
    return Plan(
        architecture_of(reply["architecture"]),
        labels,
        reply["facts"],
        places,
        reply["checksums"],
        identity,
    )


def _ask(job: dict[str, Any]) -> dict[str, Any]:
    """Run the child on a job and return its answer."""
    path = [
        *sys.path,
        str(Path(__file__).parents[2]),
    ]  # where this very package lies, at the latest
    # Plug-ins of HDF5 are code that a file can ask for; "::" forbids them.
    env = {**os.environ, "HDF5_PLUGIN_PRELOAD": "::", "OPENBLAS_NUM_THREADS": "1"}
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", CHILD],
            input=json.dumps({**job, "path": path}),
            env=env, capture_output=True, text=True, timeout=TIMEOUT, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise _endless(TIMEOUT) from None
    if done.returncode == -getattr(signal, "SIGXCPU", 0) != 0:
        raise _endless(PROCESSOR)
    if done.returncode < 0 or done.returncode > 255:  # POSIX: a signal; Windows: an NTSTATUS
        raise errors.WeightsFileError(
            f"damaged: HDF5 crashed on it (exit status {done.returncode})", do=AGAIN
        )
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise errors.WeightsFileError(f"cannot be examined in a second Python process: {reason}",
            do="see whether this Python can start others and import h5py",
        )  # fmt: skip
    return json.loads(done.stdout)


def _endless(seconds: float) -> errors.WeightsFileError:
    return errors.WeightsFileError(
        f"damaged: HDF5 was still at it after {seconds:g} seconds", do=AGAIN
    )


def answer(
    file: str, top: bool | None, told: list[Any], description: str | None, identity: list[int]
) -> dict[str, Any]:
    """In the child: the plan, or the error, as JSON has it."""
    from jaxvis.weights.keras import make_plan

    _limit()
    try:
        size, *rest = told
        plan = make_plan(
            Path(file), top=top, told=Told(size and (size[0], size[1]), *rest),
            description=description, identity=Identity(*identity),
        )  # fmt: skip
        return {**plan._asdict(), "architecture": as_config(plan.architecture)}
    except errors.WeightsError as error:
        kind = type(error).__name__
        return {"error": kind, "problem": error.problem, "array": error.array, "do": error.do}


def _limit() -> None:
    """Damage must not take the machine's memory or time; nor a crash leave a core file.

    A system that does not let a limit be set, as macOS that of the address space, is no reason to
    refuse a file: the parent's patience is left.
    """
    try:
        import resource
    except ImportError:  # Windows
        return
    limits = {"AS": _address_space() + MEMORY, "CPU": PROCESSOR, "CORE": 0}
    for name, limit in limits.items():
        with suppress(AttributeError, OSError, ValueError):
            what = getattr(resource, f"RLIMIT_{name}")
            hard = resource.getrlimit(what)[1]
            if hard == resource.RLIM_INFINITY or limit <= hard:
                resource.setrlimit(what, (limit, hard))


def _address_space() -> int:
    """Bytes of address space that this process has; where nobody says, more than it can be."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return 4 << 30
    return pages * os.sysconf("SC_PAGE_SIZE")
