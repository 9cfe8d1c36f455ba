"""Fetching against a server that misbehaves: the whole file arrives, or none and a message."""

import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from h5_cases import arrays_of, small_bytes, small_model
from https_server import Server, redirect, refuse, send, serve

from jaxvis.folders import cache_folder, keras_folder
from jaxvis.models.vgg16 import VGG16
from jaxvis.weights import cache as weights_cache
from jaxvis.weights import fetch as download
from jaxvis.weights import https
from jaxvis.weights.cache import Source
from jaxvis.weights.errors import WeightsError, WeightsFetchError
from jaxvis.weights.fetch import SOURCES, fetch, find, inventory
from jaxvis.weights.load import load_vgg16
from jaxvis.weights.save import save_vgg16

NAME = "imagenet"
CONTENT = np.random.Generator(np.random.PCG64(0)).bytes(3_000_000)


def known(content: bytes, *urls: str) -> Source:
    return Source("weights.h5", len(content), hashlib.md5(content).hexdigest(), urls)


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A server, two sources on it for the file "imagenet", and empty caches."""
    monkeypatch.setenv("JAXVIS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("JAXVIS_OFFLINE", raising=False)
    monkeypatch.setattr(https, "FIRST_WAIT", 0.0)
    with serve(tmp_path) as running:
        use(running, CONTENT, monkeypatch)
        yield running


def use(server: Server, content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    source = known(content, f"{server.url}/first", f"{server.url}/second")
    monkeypatch.setitem(SOURCES, NAME, source)
    server.answers[:] = [send(content, ranges=True)]


def cache(tmp_path: Path) -> list[str]:
    folder = tmp_path / "cache"
    return sorted(os.listdir(folder)) if folder.exists() else []


def arrived(path: Path, tmp_path: Path, content: bytes = CONTENT) -> None:
    """The whole file is in the cache, its stamp beside it, and nothing else."""
    assert path == tmp_path / "cache" / "weights.h5"
    assert path.read_bytes() == content
    assert cache(tmp_path) == ["weights.h5", "weights.h5.verified"]


def fails(tmp_path: Path, message: str) -> str:
    """Fetching raises, leaves nothing behind, and says how to go on by hand."""
    with pytest.raises(WeightsFetchError, match=message) as caught:
        fetch(NAME)
    assert cache(tmp_path) == []
    text = str(caught.value)
    source = SOURCES[NAME]
    for part in (source.urls[0], f"{source.size:,} bytes", source.md5, "jaxvis fetch imagenet --"):
        assert part in text
    assert str(tmp_path / "cache" / "weights.h5") in text
    return text


# --- Servers ------------------------------------------------------------------------------------


def test_fetched_once(server, tmp_path):
    arrived(fetch(NAME), tmp_path)
    arrived(fetch(NAME), tmp_path)
    assert server.asked == [("/first", None)]


@pytest.mark.parametrize("status", [403, 404, 410])
def test_refused_by_both_sources(server, tmp_path, status):
    server.answers[:] = [refuse(status)]
    text = fails(tmp_path, f"imagenet: cannot be downloaded:\n  https.*/first: answered {status} ")
    assert f"/second: answered {status}" in text
    assert [path for path, _ in server.asked] == ["/first", "/second"]  # not tried again


def test_second_source(server, tmp_path):
    server.answers.insert(0, refuse(404))
    arrived(fetch(NAME), tmp_path)
    assert [path for path, _ in server.asked] == ["/first", "/second"]


@pytest.mark.parametrize("status", [429, 500, 503])
def test_error_then_the_file(server, tmp_path, status):
    server.answers[:0] = [refuse(status), refuse(status)]
    arrived(fetch(NAME), tmp_path)
    assert [path for path, _ in server.asked] == ["/first"] * 3


def test_error_for_ever(server, tmp_path):
    server.answers[:] = [refuse(500)]
    fails(tmp_path, "/first: answered 500 Internal Server Error")
    assert len(server.asked) == 2 * https.ATTEMPTS


def test_closed_early_then_resumed(server, tmp_path):
    server.answers.insert(0, send(CONTENT, stop=1_000_000))
    arrived(fetch(NAME), tmp_path)
    (_, first), (_, second) = server.asked
    assert first is None
    assert 0 < int(re.fullmatch(r"bytes=(\d+)-", second)[1]) <= 1_000_000


def test_error_in_between_loses_nothing(server, tmp_path):
    server.answers[:] = [send(CONTENT, stop=1_000_000), refuse(503), send(CONTENT, ranges=True)]
    arrived(fetch(NAME), tmp_path)
    assert server.asked[1] == server.asked[2] != ("/first", None)


def test_server_that_answers_200_to_a_range(server, tmp_path):
    server.answers[:] = [send(CONTENT, stop=1_000_000), send(CONTENT)]
    arrived(fetch(NAME), tmp_path)
    assert [path for path, _ in server.asked] == ["/first"] * 2
    assert server.asked[1][1].startswith("bytes=")


@pytest.mark.parametrize("content_range", [
    "bytes 0-2999999/3000000", "bytes {less}-2999999/3000000", "bytes {more}-2999999/3000000",
    "bytes {have}0-2999999/3000000", "", "items {have}-2999999/3000000",
])  # fmt: skip
def test_a_206_that_is_not_the_rest_is_not_appended(server, tmp_path, content_range):
    """As many bytes as are missing, so that only the range tells; the whole is asked for again."""

    def other_part(handler):
        have = int(handler.headers["Range"].removeprefix("bytes=").removesuffix("-"))
        handler.send_response(206)
        if content_range:
            said = content_range.format(have=have, less=have - 1, more=have + 1)
            handler.send_header("Content-Range", said)
        handler.send_header("Content-Length", str(len(CONTENT) - have))
        handler.end_headers()
        handler.wfile.write(CONTENT[: len(CONTENT) - have])

    server.answers[:] = [send(CONTENT, stop=1_000_000), other_part, send(CONTENT, ranges=True)]
    arrived(fetch(NAME), tmp_path)
    assert all(path == "/first" for path, _ in server.asked)  # not another server's file instead


def test_closed_early_without_a_length(server, tmp_path):
    server.answers[:] = [send(CONTENT, stop=1_000_000, announce=-1), send(CONTENT)]
    arrived(fetch(NAME), tmp_path)
    assert [path for path, _ in server.asked] == ["/first"] * 2


def test_range_that_is_refused(server, tmp_path):
    server.answers[:] = [send(CONTENT, stop=1_000_000), refuse(416), send(CONTENT)]
    arrived(fetch(NAME), tmp_path)
    assert server.asked[1][1] is not None
    assert server.asked[2] == ("/first", None)


def test_always_closed_early(server, tmp_path):
    server.answers[:] = [send(CONTENT, stop=1000)]
    fails(tmp_path, r"/first: no answer, or broke off after [\d,]+ bytes")


def test_stalled(server, tmp_path, monkeypatch):
    monkeypatch.setattr(https, "TIMEOUT", (2.0, 0.3))
    done = threading.Event()
    server.answers.insert(0, send(CONTENT, stop=1_000_000, then=lambda: done.wait(30)))
    arrived(fetch(NAME), tmp_path)
    done.set()


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (send(CONTENT, announce=12), "/first: announces 12 bytes, wanted 3,000,000"),
        (send(CONTENT, announce=2**40), "announces 1,099,511,627,776 bytes, wanted 3,000,000"),
        (send(CONTENT + b"x", announce=-1), "/first: sends more than the 3,000,000 bytes wanted"),
        (send(CONTENT[:-1] + b"x"), "/first: .*hash of downloaded file .* does not match"),
        (send(b"<html>log in</html>"), "/first: announces 19 bytes, wanted 3,000,000"),
    ],
    ids=["shorter", "longer", "unannounced", "other bytes", "web page"],
)
def test_another_file(server, tmp_path, answer, message):
    server.answers[:] = [answer]
    fails(tmp_path, message)


def test_redirect_within_https(server, tmp_path):
    server.answers.insert(0, redirect(f"{server.url}/elsewhere"))
    arrived(fetch(NAME), tmp_path)
    assert [path for path, _ in server.asked] == ["/first", "/elsewhere"]


def test_redirect_to_http(server, tmp_path):
    with serve(tmp_path, encrypted=False) as plain:
        plain.answers[:] = [send(CONTENT)]
        server.answers[:] = [redirect(f"{plain.url}/plain")]
        fails(tmp_path, r"/first: redirects to what is not https, refused \(.*http://127.0.0.1:")
        assert plain.asked == []


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/weights", "data:,x"])
def test_redirect_to_another_protocol(server, tmp_path, target):
    server.answers[:] = [redirect(target)]
    fails(tmp_path, "/first: redirects to what is not https, refused")


def test_redirects_in_a_circle(server, tmp_path):
    server.answers[:] = [redirect(f"{server.url}/first")]
    fails(tmp_path, "/first: Exceeded 30 redirects")


def test_untrusted_certificate(server, tmp_path, monkeypatch):
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    fails(tmp_path, "/first: its certificate cannot be trusted")
    assert server.asked == []


def test_no_network(server, tmp_path, monkeypatch):
    monkeypatch.setitem(SOURCES, NAME, known(CONTENT, "https://127.0.0.1:9/weights.h5"))
    fails(tmp_path, "https://127.0.0.1:9/weights.h5: no answer")


def test_offline(server, tmp_path, monkeypatch):
    monkeypatch.setenv("JAXVIS_OFFLINE", "1")
    fails(tmp_path, "imagenet: not here, and JAXVIS_OFFLINE is set; to go on by hand, download h")
    assert server.asked == []
    put(tmp_path / "cache", b"bad")
    with pytest.raises(WeightsFetchError, match=r"imagenet: damaged .found 3 bytes, wanted 3,0"):
        fetch(NAME)


def test_unknown_name():
    with pytest.raises(WeightsFetchError, match="alexnet: no known weights; wanted imagenet or i"):
        fetch("alexnet")


def test_table_of_sources():
    """The facts of the issue, and every address encrypted."""
    full, notop = SOURCES["imagenet"], SOURCES["imagenet-notop"]
    assert (full.size, full.md5) == (553_467_096, "64373286793e3c8b2b4e3219cbf3544b")
    assert (notop.size, notop.md5) == (58_889_256, "6d6bbae143d832006294945121d1f1fc")
    assert full.file == "vgg16_weights_tf_dim_ordering_tf_kernels.h5"
    assert all(url.startswith("https://") and url.endswith(source.file)
               for source in (full, notop) for url in source.urls)  # fmt: skip
    assert len(full.urls) == len(notop.urls) == 2


# --- The cache ------------------------------------------------------------------------------------


def put(folder: Path, content: bytes = CONTENT) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "weights.h5").write_bytes(content)
    return folder / "weights.h5"


@pytest.mark.parametrize(
    "content",
    [b"", CONTENT[:-1], CONTENT + b"x", bytes([CONTENT[0] ^ 1]) + CONTENT[1:]],
    ids=["empty", "one byte short", "trailing byte", "one bit flipped"],
)
def test_corrupt_cache_entry(server, tmp_path, content):
    path = put(tmp_path / "cache", content)
    message = "weights.h5 is not the file that was published; it is now .*weights.h5.corrupt"
    with pytest.warns(UserWarning, match=message):
        assert fetch(NAME).read_bytes() == CONTENT
    assert path.with_name("weights.h5.corrupt").read_bytes() == content
    assert len(server.asked) == 1
    assert fetch(NAME) == path
    assert len(server.asked) == 1


def test_flip_behind_the_back_of_the_stamp(server, tmp_path):
    """Same size, same modification time, same inode: the time of change gives it away."""
    path = fetch(NAME)
    before = path.stat()
    with path.open("rb+") as file:
        file.write(bytes([CONTENT[0] ^ 1]))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_mtime_ns == before.st_mtime_ns
    assert find(NAME) is None


def test_hashed_once(server, monkeypatch):
    path = fetch(NAME)
    monkeypatch.setattr(weights_cache.hashlib, "file_digest", None)
    assert find(NAME) == path
    with pytest.raises(TypeError):
        inventory()


@pytest.mark.parametrize("stamp", ["", "{", "[1]", '{"md5": 3}'])
def test_damaged_stamp(server, tmp_path, stamp):
    path = fetch(NAME)
    path.with_name("weights.h5.verified").write_text(stamp)
    assert find(NAME) == path


def test_file_of_keras_is_used_and_left_alone(server, tmp_path):
    path = put(tmp_path / "keras" / "models")
    os.utime(path, ns=(10**18, 10**18))
    assert fetch(NAME) == find(NAME) == path
    assert server.asked == []
    assert os.listdir(path.parent) == ["weights.h5"]
    assert path.stat().st_mtime_ns == 10**18
    assert "weights.h5" not in cache(tmp_path)


def test_file_of_keras_is_hashed_once(server, tmp_path, monkeypatch):
    """Also where jaxvis has no cache folder yet, in which to note that it did."""
    path = put(tmp_path / "keras" / "models")
    hashed = []
    digest = hashlib.file_digest

    def counted(*args):
        hashed.append(args)
        return digest(*args)

    monkeypatch.setattr(weights_cache.hashlib, "file_digest", counted)
    assert not (tmp_path / "cache").exists()
    assert [find(NAME) for _ in range(3)] == [path] * 3
    assert len(hashed) == 1
    path.write_bytes(CONTENT[:-1] + b"x")
    assert find(NAME) is None
    assert len(hashed) == 2


def test_corrupt_file_of_keras_is_left_alone(server, tmp_path):
    path = put(tmp_path / "keras" / "models", CONTENT[:-1])
    arrived(fetch(NAME), tmp_path)
    assert path.read_bytes() == CONTENT[:-1]


def test_folders(monkeypatch, tmp_path):
    monkeypatch.delenv("KERAS_HOME", raising=False)
    monkeypatch.delenv("JAXVIS_CACHE", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert keras_folder() == tmp_path / ".keras" / "models"
    assert cache_folder().name.lower() == "jaxvis"
    monkeypatch.setenv("JAXVIS_CACHE", "~/here")
    assert cache_folder() == tmp_path / "here"


def test_read_only_cache(server, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    for folder in ("/proc/jaxvis", str(tmp_path / "file" / "cache")):  # shut even to root
        monkeypatch.setenv("JAXVIS_CACHE", folder)
        message = "cannot be written to: .*; make room for 3,000,000 bytes, or set JAXVIS_CACHE"
        with pytest.raises(WeightsFetchError, match=f"^{folder}: {message}"):
            fetch(NAME)
        path = put(tmp_path / "keras" / "models")  # but a file that is there can be used
        assert find(NAME) == path
        shutil.rmtree(tmp_path / "keras")


def test_no_room(server, tmp_path, monkeypatch):
    usage = type(shutil.disk_usage("/"))(10**9, 10**9, 5)
    monkeypatch.setattr(weights_cache.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(WeightsFetchError, match="cannot be written to: 5 bytes free, wanted 3,000"):
        fetch(NAME)
    assert server.asked == []


# --- A file copied by hand ------------------------------------------------------------------------


def test_install(server, tmp_path):
    arrived(fetch(NAME, file=put(tmp_path / "usb")), tmp_path)
    arrived(fetch(NAME, file=tmp_path / "cache" / "weights.h5"), tmp_path)
    assert server.asked == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (CONTENT[:-1], "is not weights.h5: found 2,999,999 bytes, wanted 3,000,000; to go on by h"),
        (CONTENT[:-1] + b"x", "is not weights.h5: found MD5 [0-9a-f]{32}, wanted [0-9a-f]{32}; to"),
    ],
)
def test_install_another_file(server, tmp_path, content, message):
    with pytest.raises(WeightsFetchError, match=message):
        fetch(NAME, file=put(tmp_path / "usb", content))
    assert cache(tmp_path) == []


def test_install_no_file(server, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for name, message in (("none", "no such file"), ("pipe", "no regular"), ("", "no regular")):
        with pytest.raises(WeightsFetchError, match=f"is not weights.h5: {message}"):
            fetch(NAME, file=tmp_path / name)


def test_inventory(server, tmp_path, monkeypatch):
    monkeypatch.delitem(SOURCES, "imagenet-notop")
    assert inventory() == []
    path = fetch(NAME)
    other = put(tmp_path / "keras" / "models", CONTENT[:-1] + b"x")
    aside = path.with_name("weights.h5.corrupt")
    aside.write_bytes(b"bad")
    part = path.with_name(".jaxvis-1.part")
    part.mkdir()
    (part / "tmp").write_bytes(b"four")
    found = [(entry.name, entry.path, entry.size, entry.state[:9]) for entry in inventory()]
    assert found == [
        (NAME, path, 3_000_000, "verified"),
        (NAME, other, 3_000_000, "found MD5"),
        (NAME, aside, 3, "set aside"),
        ("", part, 4, "unfinishe"),
    ]


# --- Loading --------------------------------------------------------------------------------------


def test_load_by_name(server, monkeypatch):
    use(server, small_bytes(), monkeypatch)
    found, wanted = arrays_of(load_vgg16(NAME)), arrays_of(small_model())
    for name, array in wanted.items():
        np.testing.assert_array_equal(found[name], array)


def test_load_notop_by_name(server, tmp_path, monkeypatch):
    save_vgg16(VGG16(width=1 / 64, size=32, top=False), tmp_path / "notop.h5")
    content = (tmp_path / "notop.h5").read_bytes()
    server.answers[:] = [send(content)]
    monkeypatch.setitem(SOURCES, "imagenet-notop", known(content, server.url))
    model = load_vgg16("imagenet-notop")
    assert not model.architecture.top
    with pytest.raises(ValueError, match="has no classifier"):
        model(np.zeros((1, 32, 32, 3), np.float32))


def test_hash_is_checked_before_hdf5_sees_the_file(server, tmp_path, monkeypatch):
    from jaxvis.weights import keras as keras_plan

    put(tmp_path / "cache", CONTENT[::-1])
    server.answers[:] = [refuse(404)]
    monkeypatch.setattr(keras_plan, "open_h5", None)
    with pytest.raises(WeightsFetchError, match="answered 404"):
        load_vgg16(NAME)
    assert issubclass(WeightsFetchError, WeightsError)


# --- Runs that die, and runs side by side ---------------------------------------------------------

RUN = """
import sys
sys.path[:] = {path!r}
sys.path.append({package!r})
from jaxvis.weights import fetch as download
from jaxvis.weights.errors import WeightsError
from jaxvis.weights.apart import plan_apart
from jaxvis.weights.arrays import read_arrays
download.SOURCES[{name!r}] = download.Source(*{source!r})
{extra}
try:
    file = download.fetch({name!r})
except WeightsError as error:
    sys.exit(f"refused: {{error}}")
if {load!r}:
    plan = plan_apart(file)
    print(len(read_arrays(file, plan.places, plan.checksums, plan.identity)))
"""


def run(*, load: bool = False, extra: str = "") -> subprocess.Popen:
    """Fetch in a process of its own."""
    package = str(Path(download.__file__).parents[2])
    script = RUN.format(
        path=[*sys.path], package=package, name=NAME, source=tuple(SOURCES[NAME]), load=load,
        extra=extra,
    )  # fmt: skip
    pipe = subprocess.PIPE
    return subprocess.Popen([sys.executable, "-c", script], stdout=pipe, stderr=pipe, text=True)


def test_killed_in_the_middle(server, tmp_path):
    done = threading.Event()
    server.answers.insert(0, send(CONTENT, stop=1_000_000, then=lambda: done.wait(30)))
    with run() as process:
        deadline = time.monotonic() + 60
        while not any(p.stat().st_size for p in tmp_path.glob("cache/.jaxvis-*.part/*")):
            assert time.monotonic() < deadline
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
    done.set()
    (part,) = cache(tmp_path)  # the unfinished download, and no file
    assert part.endswith(".part")
    assert find(NAME) is None
    arrived(fetch(NAME), tmp_path)  # the next run knows that nobody goes on with it


def test_unfinished_download_of_a_process_that_lives(server, tmp_path):
    """It stays, for as long as its process holds it."""
    target = tmp_path / "cache" / "weights.h5"
    with weights_cache.incoming(target, SOURCES[NAME]) as staged:
        staged.write_bytes(CONTENT)
        fetch(NAME)
        assert staged.read_bytes() == CONTENT
    arrived(target, tmp_path)


def test_the_download_of_a_living_process_is_left_alone(server, tmp_path):
    with weights_cache._stage(tmp_path) as stage:
        weights_cache._remove_stale(tmp_path)
        assert stage.is_dir()
    assert not stage.exists()


def test_a_download_without_a_lock_is_removed_when_it_is_old(server, tmp_path):
    """As where a process dies before it has one, or a file system knows none."""
    part = tmp_path / "cache" / ".jaxvis-1.part"
    put(part, b"half")
    fetch(NAME)
    assert part.exists()
    old = time.time() - 2 * weights_cache.STALE
    for path in (part, *part.iterdir()):
        os.utime(path, (old, old))
    (tmp_path / "cache" / "weights.h5").unlink()
    arrived(fetch(NAME), tmp_path)


def test_disk_full(server, tmp_path):
    """The kernel refuses the write that goes beyond 1 MB; the next run succeeds."""
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (10**6, 10**6))"
    with run(extra=limit) as process:
        _, said = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "cannot be written to: File too large; make room for 3,000,000 bytes, or set" in said
    assert cache(tmp_path) == []
    arrived(fetch(NAME), tmp_path)


def test_a_file_that_another_process_brought_stays(server, tmp_path):
    """Who is second does not replace it: somebody may be reading it."""
    target = tmp_path / "cache" / "weights.h5"
    with weights_cache.incoming(target, SOURCES[NAME]) as staged:
        staged.write_bytes(CONTENT)
        first = fetch(NAME).stat()
    assert (target.stat().st_ino, target.stat().st_ctime_ns) == (first.st_ino, first.st_ctime_ns)
    arrived(target, tmp_path)


def test_eight_at_once(server, tmp_path, monkeypatch):
    use(server, small_bytes(), monkeypatch)
    processes = [run(load=True) for _ in range(8)]
    said = [process.communicate(timeout=120) for process in processes]
    assert said == [("32\n", "")] * 8
    arrived(tmp_path / "cache" / "weights.h5", tmp_path, small_bytes())
    assert 1 <= len(server.asked) <= 8
