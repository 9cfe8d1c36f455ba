"""Eight devices give the very bits of one, and what the plain call gives."""

import os
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
from conftest import forced_devices
from small import network

import jaxvis as jv
from jaxvis.methods.one_pass import one_pass
from jaxvis.streaming.devices import Devices


def test_eight_devices_are_as_one(tmp_path):
    """Forced on a CPU, in processes of their own."""
    script = Path(__file__).with_name("on_devices.py")
    found = []
    for count in (1, 8):
        done = subprocess.run(
            [sys.executable, "-W", "error", script, tmp_path / f"{count}.npz"],
            env=os.environ | forced_devices(count) | {"PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        found.append(np.load(tmp_path / f"{count}.npz"))
    one, eight = found
    assert one.files == eight.files
    assert len(one.files) == 8 + 5 + 3 + 4 + 4
    for name in one.files:
        np.testing.assert_array_equal(one[name], eight[name], err_msg=name)


@pytest.mark.parametrize("best", [1, 3])
def test_one_device_is_as_the_plain_call(rng, best):
    net = network()
    x = net.preprocess(rng.integers(0, 256, (4, *net.size, 3), dtype=np.uint8))
    found = Devices(net.model, 4, best=best, layer=net.layer)(x, None)
    classes = np.argsort(-np.asarray(found.maps.logits), axis=1, kind="stable")[:, :best]
    classes = classes[:, 0] if best == 1 else classes
    np.testing.assert_array_equal(found.classes, classes)
    wanted = jv.explain(net.model, x, classes, layer=net.layer)
    assert [*found.maps] == [*wanted]
    for name, array in wanted.items():
        np.testing.assert_allclose(found.maps[name], array, atol=1e-6 * np.abs(array).max())


def test_one_compilation_serves_all_steps(rng):
    net = network(seed=4)
    devices = Devices(net.model, 2, layer=net.layer)
    before = one_pass.traces
    for _ in range(3):
        x = net.preprocess(rng.integers(0, 256, (2, *net.size, 3), dtype=np.uint8))
        jax.block_until_ready(devices(x, None).maps.logits)
    assert one_pass.traces == before + 1
