import glob
import os
import re
import socket
import struct
import subprocess
import sys
import threading
import warnings
import zlib
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")

import numpy as np
import pytest
from matplotlib import cbook
from PIL import Image

from jaxvis.errors import InputTypeError
from jaxvis.pictures import decode, limits
from jaxvis.pictures.files import RESAMPLING, ImageError, find_images, load_image, load_images
from jaxvis.pictures.find import SUFFIXES

PHOTOGRAPH = Path(cbook.get_sample_data("grace_hopper.jpg", asfileobj=False))


@pytest.fixture(scope="module")
def keras():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what Keras's own import warns of is not ours
        return pytest.importorskip("keras")


def pattern(height=40, width=48):
    """RGB blocks of 4 x 4 pixels, so that a lossy format keeps their colours."""
    blocks = np.random.default_rng(0).integers(0, 256, (height // 4, width // 4, 3), np.uint8)
    return np.kron(blocks, np.ones((4, 4, 1), np.uint8))


def save(folder, name, image, **options):
    path = folder / name
    Image.fromarray(image).save(path, **options) if isinstance(image, np.ndarray) else image.save(
        path, **options
    )
    return path


def same_size(path):
    """Load at the file's own size, so that pixels can be compared one by one."""
    with Image.open(path) as image:
        return load_image(path, (image.height, image.width))


def png(path, width, height, depth, colour, rows, chunks=()):
    """Write a PNG by hand: Pillow cannot write 16-bit RGB, nor lie about a size."""

    def chunk(kind, content):
        check = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + check

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    body = b"".join(b"\0" + row for row in rows)
    parts = [(b"IHDR", header), *chunks, (b"IDAT", zlib.compress(body)), (b"IEND", b"")]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts))
    return path


# Formats and pixel types


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif", "ppm", "webp", "gif", "jpg", "mpo"])
def test_formats(tmp_path, suffix):
    options = {"webp": {"lossless": True}, "jpg": {"quality": 100, "subsampling": 0}}
    wanted = pattern()
    if suffix == "gif":  # 120 blocks fit into its 256 colours
        path = save(tmp_path, "a.gif", Image.fromarray(wanted).quantize(256))
        wanted = np.array(Image.fromarray(wanted).quantize(256).convert("RGB"))
    else:
        path = save(tmp_path, f"a.{suffix}", wanted, **options.get(suffix, {}))
    found = same_size(path)
    assert found.dtype == np.uint8
    assert found.flags.writeable
    if suffix in ("jpg", "mpo"):
        assert np.abs(found.astype(int) - wanted).mean() < (3 if suffix == "jpg" else 25)
    else:
        np.testing.assert_array_equal(found, wanted)


def test_format_is_known_by_content_not_by_suffix(tmp_path):
    path = save(tmp_path, "photo.jpg", pattern(), format="PNG")
    np.testing.assert_array_equal(same_size(path), pattern())


def test_first_frame(tmp_path):
    frames = [np.full((40, 40), level, np.uint8) for level in (10, 200)]
    first, second = (Image.fromarray(frame) for frame in frames)
    for name in ("a.gif", "a.webp", "a.png", "a.tif"):
        options = {"lossless": True} if name == "a.webp" else {}
        path = save(tmp_path, name, first, save_all=True, append_images=[second], **options)
        assert (load_image(path) == 10).all()


def test_grey_one_bit_and_palette(tmp_path):
    grey = pattern()[..., 0]
    wanted = np.repeat(grey[..., None], 3, axis=-1)
    np.testing.assert_array_equal(same_size(save(tmp_path, "l.png", grey)), wanted)
    bits = same_size(save(tmp_path, "1.png", grey > 99))
    np.testing.assert_array_equal(bits, np.where(wanted > 99, 255, 0))
    indexed = Image.fromarray(grey // 64)
    indexed = Image.frombytes("P", indexed.size, indexed.tobytes())
    colours = np.array([[255, 0, 0], [0, 200, 0], [0, 0, 100], [9, 8, 7]], np.uint8)
    indexed.putpalette(colours.tobytes())
    path = save(tmp_path, "p.png", indexed)
    np.testing.assert_array_equal(same_size(path), colours[grey // 64])
    # Colour 1 is transparent, colour 2 half so.
    path = save(tmp_path, "pt.png", indexed, transparency=bytes([255, 0, 128, 255]))
    over = over_white(colours, np.array([255, 0, 128, 255]))
    assert np.abs(same_size(path) - over[grey // 64]).max() <= 1
    path = save(tmp_path, "pt.gif", indexed, transparency=1)
    colours[1] = 255
    np.testing.assert_array_equal(same_size(path), colours[grey // 64])


def over_white(rgb, alpha):
    share = alpha[..., None] / 255
    return rgb * share + 255 * (1 - share)


@pytest.mark.parametrize("name", ["a.png", "a.webp", "a.tif"])
def test_transparency_goes_over_white(tmp_path, name):
    rgb, alpha = pattern(), pattern()[::-1, :, 0]
    options = {"lossless": True, "exact": True} if name == "a.webp" else {}
    path = save(tmp_path, name, np.dstack([rgb, alpha]), **options)
    assert np.abs(same_size(path) - over_white(rgb, alpha)).max() <= 1
    if name != "a.webp":  # grey with transparency
        path = save(tmp_path, "la" + name, np.dstack([rgb[..., 0], alpha]))
        wanted = over_white(np.repeat(rgb[..., :1], 3, axis=-1), alpha)
        assert np.abs(same_size(path) - wanted).max() <= 1


def test_one_transparent_colour(tmp_path):
    rgb = pattern()
    key = tuple(int(v) for v in rgb[0, 0])
    path = save(tmp_path, "rgb.png", rgb, transparency=key)
    wanted = np.where((rgb == np.array(key)).all(axis=-1, keepdims=True), 255, rgb)
    np.testing.assert_array_equal(same_size(path), wanted)
    path = save(tmp_path, "l.png", rgb[..., 0], transparency=key[0])
    grey = np.where(rgb[..., :1] == key[0], 255, rgb[..., :1])
    np.testing.assert_array_equal(same_size(path), np.repeat(grey, 3, axis=-1))


def test_cmyk(tmp_path):
    cmyk = np.zeros((40, 80, 4), np.uint8)
    cmyk[:, 40:] = (0, 255, 255, 0)  # magenta and yellow ink: red; no ink: white
    image = Image.frombytes("CMYK", (80, 40), cmyk.tobytes())
    for name in ("a.jpg", "a.tif"):
        found = same_size(save(tmp_path, name, image)).astype(int)
        assert np.abs(found[:, :32] - 255).max() <= 3
        assert np.abs(found[:, 48:] - np.array([255, 0, 0])).max() <= 3


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.pgm"])
def test_16_bit_grey_is_scaled_not_clipped(tmp_path, name):
    values = np.linspace(0, 65535, 64 * 64).round().astype(np.uint16).reshape(64, 64)
    if name == "a.pgm":
        (tmp_path / name).write_bytes(b"P5 64 64 65535\n" + values.astype(">u2").tobytes())
        path = tmp_path / name
    else:
        path = save(tmp_path, name, values)
    found = load_image(path, (64, 64))
    wanted = np.array([[round(int(v) / 257) for v in row] for row in values])
    np.testing.assert_array_equal(found, np.repeat(wanted[..., None], 3, axis=-1))
    assert found.max() == 255
    assert len(np.unique(found)) == 256


def test_16_bit_grey_in_either_byte_order(tmp_path):
    values = np.linspace(0, 65535, 64 * 64).astype(np.uint16).reshape(64, 64)
    wanted = load_image(save(tmp_path, "little.tif", values), (64, 64))
    # A TIFF by hand, "MM": big-endian, one strip behind the directory of 8 entries.
    tags = [(256, 64), (257, 64), (258, 16), (259, 1), (262, 1), (273, 110), (277, 1), (279, 8192)]
    entries = b"".join(struct.pack(">HHIHH", tag, 3, 1, value, 0) for tag, value in tags)
    head = b"MM" + struct.pack(">HIH", 42, 8, len(tags)) + entries + bytes(4)
    path = tmp_path / "big.tif"
    path.write_bytes(head + values.astype(">u2").tobytes())
    assert len(head) == 110
    np.testing.assert_array_equal(load_image(path, (64, 64)), wanted)


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.pgm"])
@pytest.mark.parametrize(("most", "bits"), [(4095, 12), (1023, 10), (200, 8), (3, 8)])
def test_fewer_bits_than_the_file_has(tmp_path, name, most, bits):
    """What a microscope's camera of 12 bits leaves in a file of 16 would be almost black."""
    values = np.linspace(0, most, 64 * 64).round().astype(np.uint16).reshape(64, 64)
    path = tmp_path / name
    if name == "a.pgm":
        path.write_bytes(b"P5 64 64 65535\n" + values.astype(">u2").tobytes())
    else:
        save(tmp_path, name, values)
    assert error_of(path) == (
        f"values up to {most:,} of 65,535: looks like {bits} bits, which would be almost black; "
        "scale it to 0..65535, or save it as 8 bits"
    )


def test_16_bits_that_are_dark_or_black(tmp_path):
    values = np.zeros((64, 64), np.uint16)
    assert load_image(save(tmp_path, "black.png", values)).max() == 0
    values[5, 5] = 4096  # one pixel of 16 bits is enough
    found = load_image(save(tmp_path, "dark.png", values), (64, 64))
    assert found.max() == found[5, 5, 0] == 16


def test_12_bits_in_16_bit_colour(tmp_path):
    values = np.random.default_rng(0).integers(0, 4096, (40, 40, 4)).astype(">u2")
    values[..., 3] = 65535
    for colour, count in ((2, 3), (6, 4)):
        rows = [row.tobytes() for row in values[..., :count]]
        path = png(tmp_path / f"{count}.png", 40, 40, 16, colour, rows)
        assert error_of(path).startswith("values up to 4,095 of 65,535: looks like 12 bits")


def test_16_bit_colour_png(tmp_path):
    values = np.random.default_rng(0).integers(0, 65536, (40, 40, 4)).astype(">u2")
    path = png(tmp_path / "rgb.png", 40, 40, 16, 2, [row.tobytes() for row in values[..., :3]])
    # Pillow keeps the upper byte, which is at most one level off.
    assert np.abs(same_size(path) - values[..., :3] / 257).max() <= 1
    path = png(tmp_path / "rgba.png", 40, 40, 16, 6, [row.tobytes() for row in values])
    wanted = over_white(values[..., :3] / 257, values[..., 3] / 257)
    assert np.abs(same_size(path) - wanted).max() < 3  # one level of colour, one of alpha, rounding


TURNS = {  # what the camera did, undone: EXIF 2.32, tag 274
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: a.transpose(1, 0, 2)[:, ::-1],
    7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
    8: lambda a: a.transpose(1, 0, 2)[::-1],
}


@pytest.mark.parametrize("orientation", TURNS)
@pytest.mark.parametrize("suffix", ["png", "webp", "tif"])
def test_exif_orientation(tmp_path, orientation, suffix):
    exif = Image.Exif()
    exif[274] = orientation
    options = {"lossless": True} if suffix == "webp" else {}
    path = save(tmp_path, f"a.{suffix}", pattern(), exif=exif, **options)
    wanted = TURNS[orientation](pattern())
    np.testing.assert_array_equal(load_image(path, wanted.shape[:2]), wanted)


def test_large_images_are_converted_in_bands(tmp_path, monkeypatch):
    """Bands of few rows give what one band gives."""
    rgba = np.dstack([pattern(), pattern()[::-1, :, 0]])
    deep = np.linspace(0, 65535, 48 * 40).astype(np.uint16).reshape(48, 40)
    exif = Image.Exif()
    exif[274] = 6
    paths = [
        save(tmp_path, "rgba.png", rgba, exif=exif),
        save(tmp_path, "p.png", Image.fromarray(rgba[..., :3]).quantize(99), exif=exif),
        save(tmp_path, "deep.png", deep),
        save(tmp_path, "cmyk.tif", Image.fromarray(rgba[..., :3]).convert("CMYK")),
    ]
    wanted = [load_image(path, (48, 48)) for path in paths]
    monkeypatch.setattr(decode, "_BAND", 100)
    for path, whole in zip(paths, wanted, strict=True):
        np.testing.assert_array_equal(load_image(path, (48, 48)), whole)


# Resizing, against Keras and by hand


def test_photograph_equals_keras(keras):
    wanted = keras.utils.img_to_array(
        keras.utils.load_img(PHOTOGRAPH, target_size=(224, 224)), dtype="uint8"
    )
    found = load_images([PHOTOGRAPH])
    assert found.shape == (1, 224, 224, 3)
    np.testing.assert_array_equal(found[0], wanted)
    assert found.std() > 30  # a photograph, not a blank


@pytest.mark.parametrize("resample", RESAMPLING)
def test_filters_equal_keras(keras, tmp_path, resample):
    path = save(tmp_path, "a.png", pattern(60, 88))
    size = (32, 150)  # height shrinks, width grows
    wanted = keras.utils.load_img(path, target_size=size, interpolation=resample)
    np.testing.assert_array_equal(load_image(path, size, resample=resample), np.array(wanted))


@pytest.mark.parametrize("size", [(33, 47), (32, 48), (224, 224), (112, 7)])
def test_nearest_by_hand(tmp_path, size):
    source = np.random.default_rng(1).integers(0, 256, (65, 94, 3), np.uint8)
    found = load_image(save(tmp_path, "a.png", source), size)
    height, width = size
    wanted = np.empty((height, width, 3), np.uint8)
    for i in range(height):
        for j in range(width):
            wanted[i, j] = source[int((i + 0.5) * 65 / height), int((j + 0.5) * 94 / width)]
    np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("size", [224, (224,), (0, 224), (224, 224, 3), (10.0, 10), "ab"])
def test_impossible_sizes(size):
    message = f"size is {size!r}; wanted (height, width) in pixels, such as (224, 224)"
    for load in (load_image, load_images):
        with pytest.raises(ValueError, match=re.escape(message)):
            load(PHOTOGRAPH, size)


def test_unknown_filter():
    message = "resample is 'cubic'; wanted one of nearest, box, bilinear, hamming, bicubic, lanczos"
    for load in (load_image, load_images):
        with pytest.raises(ValueError, match=message):
            load(PHOTOGRAPH, resample="cubic")


# Files that cannot serve


def error_of(source, load=load_image):
    with pytest.raises(ImageError) as caught:
        load(source)
    message = str(caught.value)
    assert isinstance(caught.value, ValueError)
    assert message.startswith(f"{source}: ")
    return message.removeprefix(f"{source}: ")


@pytest.mark.parametrize("load", [load_image, load_images, find_images])
def test_missing_file(tmp_path, load):
    save(tmp_path, "Goose_1.jpg", pattern())
    near = f"no such file; did you mean {tmp_path / 'Goose_1.jpg'}?"
    assert error_of(tmp_path / "goose1.jpg", load) == near
    assert error_of(tmp_path / "xyz", load) == "no such file; check the spelling"
    nowhere = tmp_path / "no" / "goose.jpg"
    assert error_of(nowhere, load) == (
        f"no such file, nor a folder {tmp_path / 'no'}; check the path"
    )
    inside_a_file = tmp_path / "Goose_1.jpg" / "a.png"
    assert "no such file, nor a folder" in error_of(inside_a_file, load)


def test_dangling_link(tmp_path):
    (tmp_path / "a.jpg").symlink_to("gone.jpg")
    assert error_of(tmp_path / "a.jpg", load_images).startswith("no such file; ")
    (tmp_path / "b.jpg").symlink_to("b.jpg")
    assert "truncated or damaged" in error_of(tmp_path / "b.jpg")  # a link to itself


def test_empty_file_and_folder_for_a_file(tmp_path):
    (tmp_path / "a.jpg").touch()
    wanted = "the file is empty, 0 bytes; fetch or export it again"
    assert error_of(tmp_path / "a.jpg") == wanted
    assert error_of(tmp_path) == "a folder; wanted a file (load_images takes a folder, too)"


@pytest.mark.parametrize("content", [b"hello, world\n" * 99, b"%!PS-Adobe-3.0 EPSF-3.0\n", b"\xff"])
def test_no_image(tmp_path, content):
    path = tmp_path / "a.jpg"
    path.write_bytes(content)
    assert error_of(path) == (
        "not an image; wanted JPEG, PNG, WEBP, BMP, GIF, TIFF, PPM: convert it, or fetch it again"
    )


def test_formats_beyond_the_list_are_not_parsed(tmp_path):
    for name in ("a.eps", "a.pcx", "a.tga", "a.ico"):
        path = save(tmp_path, name, pattern(64, 64))
        Image.open(path).close()  # Pillow would read it
        assert error_of(path).startswith("not an image; ")


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "bmp", "gif", "tif", "ppm"])
def test_every_truncation_is_noticed(tmp_path, suffix):
    path = save(tmp_path, f"a.{suffix}", pattern(32, 32))
    content, wanted = path.read_bytes(), same_size(path)
    messages = set()
    for kept in {1, 20, *(len(content) * np.arange(1, 40) // 40), len(content) - 5}:
        path.write_bytes(content[:kept])
        try:
            found = load_image(path, (32, 32))
        except ImageError as error:
            messages.add(str(error).removeprefix(f"{path}: ")[:12])
        else:  # only bytes behind the last pixel may be missing, such as an end marker
            np.testing.assert_array_equal(found, wanted)
            assert kept > 0.9 * len(content)
    assert messages == {"not an image", "truncated or"}


def test_truncated_message(tmp_path):
    content = PHOTOGRAPH.read_bytes()
    path = tmp_path / "half.jpg"
    path.write_bytes(content[: len(content) // 2])
    message = error_of(path)
    assert message.startswith("truncated or damaged, Pillow says: image file is truncated")
    assert message.endswith("; fetch or export it again")


def test_damage_never_escapes_as_another_error(tmp_path):
    rng = np.random.default_rng(0)
    exif = Image.Exif()
    exif[274] = 6
    for suffix in ("jpg", "png", "webp", "bmp", "gif", "ppm"):
        options = {"exif": exif} if suffix in ("jpg", "png", "webp") else {}
        path = save(tmp_path, f"a.{suffix}", pattern(32, 32), **options)
        content = np.frombuffer(path.read_bytes(), np.uint8)
        refused = 0
        for _ in range(40):
            damaged = content.copy()
            where = rng.integers(0, min(len(content), 400), 3)
            damaged[where] = rng.integers(0, 256, 3)
            path.write_bytes(damaged.tobytes())
            try:
                load_image(path, (8, 8))
            except ImageError:
                refused += 1
        assert refused > 0


def test_too_small(tmp_path):
    path = save(tmp_path, "a.png", np.zeros((31, 400, 3), np.uint8))
    assert error_of(path) == (
        "400 x 31 pixels, too small to mean anything; wanted at least 32 on each side: "
        "take a larger image"
    )
    assert load_image(save(tmp_path, "b.png", np.zeros((32, 32, 3), np.uint8))).sum() == 0


@pytest.mark.parametrize(
    ("width", "height"), [(8367, 8367), (50000, 50000), (2**31 - 1, 2**31 - 1)]
)
def test_decompression_bomb(tmp_path, width, height):
    assert 4 * width * height > limits.MEMORY == 280_000_000
    path = png(tmp_path / "bomb.png", width, height, 8, 2, [])
    assert error_of(path) == (  # a warning, as Pillow gives, would be an error here
        f"{width} x {height} pixels, which take {4 * width * height / 1e6:,.0f} MB to decode; "
        "wanted at most 280 MB: make it smaller, or a JPEG"
    )


@pytest.mark.parametrize(("dtype", "mode"), [(np.float32, "F"), (np.int32, "I")])
def test_pixels_of_unknown_range(tmp_path, dtype, mode):
    path = save(tmp_path, "a.tif", np.zeros((40, 40), dtype))
    assert error_of(path) == (
        f"pixels of type {mode}, whose range is unknown; wanted 8 or 16 bits per channel: "
        "scale it to 0..255 and save it as PNG"
    )


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes on this system")
def test_pipes_sockets_and_devices_do_not_block(tmp_path):
    wanted = "a pipe, socket or device; wanted a file (load_images takes a folder, too)"
    pipe = tmp_path / "pipe.jpg"
    os.mkfifo(pipe)
    messages = []
    # In a thread, so that a wait for ever on the pipe is a red test and not a stuck suite.
    thread = threading.Thread(target=lambda: messages.append(error_of(pipe)), daemon=True)
    thread.start()
    thread.join(timeout=20)
    assert messages == [wanted]
    assert error_of(pipe, load_images) == wanted
    assert error_of("/dev/zero") == wanted
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        assert error_of(tmp_path / "s") == wanted


def test_permission_denied(tmp_path, monkeypatch):
    path = save(tmp_path, "a.png", pattern())
    path.chmod(0)
    if os.access(path, os.R_OK):  # the superuser reads everything

        def refuse(*_):
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(Path, "open", refuse)
    assert error_of(path) == "permission denied; make the file readable"


# Finding files


def names(paths):
    return [path.name for path in paths]


@pytest.fixture
def folder(tmp_path):
    for name in ("goose_10.png", "goose_2.png", "Goose_1.PNG", "a.jpeg", "notes.txt", ".hid.png"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "deeper").mkdir()
    (tmp_path / "deeper" / "goose_3.png").write_bytes(b"x")
    return tmp_path


def test_folder_in_natural_order(folder):
    wanted = ["a.jpeg", "Goose_1.PNG", "goose_2.png", "goose_10.png"]
    assert names(find_images(folder)) == wanted
    assert find_images(str(folder)) == [folder / name for name in wanted]
    for suffix in SUFFIXES:
        (folder / "deeper" / f"x{suffix.upper()}").write_bytes(b"x")
    assert len(find_images(folder / "deeper")) == 1 + len(SUFFIXES)


def test_patterns(folder):
    found = find_images(folder / "goose_*")
    assert found == [folder / "goose_2.png", folder / "goose_10.png"]
    assert names(find_images(f"{folder}/goose_?.png")) == ["goose_2.png"]
    assert names(find_images(f"{folder}/*.txt")) == ["notes.txt"]  # a pattern means what it says
    assert names(find_images(f"{folder}/**/goose_[23]*")) == ["goose_3.png", "goose_2.png"]
    assert "deeper" not in names(find_images(f"{folder}/*"))


def test_lists_keep_order_and_duplicates(folder):
    two, ten = folder / "goose_2.png", folder / "goose_10.png"
    assert find_images([ten, two, str(ten)]) == [ten, two, ten]
    assert names(find_images((ten, folder / "deeper", f"{folder}/a.*"))) == [
        "goose_10.png", "goose_3.png", "a.jpeg",
    ]  # fmt: skip


def test_existing_names_are_literal(folder):
    (folder / "photo[1].png").write_bytes(b"x")
    (folder / "photo1.png").write_bytes(b"x")
    assert names(find_images(folder / "photo[1].png")) == ["photo[1].png"]
    (folder / "set[ab]").mkdir()
    (folder / "set[ab]" / "x.png").write_bytes(b"x")
    assert names(find_images(folder / "set[ab]")) == ["x.png"]
    assert names(find_images(folder / "photo[12].png")) == ["photo1.png"]


def test_home_folder(folder, monkeypatch):
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("USERPROFILE", str(folder))
    assert find_images("~/goose_2.png") == [folder / "goose_2.png"]
    assert names(find_images("~/goose*")) == ["goose_2.png", "goose_10.png"]
    save(folder, "real.png", pattern())
    assert load_image("~/real.png").shape == (224, 224, 3)


def test_nothing_found(tmp_path):
    (tmp_path / "notes.txt").touch()
    (tmp_path / "sub").mkdir()
    assert error_of(tmp_path, find_images) == (
        "no image in this folder, only notes.txt, sub; wanted .jpg .jpeg .png .webp .bmp .gif .tif "
        ".tiff .ppm .pgm .pbm .pnm .jpe .jfif .mpo .dib; sub-folders are not searched"
    )
    assert "no image in this folder, only nothing;" in error_of(tmp_path / "sub", load_images)
    assert error_of(f"{tmp_path}/*.png", find_images) == (
        "the pattern matches no file; check the folder and the suffix"
    )
    with pytest.raises(ImageError, match="the list of images is empty; wanted at least one file"):
        find_images([])
    with pytest.raises(ImageError, match="a file name is empty; wanted a file, a folder"):
        find_images("")
    message = "images are given as int; wanted a path, or a list of paths"
    for source in (7, [7]):
        with pytest.raises(InputTypeError, match=message):
            find_images(source)


def test_unreadable_folder(tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "listdir", refuse)
    assert error_of(tmp_path, find_images) == "the folder cannot be read: Permission denied"


def test_links_that_lead_upward(folder):
    """With two, `glob` goes 2 ** 40 ways; each real file comes once, by its own name."""
    (folder / "deeper" / "up").symlink_to("..")
    (folder / "deeper" / "up too").symlink_to("..")
    (folder / "aside").symlink_to("deeper")
    found = find_images(f"{folder}/**/*.png")
    assert found == [
        folder / "deeper" / "goose_3.png", folder / "goose_2.png", folder / "goose_10.png",
    ]  # fmt: skip
    (folder / "link.png").symlink_to("goose_2.png")
    assert names(find_images(f"{folder}/*.png")) == ["goose_2.png", "goose_10.png"]
    assert names(find_images(f"{folder}/**/**/goose_3.png")) == ["goose_3.png"]


def test_patterns_of_any_depth_are_those_of_glob(folder, monkeypatch):
    for name in ("x/y/a.png", "x/b.png", "x/.h/c.png", "[z]/d.png", "x**/e.png"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")
    monkeypatch.chdir(folder)
    tails = ("**", "**/*", "**/*.png", "x/**/*.png", "**/y/*", "*/**/a.png", "x/**", "**/x**/*")
    for pattern in (*tails, *(f"{folder}/{tail}" for tail in tails)):
        wanted = {Path(name) for name in glob.glob(pattern, recursive=True)}
        assert set(find_images(pattern)) == {path for path in wanted if path.is_file()}


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="names are Unicode there")
def test_names_that_are_not_utf_8(tmp_path):
    name = os.fsdecode(b"caf\xe9.png")
    path = save(tmp_path, name, pattern())
    for source in (tmp_path, path, os.fsencode(path), f"{tmp_path}/**/*.png", f"{tmp_path}/caf*"):
        assert find_images(source) == [path]
    np.testing.assert_array_equal(load_images(tmp_path, (40, 48))[0], pattern())
    path.write_bytes(b"no image")
    assert error_of(path).startswith("not an image")


def test_any_iterable_of_paths(folder):
    two, ten = folder / "goose_2.png", folder / "goose_10.png"
    assert find_images(path for path in (ten, two)) == [ten, two]
    assert find_images(np.array([str(ten), str(two)])) == [ten, two]
    with pytest.raises(ImageError, match="the list of images is empty"):
        find_images(iter(()))


def test_photographs_of_phones(tmp_path):
    content = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(200)
    (tmp_path / "IMG_1.HEIC").write_bytes(content)
    (tmp_path / "b.jpg").write_bytes(content.replace(b"heic", b"avif"))
    for name in ("IMG_1.HEIC", "b.jpg"):
        assert error_of(tmp_path / name) == (
            "a HEIC or AVIF photograph; wanted JPEG, PNG, WEBP, BMP, GIF, TIFF, PPM: convert it, "
            "export it as JPEG"
        )
    message = "1 left out, such as IMG_1.HEIC: HEIC, AVIF and JPEG XL are not read; export them as"
    with pytest.warns(UserWarning, match=message):
        assert names(find_images(tmp_path)) == ["b.jpg"]
    (tmp_path / "b.jpg").unlink()
    advice = "sub-folders are not searched; HEIC, AVIF and JPEG XL are not read: export them as"
    assert advice in error_of(tmp_path, find_images)


def test_load_images_stacks_in_order(tmp_path):
    for number, level in ((10, 30), (2, 20), (1, 10)):
        save(tmp_path, f"goose_{number}.png", np.full((40, 50), level, np.uint8))
    found = load_images(tmp_path, size=(32, 64))
    assert found.shape == (3, 32, 64, 3)
    assert found[:, 0, 0, 0].tolist() == [10, 20, 30]


def test_import_is_light():
    script = (
        "import sys, jaxvis.pictures.files; print({'PIL', 'jax', 'matplotlib'} & set(sys.modules))"
    )
    run = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True
    )
    assert run.stdout.strip() == "set()"
