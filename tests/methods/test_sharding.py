"""Images that lie on several devices stay there, and so do their maps."""

import os
import subprocess
import sys
from pathlib import Path


def test_on_four_devices():
    flags = f"{os.environ['XLA_FLAGS']} --xla_force_host_platform_device_count=4"
    four = {"JAX_PLATFORMS": "cpu", "XLA_FLAGS": flags}
    script = Path(__file__).with_name("on_four_devices.py")
    done = subprocess.run(
        [sys.executable, "-W", "error", script],
        env=os.environ | four | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
