"""Real processes that are killed at random moments, and real ones that share the work."""

import multiprocessing
import os
import random
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from small import network
from test_stream import equal

import jaxvis as jv

pytest.importorskip("grain")
COUNT = 48
SCRIPT = Path(__file__).with_name("small.py")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    rng = np.random.default_rng(6)
    made = tmp_path_factory.mktemp("images")
    for number in range(COUNT):
        pixels = rng.integers(0, 256, (60, 50, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(made / f"{number:02d}.png")
    return made


@pytest.fixture(scope="module")
def whole(folder, tmp_path_factory):
    place = tmp_path_factory.mktemp("whole") / "m.zarr"
    jv.stream(network(), folder, place, batch=4)
    return place


def started(folder, place, *which):
    return subprocess.Popen(
        [sys.executable, SCRIPT, folder, place, *map(str, which)],
        env=os.environ | {"JAX_PLATFORMS": "cpu", "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def ended(process):
    _, errors = process.communicate(timeout=300)
    return process.returncode, errors


def run(folder, place, pipe):
    """One life of a stream, in a process of its own."""
    said = []

    def say(progress):
        if not said:
            pipe.send("begun")
        said.append(progress.done)

    jv.stream(network(), folder, place, batch=4, progress=say)
    if not said:
        pipe.send("done")


@pytest.mark.slow
def test_fifty_kills(folder, whole, tmp_path):
    """Each run lives for a random part of what one takes from its first batch to its end."""
    chance = random.Random(7)
    # A process that has imported everything is forked for each run, which saves seconds a run.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["small", "jaxvis.streaming.stream", "grain", "tensorstore"])
    kills, number = 0, 0
    while kills < 50:
        place = tmp_path / f"{number}.zarr"
        number += 1
        while True:
            here, there = context.Pipe(duplex=False)
            process = context.Process(target=run, args=(folder, place, there))
            process.start()
            there.close()
            begun = here.poll(120) and here.recv() == "begun"  # or "done", of what was before
            time.sleep(chance.uniform(0, 0.12))
            process.kill()
            process.join()
            if process.exitcode != -signal.SIGKILL:
                assert process.exitcode == 0
                break
            kills += begun
        equal(place, whole)
    assert number > 1


def free_address():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{one.getsockname()[1]}"


@pytest.mark.slow
@pytest.mark.parametrize("count", [2, 4])
def test_several_processes_are_as_one(folder, whole, tmp_path, count):
    """Joined by JAX on the loopback address; then with one that is killed, and all started anew."""
    address = free_address()
    place = tmp_path / "m.zarr"
    running = [started(folder, place, address, number, count) for number in range(count)]
    for process in running:
        code, errors = ended(process)
        assert code == 0, errors
    equal(place, whole)

    place, address = tmp_path / "n.zarr", free_address()
    running = [started(folder, place, address, number, count) for number in range(count)]
    running[1].stdout.readline()  # its first batch is on the disk
    running[1].kill()
    for process in running:
        ended(process) if process is running[1] else process.kill() or ended(process)
    assert jv.open_maps(place).missing
    address = free_address()
    running = [started(folder, place, address, number, count) for number in range(count)]
    for process in running:
        code, errors = ended(process)
        assert code == 0, errors
    equal(place, whole)


def test_a_full_disk(folder, whole, tmp_path):
    """Said as such; what was written stays, and with room again the run goes on."""
    place = tmp_path / "m.zarr"
    script = (
        "import resource, runpy, signal, sys\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "import jaxvis as jv\n"
        "from small import network\n"
        "seen = []\n"
        "def few(progress):\n"
        "    seen.append(progress.done)\n"
        "    if len(seen) == 3:\n"
        "        resource.setrlimit(resource.RLIMIT_FSIZE, (100, -1))\n"
        "try:\n"
        "    jv.stream(network(), sys.argv[1], sys.argv[2], batch=4, progress=few)\n"
        "except jv.errors.OutputError as error:\n"
        "    print(error, file=sys.stderr)\n"
        "    sys.exit(5)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, folder, place],
        env=os.environ | {"JAX_PLATFORMS": "cpu", "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 5, done.stderr
    assert "the maps cannot be written" in done.stderr
    assert 0 < jv.open_maps(place).missing < COUNT
    jv.stream(network(), folder, place, batch=4)
    equal(place, whole)
