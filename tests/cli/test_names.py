"""Names of files, classes and layers may hold anything; what shows them obeys none of it."""

import json
import os
import re
import shutil
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from test_options import jaxvis, place, there  # noqa: F401 - fixtures

from jaxvis.report import markdown
from jaxvis.text import visible

NAMES = [
    b"escape\x1b[31m.png", b"new\nline.png", b"carriage\rreturn.png", b"pi|pe.png", b"ti`ck.png",
    b"<script>alert(1)<!--.png", b"&lt;.png", b"$x$ \\frac{.png", b"not utf-8 \xff.png",
    "turned \N{RIGHT-TO-LEFT OVERRIDE}gnp.png".encode(), "雁.png".encode(),
    b"\"quotes' " + "é".encode() * 120 + b"x.png",  # 254 bytes, and a file may have 255
]  # fmt: skip
LABELS = ["<b>le|ft</b>", "ri`ght\x1b[31m"]
QUICK = ("--network", "my_network:make", "--methods", "saliency", "--rules", "vanilla",
         "--labels", "odd.txt")  # fmt: skip


@pytest.fixture
def odd(place, tmp_path, monkeypatch):  # noqa: F811
    """Pictures and labels of such names, in a folder of such a name."""
    folder = tmp_path / "in\x1b[31m|"
    folder.mkdir()
    for name in NAMES:
        shutil.copy(place / "pictures" / "a_1.png", os.fsencode(folder) + b"/" + name)
    shutil.copy(place / "my_network.py", tmp_path)
    (tmp_path / "odd.txt").write_text("\n".join(LABELS), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return folder.name


def harmless(text):
    """No control but the end of a line, nothing that is no character or turns others round."""
    return not any(unicodedata.category(a) in ("Cc", "Cf", "Cs") for a in text if a != "\n")


def test_a_report(odd):
    done = jaxvis("report", odd, *QUICK, "--no-evaluation", "--out", "o\x1b|")
    assert (done.code, done.err) == (0, "")
    assert harmless(done.out)
    assert len(done.out.splitlines()) == len(NAMES) + 4
    assert "not utf-8 \\xff.png: " in done.out
    page = Path("o\x1b|", "report.md").read_text(encoding="utf-8")
    assert harmless(page)
    rows = [line for line in page.splitlines() if line.startswith("| ")]
    assert len(rows) == 1 + len(NAMES)
    for row in rows[1:]:
        assert row.replace("\\|", "").count("|") == 5
        assert row.count("`") == row.count("\\`")
    assert page.count("<") == page.count("\\<")
    html = Path("o\x1b|", "report.html").read_text(encoding="utf-8")
    assert harmless(html)
    assert html.count("<script") == html.count("</script>") == 2
    (data,) = re.findall(r'(?s)<script type="application/json" id="data">(.*?)</script>', html)
    shown = [visible(os.fsdecode(name)) for name in NAMES]
    assert sorted(image["file"] for image in json.loads(data)["images"]) == sorted(shown)
    assert {image["class"] for image in json.loads(data)["index"]} <= set(map(visible, LABELS))
    with np.load(Path("o\x1b|", "maps.npz")) as maps:
        assert {os.fsencode(Path(file).name) for file in maps["files"].tolist()} == set(NAMES)


def test_an_evaluation_and_json(odd):
    arguments = ("evaluate", "--images", odd, *QUICK, "--closely", "1", "--out", "o")
    done = jaxvis(*arguments)
    assert (done.code, done.err) == (0, "")
    assert harmless(done.out)
    assert harmless(Path("o", "evaluation.md").read_text(encoding="utf-8"))
    done = jaxvis("report", odd, *QUICK, "--no-evaluation", "--json")
    assert done.out.isascii()
    files = {os.fsencode(Path(image["file"]).name) for image in json.loads(done.out)["images"]}
    assert files == set(NAMES)


@pytest.mark.parametrize(
    "arguments",
    [
        ["report", "no\x1b[31m\n.png", "--network", "demo"],
        ["report", "--class", "no\x1b[31m"],
        ["report", "--labels", "no\x1b[31m\n"],
        ["report", "--layer", "no\x1b[31m\n"],
        ["report", "--network", "no\x1b[31m\n.h5"],
        ["report", "--out", "my_network.py/\x1b[31m"],
        ["classes", "q\x1b[31mqqqqq"],
        ["fetch", "imagenet", "--file", "no\x1b[31m"],
    ],
)
def test_messages(arguments):
    done = jaxvis(*arguments)
    assert done.code in (2, 3, 4, 5)
    assert harmless(done.out + done.err)
    assert "\\x1b[31m" in done.err.replace("\\\\", "\\")


def test_usage(capsys):
    with pytest.raises(SystemExit):
        jaxvis("classes", "a", "\x1b[31m")
    jaxvis("classes", "left")
    assert harmless(capsys.readouterr().err)


def test_what_is_visible_stays():
    for text in ("goose_1.png", "雁 é ñ", "a\N{ZERO WIDTH JOINER}b", "`|<>$"):
        assert visible(text) == text
    assert visible("a\x1b\n\t\x7f\x9b\udcff\u202e") == "a\\x1b\\n\\t\\x7f\\x9b\\xff\\u202e"
    assert visible("a\nb\r", keep="\n") == "a\nb\\r"


def test_code_in_markdown():
    assert markdown.code("my_network:make") == "`my_network:make`"
    assert markdown.code("a``b`") == "``` a``b` ```"
    assert markdown.layer("block5_conv3 (Conv2D)") == "block5\\_conv3 (Conv2D)"
    assert markdown.layer("convolution -1") == "convolution -1"
    assert markdown.layer("<b>") == "\\<b\\>"
