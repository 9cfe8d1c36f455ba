"""Reading in the background: the order of the files, whatever each takes; broken ones are said."""

import threading
import time
from functools import partial

import numpy as np
import pytest
from PIL import Image

import jaxvis as jv
from jaxvis.pictures.files import load_image
from jaxvis.streaming.reading import read_batches

pytest.importorskip("grain")
SIZE = (32, 40)


def read(files, starts, batch, *, threads=None, load=load_image, resample="nearest"):
    one = partial(load, size=SIZE, resample=resample)
    return read_batches(files, starts, batch, one, (*SIZE, 3), threads=threads)


@pytest.fixture
def files(tmp_path, rng):
    found = []
    for number in range(10):
        pixels = rng.integers(0, 256, (40 + number, 50, 3), dtype=np.uint8)
        found.append(tmp_path / f"{number}.png")
        Image.fromarray(pixels).save(found[-1])
    return found


@pytest.mark.parametrize("threads", [1, 7])
def test_batches_are_those_of_load_images(files, threads):
    """In the order of the files, though earlier ones take longer."""

    def slow(path, **options):
        time.sleep(0.004 * (10 - int(path.stem)))
        return load_image(path, **options)

    wanted = jv.load_images(files, SIZE, resample="bilinear")
    for starts in ([0, 4, 8], [8, 0]):
        found = list(read(files, starts, 4, threads=threads, load=slow, resample="bilinear"))
        assert [one.start for one in found] == starts
        for one in found:
            np.testing.assert_array_equal(one.images, wanted[one.start : one.start + 4])
            assert one.broken == {}


def test_a_broken_and_a_vanished_image(files):
    files[1].write_bytes(files[1].read_bytes()[:100])
    files[6].unlink()
    wanted = jv.load_images([files[0], files[2], files[3]], SIZE)
    first, second, _ = read(files, [0, 4, 8], 4)
    assert list(first.broken) == [1]
    assert list(second.broken) == [6]
    assert str(files[1]) in first.broken[1]
    assert "no such file" in second.broken[6]
    np.testing.assert_array_equal(first.images[[0, 2, 3]], wanted)
    assert not first.images[1].any()
    assert not second.images[2].any()


def test_it_reads_while_the_first_batch_is_used(files):
    seen, further = [], threading.Event()

    def noted(path, **options):
        seen.append(path)
        if len(seen) > 5:
            further.set()
        return load_image(path, **options)

    batches = read(files, range(0, 10, 2), 2, threads=1, load=noted)
    next(batches)
    assert further.wait(10)  # of a batch of two


def test_what_is_no_image_error_is_raised(files):
    with pytest.raises(ValueError, match="unknown|wanted one of"):
        list(read(files, [0], 4, resample="odd"))
