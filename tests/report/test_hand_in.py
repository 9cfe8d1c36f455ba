"""The report to hand in: its words, what it measures, code that runs, and the printed page."""

# ruff: noqa: RUF001 - Cyrillic letters that look like Latin ones

import base64
import html
import io
import math
import re
import string
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from chromium import browser_fixture, errors, in_a_browser, requests
from PIL import Image

import jaxvis as jv
from jaxvis.errors import InputError
from jaxvis.evaluate.evaluation import Evaluation
from jaxvis.evaluate.maps import name_of
from jaxvis.evaluate.questions.question import Metric, Question
from jaxvis.evaluate.verdict import FAILED, NOT_SETTLED, PASSED, verdict
from jaxvis.gradients.relu import RULES
from jaxvis.methods.catalogue import LAB
from jaxvis.methods.maps import MapName, Maps
from jaxvis.models.labels import top_k
from jaxvis.models.network import describe
from jaxvis.report import lab_words
from jaxvis.report.hand_in import check_options, hand_in
from jaxvis.report.lab import LabOptions, Options, write_report
from jaxvis.report.lab_code import load_lines
from jaxvis.report.lab_markdown import lab_markdown
from jaxvis.report.lab_measures import (
    completeness,
    dark_share,
    measured_maps,
    strongest_share,
    zero_share,
)
from jaxvis.report.lab_page import lab_html
from jaxvis.report.lab_texts import NOUNS, ON_IMAGES, TEXTS
from jaxvis.report.lab_words import Words
from jaxvis.report.result import Result

browser = browser_fixture
SIZE = 32
LABELS = ["cat", "goose", "<b>fi`sh</b>"]
NASTY = "a'b\"c\\d\n<script>alert(1)<`x`*.png"
CYRILLIC = re.compile("[а-яА-Я]")
ENVIRONMENT = {"versions": {"jaxvis": "1"}, "device": "cpu"}


# Words


def braces(text):
    return sorted(name for _, name, _, _ in string.Formatter().parse(text) if name is not None)


def test_every_text_is_there_in_both_languages():
    for key, text in TEXTS.items():
        assert text.en.strip(), key
        assert text.ru.strip(), key
        assert braces(text.en) == braces(text.ru), key
        assert not CYRILLIC.search(text.en), key
        code = [re.findall("`(.*?)`", one) for one in text]
        assert sorted(code[0]) == sorted(code[1]), key
        assert text.en.count("`") % 2 == text.ru.count("`") % 2 == 0, key
        # What is the same in both is formulas, and names that are not translated.
        same = {"head_modifier", "passes_vanilla", "passes_rectified", "known_rectified"}
        assert CYRILLIC.search(text.ru) or key in same, key
        assert "ё" not in text.ru, key  # as the lab writes
        assert not re.search('["“”]', re.sub("`.*?`", "", text.ru)), key
    for forms in (*NOUNS.values(), ON_IMAGES):
        assert all(CYRILLIC.search(one) for one in forms.ru)
        assert not any(CYRILLIC.search(one) for one in forms.en)


@pytest.mark.parametrize(
    ("count", "wanted"),
    [(1, "изображение"), (2, "изображения"), (4, "изображения"), (5, "изображений"),
     (11, "изображений"), (12, "изображений"), (21, "изображение"), (22, "изображения"),
     (100, "изображений"), (111, "изображений"), (122, "изображения")],
)  # fmt: skip
def test_nouns_are_counted(count, wanted):
    assert Words("ru").counted(count, "images") == f"{count}\xa0{wanted}"
    assert Words("en").counted(count, "images") == f"{count}\xa0image{'s' * (count > 1)}"


def test_numbers_as_they_are_written():
    en, ru = Words("en"), Words("ru")
    assert (en.number(-0.001), ru.number(-0.5), ru.number(0.126)) == ("0.00", "\u22120,50", "0,13")
    assert (en.percent(0.0746), ru.percent(0.0746)) == ("7.5\xa0%", "7,5\xa0%")
    assert (en.whole(138357544), ru.whole(1234)) == ("138,357,544", "1\xa0234")
    assert en.number(math.nan) == en.percent(math.nan) == "–"
    assert (ru.on_images(1), en.on_images(4)) == ("этому изображению", "these 4 images")


def test_a_value_is_never_code():
    spans = Words("en").paragraph("given_one", images="`1`", label="a`b", index=3)
    assert [span.text for span in spans if span.code] == ["a`b"]
    assert "`1`" in spans[0].text


# What is measured


def test_shares_of_a_map_by_hand(rng):
    maps = rng.gamma(0.3, 1, (3, 20, 30)) * (rng.random((3, 20, 30)) > 0.4)
    maps[2] = 0
    for place, one in enumerate(maps):
        values = sorted(one.ravel().tolist())
        assert zero_share(maps)[place] == pytest.approx(values.count(0) / 600)
        dark = 1 if not one.any() else sum(v < max(values) / 20 for v in values) / 600
        assert dark_share(maps)[place] == pytest.approx(dark)
        if one.any():
            found = strongest_share(maps)[place]
            assert found == pytest.approx(sum(values[-6:]) / sum(values))
    assert math.isnan(strongest_share(maps)[2])


def by_hand(one, mask):
    """The mean over many orders of equal values of what the strongest pixels cover."""
    rng, found = np.random.default_rng(0), []
    for _ in range(300):
        order = np.lexsort((rng.random(one.size), -one.ravel()))[: mask.sum()]
        found.append(sum(mask.ravel()[i] for i in order if one.ravel()[i] > 0) / mask.sum())
    return np.mean(found)


def test_completeness_by_hand(rng):
    mask = np.zeros((12, 12), bool)
    mask[2:7, 3:9] = True
    maps = np.stack([
        rng.random((12, 12)), mask * 1.0, ~mask * 1.0, np.ones((12, 12)), np.zeros((12, 12)),
        rng.integers(0, 3, (12, 12)).astype(float), mask * (rng.random((12, 12)) > 0.5) * 1.0,
    ])  # fmt: skip
    found = completeness(maps, np.stack([mask] * len(maps)))
    assert found[1:5] == pytest.approx([1, 0, 30 / 144, 0])
    for value, one in zip(found, maps, strict=True):
        assert value == pytest.approx(by_hand(one, mask), abs=0.02)


def test_a_map_is_compared_with_the_vanilla_one():
    plain = np.array([[[0.0, 1.0], [2.0, 4.0]]])
    found = measured_maps({"vanilla": plain, "guided": 10 * plain, "rectified": 4 - plain}, None)
    assert (found["guided"].rank, found["guided"].change) == (1, 0)
    assert (found["rectified"].rank, found["rectified"].change) == (-1, 1)
    assert math.isnan(found["guided"].accuracy)


# The sections


@pytest.fixture(scope="module")
def network():
    return describe(jv.VGG16(width=1 / 16, classes=3, size=SIZE, labels=LABELS), name="VGG16")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """A folder with the figures that a report would have drawn."""
    folder = tmp_path_factory.mktemp("drawn")
    for number, name in enumerate(["inputs", *(f"{m}_{r}" for m in LAB for r in RULES)]):
        pixels = np.random.default_rng(number).integers(0, 256, (15, 20, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((160, 120)).save(folder / f"{name}.png")
    return folder


DRAWN = {"inputs": ["inputs.png"]} | {
    f"{method} {rule}": [f"{method}_{rule}.png"] for method in LAB for rule in RULES
}


def made(network, *, count=4, maps=None, masks=True, classes=None, evaluation=None, names=None,
         language="en", **options):  # fmt: skip
    """A result of random maps, or of those given by method and rule."""
    rng = np.random.default_rng(5)
    mask = np.zeros((count, SIZE, SIZE), bool)
    mask[:, 8:20, 6:16] = True
    kept = {
        method: {rule: rng.gamma(0.5, 1, (count, side, side)).astype(np.float32) for rule in RULES}
        for method, side in zip(LAB, (SIZE, 4), strict=True)
    }
    for (method, rule), array in (maps or {}).items():
        kept[method][rule] = np.asarray(array, np.float32)
    logits = np.tile(np.float32([0, 3, 1]), (count, 1))
    shown = Maps(logits, kept)
    given = Options(network="tiny.h5", resample="nearest", lab=LabOptions(language=language))
    return Result(
        [Path(name) for name in names or [f"goose_{i}.png" for i in range(count)]],
        np.zeros((count, SIZE, SIZE, 3), np.uint8), mask if masks else None, network,
        np.array(classes or [1] * count), top_k(logits, labels=LABELS), shown, shown, {},
        given._replace(**options), evaluation,
    )  # fmt: skip


def handed(result, folder=Path("report")):
    return hand_in(result, DRAWN, ENVIRONMENT, folder)


def said(section):
    """All paragraphs of a section, as text."""
    parts = [*section.about, *section.observed]
    return "\n".join("".join(span.text for span in one) for one in parts).replace("\xa0", " ")


def evaluated(count, *, better=(), worse=()):
    """An evaluation in which some maps differ from controls on every image, and others do not."""
    levels = dict.fromkeys(better, 0.1) | dict.fromkeys(worse, 0.9)
    names = [name_of(MapName(method, rule)) for method in LAB for rule in RULES]
    rng = np.random.default_rng(1)
    metric = Metric("deleted 20 %", "low", "")
    values = {
        name: {metric.name: 0.1 * rng.random(count) + levels.get(name, 0.6)} for name in names
    }
    values |= {
        name: {metric.name: 0.1 * rng.random(count) + (0.6 + 0.001 * place)}
        for place, name in enumerate(["random", "image centre", "edge detector"])
    }
    questions = [
        Question(key, "", (metric,), values, (metric.name,), line=0.65 if key in lines else None)
        for lines in [("network", "last")]
        for key in ("where", "matters", "network", "last")
    ]
    return Evaluation(questions, None, verdict(questions), [], {})


def variants(network, language):
    """Results that lead to everything that a report can say."""
    on = np.zeros((4, SIZE, SIZE))
    on[:, 8:20, 6:16] = 1
    alike = {("grad_cam", rule): np.ones((4, 4, 4)) for rule in RULES}
    best = {("saliency", "guided"): on, ("saliency", "rectified"): 1 - on}
    spread = {("saliency", "vanilla"): on, ("saliency", "guided"): 1 - on}
    yield made(network, language=language, maps=best)
    yield made(network, language=language, maps=spread | alike, classes=[0, 1, 1, 2],
               evaluation=evaluated(4))  # fmt: skip
    yield made(network, language=language, maps={("grad_cam", "guided"): np.zeros((4, 4, 4))},
               masks=False, evaluation=evaluated(4))  # fmt: skip
    empty = {("grad_cam", "guided"): np.zeros((1, 4, 4))}
    yield made(network, language=language, count=1, maps=empty, evaluation=evaluated(1),
               boxes="boxes.csv", told={"preprocess": print})  # fmt: skip
    yield made(
        network, language=language, count=20, masks=False,
        evaluation=evaluated(20, better=["saliency guided"], worse=["Grad-CAM guided"]),
    )  # fmt: skip
    centred = made(network, language=language, maps=best | {
        ("grad_cam", rule): jv.upsample(on, (4, 4)) * (1 if rule == "guided" else 0)
        + (rule != "guided") for rule in RULES
    })  # fmt: skip
    yield centred._replace(files=jv.demo_images(), options=centred.options._replace(network="demo"))
    worst = {("saliency", rule): 1 - on if rule == "guided" else on for rule in RULES} | alike
    yield made(network, language=language, maps=worst)


@pytest.mark.parametrize("language", ["en", "ru"])
def test_every_text_is_said_and_filled_in(network, pictures, language, monkeypatch):
    """No text is left over, and none keeps a brace, a word of the other language, or a nan."""
    used = set()

    class Recorded(dict):
        def __getitem__(self, key):
            used.add(key)
            return super().__getitem__(key)

    monkeypatch.setattr(lab_words, "TEXTS", Recorded(TEXTS))
    for result in variants(network, language):
        hand = handed(result)
        page, text = lab_html(hand, pictures), lab_markdown(hand)
        assert [section.key for section in hand.sections] == [f"task-{i}" for i in range(1, 7)]
        body = re.sub(r"(?s)<script>.*?</script>|<style>.*?</style>|data:[^\"]*", "", page)
        for one in (body, text):
            assert "nan" not in re.sub("[a-z]+nan|nan[a-z]+", "", one)
            assert not re.search(r"\{[a-z_]*\}", one)
            assert bool(CYRILLIC.search(one)) == (language == "ru")
        words = re.sub("(?s)```.*?```|`.*?`", "", text.replace("\\`", ""))
        if language == "ru":
            assert not re.search(r"\d\.\d", re.sub(r"(?s)## Как получен.*", "", words))
        else:
            assert not re.search(r"\d,\d\d?\b", words)
    assert sorted(set(TEXTS) - used) == []


def test_the_lab_in_its_order(network):
    hand = handed(made(network, language="ru"))
    tasks = ["".join(span.text for span in section.task) for section in hand.sections]
    starts = ["Загрузить 4 различных изображения", "Отобразить карты значимости признаков, найти",
              "Оценить полученный результат", "Получить краткое описание", "Выполнить построение",
              "Сделать выводы о наиболее точном и полном методе"]  # fmt: skip
    assert all(task.startswith(start) for task, start in zip(tasks, starts, strict=True))
    assert [bool(section.part) for section in hand.sections] == [1, 0, 0, 1, 0, 0]
    figures = [figure.file for section in hand.sections for figure in section.figures]
    assert figures == ["inputs.png", *(f"saliency_{rule}.png" for rule in (
        "vanilla", "guided", "rectified")), *(f"grad_cam_{rule}.png" for rule in (
            "vanilla", "guided", "rectified"))]  # fmt: skip
    labels = [figure.label for section in hand.sections for figure in section.figures]
    assert labels == [f"Рисунок {i}." for i in range(1, 8)]
    full, used = (fold.text for fold in hand.sections[3].folds)
    assert "Total params: 138,357,544" in full
    assert used == network.summary()
    assert "138 357 544 параметра; из них 102 764 544, то есть 74,3 %," in said(hand.sections[3])


def test_accuracy_and_completeness_are_those_of_the_maps(network):
    result = made(network)
    hand = handed(result)
    (table,) = hand.sections[5].measured
    assert len(table.rows) == 6
    mask = result.masks
    best = []
    for row, ((method, rule), maps) in zip(table.rows, result.maps.items(), strict=True):
        large = maps if method == "saliency" else jv.upsample(maps, (SIZE, SIZE))
        inside = [(a * m).sum() / a.sum() for a, m in zip(large, mask, strict=True)]
        covered = [np.isin(np.flatnonzero(m), np.argsort(-a.ravel())[: m.sum()]).mean()
                   for a, m in zip(large, mask, strict=True)]  # fmt: skip
        assert row[0].endswith(rule)
        assert float(row[1]) == pytest.approx(np.mean(inside), abs=0.0051)
        assert float(row[2]) == pytest.approx(np.mean(covered), abs=0.0051)
        best.append((np.mean(inside), row[0], row[1]))
    text = said(hand.sections[5])
    assert f"Highest in accuracy: {max(best)[1]} ({max(best)[2]})" in text
    assert f"would be about {100 * mask.mean():.0f} %" in text


@pytest.mark.parametrize(
    ("saliency", "grad_cam", "outcome"),
    [("guided", "guided", "The figures agree with the lab's conclusion."),
     ("guided", "vanilla", "in part only"),
     ("vanilla", "rectified", "do not agree")],
)  # fmt: skip
def test_the_labs_conclusion_is_held_against_the_figures(network, saliency, grad_cam, outcome):
    mask = made(network).masks.astype(float)
    maps = {}
    for method, best, shape in (("saliency", saliency, SIZE), ("grad_cam", grad_cam, SIZE)):
        for rule in RULES:
            maps[method, rule] = mask + (0.01 if rule == best else 1) * np.ones((4, shape, shape))
            if rule != best:
                maps[method, rule][:, :5] += 3  # marks what is not the object
    text = said(handed(made(network, maps=maps)).sections[5])
    assert outcome in text
    wins = [3 * (best == "guided") for best in (saliency, grad_cam)]
    assert f"by {wins[0]} of these 3 measures among the saliency maps" in text
    assert f"and by {wins[1]} of 3 among the Grad-CAM maps" in text


def test_what_is_settled_is_what_the_verdict_bears(network):
    few = said(handed(made(network, evaluation=evaluated(4))).sections[5])
    found = evaluated(4).verdict
    assert f"nothing is settled: with {len(found.comparisons)} comparisons" in few
    assert f"at least {found.fewest_images} images" in few
    assert len(handed(made(network, evaluation=evaluated(4))).sections[5].measured) == 1
    enough = evaluated(20, better=["saliency guided"], worse=["saliency vanilla"])
    many = handed(made(network, count=20, evaluation=enough)).sections[5]
    assert "nothing is settled" not in said(many)
    assert "not tested" in said(many)
    table = many.measured[1]
    marks = {NOT_SETTLED: "not settled", PASSED: "yes", FAILED: "no"}
    for row, (method, rule) in zip(table.rows, made(network).maps, strict=True):
        wanted = enough.verdict.marks[name_of(MapName(method, rule))]
        assert row[1:] == [marks[wanted[key]] for key in ("where", "matters", "network", "last")]
    assert {cell for row in table.rows for cell in row[1:]} == set(marks.values())
    none = said(handed(made(network)).sections[5])
    assert "The evaluation was left out" in none


def test_without_masks_nothing_is_called_accurate(network):
    result = made(network, masks=False, evaluation=evaluated(4, better=["Grad-CAM vanilla"]))
    hand = handed(result)
    text = said(hand.sections[5])
    assert "cannot be measured here" in text
    assert "--boxes FILE" in text
    assert "Lowest among the six maps: Grad-CAM, vanilla" in text
    (table,) = hand.sections[5].measured
    values = result.evaluation.questions[1].values["Grad-CAM vanilla"]["deleted 20 %"]
    (row,) = [row for row in table.rows if row[0] == "Grad-CAM, vanilla"]
    assert row[1] == f"{100 * values.mean():.1f}\xa0%"
    assert all("on the object" not in table.head for table in hand.sections[2].measured)
    assert handed(made(network, masks=False)).sections[5].measured == []


def test_the_labs_claims_beside_what_was_measured(network):
    """Noise by what lies outside the object, and by dark pixels, which may contradict that."""
    on = made(network).masks.astype(float)
    maps = {("saliency", "vanilla"): 1 + on, ("saliency", "guided"): on,
            ("saliency", "rectified"): (1 - on) * (np.indices(on.shape).sum(0) % 2)}  # fmt: skip
    text = said(handed(made(network, maps=maps)).sections[2])
    area = on.mean()
    assert f"is {100 * (1 - 2 * area / (1 + area)):.1f} % under vanilla, 0.0 % under guided" in text
    assert "guided has less noise than vanilla, as the lab says" in text
    assert "Rectified has more of it than vanilla, as the lab says" in text
    assert "rectified has fewer pixels that show than vanilla, not more" in text
    assert "That is the vanilla rule" in text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"methods": ("saliency",)}, "--methods leaves out grad_cam"),
        ({"rules": ("guided",)}, "--rules leaves out vanilla, rectified"),
        ({"preset": "captum"}, "leave out one of the two"),
        ({"lab": LabOptions(language="de")}, "wanted one of en, ru"),
    ],
)
def test_what_a_hand_in_cannot_have(options, message):
    given = Options(lab=LabOptions())._replace(**options)
    with pytest.raises(InputError, match=re.escape(message)):
        check_options(given)
    check_options(given._replace(lab=None))
    check_options(Options(lab=LabOptions(), methods=(*LAB, "rise")))


# HTML and Markdown


class Read(HTMLParser):
    """The tags of a page, and the text of some."""

    def __init__(self):
        super().__init__()
        self.tags, self.texts = [], [""]

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        self.texts.append("")

    def handle_data(self, data):
        self.texts[-1] += data


def test_names_are_text(network, pictures):
    result = made(network, count=2, names=[NASTY, "b.png"], classes=[2, 2])
    lab = LabOptions(student="<i>O'Neil</i>\x1b[31m", group='"><b>', teacher="`x`", language="ru")
    hand = handed(result._replace(options=result.options._replace(lab=lab)))
    page, text = lab_html(hand, pictures), lab_markdown(hand)
    read = Read()
    read.feed(page)
    names = [tag for tag, _ in read.tags]
    assert names.count("script") == 1
    assert names.count("i") == 4 * 6  # the ruled lines
    labels = [*(f for s in hand.sections for f in s.figures),
              *(t for s in hand.sections for t in (*s.tables, *s.measured))]  # fmt: skip
    assert names.count("b") == len(labels)
    assert "<b>fi" not in page
    assert "\x1b" not in page + text
    assert "<i>O'Neil</i>\\x1b[31m" in read.texts
    lines = [line for line in text.splitlines() if not line.startswith("    ")]
    outside = re.sub("(?s)```.*?```|(`+).*?\\1", "", "\n".join(lines).replace("\\`", ""))
    allowed = ("<details><summary>", "</summary>", "</details>")
    for tag in allowed:
        outside = outside.replace(tag, "")
    assert outside.count("<") == outside.count("\\<")
    for row in (row for row in text.splitlines() if row.startswith("| ")):
        assert "script" not in row or "\\<script" in row


def test_the_page_holds_every_figure(network, pictures):
    hand = handed(made(network))
    page, text = lab_html(hand, pictures), lab_markdown(hand)
    read = Read()
    read.feed(page)
    images = [attributes for tag, attributes in read.tags if tag == "img"]
    figures = [figure for section in hand.sections for figure in section.figures]
    assert len(images) == len(figures) == 7
    for image, figure in zip(images, figures, strict=True):
        data = base64.b64decode(image["src"].removeprefix("data:image/jpeg;base64,"))
        with Image.open(io.BytesIO(data)) as shown, Image.open(pictures / figure.file) as drawn:
            difference = np.abs(np.asarray(shown, int) - np.asarray(drawn, int))
        assert difference.mean() < 3
        assert image["alt"] == figure.alt
        assert f"]({figure.file})" in text
    assert not re.findall(r"""(?:src|href)=["'](?!data:)|@import|url\(|https?://""", page)
    rooms = [a for tag, a in read.tags if a.get("class") == "room"]
    assert len(rooms) == text.count("... (your own words)") == 6
    assert all(room["aria-label"] and room["aria-multiline"] == "true" for room in rooms)


# Code


def code_in(page):
    found = re.findall(r'(?s)<pre class="code"[^>]*><code>(.*?)</code></pre>', page)
    return [html.unescape(one) for one in found]


def run(blocks):
    names = {}
    for block in blocks:
        exec(compile(block, "lab", "exec"), names)
    return names


MODULE = """
import jax
import numpy as np

import jaxvis as jv

KERNEL = np.random.Generator(np.random.PCG64(3)).normal(0, 0.1, (3, 3, 3, 6)).astype(np.float32)
HEAD = np.random.Generator(np.random.PCG64(4)).normal(0, 0.1, (2, 6, 3)).astype(np.float32)


def model(x):
    order = ("NHWC", "HWIO", "NHWC")
    y = jax.lax.conv_general_dilated(x, KERNEL, (2, 2), "SAME", dimension_numbers=order)
    y = jax.nn.relu(y).mean(axis=(1, 2))
    return jax.nn.relu(y @ HEAD[0] @ HEAD[1].T) @ HEAD[0] / 100


def make():
    return jv.describe(jv.expose_relu(model), size=(32, 32), preprocess=jv.preprocess,
                       labels=("cat", "goose", "fish"))
"""


def odd_pictures(folder, rng):
    """Save pictures of odd names; return their paths."""
    for name in (NASTY, "~b.png", "с пробелом.png"):
        pixels = rng.integers(0, 256, (40, 50, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / name)
    return sorted(folder.glob("*.png"))


def test_the_code_makes_the_maps_and_the_figures(tmp_path, monkeypatch, rng):
    """All lines in their order, in the report's folder, though the command ran in another."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "my_own_network.py").write_text(MODULE)
    options = Options(
        network="my_own_network:make", evaluate=False, alpha=0.3, colormap="viridis",
        lab=LabOptions(language="ru"),
    )  # fmt: skip
    write_report(odd_pictures(tmp_path, rng)[:2], "a folder/report", options)
    folder = tmp_path / "a folder" / "report"
    page, text = ((folder / f"lab.{kind}").read_text() for kind in ("html", "md"))
    blocks = code_in(page)
    assert blocks == re.findall(r"(?s)```python\n(.*?)\n```", text)
    assert len(blocks) == 5
    monkeypatch.chdir(folder)
    sys.modules.pop("my_own_network")
    found = run(blocks)
    with np.load("maps.npz") as maps:
        for name in (f"{method}_{rule}" for method in LAB for rule in RULES):
            largest = np.abs(maps[name]).max()
            np.testing.assert_allclose(found[name], maps[name], rtol=1e-5, atol=1e-6 * largest)
    names = {
        "task_1": "inputs", "task_2": "saliency_vanilla", "task_3_guided": "saliency_guided",
        "task_3_rectified": "saliency_rectified", "task_5_vanilla": "grad_cam_vanilla",
        "task_5_guided": "grad_cam_guided", "task_5_rectified": "grad_cam_rectified",
    }  # fmt: skip
    theirs = {name: coarsely(next(folder.glob(f"{name}.*"))) for name in names.values()}
    for again, first in names.items():
        mine = coarsely(Path(f"{again}.png"))
        away = {name: np.abs(mine - one).mean() for name, one in theirs.items()
                if one.shape == mine.shape}  # fmt: skip
        # The report's own are JPEGs, or have 256 colours.
        assert away[first] < 3
        assert all(away[first] < distance / 2 for name, distance in away.items() if name != first)


def coarsely(path):
    """A picture's means over 8 x 8 pixels."""
    with Image.open(path) as picture:
        a = np.asarray(picture.convert("RGB"), float)
    height, width = (side // 8 for side in a.shape[:2])
    return a[: 8 * height, : 8 * width].reshape(height, 8, width, 8, 3).mean(axis=(1, 3))


def test_the_code_finds_files_of_odd_names(network, tmp_path, monkeypatch, rng):
    """As given from another folder; texts that Python would read in its own way come through."""
    monkeypatch.chdir(tmp_path)
    weights = tmp_path / "ti'ny\"\\.h5"
    jv.save_vgg16(network.model, weights)
    files = [path.relative_to(tmp_path) for path in odd_pictures(tmp_path, rng)]
    folder = tmp_path / "deep" / "er"
    folder.mkdir(parents=True)
    result = made(network, count=3, names=files, precision="highest")
    result = result._replace(options=result.options._replace(network=weights.name))
    lines = load_lines(result, folder, Words("ru"))
    assert all(str(tmp_path) not in line for line in lines)
    wanted = jv.load_images(files, (SIZE, SIZE))
    monkeypatch.chdir(folder)
    found = run(["\n".join(lines[:-1])])  # but for saving the figure
    np.testing.assert_array_equal(found["images"], wanted)
    assert found["titles"] == result.class_titles()
    kernels = [one.predictions.kernel[...] for one in (found["network"].model, network.model)]
    np.testing.assert_array_equal(*kernels)


@pytest.mark.parametrize("chosen", [slice(None), slice(1, 3), [3, 0]])
def test_packaged_images_are_called_by_their_names(network, chosen):
    files = jv.demo_images()
    files = files[chosen] if isinstance(chosen, slice) else [files[i] for i in chosen]
    result = made(network, count=len(files))._replace(files=files)
    (line,) = [one for one in load_lines(result, Path("r"), Words("en")) if one.startswith("files")]
    assert "jv.demo_images()" in line
    names = {"jv": jv}
    exec(line, names)
    assert names["files"] == files


def test_many_labels_stay_out_of_the_code(network):
    labels = [f"class {i}" for i in range(50)]
    result = made(network, labels=labels)
    text = "\n".join(load_lines(result, Path("r"), Words("en")))
    assert "class 7" not in text
    few = "\n".join(load_lines(made(network, labels=LABELS), Path("r"), Words("en")))
    assert 'labels=["cat", "goose", "<b>fi`sh</b>"]' in few


# In a browser


@pytest.fixture
def page(network, pictures, tmp_path):
    path = tmp_path / "lab.html"
    result = made(network, names=[NASTY, "b.png", "c.png", "d.png"], language="ru")
    path.write_text(lab_html(handed(result), pictures), encoding="utf-8")
    return path


def opened(browser, path):
    browser.get("about:blank")
    browser.get_log("browser"), browser.get_log("performance")
    browser.get(path.as_uri())


def pages(browser, hidden=""):
    """Print the page; return the bytes of the PDF and how many pages it has."""
    browser.execute_script(
        "for (const e of document.querySelectorAll('header, main')) e.style.display = '';"
        "if (arguments[0]) document.querySelector(arguments[0]).style.display = 'none';", hidden,
    )  # fmt: skip
    printed = browser.execute_cdp_cmd("Page.printToPDF", {"preferCSSPageSize": True})
    pdf = base64.b64decode(printed["data"])
    return pdf, len(re.findall(rb"/Type /Page\b", pdf))


@in_a_browser
def test_it_is_printed_on_clean_pages(browser, page):
    opened(browser, page)
    pdf, count = pages(browser)
    assert b"/MediaBox [0 0 594" in pdf or b"/MediaBox [0 0 595" in pdf  # A4
    assert pdf.count(b"/Subtype /Image") >= 7
    title, alone = pages(browser, "main")
    assert alone == 1
    assert title.count(b"/Subtype /Image") == 0
    assert pages(browser, "header")[1] == count - 1  # nothing shares the title's page
    browser.execute_script(
        "document.querySelector('header').style.cssText = 'height: auto; min-height: 0';"
        "for (const e of document.querySelectorAll('main > :not(#given)')) e.remove();"
    )
    assert pages(browser)[1] == 2  # however little stands on either
    assert not browser.execute_script("return [...document.images].filter(i => !i.naturalWidth)")
    assert errors(browser) == []
    assert requests(browser) == [page.as_uri()]


@in_a_browser
def test_own_words_stay_and_are_printed(browser, page):
    opened(browser, page)
    room = "document.querySelector('[data-key=task-3]')"
    ruled = f"return getComputedStyle({room}.nextElementSibling).display"
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    assert browser.execute_script(ruled) == "block"
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    element = browser.execute_script(f"return {room}")
    element.send_keys("Мой вывод <b>")
    browser.get(page.as_uri())
    assert browser.execute_script(f"return {room}.textContent") == "Мой вывод <b>"
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    assert browser.execute_script(ruled) == "none"
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    element = browser.execute_script(f"return {room}")
    element.clear()
    browser.execute_script(f"{room}.dispatchEvent(new Event('input'))")
    browser.get(page.as_uri())
    assert browser.execute_script(f"return {room}.childNodes.length") == 0
    assert errors(browser) == []


@in_a_browser
@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_is_wider_than_the_screen(browser, page, width):
    metrics = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    opened(browser, page)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    unnamed = "[role=textbox]:not([aria-label]), [tabindex]:not([aria-label]), img:not([alt])"
    assert not browser.execute_script(f"return [...document.querySelectorAll('{unnamed}')]")
