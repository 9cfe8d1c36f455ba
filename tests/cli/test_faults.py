"""What goes wrong around the command: each has a line, and a code that says what it was."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
from test_options import jaxvis, place, there  # noqa: F401 - fixtures

from jaxvis.cli import classes
from jaxvis.cli.main import command
from jaxvis.errors import InputError
from jaxvis.report.output import staging

QUICK = ("--network", "my_network:make", "--methods", "saliency", "--rules", "vanilla")
REPORT = ("report", "pictures", *QUICK, "--no-evaluation")
EVALUATE = ("evaluate", "--images", "pictures", *QUICK, "--closely", "1")


def shell(command, folder, **environment):
    """Run it with buffers, which are written at the end of Python if nobody does so before."""
    environment = {**os.environ, "PYTHONUNBUFFERED": "", **environment}
    return subprocess.run(
        f"'{sys.executable}' -m jaxvis {command}", cwd=folder, shell=True, capture_output=True,
        check=False, env=environment,
    )  # fmt: skip


def raising(error, monkeypatch):
    def run(_):
        raise error

    monkeypatch.setattr(classes, "run", run)
    return jaxvis("classes")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InputError("wrong"), 2),
        (PermissionError(errno.EACCES, "wrong"), 5),
        (OSError(errno.ENOSPC, "wrong"), 5),
        (OSError(errno.EFBIG, "wrong"), 5),
        (OSError(errno.EROFS, "wrong"), 5),
        (KeyboardInterrupt(), 130),
    ],
    ids=repr,
)
def test_a_users_mistake_or_disk_is_one_line(error, code, monkeypatch):
    done = raising(error, monkeypatch)
    assert (done.code, done.out) == (code, "")
    assert done.err.startswith("jaxvis: ")
    assert len(done.err.splitlines()) == 1


@pytest.mark.parametrize(
    "kind", [ValueError, TypeError, KeyError, RuntimeError, MemoryError, OSError]
)
def test_a_fault_keeps_its_traceback(kind, monkeypatch, capsys):
    with pytest.raises(kind):  # another program that calls the function wants to see it
        raising(kind("of jaxvis \x1b[31m"), monkeypatch)
    monkeypatch.setattr("sys.argv", ["jaxvis", "classes"])
    assert command() == 70
    out, err = capsys.readouterr()
    assert out == ""
    assert "Traceback (most recent call last)" in err
    assert "of jaxvis \\x1b[31m" in err.replace("\\\\", "\\")
    assert "\x1b" not in err
    assert "please report it" in err.splitlines()[-1]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ((*REPORT, "--out", "~nosuch/x"), 2),
        ((*EVALUATE, "--out", "~nosuch/x"), 2),
        (("report", "pictures", "--network", "~nosuch/x.h5"), 2),
        (("report", "~nosuch/x.png", *QUICK), 3),
        ((*REPORT, "--labels", "~nosuch/x"), 2),
        (("fetch", "imagenet", "--file", "~nosuch/x"), 2),
    ],
)
def test_a_home_that_nobody_has(arguments, code):
    done = jaxvis(*arguments)
    assert (done.code, done.out) == (code, "")
    assert "~nosuch" in done.err
    assert len(done.err.splitlines()) == 1
    assert not Path("~nosuch").exists()


@pytest.mark.parametrize("variable", ["JAXVIS_CACHE", "KERAS_HOME"])
def test_a_cache_in_a_home_that_nobody_has(variable, monkeypatch):
    monkeypatch.setenv(variable, "~nosuch/x")
    assert jaxvis("weights").code == 2


def test_compiled_code_that_cannot_be_kept(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("JAXVIS_COMPILE_CACHE", str(tmp_path / "file"))
    done = jaxvis(*REPORT)
    assert done.code == 5
    assert "file: compiled code cannot be kept: " in done.err
    assert len(done.err.splitlines()) == 1
    monkeypatch.setenv("JAXVIS_CACHE", str(tmp_path / "file"))
    done = jaxvis(*REPORT, "--cache")
    assert done.code == 5
    assert "--cache: compiled code cannot be kept: " in done.err


def test_jax_without_a_device(place):  # noqa: F811
    """JAX asks for the platform when it is first used, and raises what it likes."""
    done = shell(" ".join(REPORT), place, JAX_PLATFORMS="nonsense")
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"JAX does not start: " in done.stderr
    assert b"JAX_PLATFORMS is 'nonsense'" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("arguments", [REPORT, EVALUATE])
def test_the_folder_of_the_images_is_refused_before_anything_is_computed(
    arguments, tmp_path, monkeypatch
):
    def computed(*_, **__):
        raise AssertionError("computed")

    monkeypatch.setattr("jaxvis.report.lab.load", computed)
    monkeypatch.setattr("jaxvis.report.evaluation.load", computed)
    (tmp_path / "link").symlink_to(Path("pictures").absolute())
    before = sorted(Path("pictures").iterdir())
    for out in ("pictures", "pictures/", "./pictures/.", tmp_path / "link"):
        done = jaxvis(*arguments, "--out", out)
        assert (done.code, done.out) == (2, "")
        assert "the images are in this folder" in done.err
    assert sorted(Path("pictures").iterdir()) == before


@pytest.mark.parametrize(
    ("arguments", "name"), [(REPORT, "inputs.jpg"), (EVALUATE, "evaluation.json")]
)
def test_what_is_in_the_way_is_told_before_anything_is_computed(
    arguments, name, tmp_path, monkeypatch
):
    monkeypatch.setattr("jaxvis.report.lab.load", None)
    monkeypatch.setattr("jaxvis.report.evaluation.load", None)
    (tmp_path / name).mkdir()
    done = jaxvis(*arguments, "--out", tmp_path)
    assert (done.code, done.out) == (5, "")
    assert f"{name}: a folder is there" in done.err


@pytest.mark.parametrize("arguments", [REPORT, EVALUATE])
def test_a_second_run_is_refused(arguments, tmp_path):
    with staging(tmp_path / "out", "report"):
        done = jaxvis(*arguments, "--out", tmp_path / "out")
    assert (done.code, done.out) == (5, "")
    assert "another run of jaxvis is writing there" in done.err


@pytest.mark.parametrize("arguments", [REPORT, EVALUATE])
def test_a_run_that_fails_leaves_no_folder(arguments, tmp_path):
    assert jaxvis(*arguments, "--class", "up", "--out", tmp_path / "a" / "b").code == 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("command", "code", "out", "err"),
    [
        ("classes goose >&-", 0, b"", b""),
        ("classes qqqqqq 2>&-", 2, b"", b""),
        ("classes goose >/dev/full", 5, b"", b"cannot print: No space left on device"),
        ("classes qqqqqq 2>/dev/full", 2, b"", b""),
        ("--help >/dev/full", 5, b"", b"cannot print: No space left on device"),
        ("nonsense 2>/dev/full", 2, b"", b""),
        ("--help >&-", 0, b"", b""),
    ],
)
def test_streams_that_take_nothing(command, code, out, err, tmp_path):
    done = shell(command, tmp_path)
    assert (done.returncode, done.stdout) == (code, out)
    assert err in done.stderr
    assert len(done.stderr.splitlines()) == bool(err)


def test_results_are_written_though_nothing_can_be_printed(place):  # noqa: F811
    """With all streams closed no file of results gets the number of one of them."""
    done = shell(f"{' '.join(REPORT)} --out closed <&- >&- 2>&-", place)
    assert done.returncode == 0
    assert (place / "closed" / "report.md").read_text().startswith("# What the network looks at")
    done = shell(f"{' '.join(REPORT)} --out full >/dev/full", place)
    assert done.returncode == 5
    assert done.stderr.endswith(b"on device; the results are complete, in full\n")
    assert (place / "full" / "report.md").read_text().startswith("# What the network looks at")


@pytest.mark.parametrize(
    "environment",
    [
        {"PYTHONIOENCODING": "cp1252"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    ],
)
def test_encodings_that_lack_what_is_printed(environment, place):  # noqa: F811
    (place / "雁 é.png").write_bytes((place / "pictures" / "a_1.png").read_bytes())
    arguments = " ".join(REPORT).replace("pictures", "'雁 é.png'", 1)
    done = shell(f"{arguments} --out encoded", place, **environment)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b".png: " in done.stdout
    assert (place / "encoded" / "report.md").exists()
