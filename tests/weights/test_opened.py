"""A file that is replaced or written to while it is loaded: one of the two, or an error."""

import os
import threading
import time
from pathlib import Path

import h5py
import numpy as np
import pytest
from h5_cases import KERNEL, arrays_of, small_file

from jaxvis.models.vgg16 import VGG16
from jaxvis.weights import apart, arrays, hdf5, load
from jaxvis.weights.errors import WeightsFileError
from jaxvis.weights.keras import make_plan
from jaxvis.weights.load import load_vgg16
from jaxvis.weights.opened import opened
from jaxvis.weights.save import save_vgg16

CHANGED = "changed while it was read, and what was read may be neither of the two; wait until it"


@pytest.fixture
def two(tmp_path):
    """Two sound files of one shape with other numbers, without checksums."""
    paths = []
    for number in range(2):
        path = small_file(tmp_path, lambda file: None, f"{number}.h5")
        with h5py.File(path, "r+") as file:
            for layer in file.values():
                for data in layer.values():
                    data[...] = number + 1
        paths.append(path)
    return paths


def swap(path: Path, other: Path) -> None:
    """Put a copy of the other file in the place of the first."""
    copy = path.with_name("copy")
    copy.write_bytes(other.read_bytes())
    os.replace(copy, path)


def before(monkeypatch: pytest.MonkeyPatch, module: object, name: str, do) -> None:
    """Have something happen before the first call of a function."""
    real, done = getattr(module, name), []

    def wrapped(*args: object, **options: object) -> object:
        if not done:
            done.append(True)
            do()
        return real(*args, **options)

    monkeypatch.setattr(module, name, wrapped)


MOMENTS = [(apart, "_ask"), (load, "read_arrays"), (arrays, "_read_block")]


@pytest.mark.parametrize(("module", "name"), MOMENTS, ids=["parse", "read", "read an array"])
@pytest.mark.parametrize("how", ["replaced", "written"])
def test_changed_in_between(two, monkeypatch, module, name, how):
    path, other = two

    def change():
        if how == "replaced":
            swap(path, other)
        else:
            with h5py.File(path, "r+") as file:
                file[KERNEL][0, 0] = 9

    before(monkeypatch, module, name, change)
    with pytest.raises(WeightsFileError, match=CHANGED) as caught:
        load_vgg16(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert load_vgg16(path) is not None


def test_changed_behind_the_last_array(two, monkeypatch):
    """All arrays are read, from one file, but nobody can tell."""
    path, other = two
    pool = arrays.ThreadPoolExecutor

    class Late(pool):
        def shutdown(self, *args, **options):
            super().shutdown(*args, **options)
            swap(path, other)

    monkeypatch.setattr(arrays, "ThreadPoolExecutor", Late)
    with pytest.raises(WeightsFileError, match=CHANGED):
        load_vgg16(path)


def test_changed_while_hdf5_parses(two, monkeypatch):
    path, other = two
    before(monkeypatch, hdf5, "check_start", lambda: swap(path, other))
    with pytest.raises(WeightsFileError, match=CHANGED):
        make_plan(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes on this system")
@pytest.mark.parametrize("kind", ["pipe", "device", "folder"])
@pytest.mark.parametrize(("module", "name"), MOMENTS, ids=["parse", "read", "read an array"])
def test_something_else_is_swapped_in(two, monkeypatch, module, name, kind):
    """A pipe would be waited for, and a device be read as zeros."""
    path = two[0]

    def change():
        path.unlink()
        if kind == "pipe":
            os.mkfifo(path)
        elif kind == "device":
            path.symlink_to("/dev/zero")
        else:
            path.mkdir()

    before(monkeypatch, module, name, change)
    found: list[object] = []

    def attempt():
        try:
            found.append(load_vgg16(path))
        except WeightsFileError as error:
            found.append(str(error))

    thread = threading.Thread(target=attempt, daemon=True)
    thread.start()
    thread.join(timeout=30)
    assert len(found) == 1, "still waiting"
    wanted = "a folder" if kind == "folder" else "a pipe or device"
    assert f"found {wanted}, wanted Keras's .keras or .h5" in str(found[0]) or CHANGED in str(
        found[0]
    )


def test_replaced_at_random_moments(two, tmp_path):
    """A loader and somebody who replaces the file for ever."""
    first, second = two
    path = tmp_path / "path.h5"
    swap(path, first)
    stop = threading.Event()
    rng = np.random.default_rng(0)
    took = [0.15]  # seconds that the last attempt took: on a busy computer, many times as long

    def replace_for_ever():
        while not stop.is_set():
            for replacement in (second, first):
                swap(path, replacement)
                stop.wait(rng.uniform(0, 2 * took[-1]))

    thread = threading.Thread(target=replace_for_ever)
    thread.start()
    outcomes = {"loaded": 0, "refused": 0}
    others: list[Exception] = []
    try:
        deadline = time.monotonic() + 60
        while min(outcomes.values()) < 3 and time.monotonic() < deadline:
            start = time.monotonic()
            try:
                model = load_vgg16(path)
            except WeightsFileError as error:
                took.append(max(took[-1], time.monotonic() - start))
                outcomes["refused"] += CHANGED in str(error)
                others += [] if CHANGED in str(error) else [error]
            else:
                values = np.concatenate([array.ravel() for array in arrays_of(model).values()])
                assert set(values.tolist()) in ({1.0}, {2.0})
                outcomes["loaded"] += 1
    finally:
        stop.set()
        thread.join()
    assert others == []
    assert min(outcomes.values()) >= 3, outcomes


def test_a_file_that_stays_is_the_same_to_all(two):
    with opened(two[0]) as file:
        assert file.read(8) == b"\x89HDF\r\n\x1a\n"
    plan = make_plan(two[0])
    with opened(two[0], plan.identity), pytest.raises(WeightsFileError, match=CHANGED):
        make_plan(two[1], identity=plan.identity)


def test_notices_a_save_to_the_same_name(tmp_path, monkeypatch):
    """What `save_vgg16` does while another process loads."""
    models = [VGG16(width=1 / 64, classes=10, fc=16, size=32, seed=seed) for seed in (1, 2)]
    path = tmp_path / "m.h5"
    save_vgg16(models[0], path)
    before(monkeypatch, load, "read_arrays", lambda: save_vgg16(models[1], path))
    with pytest.raises(WeightsFileError, match=CHANGED):
        load_vgg16(path)
    for name, array in arrays_of(models[1]).items():
        np.testing.assert_array_equal(arrays_of(load_vgg16(path))[name], array)


def test_the_name_that_was_meant(tmp_path):
    (tmp_path / "fine_tuned.keras").touch()
    with pytest.raises(WeightsFileError, match=r"no such file; did you mean .*fine_tuned.keras\?"):
        load_vgg16(tmp_path / "fine_tunde.keras")


def test_a_saved_model_is_named(tmp_path):
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / "saved_model.pb").touch()
    with pytest.raises(WeightsFileError, match=r"a SavedModel, wanted .* model.save\(\"name"):
        load_vgg16(tmp_path / "saved")
