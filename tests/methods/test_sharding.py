"""Images that lie on several devices stay there, and so do their maps."""

import os
import subprocess
import sys
from pathlib import Path

from conftest import forced_devices


def test_on_four_devices():
    script = Path(__file__).with_name("on_four_devices.py")
    done = subprocess.run(
        [sys.executable, "-W", "error", script],
        env=os.environ | forced_devices(4) | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
