import pytest

from jaxvis.gradients import devices, onednn


@pytest.fixture
def small(monkeypatch):
    """A layer that takes no time; windows reach to pixel 54."""
    monkeypatch.setattr(devices, "SHAPE", (1, 56, 56, 8))
    monkeypatch.setattr(devices, "KERNEL", (3, 3, 8, 8))


def test_errors_are_those_of_the_precision(small):
    found = {name: devices.speed(name, rounds=1) for name in ("highest", "bfloat16")}
    assert 0 < found["highest"].error < 1e-5
    assert 1e-3 < found["bfloat16"].error < 1e-2  # of 8 bits
    assert all(speed.gflops > 0 for speed in found.values())


def test_a_wrong_result_is_a_large_error(small, monkeypatch):
    monkeypatch.setattr(devices, "_run", lambda layer, *arrays: layer(*arrays)[:, ::-1])
    assert devices.speed("highest", rounds=1).error > 0.1


def test_the_device_says_what_is_asked_of_onednn(monkeypatch):
    monkeypatch.setattr(onednn, "is_asked", lambda dtype: dtype == "bfloat16")
    monkeypatch.setattr(onednn, "units", lambda dtype: "amx_bf16")
    assert devices.in_words().endswith("cores; bfloat16 by oneDNN, amx_bf16)")
    monkeypatch.setattr(onednn, "is_asked", lambda dtype: False)
    assert devices.in_words().endswith("cores)")
