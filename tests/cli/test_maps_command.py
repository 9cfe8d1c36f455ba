"""`jaxvis maps`, `jaxvis show` and `jaxvis evaluate --maps`, as a user asks for them."""

import csv
import json
import os
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from proved import each, proves
from small import SIZE, network
from test_report_command import in_here

import jaxvis as jv
from jaxvis import evaluate as ev
from jaxvis import stopping
from jaxvis.errors import InputError
from jaxvis.models.vgg16 import PRECISIONS

pytest.importorskip("grain")
NETWORK = ("--network", "small:network")
COUNT = 7
BOXES = {f"p{i}.png": (5 + i, 10, 30 + i, 36) for i in range(COUNT)}  # of 50 x 40 pixels


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Seven pictures, their boxes, other names of classes, and maps of them."""
    folder = tmp_path_factory.mktemp("maps")
    rng = np.random.default_rng(8)
    (folder / "pictures").mkdir()
    for name in BOXES:
        pixels = rng.integers(0, 256, (40, 50, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / "pictures" / name)
    with (folder / "boxes.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["file", "xmin", "ymin", "xmax", "ymax"])
        rows.writerows([name, *box] for name, box in BOXES.items())
    (folder / "labels.txt").write_text("\n".join(f"other {i}" for i in range(7)))
    done = in_here(folder, "maps", "pictures", *NETWORK, "--out", "m.zarr", "--batch", "3")
    assert (done.returncode, done.stderr) == (0, "")
    return folder


def maps(place, tmp_path, *arguments):
    """Run `jaxvis maps` on the pictures and return what it wrote."""
    out = tmp_path / "n.zarr"
    shutil.rmtree(out, ignore_errors=True)
    batch = () if "--batch" in arguments or "--auto" in arguments else ("--batch", "3")
    arguments = [one for one in arguments if one != "--auto"]
    done = in_here(place, "maps", "pictures", *NETWORK, "--out", out, *batch, *arguments)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return jv.open_maps(out)


def explained(place, classes=None, resample="bilinear", **options):
    net = network()
    x = net.preprocess(jv.load_images(place / "pictures", SIZE, resample=resample))
    return jv.explain(net.model, x, classes, **{"layer": net.layer, **options})


def same(found, wanted):
    wanted = np.asarray(wanted)
    return found.shape == wanted.shape and np.allclose(
        found, wanted, rtol=1e-4, atol=1e-5 * np.abs(wanted).max()
    )


@proves("maps images", "maps --out", *each("maps", "--network", "--weights"))
def test_what_is_written(place, tmp_path):
    wanted = explained(place)
    for option in ("--network", "--weights"):
        out = tmp_path / option
        done = in_here(
            place, "maps", "pictures/p1.png", "pictures/p[03].png", option, "small:network",
            "--out", out, "--batch", "3",
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        found = jv.open_maps(out)
        assert found.names == ["p1.png", "p0.png", "p3.png"]
        for name, array in wanted.items():
            assert same(found.maps()[name], np.asarray(array)[[1, 0, 3]])
    assert re.match(
        r".*: maps of 3 images, 3 now, [\d.]+ a second; the devices waited", done.stdout
    )


@proves("maps --class")
def test_class(place, tmp_path):
    for name, classes in (("kind 2", 2), ("5", 5), ("predicted", None)):
        found = maps(place, tmp_path, "--class", name, "--methods", "grad_cam")
        assert same(found.maps().grad_cam["guided"], explained(place, classes).grad_cam["guided"])
    found = maps(place, tmp_path, "--class", "top4", "--methods", "grad_cam")
    best = np.argsort(-np.asarray(explained(place).logits), axis=1)[:, :4]
    np.testing.assert_array_equal(found.classes(), best)
    assert same(found.maps().grad_cam["guided"], explained(place, best).grad_cam["guided"])


@proves(*each("maps", "--labels", "--layer", "--methods", "--rules", "--dtype", "--resample"))
def test_what_is_asked_for(place, tmp_path):
    asked = ("--methods", "hires_cam,saliency", "--rules", "guided", "--layer", "0")
    found = maps(place, tmp_path, *asked, "--dtype", "float16", "--resample", "nearest")
    wanted = explained(
        place, methods=["hires_cam", "saliency"], rules=["guided"], layer=0, resample="nearest"
    )
    assert [*found.maps()] == [*wanted]
    assert same(found.maps().hires_cam["guided"], wanted.hires_cam["guided"])
    apart = np.abs(found.maps().saliency["guided"] - wanted.saliency["guided"])
    assert (apart <= 2.0**-10 * wanted.saliency["guided"].max()).all()
    assert apart.max() > 0  # float16
    assert not same(found.maps().hires_cam["guided"], explained(
        place, methods=["hires_cam"], rules=["guided"], layer=0).hires_cam["guided"])  # fmt: skip
    done = in_here(
        place, "maps", "pictures", "--network", "demo", "--labels", "labels.txt", "--out",
        tmp_path / "l.zarr",
    )  # fmt: skip
    assert "has 12 classes, but labels= (--labels) gives 7 names" in done.stderr


@proves("maps --batch")
def test_batch(place, tmp_path):
    found = maps(place, tmp_path, "--batch", "2", "--methods", "grad_cam").maps()
    written = json.loads((tmp_path / "n.zarr/grad_cam_guided/zarr.json").read_text())
    assert written["chunk_grid"]["configuration"]["chunk_shape"][0] == 2
    auto = maps(place, tmp_path, "--methods", "grad_cam", "--auto")
    assert same(auto.maps().grad_cam["guided"], found.grad_cam["guided"])
    refused = in_here(place, "maps", "pictures", *NETWORK, "--out", "o.zarr", "--batch", "0")
    assert refused.returncode == 2
    assert not (place / "o.zarr").exists()


@proves(*each("maps", "--precision", "--preprocess", "--size", "--pool", "--activation", "--last"))
@pytest.mark.parametrize("chosen", [None, *PRECISIONS])
def test_what_reaches_the_network(place, monkeypatch, chosen):
    seen = {}

    def load(name, **options):
        seen.update(options)
        raise InputError("that is all")

    monkeypatch.setattr("jaxvis.weights.load.load", load)
    told = {"preprocess": "tf", "size": (64, 96), "pool": "avg", "activation": "linear",
            "last": "sigmoid"}  # fmt: skip
    arguments = [f"--{name}={value}" for name, value in told.items() if name != "size"]
    option = () if chosen is None else ("--precision", chosen)
    arguments += ["--network=imagenet", "--size=64x96"]
    done = in_here(place, "maps", "pictures", "--out", "x.zarr", *arguments, *option)
    assert done.returncode == 2
    assert seen == {**told, "labels": None, "precision": chosen or "highest"}


@proves("maps --cache")
def test_cache(place, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr("jaxvis.gradients.compile_cache.use_compile_cache", lambda: asked.append(1))
    maps(place, tmp_path, "--methods", "grad_cam", "--cache")
    assert asked == [1]
    maps(place, tmp_path, "--methods", "grad_cam")
    assert asked == [1]


@proves("maps --skip-broken")
def test_broken_images(place, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(place / "pictures", copy)
    (copy / "p2.png").write_text("no picture")
    command = ("maps", copy, *NETWORK, "--out", tmp_path / "b.zarr", "--methods", "grad_cam",
               "--batch", "3")  # fmt: skip
    done = in_here(place, *command)
    assert done.returncode == 3
    assert "p2.png" in done.stderr
    assert "1 of the images cannot be read: their maps are NaN, and the same command" in done.stderr
    assert f"{tmp_path}/b.zarr: maps of 6 images" in done.stdout
    done = in_here(place, *command, "--skip-broken")
    assert done.returncode == 0
    assert "p2.png" in done.stderr
    found = json.loads(in_here(place, *command, "--skip-broken", "--json").stdout.splitlines()[-1])
    assert [*found["broken"]] == ["p2.png"]
    assert (found["images"], found["missing"]) == (7, 0)
    shutil.copy(place / "pictures/p2.png", copy)
    shutil.copy(place / "pictures/p2.png", copy / "p9.png")
    done = in_here(place, *command)
    assert (done.returncode, done.stderr) == (0, "")
    assert "not in it: 1 image that came since this was begun: p9.png" in done.stdout


@proves("maps --json", "maps --quiet")
def test_lines_for_a_log(place, tmp_path, monkeypatch):
    monkeypatch.setattr("jaxvis.cli.maps.EVERY", 0.0)
    command = ("maps", "pictures", *NETWORK, "--methods", "grad_cam", "--batch", "2")
    done = in_here(place, *command, "--out", tmp_path / "j.zarr", "--json")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["done"] for line in lines] == [2, 4, 6, 7, 7]
    for line in lines:
        assert line["total"] == COUNT
        assert line["images_per_second"] > 0
        assert 0 <= line["waiting"] <= 1
        left = (COUNT - line["done"]) / line["images_per_second"]
        assert line["seconds_left"] == pytest.approx(left, rel=0.1, abs=1)
    assert (lines[-1]["out"], lines[-1]["came_since"]) == (f"{tmp_path}/j.zarr", [])
    done = in_here(place, *command, "--out", tmp_path / "q.zarr", "--quiet")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@proves("maps --process", "maps --processes")
def test_processes(place, tmp_path):
    """As in a job array: each its part, the second waits for what the first makes."""
    command = ("maps", "pictures", *NETWORK, "--out", tmp_path / "p.zarr", "--batch", "2")
    first = in_here(place, *command, "--process", "0", "--processes", "2")
    assert first.returncode == 0
    assert "left: 3 images, which other processes have to do" in first.stdout
    assert jv.open_maps(tmp_path / "p.zarr").state().tolist() == [1, 1, 0, 0, 1, 1, 0]
    second = in_here(place, *command, "--process", "1", "--processes", "2")
    assert "left:" not in second.stdout
    whole, found = jv.open_maps(place / "m.zarr").maps(), jv.open_maps(tmp_path / "p.zarr").maps()
    for name, array in whole.items():
        assert same(found[name], array)
    for wrong in (("--process", "0"), ("--process", "2", "--processes", "2")):
        refused = in_here(place, *command, *wrong)
        assert refused.returncode == 2
        assert "wanted both, the first from 0 and below the second" in refused.stderr


@proves("maps --coordinator", "maps --distributed")
def test_processes_that_know_each_other(place, tmp_path, monkeypatch):
    """What reaches JAX; the slow tests of streams join real processes by it."""
    seen = []

    def initialize(*given):
        seen.append(given)
        raise RuntimeError("nobody there")

    monkeypatch.setattr("jax.distributed.initialize", initialize)
    command = ("maps", "pictures", *NETWORK, "--out", tmp_path / "d.zarr")
    joined = ("--coordinator", "127.0.0.1:1", "--process", "1", "--processes", "3")
    for option in (joined, ("--distributed",)):
        done = in_here(place, *command, *option)
        assert done.returncode == 2
        assert "the other processes are not found: nobody there" in done.stderr
    assert seen == [("127.0.0.1:1", 3, 1), (None, None, None)]
    for option, message in [
        (("--coordinator", "a:1"), "need all three"),
        ((*joined, "--distributed"), "leave out one of the two"),
        (("--distributed", "--process", "1"), "need all three"),
    ]:
        done = in_here(place, *command, *option)
        assert done.returncode == 2
        assert message in done.stderr
    assert len(seen) == 2


def test_what_is_true_if_it_is_stopped(place, tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr(stopping, "succeeded", said.append)
    maps(place, tmp_path, "--batch", "3", "--methods", "grad_cam")
    assert said[1:] == [
        f"{done} of 7 images are in {tmp_path}/n.zarr; the same command goes on"
        for done in (3, 6, 7)
    ]


def test_a_folder_of_another_kind_is_left_alone(place, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    done = in_here(place, "maps", "pictures", *NETWORK, "--out", tmp_path)
    assert done.returncode == 5
    assert "something is there that jaxvis did not write, mine.txt" in done.stderr
    assert os.listdir(tmp_path) == ["mine.txt"]


def test_without_what_it_needs(place, tmp_path):
    """One sentence, and the command that helps."""
    script = (
        "import sys; sys.modules['grain'] = None\n"
        "from jaxvis.cli.main import main; sys.exit(main())"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, "maps", "pictures", "--out", tmp_path / "x"],
        cwd=place, capture_output=True, text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert done.returncode == 2
    assert "need grain" in done.stderr
    assert "pip install 'jaxvis[many]'" in done.stderr


# show


def page_data(path):
    (data,) = re.findall(
        r'<script type="application/json" id="data">(.*?)</script>', path.read_text("utf-8"), re.S
    )
    return json.loads(data)


@proves("show maps", "show which", "show --out", "show --json", "show --quiet")
def test_show(place, tmp_path):
    stored = jv.open_maps(place / "m.zarr")
    for which, numbers in [
        ((), range(COUNT)), (("2", "p0.png"), [2, 0]), (("1:3", "5:"), [1, 2, 5, 6]),
        (("p[12].png", "1"), [1, 2]),
    ]:  # fmt: skip
        out = tmp_path / "shown"
        done = in_here(place, "show", "m.zarr", *which, "--out", out, "--json")
        told = json.loads(done.stdout)
        assert told == {"page": str(out / "report.html"), "images": len(numbers)}
        data = page_data(out / "report.html")
        assert [one["file"] for one in data["index"]] == [f"p{i}.png" for i in numbers]
        for image, number in zip(data["images"], numbers, strict=True):
            row = [one["method"] + one["rule"] for one in data["maps"]].index("grad_camguided")
            kept = stored.maps(np.array([number])).grad_cam["guided"][0]
            assert image["maps"][row]["high"] == pytest.approx(kept.max(), rel=1e-5)
    done = in_here(place, "show", "m.zarr", "--quiet", "--out", tmp_path / "q")
    assert (done.returncode, done.stdout) == (0, "")
    for which, message in [("p9.png", "no image has that name"), ("9", "beyond the 7 images"),
                           ("3:3", "beyond"), ("q*", "no image has that name")]:  # fmt: skip
        done = in_here(place, "show", "m.zarr", which, "--out", tmp_path / "wrong")
        assert done.returncode == 2
        assert message in done.stderr
    assert in_here(place, "show", "pictures").returncode == 2
    assert not (tmp_path / "wrong").exists()


def test_show_further_classes(place, tmp_path):
    found = maps(place, tmp_path, "--class", "top3", "--methods", "grad_cam", "--rules", "guided")
    in_here(place, "show", found.path, "--out", tmp_path / "s")
    for number, image in enumerate(page_data(tmp_path / "s/report.html")["images"]):
        names = [image["class"], *(other["class"] for other in image["others"])]
        assert names == [f"kind {index}" for index in found.classes()[number]]
        array = found.maps().grad_cam["guided"][number]
        for rank, other in enumerate(image["others"], start=1):
            assert other["maps"][0]["high"] == pytest.approx(array[rank].max(), rel=1e-5)


@proves("show --folder", "show --boxes", "show --open")
def test_show_moved_images_and_boxes(place, tmp_path, monkeypatch):
    copy, moved = tmp_path / "copy", tmp_path / "moved"
    shutil.copytree(place / "pictures", copy)
    done = in_here(place, "maps", copy, *NETWORK, "--out", tmp_path / "c.zarr", "--batch", "3")
    assert done.returncode == 0
    copy.rename(moved)
    lost = in_here(place, "show", tmp_path / "c.zarr", "--out", tmp_path / "s")
    assert lost.returncode == 3
    opened = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    command = ("show", tmp_path / "c.zarr", "--out", tmp_path / "s", "--folder", moved)
    assert in_here(place, *command).returncode == 0
    assert all(image["truth"] is None for image in page_data(tmp_path / "s/report.html")["images"])
    assert opened == []
    assert in_here(place, *command, "--boxes", "boxes.csv", "--open").returncode == 0
    assert all(image["truth"] for image in page_data(tmp_path / "s/report.html")["images"])
    assert opened == [(tmp_path / "s/report.html").as_uri()]


# evaluate


@proves("evaluate --maps", "evaluate --folder")
def test_evaluate_stored_maps(place, tmp_path, monkeypatch):
    """The figures are those of the library's maps, and no network is loaded or asked."""
    wanted = explained(place)
    masks = ev.box_masks(
        ev.read_boxes(place / "boxes.csv"), [place / "pictures" / name for name in BOXES], SIZE
    )
    moved = tmp_path / "moved"
    shutil.copytree(place / "pictures", moved)
    with monkeypatch.context() as patch:
        patch.setattr("jaxvis.report.evaluation.load", None)
        patch.setattr("jaxvis.gradients.compiled.Compiled.__call__", None)
        for folder in ((), ("--folder", moved)):
            done = in_here(
                place, "evaluate", "--maps", "m.zarr", "--boxes", "boxes.csv", "--out",
                tmp_path / "b", "--json", *folder,
            )  # fmt: skip
            assert (done.returncode, done.stderr) == (0, "")
    told = json.loads(done.stdout)
    (found,) = told["questions"]
    assert found["key"] == "where"
    for method, rule in (("saliency", "guided"), ("grad_cam", "vanilla")):
        large = jv.upsample(wanted[method, rule], SIZE)
        values = found["maps"][f"{jv.METHODS[method].title} {rule}"]
        for name, metric in (
            ("energy inside", ev.energy_inside),
            ("PR area", ev.precision_recall_area),
        ):
            mean = np.asarray(metric(large, masks)).mean()
            assert values[name]["mean"] == pytest.approx(mean, rel=1e-3)
    assert "random" in found["maps"]
    page = (tmp_path / "b/evaluation.md").read_text()
    assert "takes the network, and was not asked of stored maps" in page
    assert "nothing was computed again" in page
    assert told["network"] == "small"
    for more, message in [
        ((), "--maps wants --boxes"),
        (("--boxes", "boxes.csv", "--images", "pictures"), "--maps are made already"),
        (("--boxes", "boxes.csv", "--class", "3"), "--class says what maps are made of"),
    ]:
        done = in_here(place, "evaluate", "--maps", "m.zarr", "--out", tmp_path / "w", *more)
        assert done.returncode == 2
        assert message in done.stderr
    done = in_here(place, "evaluate", "--folder", "pictures", "--out", tmp_path / "w")
    assert "--folder belongs to --maps" in done.stderr
    assert not (tmp_path / "w").exists()
