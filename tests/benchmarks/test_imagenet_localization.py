"""The script on a folder like ImageNet's, made of drawn scenes, against a count by brute force."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np
import pytest
import scipy.ndimage
from conftest import forced_devices, long
from PIL import Image

import jaxvis as jv
from jaxvis.demo.scenes import CLASSES, HELD_OUT_SEEDS, scene, two_objects

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

import ilsvrc  # noqa: E402
import localization_results  # noqa: E402

SCRIPT = BENCHMARKS / "imagenet_localization.py"
COUNT, BATCH = 14, 3  # images; of a batch, so that the last is not full
STRICT = {"JAX_NUMPY_DTYPE_PROMOTION": "strict", "JAX_NUMPY_RANK_PROMOTION": "raise"}


def annotation(size, objects):
    """An XML file as in ILSVRC, boxes with their last pixels."""
    items = "".join(
        f"<object><name>{name}</name><bndbox><xmin>{box[0]}</xmin><ymin>{box[1]}</ymin>"
        f"<xmax>{box[2]}</xmax><ymax>{box[3]}</ymax></bndbox></object>"
        for name, box in objects
    )
    return (
        f"<annotation><folder>val</folder><size><width>{size[0]}</width><height>{size[1]}</height>"
        f"<depth>3</depth></size>{items}</annotation>"
    )


def box_of(mask, scale):
    """First and last pixels of a mask when each of its pixels became scale x scale."""
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    first = columns[0] * scale[0], rows[0] * scale[1]
    return *first, (columns[-1] + 1) * scale[0] - 1, (rows[-1] + 1) * scale[1] - 1


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Folders `images` and `annotations`: scenes of one object, and some of two of a class.

    Some are said to show what the network takes for the second most likely class, one the least.
    """
    model = jv.load_vgg16("demo")
    folder = tmp_path_factory.mktemp("ilsvrc")
    (folder / "images").mkdir()
    (folder / "annotations").mkdir()
    for number in range(COUNT):
        name, seed = CLASSES[number % len(CLASSES)], HELD_OUT_SEEDS[number + 40]
        scale = (2, 1) if number % 3 else (2, 3)  # neither square nor of the network's size
        if number % 4 == 3:
            drawn = two_objects(seed, name, name)
            masks = drawn.masks
        else:
            drawn = scene(seed, name)
            masks = (drawn.mask,)
        stem = f"ILSVRC2012_val_{number + 1:08}"
        pixels = drawn.image.repeat(scale[1], axis=0).repeat(scale[0], axis=1)
        Image.fromarray(pixels).save(folder / "images" / f"{stem}.JPEG", quality=92)
        if number in (1, 5, 6, 9):
            file = folder / "images" / f"{stem}.JPEG"
            x = jv.preprocess(jv.load_images(file, resample="bilinear"))
            logits = logits_of(model, x)[0]
            name = CLASSES[int(np.argsort(logits)[0 if number == 5 else -2])]
        objects = [(name, box_of(mask, scale)) for mask in masks]
        text = annotation((224 * scale[0], 224 * scale[1]), objects)
        (folder / "annotations" / f"{stem}.xml").write_text(text)
    return folder


def command(data, results, *extra):
    return [sys.executable, "-W", "error", SCRIPT, "--images", data / "images",
            "--annotations", data / "annotations", "--weights", "demo", "--results", results,
            "--batch", str(BATCH), *extra]  # fmt: skip


def run(data, results, *extra, devices=1):
    return subprocess.run(
        command(data, results, *extra),
        env=os.environ | STRICT | forced_devices(devices),
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip


def percentages(text):
    rows = re.findall(r"^\| (\w+, [\w-]+) \| ([\d.]+) ± [\d.]+ \| ([\d.]+) ± [\d.]+ \|", text, re.M)
    return {title: (float(one), float(five)) for title, one, five in rows}


# ---- the count by brute force ------------------------------------------------------------------


def segment_box(a):
    """First row and column of the largest segment above 15 %, and those behind its last."""
    labels, count = scipy.ndimage.label((a >= np.float32(0.15) * a.max()) & (a > 0))
    if not count:
        return 0, 0, 0, 0
    largest = 1 + np.argmax(np.bincount(labels.ravel())[1:])
    rows, columns = scipy.ndimage.find_objects(labels)[largest - 1]
    return columns.start, rows.start, columns.stop, rows.stop


def overlap(one, other):
    """IoU of two boxes on a grid of 1/8 of a pixel."""

    def painted(box):
        grid = np.zeros((224 * 8, 224 * 8), bool)
        x_min, y_min, x_max, y_max = (round(8 * edge) for edge in box)
        grid[y_min:y_max, x_min:x_max] = True
        return grid

    first, second = painted(one), painted(other)
    return (first & second).sum() / (first | second).sum()


def truth(path):
    """Class and boxes, in pixels of the squeezed image, out of the XML by regular expressions."""
    text = path.read_text()
    width, height = (int(re.search(f"<{side}>(\\d+)<", text)[1]) for side in ("width", "height"))
    edges = [[int(value) for value in re.findall(f"<{edge}>(\\d+)<", text)]
             for edge in ("xmin", "ymin", "xmax", "ymax")]  # fmt: skip
    boxes = [
        (x0 * 224 / width, y0 * 224 / height, (x1 + 1) * 224 / width, (y1 + 1) * 224 / height)
        for x0, y0, x1, y1 in zip(*edges, strict=True)
    ]
    return CLASSES.index(re.search("<name>(.*?)</name>", text)[1]), boxes


@pytest.fixture(scope="module")
def counted(data):
    """What is right of each image's five classes, and their IoU, one image and class at a time."""
    model = jv.load_vgg16("demo", precision="highest")
    images = {}
    for file in sorted((data / "images").iterdir()):
        label, boxes = truth(data / "annotations" / f"{file.stem}.xml")
        with Image.open(file) as image:
            squeezed = image.resize((224, 224), Image.Resampling.BILINEAR)
            factor = 256 / min(image.size)
            larger = image.resize(
                [round(side * factor) for side in image.size], Image.Resampling.BILINEAR
            )
        left, top = (larger.width - 224) // 2, (larger.height - 224) // 2
        centre = np.asarray(larger)[None, top : top + 224, left : left + 224]
        found = {"centre": [index == label for index in best_classes(model, centre)]}
        x = jv.preprocess(np.asarray(squeezed)[None])
        classes = best_classes(model, np.asarray(squeezed)[None])
        found |= {"squeezed": [index == label for index in classes]}
        found |= {"Grad-CAM": [0.0] * 5, "backpropagation": [0.0] * 5}
        for place in np.flatnonzero(
            classes == label
        ):  # the maps of other classes count for nothing
            maps = jv.explain(model, x, label, rules=["vanilla"])
            cam = jv.upsample(maps.grad_cam["vanilla"], (224, 224))[0]
            for name, a in (("Grad-CAM", cam), ("backpropagation", maps.saliency["vanilla"][0])):
                box = segment_box(np.asarray(a))
                found[name][place] = max(overlap(box, other) for other in boxes)
        images[file.name] = found
    return images


def best_classes(model, images):
    return np.argsort(-np.asarray(logits_of(model, jv.preprocess(images))[0]), kind="stable")[:5]


@jax.jit
def logits_of(model, x):
    return model(x)


@pytest.fixture(scope="module")
def wanted(counted):
    """Top-1 and top-5 errors in per cent."""

    def shares(name, right):
        first = sum(not right(image[name][0]) for image in counted.values())
        none = sum(not any(map(right, image[name])) for image in counted.values())
        return 100 * first / COUNT, 100 * none / COUNT

    return {
        "classification, centre": shares("centre", bool),
        "classification, squeezed": shares("squeezed", bool),
        "localisation, Grad-CAM": shares("Grad-CAM", lambda value: value >= 0.5),
        "localisation, backpropagation": shares("backpropagation", lambda value: value >= 0.5),
    }


# ---- the script --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def resumed(data, tmp_path_factory):
    """Results of a run that was killed between two batches and, later, in the middle of a line."""
    results = tmp_path_factory.mktemp("results") / "resumed.jsonl"
    process = subprocess.Popen(
        command(data, results), env=os.environ | STRICT, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    while process.poll() is None and not (
        results.exists() and results.read_bytes().count(b"\n") >= 3
    ):
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    lines = results.read_bytes().splitlines(keepends=True)
    results.write_bytes(b"".join(lines[:2]) + lines[2][:-20])
    return results, run(data, results)


@long
def test_errors_as_counted_by_brute_force(resumed, wanted):
    _, done = resumed
    assert done.returncode == 0, done.stderr
    found = percentages(done.stdout)
    assert list(found) == list(wanted)
    for title, pair in wanted.items():
        assert found[title] == pytest.approx(pair, abs=0.006), title
    # The data tell the measures apart.
    assert len(set(wanted.values())) == 4
    assert wanted["classification, squeezed"][0] > wanted["classification, squeezed"][1] > 0
    assert wanted["localisation, Grad-CAM"][0] > wanted["localisation, Grad-CAM"][1]


def kept(results):
    """The images in a file of results."""
    images = {}
    for line in results.read_text().splitlines()[1:]:
        images |= json.loads(line)["images"]
    return images


def the_same(found, wanted):
    """Up to a pixel that rounding lifts above the threshold."""
    assert list(found) == list(wanted)
    for name, image in wanted.items():
        assert list(found[name]) == list(image)
        for measure, values in image.items():
            assert found[name][measure] == pytest.approx(values, abs=0.01), (name, measure)


@long
def test_every_iou_as_counted_by_brute_force(resumed, counted):
    results, _ = resumed
    the_same(kept(results), counted)
    ious = [max(image["backpropagation"]) for image in counted.values()]
    assert max(ious) > 0.02
    assert sum(image["Grad-CAM"][1] > 0.02 for image in counted.values()) > 1


@long
def test_what_was_done_before_the_kill_is_not_done_again(resumed):
    results, _ = resumed
    header, *lines = [json.loads(line) for line in results.read_text().splitlines()]
    assert header["weights"] == "demo"
    assert [len(line["images"]) for line in lines] == [3, 3, 3, 3, 2]
    names = [name for line in lines for name in line["images"]]
    assert names == [f"ILSVRC2012_val_{number:08}.JPEG" for number in range(1, COUNT + 1)]


@long
def test_two_devices_find_the_same_in_one_go(data, resumed, tmp_path):
    """Also with a batch that leaves the second device nothing but padding."""
    results, done = resumed
    both = run(data, tmp_path / "two.jsonl", devices=2)
    assert both.returncode == 0, both.stderr
    assert both.stdout == done.stdout
    lines = [json.loads(line) for line in (tmp_path / "two.jsonl").read_text().splitlines()[1:]]
    assert [len(line["images"]) for line in lines] == [3, 3, 3, 3, 2]
    the_same(kept(tmp_path / "two.jsonl"), kept(results))


@long
def test_a_finished_file_is_only_read(data, resumed):
    results, done = resumed
    before = results.read_bytes()
    again = run(data, results, "--limit", str(COUNT))
    assert again.stdout == done.stdout
    assert results.read_bytes() == before


@long
def test_published_figures_are_beside(resumed):
    _, done = resumed
    assert re.search(r"localisation, Grad-CAM .* 56.51 / 46.41 \|", done.stdout)
    assert re.search(r"classification, centre .* 28.7 / 9.9 \|", done.stdout)
    assert re.search(r"error in % of 14 images", done.stdout)


# ---- what is wrong is said before anything is computed ------------------------------------------


def test_folders_and_files_that_are_missing(data, tmp_path):
    classes = {name: index for index, name in enumerate(CLASSES)}
    with pytest.raises(ilsvrc.DataError, match="--images .*absent: no such folder"):
        ilsvrc.subjects(tmp_path / "absent", data / "annotations", classes)
    with pytest.raises(ilsvrc.DataError, match="--annotations .*absent: no such folder"):
        ilsvrc.subjects(data / "images", tmp_path / "absent", classes)
    with pytest.raises(ilsvrc.DataError, match="--images .*annotations: .*no image"):
        ilsvrc.subjects(data / "annotations", data / "annotations", classes)
    with pytest.raises(
        ilsvrc.DataError,
        match=r"14 of 14 images have no annotation, the first ILSVRC2012_val_00000001.JPEG; "
        r"wanted .*ILSVRC2012_val_00000001.xml",
    ):
        ilsvrc.subjects(data / "images", tmp_path, classes)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (annotation((9, 9), [("n00000001", (0, 0, 3, 3))]), "unknown class 'n00000001'; wanted "
         f"one of {len(CLASSES)}, such as goose"),
        (annotation((9, 9), []), "no object in it"),
        (annotation((0, 9), [("cat", (0, 0, 3, 3))]), "no annotation that can be read: size"),
        (annotation((9, 9), [("cat", (5, 0, 3, 3))]), r"with a box \[.*5.0.*, .*3.0.*\]"),
        (annotation((9, 9), [("cat", (-1, 0, 3, 3))]), "can be read"),
        (annotation((9, 9), [("cat", ("nan", 0, 3, 3))]), "can be read"),
        (annotation((9, 9), [("cat", ("", 0, 3, 3))]), "can be read"),
        ("<annotation><size>", "can be read"),
        ("", "can be read"),
    ],
)  # fmt: skip
def test_annotations_that_are_wrong(tmp_path, text, message):
    file = tmp_path / "a.xml"
    file.write_text(text)
    with pytest.raises(ilsvrc.DataError, match=rf"a\.xml: .*{message}"):
        ilsvrc.read_boxes(file, {name: index for index, name in enumerate(CLASSES)})


def test_boxes_of_several_classes_up_to_the_last_pixel(tmp_path):
    file = tmp_path / "a.xml"
    objects = [("cat", (0, 0, 9, 19)), ("dog", (2, 5, 3, 9)), ("cat", (1, 2, 10, 20))]
    file.write_text(annotation((10, 20), objects))
    boxes = ilsvrc.read_boxes(file, {"dog": 3, "cat": 8})
    # 10 and 20 are one pixel beyond the image, as some files have it
    np.testing.assert_allclose(boxes[8], [[0, 0, 1, 1], [0.1, 0.1, 1, 1]])
    np.testing.assert_allclose(boxes[3], [[0.2, 0.25, 0.4, 0.5]])


def test_imagenet_has_wordnet_ids():
    model = jv.VGG16(width=1 / 64, fc=8, size=32)
    classes = ilsvrc.class_indices(model)
    assert len(classes) == 1000
    assert classes["n01855672"] == model.class_index("goose") == 99
    with pytest.raises(ilsvrc.DataError, match="no class names"):
        ilsvrc.class_indices(jv.VGG16(width=1 / 64, fc=8, size=32, classes=7))


def test_the_iou_of_boxes(rng):
    boxes = np.sort(rng.integers(0, 224, (40, 2, 2)), axis=1).reshape(40, 4)
    boxes[:, 2:] += 1
    for one, other in zip(boxes[:20], boxes[20:], strict=True):
        found = localization_results.iou(one, other[None].astype(float))
        assert found == pytest.approx(overlap(one, other))
    assert localization_results.iou(boxes[0], boxes) == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a diary", "no results of this script; name another file"),
        ("a diary\nof many days\n", "no results of this script .*; name another file"),
        ('{"weights": "demo"}\n{"days": 3}\n', "no results of this script .*; name another file"),
        ('{"weights": "other"}\n', "was made with .*other.*, now asked for .*demo"),
    ],
)
def test_other_files_are_left_alone(tmp_path, content, message):
    path = tmp_path / "results.jsonl"
    path.write_text(content)
    with pytest.raises(ilsvrc.DataError, match=f"--results .*{message}"):
        localization_results.Results(path, {"weights": "demo"})
    assert path.read_text() == content


def test_a_header_that_was_cut(tmp_path):
    path = tmp_path / "results.jsonl"
    path.write_text('{"weig')
    results = localization_results.Results(path, {"weights": "demo"})
    results.add({"a": {}})
    assert path.read_text() == '{"weights": "demo"}\n{"images": {"a": {}}}\n'


def test_messages_of_the_command(data, tmp_path):
    done = run(data, tmp_path / "absent" / "results.jsonl")
    assert done.returncode == 2
    assert done.stderr.startswith("imagenet_localization: --results ")
    assert "no such folder" in done.stderr
