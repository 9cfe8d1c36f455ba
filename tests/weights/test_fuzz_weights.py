"""Thousands of damaged files: each loads to the exact arrays, or raises `WeightsError`.

The files carry the checksums of `save_vgg16`. (Keras's own have none: a changed value inside an
array goes unseen there, unless the file's hash is known.) A worker goes through many files in one
process; where HDF5 kills it, or keeps it busy for two seconds, the file is counted as crashed and
loaded once more the way users do, which must raise and leave this process alive.
"""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import h5py
import numpy as np
import pytest
from h5_cases import replace, small_bytes
from mutations import mutate

from jaxvis.weights import apart as plan_apart
from jaxvis.weights.errors import WeightsFileError
from jaxvis.weights.load import load_vgg16

WORKER = """
import json, resource, signal, sys
from pathlib import Path
job = json.load(sys.stdin)
sys.path[:] = job["path"]
sys.path.append(job["package"])
import numpy as np
from mutations import mutate
from jaxvis.weights.errors import WeightsError
from jaxvis.weights.opened import check_whole
from jaxvis.weights.keras import make_plan
from jaxvis.weights.arrays import read_arrays

def load(file):
    check_whole(file)
    plan = make_plan(file)
    return plan, read_arrays(file, plan.places, plan.checksums, plan.identity)

resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
sound, damaged = Path(job["sound"]), Path(job["damaged"])
content = sound.read_bytes()
plan, arrays = load(sound)
in_array = np.zeros(len(content), bool)
for place in plan.places.values():
    for block in place.blocks:
        in_array[block.offset : block.offset + block.size] = True
for seed in range(job["first"], job["last"]):
    print(json.dumps([seed, None]), flush=True)
    damaged.write_bytes(mutate(content, np.flatnonzero(~in_array), seed))
    signal.setitimer(signal.ITIMER_VIRTUAL, 2)  # of processor time; then the process ends
    try:
        found = load(damaged)
        same = found[0].architecture == plan.architecture and all(
            np.array_equal(found[1][name], arrays[name]) for name in arrays
        )
        outcome = "exact" if same else "OTHER ARRAYS"
    except WeightsError as error:
        outcome = type(error).__name__
    except Exception as error:
        outcome = f"ESCAPED {error!r}"
    signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    print(json.dumps([seed, outcome]), flush=True)
"""


def packed(file: h5py.File) -> None:
    """Store every array in chunks, shuffled and compressed; the values, and checksums, stay."""
    for layer in [name for name in file if "pool" not in name and name != "flatten"]:
        for name in list(file[layer]):
            replace(file, name=f"{layer}/{name}", compression="gzip", shuffle=True, chunks=True)


def outcomes(folder: Path, sound: Path, first: int, last: int) -> dict[int, str]:
    """Load every mutation from the first seed to before the last; "killed" ends a worker."""
    job = {
        "path": [str(Path(__file__).parent), *sys.path], "sound": str(sound),
        "package": str(Path(plan_apart.__file__).parents[2]), "damaged": str(folder / "damaged.h5"),
    }  # fmt: skip
    found: dict[int, str] = {}
    while first < last:
        done = subprocess.run(
            [sys.executable, "-c", WORKER], input=json.dumps({**job, "first": first, "last": last}),
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode <= 0, done.stderr
        for seed, outcome in map(json.loads, done.stdout.splitlines()):
            found[seed] = outcome or f"killed by signal {-done.returncode}"
            first = seed + 1
    return found


def fuzz(folder: Path, count: int, monkeypatch: pytest.MonkeyPatch) -> Counter:
    """Half of the mutations on contiguous arrays, half on compressed ones."""
    counts: Counter = Counter()
    monkeypatch.setattr(plan_apart, "TIMEOUT", 5.0)
    for number, name in enumerate(("plain.h5", "packed.h5")):
        sound = folder / name
        sound.write_bytes(small_bytes())
        if name == "packed.h5":
            with h5py.File(sound, "r+") as file:
                packed(file)
        content = sound.read_bytes()
        found = outcomes(folder, sound, number * 10**6, number * 10**6 + count // 2)
        assert len(found) == count // 2
        counts.update(found.values())
        killed = [seed for seed, outcome in found.items() if outcome.startswith("killed")]
        for seed in killed[:20]:
            plan = plan_apart.plan_apart(sound)
            in_array = np.zeros(len(content), bool)
            for block in (block for place in plan.places.values() for block in place.blocks):
                in_array[block.offset : block.offset + block.size] = True
            (folder / "killer.h5").write_bytes(mutate(content, np.flatnonzero(~in_array), seed))
            with pytest.raises(WeightsFileError, match=r"HDF5 (was still at it|crashed on it)"):
                load_vgg16(folder / "killer.h5")
    return counts


def check(counts: Counter) -> None:
    print(dict(counts))
    allowed = ("exact", "Weights", "killed")
    assert not [outcome for outcome in counts if not outcome.startswith(allowed)], counts
    total = sum(counts.values())
    refused = sum(n for outcome, n in counts.items() if outcome.startswith("Weights"))
    assert counts["exact"] > total / 20  # else nothing but the first check is under test
    assert refused > total / 20
    assert sum(n for outcome, n in counts.items() if "killed" in outcome) < total / 20


@pytest.mark.skipif(sys.platform == "win32", reason="needs the timers and limits of POSIX")
def test_damaged_files(tmp_path, monkeypatch):
    check(fuzz(tmp_path, 400, monkeypatch))


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="needs the timers and limits of POSIX")
def test_thousands_of_damaged_files(tmp_path, monkeypatch):
    """JAXVIS_FUZZ=6000 asks for more, after a change of the loader."""
    check(fuzz(tmp_path, int(os.environ.get("JAXVIS_FUZZ", "1000")), monkeypatch))
