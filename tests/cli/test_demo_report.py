"""`jaxvis report` without arguments, on the demo's own geese, and on a copy of one."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from test_report_command import in_here

import jaxvis as jv
from jaxvis.demo.scenes import GEESE

WITHOUT_A_NETWORK = """
import socket, sys
from jaxvis.cli.main import main
def refuse(*_, **__):
    raise AssertionError("a socket was asked for")
socket.socket = socket.create_connection = socket.getaddrinfo = refuse
sys.exit(main(["report", "--json"]))
"""


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """What one run tells, where no socket can be opened, and the folder that it leaves."""
    place = tmp_path_factory.mktemp("demo")
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_A_NETWORK], cwd=place, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout), place / "report"


def test_the_demo_needs_no_arguments_and_no_network(report):
    told, folder = report
    assert [Path(image["file"]).name for image in told["images"]] == [
        f"goose_{number}.png" for number in (1, 2, 3, 4)
    ]
    for image in told["images"]:
        assert image["class"]["name"] == image["top"][0]["name"] == "goose"
    assert (folder / "report.md").exists()


def test_the_demos_report_knows_where_the_geese_are(report):
    told, folder = report
    assert told["questions"][0]["key"] == "where"
    drawn = [jv.scene(seed, "goose") for seed in GEESE]
    model = jv.load_vgg16("demo")
    x = jv.preprocess(np.stack([one.image for one in drawn]))
    maps = np.asarray(jv.saliency(model, x, 0, rule=jv.GUIDED))
    inside = [(a * one.mask).sum() / a.sum() for a, one in zip(maps, drawn, strict=True)]
    found = told["questions"][0]["maps"]["saliency guided"]["energy inside"]["mean"]
    np.testing.assert_allclose(found, np.mean(inside), rtol=1e-3)
    # Four geese look as if they told much, and settle nothing.
    (row,) = [line for line in told["conclusion"][1].splitlines() if "saliency guided" in line]
    assert "with the last layer re-initialised rank correlation 0.99" in row or "1.00" in row
    assert "not settled whether it changes" in row
    assert "On these 4 images nothing is settled" in told["conclusion"][0]
    assert "Warning" not in "".join(told["conclusion"])
    assert re.search(r"share on the object is largest for saliency guided \(energy inside 0\.7\d\)",
                     told["sentences"][1])  # fmt: skip
    page = (folder / "report.html").read_text()
    section = page.split('<section id="truth-told"')[1].split("</section>")[0]
    assert re.findall("<p>(.*?)</p>", section) == told["sentences"]
    rows = re.findall("<tr>(.*?)</tr>", section)
    cells = [re.findall("<t[hd][^>]*>(.*?)</t[hd]>", row) for row in rows]
    for text in (section, (folder / "report.md").read_text()):
        assert "how fc1 was centred in training" in text
    assert cells == [told["table"]["heading"], *told["table"]["rows"]]


def test_a_copy_of_a_goose_is_a_photograph_like_any_other(tmp_path):
    """Only the files that come with jaxvis are known; no truth is invented for others."""
    shutil.copy(jv.demo_images()[0], tmp_path / "mine.png")
    with Image.open(tmp_path / "mine.png") as image:
        image.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(tmp_path / "mine.png")
    few = ("--methods", "saliency", "--rules", "vanilla", "--json")
    done = in_here(tmp_path, "report", "mine.png", "--network", "demo", *few)
    told = json.loads(done.stdout)
    assert [question["key"] for question in told["questions"]] == ["matters", "network", "last"]
    assert told["conclusion"][0].startswith("On this image nothing is settled: at least ")
