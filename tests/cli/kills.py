"""Kill real runs at random moments, and look at what they leave: the old results or the new ones.

    python tests/cli/kills.py [MOMENTS [SEED]]

Half of the moments are anywhere in a run, half in its end, when results take their places. After
each, the folder is looked at as it is, and again after the next run has tidied up.
"""

import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from jaxvis.report.output import staging

SIGNALS = {signal.SIGKILL: -9, signal.SIGINT: 130, signal.SIGTERM: 143}
WEIGHTS = "weights.h5"

# A fetch of a file that is quickly there, under the name of the one that is not.
FETCH = f"""
import sys
from jaxvis import stopping
stopping.install()
from jaxvis.weights import fetch
from jaxvis.weights.cache import Source
fetch.SOURCES["imagenet"] = Source("{WEIGHTS}", int(sys.argv.pop(1)), sys.argv.pop(1), ())
from jaxvis.__main__ import run
sys.exit(run())
"""


class Case(NamedTuple):
    """A command, run in a folder of its own, and what it leaves in `out` there."""

    name: str
    command: list[str]
    prepare: Callable[[Path], object]  # makes the state before the run
    late: str  # a file that is there when the end begins
    out: str = "out"


def state(folder: Path) -> dict[str, str] | None:
    """Return what can be seen in the folder, by name; what holds times by its name only."""
    if not folder.is_dir():
        return None
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() if path.suffix in (".png", ".jpg")
        else path.name
        for path in folder.glob("[!.]*")
    }  # fmt: skip


def installed(folder: Path) -> dict[str, str] | None:
    """Return the state of the cache: the weights and their hash, if they are there."""
    file = folder / WEIGHTS
    return {WEIGHTS: hashlib.md5(file.read_bytes()).hexdigest()} if file.exists() else None


def cases(place: Path) -> list[Case]:
    """Make what the commands need, and earlier results for them to replace."""
    jaxvis = [sys.executable, "-m", "jaxvis"]
    few = ["--out", "out", "--quiet", "--methods", "grad_cam", "--rules"]
    report = [*jaxvis, "report", "--no-evaluation", *few]
    evaluate = [*jaxvis, "evaluate", "--scenes", "4", "--closely", "2", *few]
    found = []
    for name, command, late in (
        ("report", report, "report.md"), ("evaluate", evaluate, "evaluation.json")
    ):  # fmt: skip
        old = place / f"old-{name}"
        old.mkdir()
        subprocess.run([*command, "vanilla"], cwd=old, check=True)

        def copy(here: Path, old: Path = old) -> None:
            shutil.copytree(old / "out", here / "out")

        def copy_among_others(here: Path, copy: Callable[[Path], None] = copy) -> None:
            copy(here)
            (here / "out" / "mine.txt").write_text("mine")

        late = f".jaxvis-out/new/{late}"
        # Both put results in place by the same code, and an evaluation takes ten times as long.
        befores = (copy, copy_among_others, lambda here: None)
        for state_before in befores if name == "report" else [copy_among_others]:
            found.append(Case(name, [*command, "guided"], state_before, late))
    content = random.Random(0).randbytes(8_000_000)
    (place / "copy").write_bytes(content)
    md5 = hashlib.md5(content).hexdigest()
    command = [
        sys.executable, "-c", FETCH, str(len(content)), md5,
        "fetch", "imagenet", "--file", str(place / "copy"),
    ]  # fmt: skip
    found.append(Case("fetch", command, lambda here: None, f"cache/.jaxvis-*/{WEIGHTS}", "cache"))
    return found


def start(case: Case, here: Path) -> subprocess.Popen[str]:
    """Start the run, and return when a signal no longer finds a Python that knows nothing of it."""
    here.mkdir()
    case.prepare(here)
    run = subprocess.Popen(
        case.command, cwd=here, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=environment(here),
    )  # fmt: skip
    while run.poll() is None and not _catches(run.pid, signal.SIGTERM):
        time.sleep(0.001)
    return run


def environment(here: Path) -> dict[str, str]:
    """Caches of the run's own, but for compiled code: the first runs compile for all."""
    return os.environ | {
        "JAXVIS_CACHE": str(here / "cache"), "KERAS_HOME": str(here),
        "JAXVIS_COMPILE_CACHE": str(here.parent / "compiled"),
    }  # fmt: skip


def _catches(pid: int, number: int) -> bool:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return False
    (mask,) = [line.split()[1] for line in lines if line.startswith("SigCgt")]
    return bool(int(mask, 16) >> (number - 1) & 1)


def moments(count: int, seed: int = 0) -> Counter[str]:
    """Kill so many runs; raise AssertionError if one leaves what it must not."""
    chance, counted = random.Random(seed), Counter[str]()
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell's background job: children
        signal.signal(signal.SIGINT, signal.default_int_handler)  # would ignore it, too
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        each = cases(place)
        new, seconds = [], []
        compiling = {case.name: case for case in each}.values()
        for number, case in enumerate([*compiling, *each]):  # once more, with what was compiled
            here = place / f"new-{number}"
            run = start(case, here)
            ready = time.perf_counter()
            _, told = run.communicate()
            assert (run.returncode, told) == (0, ""), (case.name, told)
            seconds.append(time.perf_counter() - ready)
            new.append(seen(case, here))
        new, seconds = new[len(compiling) :], seconds[len(compiling) :]
        for moment in range(count):
            number = moment % len(each)
            case, here = each[number], place / str(moment)
            kill = chance.choice(list(SIGNALS))
            late = chance.random() < 0.5
            wait = chance.uniform(0, 0.05 if late else 1.1 * seconds[number])
            label = f"{moment}: {case.name}, {kill.name}, {'late, ' * late}{wait:.3f} s"
            run = start(case, here)
            old = seen(case, here) if case.name != "fetch" else None
            if late:
                while run.poll() is None and not list(here.glob(case.late)):
                    time.sleep(0.0005)
            with suppress(subprocess.TimeoutExpired):
                run.wait(wait)
            run.send_signal(kill)
            _, told = run.communicate(timeout=120)
            now = seen(case, here)
            check(run.returncode, told, SIGNALS[kill], now, old, new[number], label)
            counted["at once " + name_of(now, old, new[number])] += 1
            next_run(case, here)
            now = seen(case, here)
            assert now in (old, new[number]), (label, now)
            left = [path.name for path in here.rglob(".jaxvis-*")]
            assert not left, (label, left)
            counted[f"{case.name}: " + name_of(now, old, new[number])] += 1
            counted[f"exit code {run.returncode}"] += 1
            shutil.rmtree(here)
    return counted


def seen(case: Case, here: Path) -> dict[str, str] | None:
    """Return the state of the case's folder."""
    return (installed if case.name == "fetch" else state)(here / case.out)


def name_of(now: object, old: object, new: object) -> str:
    return "new" if now == new else "old" if now == old else "in between"


def check(
    code: int, told: str, wanted: int, now: object, old: object, new: object, label: str
) -> None:
    """What the process says of itself is true."""
    assert "Traceback" not in told, (label, told)
    assert code in (0, wanted), (label, code, told)
    if code == 0:
        assert now == new, label
        return
    if code > 0:
        assert len(told.splitlines()) == 1, (label, told)
        assert now == (old if "nothing was written" in told else new), (label, told)


def next_run(case: Case, here: Path) -> None:
    """Do what the next run does first; the fetch is done, as it fails at nothing."""
    if case.name == "fetch":
        subprocess.run(
            case.command, cwd=here, env=environment(here), check=True, capture_output=True
        )
        return
    kind = "report" if case.name == "report" else "evaluation"
    with suppress(KeyError), staging(here / case.out, kind):
        raise KeyError


if __name__ == "__main__":
    asked = [int(text) for text in sys.argv[1:]] or [20]
    for what, times in sorted(moments(*asked).items()):
        print(f"{times:>5}  {what}")
