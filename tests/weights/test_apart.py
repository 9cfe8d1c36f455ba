"""The child process: what it may take, and what becomes of its end."""

import re
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest
from h5_cases import arrays_of, small_file, small_model

from jaxvis.weights import apart
from jaxvis.weights.errors import WeightsFileError
from jaxvis.weights.load import load_vgg16

ENDINGS = [
    ("import os; os.abort()", r"damaged: HDF5 crashed on it \(exit status -6\); copy or"),
    ("import os, signal; os.kill(os.getpid(), signal.SIGXCPU)", "at it after 10 seconds; copy"),
    ("while True: pass", "damaged: HDF5 was still at it after 1 seconds; copy or download it"),
    ("raise ImportError('no h5py')", "second Python process: ImportError: no h5py; see whether"),
]


@pytest.mark.parametrize(("child", "message"), ENDINGS)
def test_how_a_child_may_end(tmp_path, monkeypatch, child, message):
    """Children of the test's own, to see what is said of each end."""
    path = small_file(tmp_path)
    monkeypatch.setattr(apart, "CHILD", textwrap.dedent(child))
    monkeypatch.setattr(apart, "TIMEOUT", 1.0 if "while" in child else 60.0)
    with pytest.raises(WeightsFileError, match=message) as caught:
        load_vgg16(path)
    assert str(path) in str(caught.value)
    assert caught.value.do


def prepared(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    """The real child, which runs some code before it answers."""
    before, line, after = apart.CHILD.partition("print(")
    assert line
    monkeypatch.setattr(apart, "CHILD", before + textwrap.dedent(code) + line + after)


IN_PLACE_OF_PARSING = """
import jaxvis.weights.apart, jaxvis.weights.keras
def make_plan(*_, **__):
    {code}
jaxvis.weights.keras.make_plan = make_plan
{more}
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs the limits of POSIX")
def test_processor_time_is_limited(tmp_path, monkeypatch):
    """The parent would wait for a minute."""
    code = IN_PLACE_OF_PARSING.format(
        code="while True: pass", more="jaxvis.weights.apart.PROCESSOR = 1"
    )
    prepared(monkeypatch, code)
    start = time.monotonic()
    with pytest.raises(WeightsFileError, match="HDF5 was still at it after 10 seconds"):
        load_vgg16(small_file(tmp_path))
    assert time.monotonic() - start < 30


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="no such limit on this system")
@pytest.mark.parametrize(("megabytes", "refused"), [(60, False), (150, True), (3000, True)])
def test_memory_is_limited(tmp_path, monkeypatch, megabytes, refused):
    """Beyond what Python and HDF5 have when they are loaded."""
    code = f"""
        import numpy, sys
        from jaxvis.weights.errors import WeightsFileError
        try:
            numpy.ones({megabytes} << 20, "u1")
        except MemoryError:
            raise WeightsFileError("refused the memory", do="nothing") from None
        raise WeightsFileError("had the memory", do="nothing")
    """
    lines = textwrap.indent(textwrap.dedent(code).strip(), "    ").strip()
    prepared(monkeypatch, IN_PLACE_OF_PARSING.format(code=lines, more=""))
    with pytest.raises(WeightsFileError, match="refused the" if refused else "had the memory"):
        load_vgg16(small_file(tmp_path))


@pytest.mark.parametrize("error", ["ValueError", "OSError"])
def test_a_limit_that_cannot_be_set_is_no_reason_to_refuse(tmp_path, monkeypatch, error):
    """As on macOS, where the address space cannot be limited; the others still are."""
    pytest.importorskip("resource")
    code = f"""
        import resource
        real = resource.setrlimit
        def setrlimit(what, limits):
            if what == resource.RLIMIT_AS:
                raise {error}("current limit exceeds maximum limit")
            real(what, limits)
        resource.setrlimit = setrlimit
    """
    prepared(monkeypatch, code)
    found, wanted = arrays_of(load_vgg16(small_file(tmp_path))), arrays_of(small_model())
    for name, array in wanted.items():
        np.testing.assert_array_equal(found[name], array)
    prepared(
        monkeypatch,
        IN_PLACE_OF_PARSING.format(
            code="while True: pass", more="jaxvis.weights.apart.PROCESSOR = 1"
        ),
    )
    with pytest.raises(WeightsFileError, match="HDF5 was still at it after 10 seconds"):
        load_vgg16(small_file(tmp_path))


def test_a_sound_file_needs_little(tmp_path, monkeypatch):
    """So that the limit is not met by accident: a tenth of it is enough."""
    prepared(monkeypatch, "import jaxvis.weights.apart as a; a.MEMORY //= 10\n")
    assert re.match("VGG16", type(load_vgg16(small_file(tmp_path))).__name__)
