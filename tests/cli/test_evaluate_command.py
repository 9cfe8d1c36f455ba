"""`jaxvis evaluate` and the report's conclusion, as a user asks for them."""

import csv
import json
import re

import numpy as np
import pytest
from conftest import SIX
from proved import proves
from test_report_command import in_here, jaxvis, place  # noqa: F401 - a fixture

import jaxvis as jv
from jaxvis import evaluate as ev
from jaxvis.demo.scenes import CLASSES, HELD_OUT_SEEDS
from jaxvis.evaluate.metrics.baselines import BASELINES

KEYS = ["where", "matters", "network", "last"]
BOXES = {"a_1.png": (5, 10, 30, 36), "b_2.jpg": (20, 0, 50, 20)}  # of 50 x 40 pixels


@proves("evaluate given")
def test_images_as_in_a_report(place, monkeypatch):  # noqa: F811
    seen = []

    def write(out, options, **_):
        seen.append(options.images)
        raise jv.InputError("that is all")

    monkeypatch.setattr("jaxvis.report.evaluation.write_evaluation", write)
    for command in (("pictures", "a_*"), ("--images", "pictures", "a_*")):
        assert in_here(place, "evaluate", *command, "--network", "tiny.h5").returncode == 2
    assert seen == [["pictures", "a_*"]] * 2


@pytest.fixture(scope="module")
def boxes(place):  # noqa: F811
    path = place / "boxes.csv"
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["file", "xmin", "ymin", "xmax", "ymax"])
        rows.writerows([name, *box] for name, box in BOXES.items())
    return path


def test_files_and_boxes(place, boxes):  # noqa: F811
    done = in_here(
        place, "evaluate", "--images", "pictures", "--boxes", boxes, "--network", "tiny.h5",
        "--class", "goose", "--out", "e", "--json",
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    told = json.loads(done.stdout)
    assert told == json.loads((place / "e" / "evaluation.json").read_text())
    assert (told["network"], told["layer"]) == ("tiny.h5", "block5_conv3")
    assert [question["key"] for question in told["questions"]] == KEYS
    names = {path.name for path in (place / "e").glob("[!.]*")}
    assert names == {
        "evaluation.md", "evaluation.json", "where.png", "matters.png", "network.png",
        "last.png", "layers.png",
    }  # fmt: skip
    for question in told["questions"]:
        controls = [] if question["key"] in ("network", "last") else BASELINES
        assert list(question["maps"]) == [*SIX, *controls]

    model = jv.load_vgg16(place / "tiny.h5")
    images = jv.load_images(place / "pictures", (32, 32))
    masks = np.zeros((2, 32, 32), bool)
    for mask, (left, top, right, bottom) in zip(masks, BOXES.values(), strict=True):
        y, x = (np.arange(32) + 0.5)[:, None] * 40 / 32, (np.arange(32) + 0.5) * 50 / 32
        mask[:] = (left <= x) & (x < right) & (top <= y) & (y < bottom)
    x = jv.preprocess(images)
    maps = np.asarray(jv.saliency(model, x, 1, rule=jv.GUIDED))
    inside = [(a * mask).sum() / a.sum() for a, mask in zip(maps, masks, strict=True)]
    found = told["questions"][0]["maps"]["saliency guided"]["energy inside"]
    np.testing.assert_allclose(found["mean"], np.mean(inside), rtol=1e-3)
    area = ev.deletion(model, x, 1, maps).area
    found = told["questions"][1]["maps"]["saliency guided"]["deletion"]
    np.testing.assert_allclose(found["mean"], area.mean(), rtol=1e-3)


def test_page_and_text_hold_the_same_tables(place):  # noqa: F811
    done = in_here(place, "evaluate", "--images", "pictures", "--network", "tiny.h5", "--out", "t")
    assert (done.returncode, done.stderr) == (0, "")
    page = (place / "t" / "evaluation.md").read_text()
    assert "Where is it?" not in page  # nobody knows
    assert "Where is it?" not in done.stdout
    for chart in (place / "t").glob("*.png"):
        assert f"]({chart.name})" in page
    rows = [line for line in page.splitlines() if line.startswith("| Grad-CAM guided |")]
    assert len(rows) == 5  # what decides, in brief and at length, and three questions
    cells = [cell.strip() for cell in rows[0].strip("| ").split(" | ")]
    (line,) = [one for one in done.stdout.splitlines() if one.startswith("Grad-CAM guided  ")]
    assert [cell.strip() for cell in line.split("  ") if cell.strip()] == cells
    assert len(cells) == 1 + 3
    brief = page.split("tells the truth?\n\n")[1].split("\n\n| map |")[0].split("\n\n")
    assert len(brief) == 3
    told = json.loads((place / "t" / "evaluation.json").read_text())
    assert told["sentences"] == brief
    rule = next(line for line in page.splitlines() if line.startswith("**The rule.** + passes: "))
    assert told["table"]["rule"] == rule.removeprefix("**The rule.** ")
    assert [row[0] for row in told["table"]["rows"]] == [*SIX, *BASELINES]
    text = " ".join(done.stdout.split())
    for sentence in (*brief, told["table"]["rule"]):
        assert sentence in text
    assert "map by map: t/evaluation.md (" in text
    # What is folded has blank lines around it, or Markdown would show its tables as they stand.
    opened = re.findall(r"<details>\n<summary>([^<]+)</summary>\n\n(.+?)\n\n</details>", page, re.S)
    assert [summary for summary, _ in opened] == [
        "Map by map, and the rule in full", "Each figure that decides", "All that was measured",
    ]  # fmt: skip
    assert opened[0][1] == "\n\n".join(told["conclusion"][1:])


def test_scenes_of_the_demo(tmp_path):
    few = ("--methods", "grad_cam", "--rules", "vanilla", "--scenes", "3", "--closely", "1")
    done = in_here(tmp_path, "evaluate", *few, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    told = json.loads(done.stdout)
    assert (told["images"], told["closely"]) == (3, 1)
    scenes = [jv.scene(HELD_OUT_SEEDS[i], name) for i, name in enumerate(("goose", "cat", "fish"))]
    model = jv.load_vgg16("demo")
    x = jv.preprocess(np.stack([drawn.image for drawn in scenes]))
    cams = jv.upsample(jv.grad_cam(model, x, [0, 1, 2]), (224, 224))
    inside = [(a * s.mask).sum() / a.sum() for a, s in zip(cams, scenes, strict=True)]
    found = told["questions"][0]["maps"]["Grad-CAM vanilla"]["energy inside"]
    np.testing.assert_allclose(found["mean"], np.mean(inside), rtol=1e-3)
    assert found["images"] == 3
    # Of two objects: one image, in which each is asked for in turn.
    assert [question["key"] for question in told["questions"]][:2] == ["where", "which"]
    names = [CLASSES[i] for i in np.random.default_rng(HELD_OUT_SEEDS[0]).choice(12, 2, False)]
    pair = jv.two_objects(HELD_OUT_SEEDS[0], *names)
    x, hits = jv.preprocess(pair.image[None]), []
    for which in (0, 1):
        cam = jv.upsample(jv.grad_cam(model, x, model.class_index(names[which])), (224, 224))
        hits.append([ev.pointing_game(cam, pair.masks[i][None])[0] for i in (which, 1 - which)])
    found = told["questions"][1]["maps"]["Grad-CAM vanilla"]
    asked, other = np.mean(hits, axis=0)
    assert (found["at the one asked for"]["mean"], found["at the other"]["mean"]) == (asked, other)
    assert found["asked less other"]["mean"] == asked - other
    assert found["asked less other"]["images"] == 1


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--boxes", "boxes.csv"], 2, "--boxes belong to --images"),
        (["--scenes", "0"], 2, "'0' is no number of images from 1"),
        (["--network", "tiny.h5"], 2, "the network has no class aeroplane"),
        (["--images", "nowhere.png", "--network", "tiny.h5"], 3, "nowhere.png: no such file"),
        (["--images", "pictures", "--network", "bad.h5"], 4, "bad.h5: "),
        (["--images", "pictures", "--network", "tiny.h5", "--boxes", "no.csv"], 2, "no.csv"),
        (["--images", "pictures", "--network", "tiny.h5", "--layer", "c"], 2, "no layer 'c'"),
        (["--scenes", "1", "--closely", "1", "--out", "file"], 5, "file: nothing can be written"),
    ],
)
def test_mistakes(place, boxes, arguments, code, message):  # noqa: F811
    done = in_here(place, "evaluate", *arguments)
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert (done.returncode, done.stdout) == (code, "")


def test_the_report_ends_with_a_conclusion_from_its_own_figures(place, boxes):  # noqa: F811
    done = in_here(
        place, "report", "pictures", "--network", "tiny.h5", "--class", "goose", "--boxes", boxes,
        "--out", "b", "--json",
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    told = json.loads(done.stdout)
    page = (place / "b" / "report.md").read_text()
    assert "\n\n".join(told["conclusion"][1:]) in page
    assert "\n\n".join(told["sentences"]) in page
    assert told["conclusion"][0] == " ".join(told["sentences"])
    assert told["verdict"]["fewest_images"] > 2  # so that nothing is settled
    assert "On these 2 images nothing is settled" in page
    assert not any(one["clear"] for one in told["verdict"]["comparisons"])
    assert [question["key"] for question in told["questions"]] == KEYS
    model = jv.load_vgg16(place / "tiny.h5")
    x = jv.preprocess(jv.load_images(place / "pictures", (32, 32)))
    maps = jv.upsample(jv.grad_cam(model, x, 1), (32, 32))
    found = told["questions"][1]["maps"]["Grad-CAM vanilla"]["deleted 20 %"]["mean"]
    np.testing.assert_allclose(found, ev.deleted(model, x, 1, maps).mean(), rtol=1e-3)
    (row,) = [line for line in told["conclusion"][1].splitlines() if "Grad-CAM vanilla" in line]
    assert f"deleted 20 % {found:.2f} (controls " in row


def test_without_evaluation(place):  # noqa: F811
    done = in_here(
        place, "report", "pictures", "--network", "tiny.h5", "--no-evaluation", "--out", "n",
        "--json",
    )  # fmt: skip
    told = json.loads(done.stdout)
    assert told["questions"] == told["conclusion"] == []
    assert "tells the truth" not in (place / "n" / "report.md").read_text()
