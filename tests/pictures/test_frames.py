"""Frames as a GIF that Pillow reads back, and as one strip."""

import re

import numpy as np
import pytest
from PIL import Image

import jaxvis as jv
from jaxvis.pictures.frames import GAP, save_gif, strip


@pytest.fixture
def frames(rng):
    """Four pictures of few colours, which a GIF keeps exactly."""
    colours = rng.integers(0, 256, (40, 3), dtype=np.uint8)
    return colours[rng.integers(0, 40, (4, 33, 37))]


def read_back(path) -> tuple[np.ndarray, list[int]]:
    found, times = [], []
    with Image.open(path) as image:
        for number in range(image.n_frames):
            image.seek(number)
            found.append(np.asarray(image.convert("RGB")))
            times.append(image.info["duration"])
        assert image.info["loop"] == 0
    return np.stack(found), times


def test_a_gif_holds_the_frames_and_their_times(frames, tmp_path):
    path = save_gif(frames, tmp_path / "goose.gif", seconds=0.25, pause=2)
    assert path == tmp_path / "goose.gif"
    found, times = read_back(path)
    np.testing.assert_array_equal(found, frames)
    assert times == [250, 250, 250, 2000]
    assert [file.name for file in tmp_path.iterdir()] == ["goose.gif"]


def test_many_colours_come_close(rng, tmp_path):
    down, right = np.mgrid[:64, :64] / 63
    smooth = np.stack([255 * down, 255 * right, 255 * (1 - down)], axis=-1)
    frames = np.stack([smooth, smooth[::-1]]).astype(np.uint8)
    found, _ = read_back(save_gif(frames, tmp_path / "a.gif"))
    assert np.abs(found.astype(int) - frames).mean() < 8


def test_equal_frames_take_equal_time(frames, tmp_path):
    same = np.stack([frames[0], frames[0], frames[1]])
    found, times = read_back(save_gif(same, tmp_path / "a.gif", seconds=0.1, pause=1))
    np.testing.assert_array_equal(found[[0, -1]], frames[:2])
    assert sum(times) == 1200


def test_one_frame_is_a_gif(frames, tmp_path):
    with Image.open(save_gif(frames[:1], tmp_path / "a.GIF")) as image:
        np.testing.assert_array_equal(np.asarray(image.convert("RGB")), frames[0])


def test_equal_frames_give_equal_bytes(frames, tmp_path):
    first, second = (save_gif(frames, tmp_path / f"{i}.gif").read_bytes() for i in range(2))
    assert first == second


def test_a_failure_leaves_what_was_there(frames, tmp_path, monkeypatch):
    path = save_gif(frames, tmp_path / "a.gif")
    before = path.read_bytes()

    def fails(self, target, **options):
        target.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(Image.Image, "save", fails)
    with pytest.raises(OSError, match="disk full"):
        save_gif(frames[::-1], path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_strip_has_them_side_by_side(frames):
    found = strip(frames)
    assert found.shape == (33, 4 * 37 + 3 * GAP, 3)
    for number, frame in enumerate(frames):
        np.testing.assert_array_equal(found[:, number * (37 + GAP) :][:, :37], frame)
    assert np.all(found[:, 37 : 37 + GAP] == 255)


def test_a_strip_goes_on_in_the_next_row(frames):
    found = strip(frames, columns=3)
    assert found.shape == (2 * 33 + GAP, 3 * 37 + 2 * GAP, 3)
    np.testing.assert_array_equal(found[33 + GAP :, :37], frames[3])
    assert np.all(found[33 + GAP :, 37:] == 255)
    np.testing.assert_array_equal(strip(frames, columns=99), strip(frames))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.astype(np.float32), "uint8 (n, height, width, 3)"),
        (lambda f: f[0], "uint8 (n, height, width, 3)"),
        (lambda f: f[:0], "n at least 1"),
        (lambda f: f[:, None], "frames[:, 0]"),
    ],
)
def test_what_are_no_frames_is_said(frames, change, message, tmp_path):
    for call in (strip, lambda f: save_gif(f, tmp_path / "a.gif")):
        with pytest.raises(jv.InputError, match=re.escape(message)):
            call(change(frames))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("seconds", [0, -1, 700, np.nan, "1", True])
def test_times_that_a_gif_has_not_are_said(frames, seconds, tmp_path):
    for name in ("seconds", "pause"):
        with pytest.raises(jv.InputError, match=f"{name} is .*; wanted from 0.01"):
            save_gif(frames, tmp_path / "a.gif", **{name: seconds})


@pytest.mark.parametrize("columns", [0, 1.5, True])
def test_columns_are_a_whole_number(frames, columns):
    with pytest.raises(jv.InputError, match="columns is"):
        strip(frames, columns=columns)


def test_where_no_file_can_be_is_said(frames, tmp_path):
    with pytest.raises(jv.InputError, match="ends in .gif"):
        save_gif(frames, tmp_path / "a.png")
    with pytest.raises(FileNotFoundError, match="does not exist"):
        save_gif(frames, tmp_path / "none" / "a.gif")
    with pytest.raises(jv.InputError, match="65,535"):
        save_gif(np.zeros((1, 1, 65_536, 3), np.uint8), tmp_path / "a.gif")
