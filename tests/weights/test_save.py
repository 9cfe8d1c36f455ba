"""Saving where it cannot be done: an error, the old file as it was, and nothing left behind."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
from h5_cases import small_bytes, small_model

import jaxvis
from jaxvis.weights.errors import WeightsError
from jaxvis.weights.load import load_vgg16
from jaxvis.weights.save import save_vgg16

# The kernel refuses what goes beyond 20 kB, as a full disk does; 57 kB are wanted.
FULL_DISK = """
import resource, sys
sys.path[:] = {path!r}
from jaxvis.models.vgg16 import VGG16
from jaxvis.weights.errors import WeightsError
from jaxvis.weights.save import save_vgg16
model = VGG16(width=1 / 64, classes=10, fc=16, size=32)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    save_vgg16(model, {target!r})
except WeightsError as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs the limits of POSIX")
def test_full_disk(tmp_path):
    """HDF5, writing to the disk by itself, ended the process with signal 11."""
    target = tmp_path / "m.h5"
    target.write_bytes(b"what was there")
    path = [str(Path(jaxvis.__file__).parents[1]), *sys.path]
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK.format(path=path, target=str(target))],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout == (
        f"{target}: cannot be written: File too large; make room, or choose another folder\n"
    )
    assert target.read_bytes() == b"what was there"
    assert os.listdir(tmp_path) == ["m.h5"]


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_error_at_the_last_moment(tmp_path, monkeypatch, call):
    target = tmp_path / "m.h5"
    target.write_bytes(b"what was there")

    def fail(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, call, fail)
    with pytest.raises(WeightsError, match="cannot be written: No space left on device; make room"):
        save_vgg16(small_model(), target)
    assert target.read_bytes() == b"what was there"
    assert os.listdir(tmp_path) == ["m.h5"]


def test_whole_numbers_are_no_type_of_weights(tmp_path):
    path = tmp_path / "m.h5"
    path.write_bytes(small_bytes())
    for dtype in ("int8", "bool", "complex64"):
        message = f"param_dtype is {dtype}, in which most weights are 0; wanted floating-point"
        with pytest.raises(jaxvis.errors.InputError, match=message):
            load_vgg16(path, param_dtype=dtype)
