"""`jaxvis devices`: a row for each precision, and what follows from them."""

import pytest

from jaxvis.cli.main import main
from jaxvis.gradients import devices, onednn
from jaxvis.gradients.devices import Speed


@pytest.fixture
def jaxvis(capsys):
    def jaxvis(*arguments):
        code = main(arguments)
        return (code, *capsys.readouterr())

    return jaxvis


@pytest.fixture
def measured(monkeypatch):
    """Speeds as given, in place of measured ones."""

    def measured(**gflops):
        monkeypatch.setattr(devices, "speed", lambda name: Speed(gflops.get(name, 100.0), 2e-7))

    monkeypatch.setattr(onednn, "is_asked", lambda dtype: False)
    return measured


def test_a_row_for_each(jaxvis, measured):
    measured(bfloat16=250.0)
    code, out, err = jaxvis("devices")
    assert (code, err) == (0, "")
    rows = [line.split() for line in out.splitlines()]
    for name in devices.PRECISIONS:
        assert [name, "250" if name == "bfloat16" else "100", "2e-07"] in rows
    assert "bfloat16 is 2.5 times as fast as highest here." in out
    assert "JAXVIS_ONEDNN" not in out


@pytest.mark.parametrize(("old", "units", "said"), [
    (True, "amx_bf16", True), (False, "amx_bf16", False), (True, None, False),
])  # fmt: skip
def test_where_nothing_is_gained(jaxvis, measured, monkeypatch, old, units, said):
    measured(bfloat16=100.0)
    monkeypatch.setattr(onednn, "too_old", lambda: old)
    monkeypatch.setattr(onednn, "units", lambda dtype: units)
    out = jaxvis("devices")[1]
    assert "bfloat16 gains nothing here." in out
    assert ("This CPU has amx_bf16: JAX 0.12, on Python 3.12 or newer, uses it." in out) == said


def test_the_switch_is_named_where_it_does_something(jaxvis, measured, monkeypatch):
    measured()
    monkeypatch.setattr(onednn, "is_asked", lambda dtype: dtype == "float32")
    assert "JAXVIS_ONEDNN=0 turns oneDNN off." in jaxvis("devices")[1]
