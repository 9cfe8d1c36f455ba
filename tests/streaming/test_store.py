"""The store: what is read is what was written, and whatever a killed run leaves goes on."""

import itertools
import json
import os

import numpy as np
import pytest

from jaxvis.errors import InputError, OutputError
from jaxvis.streaming.store import BROKEN, DONE, WAITING, Array, created, opened

ARRAYS = {
    "saliency": Array((4, 5), "float16", ("row", "column"), {"title": "Saliency"}),
    "grad_cam": Array((2, 3), "float32", ("layer_row", "layer_column")),
    "classes": Array((), "int32", ()),
}
COUNT, BATCH = 10, 4  # the last batch is not full


def values(start, rng):
    n = min(BATCH, COUNT - start)
    return {
        "saliency": rng.normal(size=(BATCH, 4, 5)).astype(np.float16),  # filled up, and cut
        "grad_cam": rng.normal(size=(n, 2, 3)).astype(np.float32),
        "classes": rng.integers(0, 9, n).astype(np.int32),
    }


def written(store, rng, starts=range(0, COUNT, BATCH)):
    batches = {start: values(start, rng) for start in starts}
    pending = [
        store.write(start, batch, np.full(min(BATCH, COUNT - start), DONE, np.uint8))
        for start, batch in batches.items()
    ]
    for one in pending:
        one.result()
    return {
        name: np.concatenate([batch[name][: COUNT - start] for start, batch in batches.items()])
        for name in ARRAYS
    }


def test_what_is_read_is_what_was_written(tmp_path, rng):
    store = created(tmp_path / "a.zarr", COUNT, BATCH, ARRAYS, {"names": list("abcdefghij")})
    wanted = written(store, rng)
    again = opened(tmp_path / "a.zarr")
    assert (again.count, again.batch) == (COUNT, BATCH)
    assert again.attributes["names"] == list("abcdefghij")
    np.testing.assert_array_equal(again.state(), np.full(COUNT, DONE))
    for name, array in wanted.items():
        found = again.read(name)
        assert found.dtype == array.dtype
        np.testing.assert_array_equal(found, array)
    np.testing.assert_array_equal(again.read("grad_cam", slice(3, 7)), wanted["grad_cam"][3:7])
    again.note(seconds=3)
    assert opened(tmp_path / "a.zarr").attributes["seconds"] == 3


def test_other_programs_read_it(tmp_path, rng):
    zarr, xarray = pytest.importorskip("zarr"), pytest.importorskip("xarray")
    store = created(tmp_path / "a.zarr", COUNT, BATCH, ARRAYS, {"network": "demo"})
    wanted = written(store, rng)
    group = zarr.open(tmp_path / "a.zarr", mode="r")
    assert group.attrs["network"] == "demo"
    assert group["saliency"].attrs["title"] == "Saliency"
    for name, array in wanted.items():
        np.testing.assert_array_equal(group[name][:], array)
    data = xarray.open_zarr(tmp_path / "a.zarr", consolidated=False)
    assert data["grad_cam"].dims == ("image", "layer_row", "layer_column")
    np.testing.assert_array_equal(data["grad_cam"].values, wanted["grad_cam"])


def test_a_batch_counts_once_all_of_it_is_there(tmp_path, rng):
    store = created(tmp_path / "a.zarr", COUNT, BATCH, ARRAYS, {})
    state = np.array([DONE, BROKEN, DONE, DONE], np.uint8)
    pending = store.write(4, values(4, rng), state)
    for one in pending._data:
        one.result()
    assert opened(tmp_path / "a.zarr").state().tolist() == [WAITING] * COUNT
    pending.result()
    expected = [WAITING] * 4 + state.tolist() + [WAITING] * 2
    assert opened(tmp_path / "a.zarr").state().tolist() == expected
    assert np.isnan(store.read("grad_cam", slice(0, 4))).all()
    assert (store.read("classes", slice(0, 4)) == 0).all()


def test_whatever_is_left_while_a_group_is_made(tmp_path, rng):
    """Killed after any file that making a group writes, it is made again; a whole one is kept."""
    whole = tmp_path / "whole.zarr"
    created(whole, COUNT, BATCH, ARRAYS, {})
    order = ["jaxvis.json", *(f"{name}/zarr.json" for name in (*ARRAYS, "state")), "zarr.json"]
    found = sorted(str(p.relative_to(whole)) for p in whole.rglob("*.json"))
    assert found == sorted(order[1:])  # the first one goes when the group is whole
    (whole / order[0]).write_text("{}")
    for kept in range(len(order)):
        path = tmp_path / f"{kept}.zarr"
        for name in order[:kept]:
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            (path / name).write_bytes((whole / name).read_bytes())
        assert opened(path) is None
        wanted = written(created(path, COUNT, BATCH, ARRAYS, {}), rng)
        np.testing.assert_array_equal(opened(path).read("grad_cam"), wanted["grad_cam"])
    with pytest.raises(OutputError, match="results are there already"):
        created(whole, COUNT, BATCH, ARRAYS, {})


def test_the_group_is_written_last(tmp_path, monkeypatch):
    """Interrupted at any of its steps, making a group leaves none that looks whole."""
    import tensorstore

    for steps in itertools.count():
        path, left = tmp_path / f"{steps}.zarr", [steps]
        real = tensorstore.open

        def limited(*args, left=left, real=real, **kwargs):
            if left[0] == 0:
                raise KeyboardInterrupt
            left[0] -= 1
            return real(*args, **kwargs)

        monkeypatch.setattr(tensorstore, "open", limited)
        try:
            created(path, COUNT, BATCH, ARRAYS, {})
            break
        except KeyboardInterrupt:
            assert opened(path) is None
        finally:
            monkeypatch.setattr(tensorstore, "open", real)
    assert steps == len(ARRAYS) + 1


def test_what_others_wrote_stays(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match=r"did not write, notes\.txt; wanted a new folder"):
        created(tmp_path / "mine", COUNT, BATCH, ARRAYS, {})
    assert os.listdir(tmp_path / "mine") == ["notes.txt"]
    (tmp_path / "theirs").mkdir()
    group = {"zarr_format": 3, "node_type": "group", "attributes": {}}
    (tmp_path / "theirs" / "zarr.json").write_text(json.dumps(group))
    with pytest.raises(InputError, match="not one of maps that this jaxvis reads"):
        opened(tmp_path / "theirs")
    assert opened(tmp_path / "nothing") is None
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OutputError):
        created(tmp_path / "file", COUNT, BATCH, ARRAYS, {})
