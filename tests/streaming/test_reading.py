"""Reading in the background: the order of the files, whatever each takes; broken ones are said."""

import threading
import time

import numpy as np
import pytest
from PIL import Image

import jaxvis as jv
from jaxvis.streaming import reading

pytest.importorskip("grain")
SIZE = (32, 40)


@pytest.fixture
def files(tmp_path, rng):
    found = []
    for number in range(10):
        pixels = rng.integers(0, 256, (40 + number, 50, 3), dtype=np.uint8)
        found.append(tmp_path / f"{number}.png")
        Image.fromarray(pixels).save(found[-1])
    return found


@pytest.mark.parametrize("threads", [1, 7])
def test_batches_are_those_of_load_images(files, threads, monkeypatch):
    """In the order of the files, though earlier ones take longer."""
    load = reading.load_image

    def slow(path, size, **options):
        time.sleep(0.004 * (10 - int(path.stem)))
        return load(path, size, **options)

    monkeypatch.setattr(reading, "load_image", slow)
    wanted = jv.load_images(files, SIZE, resample="bilinear")
    for starts in ([0, 4, 8], [8, 0]):
        found = list(reading.read_batches(files, starts, 4, SIZE, "bilinear", threads=threads))
        assert [one.start for one in found] == starts
        for one in found:
            np.testing.assert_array_equal(one.images, wanted[one.start : one.start + 4])
            assert one.broken == {}


def test_a_broken_and_a_vanished_image(files):
    files[1].write_bytes(files[1].read_bytes()[:100])
    files[6].unlink()
    wanted = jv.load_images([files[0], files[2], files[3]], SIZE)
    first, second, _ = reading.read_batches(files, [0, 4, 8], 4, SIZE, "nearest")
    assert list(first.broken) == [1]
    assert list(second.broken) == [6]
    assert str(files[1]) in first.broken[1]
    assert "no such file" in second.broken[6]
    np.testing.assert_array_equal(first.images[[0, 2, 3]], wanted)
    assert not first.images[1].any()
    assert not second.images[2].any()


def test_it_reads_while_the_first_batch_is_used(files, monkeypatch):
    load, seen, further = reading.load_image, [], threading.Event()

    def noted(path, size, **options):
        seen.append(path)
        if len(seen) > 5:
            further.set()
        return load(path, size, **options)

    monkeypatch.setattr(reading, "load_image", noted)
    batches = reading.read_batches(files, range(0, 10, 2), 2, SIZE, "nearest", threads=1)
    next(batches)
    assert further.wait(10)  # of a batch of two


def test_what_is_no_image_error_is_raised(files):
    with pytest.raises(ValueError, match="unknown|wanted one of"):
        list(reading.read_batches(files, [0], 4, SIZE, "odd"))
