"""Files that ask for more than they are: memory and time stay bounded, whatever the header says."""

import io
import re
import struct
import subprocess
import sys
import threading
import time
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, WebPImagePlugin

import jaxvis
from jaxvis.pictures import jpeg, limits
from jaxvis.pictures.decode import decode, measure
from jaxvis.pictures.files import ImageError, load_image

LIMIT = 300  # MB, above the process that has imported all it needs

# VmHWM cannot be set back, so each file has a process of its own.
SCRIPT = """
import re, sys, time
from importlib import import_module
from pathlib import Path
sys.path[:] = {path!r}
for name in ("Bmp", "Gif", "Jpeg", "Png", "Ppm", "Tiff", "WebP"):
    import_module(f"PIL.{{name}}ImagePlugin")
from jaxvis.pictures.files import load_image

def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) * 1024

before, start = peak(), time.monotonic()
try:
    said = f"loaded, mean {{load_image({file!r}).mean():.1f}}"
except ValueError as error:
    said = f"{{type(error).__name__}}: {{error}}"
print((peak() - before) / 1e6, time.monotonic() - start, said)
"""


def load_apart(path: Path) -> tuple[float, float, str]:
    """Load in a process of its own; return MB above the baseline, seconds, and what came of it."""
    package = str(Path(jaxvis.__file__).parents[1])
    script = SCRIPT.format(path=[package, *sys.path], file=str(path))
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=True
    )
    megabytes, seconds, said = done.stdout.strip().split(" ", 2)
    return float(megabytes), float(seconds), said


def chunk(kind: bytes, content: bytes) -> bytes:
    check = struct.pack(">I", zlib.crc32(kind + content))
    return struct.pack(">I", len(content)) + kind + content + check


def zeros_png(side: int, depth: int, colour: int, channels: int, extra: bytes = b"") -> bytes:
    """A PNG of zeros, well-formed to the last pixel."""
    stream, row = zlib.compressobj(9), bytes(1 + side * channels * depth // 8)
    body = b"".join(stream.compress(row) for _ in range(side)) + stream.flush()
    header = struct.pack(">IIBBBBB", side, side, depth, colour, 0, 0, 0)
    start = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
    return start + extra + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def tiff(tags: list[tuple[int, int, int, int]], data: bytes = b"") -> bytes:
    entries = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4) + data


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def many_scans(side: int, count: int) -> bytes:
    """A progressive JPEG whose last scan, a few bytes, comes again and again."""
    content = saved(Image.new("L", (side, side), 128), "JPEG", progressive=True)
    last = content[content.rindex(b"\xff\xda") : -2]
    return content[:-2] + last * count + content[-2:]


def photograph(**options: object) -> bytes:
    """48 megapixels, 8000 x 6000, as phones have them."""
    noise = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
    return saved(Image.fromarray(noise).resize((8000, 6000)), "JPEG", quality=85, **options)


def turned() -> Image.Exif:
    exif = Image.Exif()
    exif[274] = 6
    return exif


def text(number: int) -> bytes:
    return chunk(b"zTXt", b"k%d\0\0" % number + zlib.compress(bytes(1 << 20), 9))


def with_segments(content: bytes, segment: bytes, count: int) -> bytes:
    size = struct.pack(">H", len(segment) + 2)
    return content[:2] + (b"\xff\xe1" + size + segment) * count + content[2:]


GREY = [(256, 4, 1, 64), (257, 4, 1, 64), (258, 3, 1, 8), (262, 3, 1, 1), (277, 3, 1, 1)]
SMALL = saved(Image.new("L", (64, 64)), "JPEG")


def exif_bomb() -> bytes:
    """2,500 tags that all point at the same 30,000 bytes."""
    tags = [(number + 1000, 7, 30_000, 30_020) for number in range(2500)]
    return b"Exif\0\0" + tiff(tags, bytes(30_000))


HOSTILE = {
    "TIFF tile of 46,000 x 46,000": (
        lambda: tiff([*GREY, (259, 3, 1, 5), (322, 4, 1, 46_000), (323, 4, 1, 46_000),
                      (324, 4, 1, 140), (325, 4, 1, 11)], b"\x80\0\0" * 4),
        "64 x 64 pixels, which take 2,116 MB to decode; wanted at most 280 MB: make it smaller",
    ),
    "TIFF tile given twice": (
        lambda: tiff([*GREY, (259, 3, 1, 5), (322, 4, 1, 46_000), (322, 4, 1, 64),
                      (323, 4, 1, 46_000), (323, 4, 1, 64), (324, 4, 1, 164), (325, 4, 1, 11)],
                     b"\x80\0\0" * 4),
        "64 x 64 pixels, which take 2,116 MB to decode",
    ),
    "TIFF of 15 million strips": (
        lambda: tiff([*GREY, (259, 3, 1, 1), (273, 4, 15_000_000, 8), (279, 4, 1, 9)],
                     bytes(60_000_000)),
        "60,000,0.. bytes of metadata; wanted at most 8,000,000: save the image without them",
    ),
    "TIFF of a million strips": (
        lambda: tiff([*GREY, (259, 3, 1, 1), (273, 4, 1_000_000, 8), (279, 4, 1, 9)],
                     bytes(4_000_000)),
        "1,000,000 numbers in tag 273; wanted at most 65,536: save the image again",
    ),
    "WebP of 34 bytes": (
        lambda: saved(Image.new("RGB", (16383, 5461)), "WEBP", lossless=True, method=0)[:34],
        "16383 x 5461 pixels, which take 1,0.. MB to decode",
    ),
    "WebP of zeros": (
        lambda: saved(Image.new("RGB", (16383, 5461)), "WEBP", lossless=True, method=0),
        "16383 x 5461 pixels, which take 1,0.. MB to decode",
    ),
    "PNG of 89 megapixels": (
        lambda: zeros_png(9459, 8, 2, 3), "9459 x 9459 pixels, which take 358 MB to decode",
    ),
    "PNG with 200 MB of text": (
        lambda: zeros_png(64, 8, 2, 3, b"".join(map(text, range(200)))), "bytes of metadata; want",
    ),
    "JPEG of 1,000 scans": (
        lambda: many_scans(4096, 1000), "more than 100 scans, each of which goes over the whole",
    ),
    "JPEG with 100 MB of metadata": (
        lambda: with_segments(SMALL, bytes(65_000), 1600), "bytes of metadata; wanted at most 8,0",
    ),
    "EXIF that points at itself": (
        lambda: with_segments(SMALL, exif_bomb(), 1), "bytes of metadata; wanted at most 8,000,0",
    ),
    "GIF canvas": (
        lambda: b"GIF89a" + struct.pack("<HHBBB", 65535, 65535, 0x80, 0, 0) + bytes(6) + b","
        + struct.pack("<HHHHB", 0, 0, 64, 64, 0) + b"\x02\x02\x4c\x01\x00;",
        "65535 x 65535 pixels, which take",
    ),
    "PPM of few bytes": (lambda: b"P4 9459 9459\n", "9459 x 9459 pixels, which take 447 MB"),
    "PPM with an absurd maximum": (lambda: b"P5 40 40 9999999999\n" + bytes(1600), "maxval must"),
    "BMP of few bytes": (
        lambda: b"BM" + struct.pack("<IHHI", 0, 0, 0, 54)
        + struct.pack("<IiiHHIIiiII", 40, 40_000, 40_000, 1, 24, 0, 0, 1, 1, 0, 0),
        "40000 x 40000 pixels, which take 6,400 MB",
    ),
}  # fmt: skip

proc = pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="reads peak memory from /proc"
)


@proc
@pytest.mark.parametrize(("content", "message"), HOSTILE.values(), ids=HOSTILE)
def test_hostile_files_are_refused_before_decoding(tmp_path, content, message):
    path = tmp_path / "hostile"
    path.write_bytes(content())
    megabytes, seconds, said = load_apart(path)
    assert said.startswith(f"ImageError: {path}: ")
    assert re.search(message, said), said
    assert "\n" not in said
    assert megabytes < 30
    assert seconds < 3


# The largest that are taken, each of which needs most of the memory that there is.
LARGE = {
    "JPEG photograph": photograph,
    "JPEG photograph, turned": lambda: photograph(exif=turned()),
    "JPEG photograph, progressive": lambda: photograph(progressive=True),
    "PNG": lambda: zeros_png(8300, 8, 2, 3),
    "PNG, transparent": lambda: zeros_png(5850, 8, 6, 4),
    "PNG, one bit": lambda: zeros_png(7440, 1, 0, 1),
    "PNG, 16 bits grey": lambda: zeros_png(6700, 16, 0, 1),
    "PNG, 16 bits RGB": lambda: zeros_png(8300, 16, 2, 3),
    "WebP": lambda: saved(Image.new("RGB", (4150, 4150)), "WEBP", lossless=True, method=0),
    "WebP, transparent": lambda: saved(
        Image.new("RGBA", (4150, 4150), (1, 2, 3, 4)), "WEBP", lossless=True, method=0
    ),
    "GIF": lambda: saved(Image.new("P", (6800, 6800)), "GIF"),
    "TIFF, one strip": lambda: saved(
        Image.new("RGB", (6200, 6200)), "TIFF", compression="tiff_lzw", strip_size=10**9
    ),
    "TIFF, CMYK": lambda: saved(Image.new("CMYK", (5850, 5850)), "TIFF"),
}


@proc
@pytest.mark.parametrize("content", LARGE.values(), ids=LARGE)
def test_large_images_take_less_than_300_mb(tmp_path, content):
    path = tmp_path / "large"
    path.write_bytes(content())
    megabytes, seconds, said = load_apart(path)
    assert said.startswith("loaded"), said
    assert 40 < megabytes < LIMIT
    assert seconds < limits.SECONDS


def test_photographs_of_48_megapixels_keep_their_size(tmp_path):
    path = tmp_path / "a.jpg"
    path.write_bytes(photograph())
    assert decode(path).size == measure(path) == (8000, 6000)


def test_a_jpeg_beyond_the_limit_is_reduced(tmp_path, monkeypatch):
    """By its cosine transform: each pixel is the mean of its block, which is what box gives."""
    smooth = np.random.default_rng(0).integers(0, 256, (6, 8, 3), np.uint8)
    image = Image.fromarray(smooth).resize((320, 240), Image.Resampling.BICUBIC)
    path = tmp_path / "a.jpg"
    image.save(path, quality=95, subsampling=0, exif=turned())
    monkeypatch.setattr(limits, "MEMORY", 8 * 320 * 240)
    assert decode(path).size == (240, 320)
    for share, scale in ((4, 2), (16, 4), (64, 8)):
        monkeypatch.setattr(limits, "MEMORY", 8 * 320 * 240 // share + 900)
        found = decode(path)
        assert found.size == (240 // scale, 320 // scale)
        assert measure(path) == (240, 320)
        wanted = image.reduce(scale).transpose(Image.Transpose.ROTATE_270)
        difference = np.asarray(found).astype(int) - np.asarray(wanted)
        assert np.abs(difference).mean() < 2
    monkeypatch.setattr(limits, "MEMORY", 8 * 320 * 240 // 64 - 100)
    with pytest.raises(ImageError, match="320 x 240 pixels, which take"):
        decode(path)


@pytest.mark.parametrize("name", ["jpeg", "ppm"])
def test_time_limit(tmp_path, monkeypatch, name):
    """Between the pieces that a decoder reads, where its work was not bounded beforehand."""
    path = tmp_path / name
    if name == "jpeg":
        path.write_bytes(many_scans(4096, 1000))  # 50 seconds
        monkeypatch.setattr(jpeg, "MOST_SCANS", 10**6)
    else:
        path.write_bytes(b"P6 3900 3900 77\n" + bytes(3900 * 3900 * 3))
    monkeypatch.setattr(limits, "SECONDS", 0.5)
    start = time.monotonic()
    with pytest.raises(ImageError, match="not decoded after 0.5 seconds; open it and save it aga"):
        load_image(path)
    assert 0.5 < time.monotonic() - start < 30


def test_scans_are_counted_as_the_decoder_counts_them(tmp_path):
    """Not in a comment between scans that says the image ends, nor in a thumbnail."""
    content = many_scans(64, 0)
    honest = content.count(b"\xff\xda")
    at = content.rindex(b"\xff\xda")
    comment = b"\xff\xfe" + struct.pack(">H", 4) + b"\xff\xd9"
    last = content[at:-2]
    path = tmp_path / "a.jpg"
    path.write_bytes(content[:at] + comment + last * (101 - honest + 1) + content[-2:])
    with pytest.raises(ImageError, match="more than 100 scans"):
        load_image(path)
    path.write_bytes(content[:at] + comment + last * (101 - honest) + content[-2:])
    assert np.abs(load_image(path).astype(int) - 128).max() <= 1
    thumbnail = with_segments(content, b"Exif\0\0" + b"\xff\xda\0\2" * 500, 1)
    path.write_bytes(thumbnail)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the segment is no EXIF
        assert np.abs(load_image(path).astype(int) - 128).max() <= 1


def test_16_threads(tmp_path):
    """Same pixels as one thread; the process's warnings are on afterwards, as they were."""
    rng = np.random.default_rng(0)
    exif = turned()
    for number in range(12):
        image = Image.fromarray(rng.integers(0, 256, (200, 300, 3), np.uint8))
        kind = ("jpg", "png", "webp", "tif")[number % 4]
        image.save(tmp_path / f"{number}.{kind}", exif=exif)
    paths = sorted(tmp_path.iterdir()) * 8
    wanted = {path: load_image(path) for path in paths[:12]}
    before = list(warnings.filters)
    wrong: list[object] = []

    def work(first: int) -> None:
        for path in (*paths[first:], *paths[:first]):
            try:
                if not np.array_equal(load_image(path), wanted[path]):
                    wrong.append(path)
            except Exception as error:
                wrong.append(error)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert warnings.filters == before


def test_the_library_leaves_warnings_alone():
    """`catch_warnings` puts back what another thread's had put away."""
    package = Path(jaxvis.__file__).parent
    used = [path for path in package.rglob("*.py") if "catch_warnings" in path.read_text("utf-8")]
    assert used == []


def test_no_decoder_is_made_for_a_webp_that_is_too_large(tmp_path, monkeypatch):
    """It allocates its canvases at once."""
    path = tmp_path / "a.webp"
    path.write_bytes(saved(Image.new("RGB", (16383, 5461)), "WEBP", lossless=True, method=0))
    monkeypatch.setattr(WebPImagePlugin, "_webp", None)
    with pytest.raises(ImageError, match="16383 x 5461 pixels, which take"):
        load_image(path)
