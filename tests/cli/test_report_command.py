"""The command as a user runs it: a process, its exit code, what it prints and what it leaves."""

import contextlib
import io
import json
import os
import re
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import jaxvis as jv
from jaxvis.cli.main import main
from jaxvis.gradients.relu import RULES
from jaxvis.pictures import figures
from jaxvis.report import lab, page
from jaxvis.report.lab import Options, write_report
from jaxvis.report.output import OutputError

LABELS = ["cat", "goose", "fish"]
GOOD = ["report", "pictures", "--network", "tiny.h5"]
QUICK = ["--methods", "saliency", "--rules", "vanilla", "--no-evaluation"]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with two pictures and the weights of a tiny network for 32 x 32 images."""
    folder = tmp_path_factory.mktemp("cli")
    model = jv.VGG16(width=1 / 16, classes=3, size=32, labels=LABELS)
    jv.save_vgg16(model, folder / "tiny.h5")
    rng = np.random.Generator(np.random.PCG64(0))
    (folder / "pictures").mkdir()
    for name in ("a_1.png", "b_2.jpg"):
        pixels = rng.integers(0, 256, (40, 50, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / "pictures" / name)
    (folder / "bad.png").write_text("no picture")
    (folder / "bad.h5").write_text("<!DOCTYPE html>")
    (folder / "file").write_text("")
    return folder


def jaxvis(place, *arguments, **options):
    return subprocess.run(
        [sys.executable, "-m", "jaxvis", *map(str, arguments)],
        cwd=place, capture_output=True, text=True, check=False, **options,
    )  # fmt: skip


def in_here(place, *arguments):
    """Do the same in this process, where what was compiled before serves again.

    A fault is raised, and a warning is one. Streams are no terminals.
    """
    out, err = io.StringIO(), io.StringIO()
    with (
        contextlib.chdir(place),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as end:  # argparse, after a mistake
            code = end.code
    return subprocess.CompletedProcess(arguments, code, out.getvalue(), err.getvalue())


@pytest.fixture(scope="module")
def report(place):
    done = jaxvis(place, "report", "pictures", "--class", "goose", "--network", "tiny.h5")
    assert done.returncode == 0, done.stderr
    return done


def test_report_prints_where_it_is(report, place):
    assert report.stderr == ""  # no progress unless stderr is a terminal
    lines = report.stdout.splitlines()
    assert lines[0].startswith("pictures/a_1.png: ")
    assert lines[0].endswith("explained for goose (1)")
    assert lines[-1] == "report: report/report.md"
    seconds = r"\d+\.\d s for the maps, \d+\.\d s to compile them, \d+\.\d s for the drawing"
    assert re.fullmatch(seconds, lines[-4])
    names = sorted(path.name for path in (place / "report").glob("[!.]*"))
    kinds = [f"{kind}_{rule}.{end}" for kind, end in (("grad_cam", "jpg"), ("saliency", "png"))
             for rule in RULES]  # fmt: skip
    others = ["comparison.jpg", "inputs.jpg", "maps.npz", "report.html", "report.md"]
    assert names == sorted([*others, *kinds])
    for name in names:
        if name.endswith((".png", ".jpg")):
            with Image.open(place / "report" / name) as picture:
                assert min(picture.size) > 200


def test_maps_are_those_of_the_library(report, place):
    model = jv.load_vgg16(place / "tiny.h5")
    images = jv.load_images(place / "pictures", (32, 32))
    wanted = jv.explain(model, jv.preprocess(images), 1)
    with np.load(place / "report" / "maps.npz") as maps:
        np.testing.assert_array_equal(maps["images"], images)
        assert maps["classes"].tolist() == [1, 1]
        np.testing.assert_allclose(maps["logits"], wanted.logits, rtol=1e-5)
        for rule in RULES:
            found = maps[f"saliency_{rule}"], maps[f"grad_cam_{rule}"]
            raw = wanted.saliency[rule], wanted.grad_cam[rule]
            for array, want in zip(found, raw, strict=True):
                np.testing.assert_allclose(array, want, rtol=1e-4, atol=1e-6)


def test_page_shows_every_figure_and_the_table(report, place):
    text = (place / "report" / "report.md").read_text()
    for path in (place / "report").glob("*.[pj][np]g"):
        assert f"]({path.name})" in text
    row = "| a\\_1.png | goose (1) |"
    for wanted in (
        row, "block5_conv3 (Conv2D)", "- Network: `tiny.h5`.", "jaxlib", "Device: ", "Time: ",
    ):  # fmt: skip
        assert wanted in text
    assert text.index("### Vanilla") < text.index("### Rectified") < text.index("### Guided")


def test_json_and_the_predicted_class(place):
    done = in_here(
        place, "report", "pictures/*", "--network", "tiny.h5", "--out", "j", "--json",
    )  # fmt: skip
    told = json.loads(done.stdout)
    assert done.stderr == ""
    model = jv.load_vgg16(place / "tiny.h5")
    x = jv.preprocess(jv.load_images(place / "pictures", (32, 32)))
    predicted = np.argmax(model(x), axis=1)
    assert [image["class"]["index"] for image in told["images"]] == predicted.tolist()
    assert [image["top"][0]["index"] for image in told["images"]] == predicted.tolist()
    assert len(told["figures"]) == 8
    steps = {
        "load weights",
        "load images",
        "compile",
        "maps",
        "evaluate",
        "draw",
        "page",
        "maps.npz",
    }
    assert set(told["seconds"]) == steps


def test_many_images_go_through_in_batches(place):
    """Nine images: two batches of eight, the second one filled up."""
    folder = place / "many"
    folder.mkdir()
    rng = np.random.Generator(np.random.PCG64(1))
    for number in range(9):
        pixels = rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"p{number}.png")
    few = ("--methods", "saliency", "--rules", "guided", "--no-evaluation", "--quiet")
    done = in_here(place, "report", "many", "--network", "tiny.h5", "--out", "m", *few)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    x = jv.preprocess(jv.load_images(folder, (32, 32)))
    with np.load(place / "m" / "maps.npz") as maps:
        wanted = jv.saliency(jv.load_vgg16(place / "tiny.h5"), x, rule=jv.GUIDED)
        np.testing.assert_allclose(maps["saliency_guided"], wanted, rtol=1e-4, atol=1e-6)


def test_progress_on_a_terminal_only(place):
    pty, fcntl, termios = map(pytest.importorskip, ("pty", "fcntl", "termios"))  # not on Windows
    parent, child = pty.openpty()
    fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    done = subprocess.run(
        [sys.executable, "-m", "jaxvis", *GOOD, *QUICK, "--out", "p"],
        cwd=place, stdout=subprocess.PIPE, stderr=child, check=True,
    )  # fmt: skip
    os.set_blocking(parent, False)  # nothing to read is a failure, not a wait
    assert b"jaxvis: compiling" in os.read(parent, 100_000)
    os.close(parent)
    os.close(child)
    assert b"compiling" not in done.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([], 2, "the following arguments are required: COMMAND"),
        (["report", "--alpha", "2"], 2, "'2' is no number from 0 to 1"),
        ([*GOOD, "--class", "gose"], 2, "goose (1)"),
        ([*GOOD, "--layer", "conv9"], 2, "no layer 'conv9'"),
        ([*GOOD, "--layer", "fc1"], 2, "choose a convolution"),
        ([*GOOD, "--colormap", "jett"], 2, "jet"),
        ([*GOOD, "--labels", "no"], 2, "--labels no: cannot"),
        ([*GOOD, "--labels", "file"], 2, "no names; wanted"),
        (["report", "nowhere.png", "--network", "tiny.h5"], 3, "nowhere.png: no such file"),
        (["report", "bad.png", "--network", "tiny.h5"], 3, "bad.png: "),
        (["report", "pictures", "--network", "nowhere.h5"], 4, "nowhere.h5: "),
        (["report", "pictures", "--network", "bad.h5"], 4, "bad.h5: "),
        ([*GOOD, "--out", "file"], 5, "file: nothing can be written there"),
        (["classes", "qqqqqq"], 2, "no class has a name like 'qqqqqq'"),
    ],
)
def test_mistakes_get_a_message_and_a_code_but_no_traceback(place, arguments, code, message):
    done = in_here(place, *arguments)
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert done.returncode == code
    assert done.stdout == ""
    assert "Warning" not in done.stderr


def test_a_process_ends_with_the_code_of_the_mistake(place):
    for arguments, code in (
        ([], 2),
        ([*GOOD, "--class", "gose"], 2),
        (["report", "bad.png", "--network", "tiny.h5"], 3),
        (["report", "pictures", "--network", "bad.h5"], 4),
        ([*GOOD, "--out", "file"], 5),
    ):
        done, here = jaxvis(place, *arguments), in_here(place, *arguments)
        assert (done.returncode, done.stdout) == (code, "")
        assert done.stderr.splitlines()[-1:] == here.stderr.splitlines()[-1:] != []


def test_an_error_leaves_an_earlier_report_as_it_was(report, place):
    before = {path: path.read_bytes() for path in (place / "report").iterdir()}
    assert in_here(place, "report", "bad.png", "--network", "tiny.h5").returncode == 3
    assert {path: path.read_bytes() for path in (place / "report").iterdir()} == before


def test_a_file_name_in_another_script_is_no_trouble(place):
    (place / "雁.png").write_bytes((place / "pictures" / "a_1.png").read_bytes())
    done = jaxvis(place, "report", "雁.png", "--network", "tiny.h5", "--out", "u", *QUICK)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("雁.png: ")


def test_fetch_and_weights_offline(place, tmp_path, monkeypatch):
    monkeypatch.setenv("JAXVIS_OFFLINE", "1")
    for name in ("JAXVIS_CACHE", "KERAS_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    done = in_here(place, "fetch", "imagenet")
    assert done.returncode == 4
    for wanted in (
        "JAXVIS_OFFLINE",
        "https://",
        "553,467,096 bytes",
        "64373286793e",
        str(tmp_path),
    ):
        assert wanted in done.stderr
    done = in_here(place, "fetch", "imagenet", "--file", "tiny.h5")
    assert done.returncode == 4
    assert "tiny.h5: is not vgg16_weights_tf_dim_ordering_tf_kernels.h5" in done.stderr
    done = in_here(place, "weights")
    assert "imagenet: not here; jaxvis fetch imagenet fetches 553,467,096 bytes" in done.stdout
    (tmp_path / "vgg16_weights_tf_dim_ordering_tf_kernels.h5").write_text("damaged")
    done = in_here(place, "weights")
    assert "7 bytes, found 7 bytes, wanted 553,467,096" in done.stdout
    assert "to remove: delete it" in done.stdout


def test_what_newcomers_type(place, tmp_path, monkeypatch):
    """Nothing large is fetched without being asked for; names that are nearly right are told."""
    for name in ("JAXVIS_CACHE", "KERAS_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "cache"))
    monkeypatch.delenv("JAXVIS_OFFLINE", raising=False)

    def fetched(*_, **__):
        raise AssertionError("something is fetched")

    monkeypatch.setattr("jaxvis.weights.fetch._download", fetched)
    commands = (
        ("report", "pictures"),
        ("evaluate", "pictures"),
        ("evaluate", "--images", "pictures"),
    )
    for command in commands:
        done = in_here(place, *command, "--out", tmp_path / "out")
        assert done.returncode == 4
        for wanted in ("553 MB", "jaxvis fetch imagenet", "--network imagenet", "jaxvis[photos]"):
            assert wanted in done.stderr
    assert not (tmp_path / "out").exists()
    for name, meant in (
        ("imagnet", "imagenet"),
        ("Demo", "demo"),
        ("efficientnet", "efficientnet-lite0"),
    ):
        done = in_here(place, "report", "pictures", "--network", name, "--out", tmp_path / "out")
        assert done.returncode == 4
        assert f"{name}: there is no such file, nor a network of that name" in done.stderr
        assert f"did you mean {meant}?" in done.stderr
    twice = in_here(place, "evaluate", "pictures", "--images", "pictures")
    assert twice.returncode == 2
    assert "images are given twice" in twice.stderr


def test_summary_classes_and_version(place):
    assert "Total params: 138,357,544 (527.79 MB)" in in_here(place, "summary").stdout
    assert (
        "predictions (Dense)         (None, 3)"
        in in_here(place, "summary", "--network", "tiny.h5").stdout
    )
    assert in_here(place, "classes", "goose").stdout.splitlines()[0] == "  99  n01855672  goose"
    assert in_here(place, "classes", "--network", "tiny.h5").stdout.split() == [
        "0", "cat", "1", "goose", "2", "fish",
    ]  # fmt: skip
    assert jaxvis(place, "--version").stdout == f"jaxvis {jv.__version__}\n"


def test_a_reader_that_stops_early_is_no_error(place):
    done = subprocess.run(
        f"'{sys.executable}' -m jaxvis classes | head -n 1", cwd=place, shell=True,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout.split() == ["0", "n01440764", "tench"]
    assert done.stderr == ""


def test_images_beyond_one_grid_get_another_page(place, tmp_path, monkeypatch):
    monkeypatch.setattr(figures, "MOST_COMPARED", 1)
    options = Options(network=str(place / "tiny.h5"))
    told = write_report(place / "pictures", tmp_path / "r", options)
    names = [Path(figure).name for figure in told["figures"]]
    kinds = [f"{name}_{rule}" for name in ("saliency", "grad_cam") for rule in RULES]
    pages = [f"{kind}{n}{ending(kind)}" for kind in ["inputs", "comparison", *kinds]
             for n in ("", "_2")]  # fmt: skip
    assert sorted(names) == sorted(pages)
    text = (tmp_path / "r" / "report.md").read_text()
    for kind in ("inputs", "comparison", *kinds):
        end = ending(kind)
        assert f"]({kind}{end})\n\nMore images: [{kind}_2{end}]({kind}_2{end})." in text
    assert "images 1 to 1" in str(report_titles(place, options))


def ending(kind):
    return ".png" if kind.startswith("saliency") else ".jpg"


def report_titles(place, options):
    """The titles of all figures of a report, page by page."""
    result = lab.compute(place / "pictures", options)
    rows = result.drawn().rows()
    return [
        figure.texts[0].get_text()
        for _, which in lab._pages(2)
        for *_, figure in lab._figures(
            result, which, [row._replace(maps=row.maps[which]) for row in rows],
            f", images {which.start + 1} to {which.stop}",
        )
    ]  # fmt: skip


def test_pages_hold_each_image_once():
    for count in (1, 16, 17, 48, 49, 96, 97, 300):
        pages = lab._pages(count)
        assert [i for _, which in pages for i in range(count)[which]] == list(range(count))
        sizes = [which.stop - which.start for _, which in pages]
        assert max(sizes) <= figures.MOST_COMPARED
        assert len(sizes) == -(-count // figures.MOST_COMPARED)
        if len(sizes) > 1:  # none of so few images that they are drawn large
            assert min(sizes) > figures.MOST_LARGE
    assert [name for name, _ in lab._pages(97)] == ["", "_2", "_3"]


def test_a_report_of_many_images_keeps_to_its_own_files(place, tmp_path, monkeypatch):
    monkeypatch.setattr(page, "MOST", 1)
    monkeypatch.setattr(figures, "MOST_COMPARED", 1)
    options = Options(network=str(place / "tiny.h5"), methods=("saliency",), rules=("guided",),
                      evaluate=False)  # fmt: skip
    out = tmp_path / "r"
    for mine in ("report_files", "saliency_guided_2.png"):
        (out / mine).mkdir(parents=True)
        with pytest.raises(OutputError, match=f"{mine}: a folder is there that jaxvis did not"):
            write_report(place / "pictures", out, options)
        (out / mine).rmdir()
    told = write_report(place / "pictures", out, options)
    files = ["report_files/0001.js", "report_files/0002.js"]
    assert sorted(str(path.relative_to(out)) for path in out.rglob("*.js")) == files
    assert set(told["seconds"]) >= {"maps", "draw", "page"}
    write_report(place / "pictures" / "a_1.png", out, options)  # in whose page all is inside
    assert not (out / "report_files").exists()
    write_report(place / "pictures", out, options)
    (out / "report_files" / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match="report_files: a folder is there .* or that was changed"):
        write_report(place / "pictures", out, options)
    assert (out / "report_files" / "notes.txt").read_text() == "mine"


UNCUT = """
import jax
import jax.numpy as jnp

import jaxvis as jv


def make():
    def model(x, relu=jax.nn.relu):
        return relu(x).mean(axis=(1, 2)) / 100

    return jv.describe(model, size=(32, 32), preprocess=jv.preprocess)
"""


def test_a_network_that_cannot_be_cut_is_refused_only_where_a_layer_is_wanted(place):
    (place / "uncut.py").write_text(UNCUT)
    arguments = ("report", "pictures", "--network", "uncut:make", "--out", "cannot", "--quiet")
    done = in_here(place, *arguments)
    assert done.returncode == 2
    assert "jaxvis: model: a function cannot be cut; wanted a model with cut(layer)" in done.stderr
    assert "Traceback" not in done.stderr
    done = in_here(place, *arguments, "--methods", "saliency", "--no-evaluation")
    assert (done.returncode, done.stderr) == (0, "")
    assert not list((place / "cannot").glob("grad_cam*"))
