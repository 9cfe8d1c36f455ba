"""report.html: what it holds, and in a browser what its controls do."""

import base64
import io
import json
import re
from collections import OrderedDict
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from chromium import browser_fixture, errors, in_a_browser, requests
from PIL import Image

import jaxvis as jv
from jaxvis.evaluate.maps import name_of
from jaxvis.evaluate.metrics.baselines import BASELINES
from jaxvis.methods.maps import Maps
from jaxvis.methods.microscope import Shares
from jaxvis.models.labels import Prediction
from jaxvis.pictures.render import colormap_named, upsample
from jaxvis.report import page
from jaxvis.report.other_classes import OtherClasses
from jaxvis.report.page import page_data, page_html, write_page
from jaxvis.report.relus import Channel, Seen
from jaxvis.report.result import Options, Result
from jaxvis.report.what_if import WhatIf

HEIGHT, WIDTH = 40, 56
NASTY = "<script>document.title='no'<!--\"'&\n\u202egpj.png"
FISH = "</script><b>fish</b>"


def made(count=2, names=None, masks=True):
    """A report of random maps: saliency and Grad-CAM under two rules, and one signed."""
    rng = np.random.default_rng(3)
    saliency, cam = ((count, HEIGHT, WIDTH), (count, 5, 7))
    maps = {
        "saliency": {rule: rng.gamma(0.5, 1e-5, saliency) for rule in ("vanilla", "guided")},
        "grad_cam": {rule: np.maximum(rng.normal(0, 1, cam), 0) for rule in ("vanilla", "guided")},
        "integrated_gradients": {"vanilla": rng.normal(0, 1, saliency)},
    }
    larger = 1 + np.arange(count)[:, None, None]  # so that one scale for all is another
    maps = {
        method: OrderedDict((rule, (a * larger).astype(np.float32)) for rule, a in rows.items())
        for method, rows in maps.items()
    }
    labels = ["goose", FISH, "key"]
    network = SimpleNamespace(
        name="a network", layer_name="block5_conv3", labels=labels,
        class_name=lambda index: labels[index],
    )  # fmt: skip
    shown = np.zeros((count, HEIGHT, WIDTH), bool)
    shown[:, 10:20, 12:30] = True
    kept = Maps(rng.normal(size=(count, 3)).astype(np.float32), maps)
    top = [Prediction(1, FISH, 0.75), Prediction(0, "goose", 0.25)]
    # Smooth, as photographs are: a JPEG keeps them.
    waves = np.arange(count)[:, None, None, None] + np.linspace(0, 3, WIDTH)[:, None]
    waves = waves + np.linspace(0, 2, HEIGHT)[:, None, None] + np.arange(3)
    pictures = (127 + 100 * np.sin(waves)).astype(np.uint8)
    return Result(
        [Path(name) for name in names or [f"image_{i}.png" for i in range(count)]],
        pictures, shown if masks else None,
        network, np.arange(count) % 3, [top] * count, kept, kept, {}, Options(), None,
    )  # fmt: skip


def explored(count=2):
    """The same with two more classes of every image, what if, and the microscope."""
    result = made(count)
    rng = np.random.default_rng(5)
    more = {}
    for (method, rule), maps in result.maps.items():
        a = rng.normal(size=(count, 2, *maps.shape[1:])).astype(np.float32)
        more.setdefault(method, {})[rule] = a if method == "integrated_gradients" else np.abs(a)
    classes = np.array([[2, 1], [0, 2], [0, 1]])[np.arange(count) % 3]
    names = [name_of(key) for key in result.maps]
    curves = {name: rng.random((count, 5)).astype(np.float32) for name in (*names, *BASELINES)}
    gone = WhatIf(np.linspace(0, 1, 5, dtype=np.float32), curves, np.array([9, 200, 30], np.uint8))
    channel = Channel(4, *rng.normal(size=(2, 6, 7)).astype(np.float32))
    relus = [
        {
            rule: [
                Seen("fc1", (8,), Shares(0.5, 0.25, 0.125, 0.125), Shares(0.1, 0.2, 0.3, 0.4), []),
                Seen(FISH, (6, 7, 8), Shares(1, 0, 0, 0), Shares(0, 1, 0, 0), [channel]),
            ]
            for rule in ("vanilla", "guided")
        }
    ] * count
    others = OtherClasses(classes, Maps(None, more))
    return result._replace(others=others, what_if=gone, relus=relus)


def image_of(text):
    kind, _, data = text.partition(";base64,")
    assert kind in ("data:image/png", "data:image/jpeg")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))


def values_of(one):
    """A map as the page's format says it is read."""
    if "floats" in one:
        values = np.frombuffer(base64.b64decode(one["floats"]), "<f4")
        return values.reshape(one["height"], one["width"])
    return one["low"] + image_of(one["png"]) / 255 * (one["high"] - one["low"])


def test_the_page_holds_the_maps():
    result = made()
    data = page_data(result.for_page())
    assert [(one["method"], one["rule"]) for one in data["maps"]] == list(result.maps)
    for number, (one, maps) in enumerate(zip(data["maps"], result.maps.values(), strict=True)):
        assert (one["low"], one["high"]) == (np.min(maps), np.max(maps))
        for image, wanted in zip(data["images"], np.asarray(maps), strict=True):
            written = image["maps"][number]
            step = 0 if one["method"] == "grad_cam" else (wanted.max() - wanted.min()) / 255
            np.testing.assert_allclose(values_of(written), wanted, atol=0.501 * step + 1e-12)
            assert written["low"] == wanted.min()
            assert written["high"] == wanted.max()
    colours = [one["colours"] for one in data["maps"]]
    assert colours == ["jet", "jet", "jet", "jet", "RdBu_r"]


def test_the_page_holds_the_pictures_and_the_truth():
    result = made()
    for number, one in enumerate(page_data(result.for_page())["images"]):
        assert np.abs(image_of(one["picture"]) - result.images[number].astype(int)).mean() < 6
        np.testing.assert_array_equal(image_of(one["truth"]) > 127, result.masks[number])
        assert one["class"] == ["goose", FISH][number]
        assert [top["name"] for top in one["top"]] == [FISH, "goose"]
    assert [one["truth"] for one in page_data(made(masks=False).for_page())["images"]] == [
        None,
        None,
    ]
    for name, text in page_data(result.for_page())["colours"].items():
        table = np.frombuffer(base64.b64decode(text), np.uint8).reshape(256, 3)
        wanted = colormap_named(name)(np.arange(256))[:, :3] * 255
        np.testing.assert_allclose(table, wanted, atol=0.51)


def test_the_page_holds_what_it_is_explored_with():
    result = explored()
    data = page_data(result.for_page())
    assert data["what_if"] == {"shares": [0, 0.25, 0.5, 0.75, 1], "colour": [9, 200, 30]}
    labels = result.network.labels
    for number, image in enumerate(data["images"]):
        names = [labels[index] for index in result.others.classes[number]]
        assert [other["class"] for other in image["others"]] == names
        for k, other in enumerate(image["others"]):
            for one, maps in zip(other["maps"], result.others.maps.values(), strict=True):
                step = 0 if "floats" in one else np.ptp(maps[number, k]) / 255
                np.testing.assert_allclose(values_of(one), maps[number, k], atol=0.51 * step + 1e-7)
        curves = result.what_if.curves
        for key, curve in zip(result.maps, image["what_if"]["maps"], strict=True):
            np.testing.assert_allclose(curve, curves[name_of(key)][number], atol=1e-4)
        assert list(image["what_if"]["controls"]) == list(BASELINES)
        dense, convolution = image["microscope"]["guided"]
        assert dense["energy"] == [0.5, 0.25, 0.125, 0.125]
        assert dense["count"] == [0.1, 0.2, 0.3, 0.4]
        assert dense["channels"] == []
        (channel,) = convolution["channels"]
        wanted = result.relus[number]["guided"][1].channels[0]
        limit = np.abs(wanted.arrives).max()
        for what in ("arrives", "passed"):
            steps = np.frombuffer(base64.b64decode(channel[what]["values"]), np.int8)
            values = np.clip(getattr(wanted, what), -limit, limit).ravel()
            np.testing.assert_allclose(steps / 127 * limit, values, atol=0.51 * limit / 127)
    for row, maps, more in zip(
        data["maps"], result.maps.values(), result.others.maps.values(), strict=True
    ):
        assert row["low"] == pytest.approx(min(maps.min(), more.min()))
        assert row["high"] == pytest.approx(max(maps.max(), more.max()))
    plain = page_data(made().for_page())
    assert plain["what_if"] is None
    assert all(
        one["others"] == [] and one["what_if"] is one["microscope"] is None
        for one in plain["images"]
    )


def test_colours_that_were_asked_for():
    result = made()._replace(options=Options(colormap="viridis"))
    data = page_data(result.for_page())
    assert {one["colours"] for one in data["maps"]} == {"viridis"}
    assert "viridis" in data["colours"]
    text = page_html(result.for_page())
    assert '<option value="viridis">viridis</option>' in text


def test_names_end_no_script():
    text = page_html(made(1, names=[NASTY]).for_page())
    assert text.count("<script") == text.count("</script>") == 2  # data, and what reads them
    assert "<b>" not in text
    (data,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', text, re.S)
    name = json.loads(data)["images"][0]["file"]
    assert name.startswith("<script>document.title='no'<!--")
    assert "\n" not in name
    assert "\u202e" not in name


def test_nothing_is_fetched():
    text = page_html(made().for_page())
    assert not re.findall(r"""(?:src|href)=["'](?!data:)|@import|url\(|https?://""", text)


def test_of_many_images_each_has_a_file_with_the_same_data(monkeypatch, tmp_path):
    result = made(4)
    inside = page_data(result.for_page())["images"]
    monkeypatch.setattr(page, "MOST", 3)
    write_page(result.for_page(), tmp_path)
    names = [f"report_files/000{number}.js" for number in (1, 2, 3, 4)]
    found = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.*"))
    assert found == ["report.html", *names]
    (text,) = re.findall(r'id="data">(.*?)</script>', (tmp_path / "report.html").read_text(), re.S)
    data = json.loads(text)
    assert data["images"] is None
    assert [one["source"] for one in data["index"]] == names
    for number, name in enumerate(names):
        found = re.fullmatch(r"jaxvisImage\((\d+), (.*)\);\n", (tmp_path / name).read_text())
        assert int(found[1]) == number
        assert json.loads(found[2]) == inside[number]
    for one, picture in zip(data["index"], result.images, strict=True):
        assert np.abs(image_of(one["thumbnail"]) - picture.astype(int)).mean() < 8


def test_the_index_of_hundreds_of_images_is_small():
    image = jv.load_images(jv.demo_images()[:1])[0]
    one = page._thumbnail(image)
    assert max(image_of(one).shape) == page.THUMBNAIL
    assert 300 * len(one) < 1_500_000


# In a browser.

browser = browser_fixture


class Page:
    """A page in a browser, and what it says."""

    def __init__(self, browser, path, address=""):
        self.browser = browser
        browser.get("about:blank")
        browser.get_log("browser"), browser.get_log("performance")
        browser.get(f"{path.as_uri()}{address}")
        self.settled()

    def run(self, script, *given):
        return self.browser.execute_script(script, *given)

    def settled(self):
        """Wait until all that was asked for is drawn."""
        from selenium.webdriver.support.ui import WebDriverWait

        WebDriverWait(self.browser, 60).until(
            lambda _: self.run("return Number(document.body.dataset.drawn) === drawing")
        )

    def set(self, name, value):
        """Move a control as a reader does."""
        self.run(
            "const c = document.getElementById(arguments[0]);"
            "if (c.type === 'checkbox') c.checked = arguments[1]; else c.value = arguments[1];"
            "c.dispatchEvent(new Event('input', {bubbles: true}));"
            "c.dispatchEvent(new Event('change', {bubbles: true}));",
            name, value,
        )  # fmt: skip
        self.settled()

    def view(self):
        """The large picture, RGB."""
        text = self.run("return document.getElementById('view').toDataURL()")
        return image_of(text)[..., :3].astype(int)

    def readings(self):
        return self.run(
            "return [...document.querySelectorAll('#readings tr')]"
            ".map(row => [...row.children].map(cell => cell.textContent))"
        )

    def at_pixel(self, column, row):
        self.run("mark(arguments[0], arguments[1])", column, row)
        self.browser.execute_async_script(
            "const done = arguments[0]; lookedAt(state.image).then(() => setTimeout(done, 50))"
        )
        return self.readings()

    def errors(self):
        return errors(self.browser)

    def requests(self):
        return requests(self.browser)


@pytest.fixture
def written(request, tmp_path):
    if getattr(request, "param", "") == "many":
        return request.getfixturevalue("many")
    result = made()
    path = tmp_path / "report.html"
    write_page(result.for_page(), tmp_path)
    return result, path


@pytest.fixture
def many(tmp_path, monkeypatch):
    """Eight images, too many for one file."""
    monkeypatch.setattr(page, "MOST", 7)
    result = made(8)
    write_page(result.for_page(), tmp_path)
    return result, tmp_path / "report.html"


@in_a_browser
@pytest.mark.parametrize("written", ["written", "many"], indirect=True)
def test_it_shows_the_values_of_the_maps(browser, written):
    result, path = written
    shown = Page(browser, path, "#image=1")
    for column, row in ((0, 0), (20, 13), (WIDTH - 1, HEIGHT - 1)):
        readings = shown.at_pixel(column, row)
        assert shown.run("return state.at") == f"{column},{row}"
        for (name, rule), maps in result.maps.items():
            values = np.asarray(maps)[1].astype(np.float64)
            step = np.ptp(values) / 255 if name != "grad_cam" else 0
            if name == "grad_cam":
                values = upsample(values, (HEIGHT, WIDTH)).astype(np.float64)
            (row_of,) = [one for one in readings if one[0].lower().startswith(
                jv.METHODS[name].title.lower()) and rule in one[0]]  # fmt: skip
            value = values[row, column]
            assert float(row_of[1]) == pytest.approx(value, rel=1e-3, abs=0.51 * step + 1e-9)
            # Rounded values are tied, so that a rank is as near as the steps are.
            stronger = (np.abs(values) >= np.abs(value) + step).mean()
            least = (np.abs(values) >= np.abs(value) - step).mean()
            rank = 0 if "<" in row_of[2] else float(re.findall(r"[\d.]+", row_of[2])[0]) / 100
            assert stronger - 2e-3 <= rank <= least + 2e-3
            share = float(row_of[3].split()[0]) / 1e6
            wanted = abs(value) / np.abs(values).sum()
            assert share == pytest.approx(wanted, rel=0.05, abs=2 * step / np.abs(values).sum())
    assert shown.errors() == []


@in_a_browser
def test_every_control_changes_what_it_says(browser, written):
    result, path = written
    shown = Page(browser, path)
    seen = [shown.view()]

    def changed():
        seen.append(shown.view())
        return np.abs(seen[-1] - seen[-2]).max() > 8

    shown.set("strength", 0)  # the photograph alone
    assert changed()
    assert np.abs(seen[-1] - result.images[0]).mean() < 6
    shown.set("strength", 100)
    assert changed()
    shown.set("percentile", "90")
    assert changed()
    values = np.asarray(result.maps["saliency", "vanilla"][0])
    steps = np.rint(255 * (values - values.min()) / np.ptp(values)) / 255  # as the page has them
    end = np.sort(steps, axis=None)[int(np.ceil(0.9 * values.size)) - 1]
    wanted = colormap_named("jet")(np.clip(256 * steps / end, 0, 255).astype(int))
    assert (np.abs(seen[-1] - 255 * wanted[..., :3]).max(axis=-1) <= 6).mean() > 0.98
    shown.set("percentile", "100")
    assert changed()
    values = np.asarray(result.maps["saliency", "vanilla"][0])
    steps = np.rint(255 * (values - values.min()) / np.ptp(values))  # as the page has them
    wanted = colormap_named("jet")(np.minimum(256 * steps // 255, 255).astype(int))
    assert np.abs(seen[-1] - 255 * wanted[..., :3]).max() <= 2
    shown.set("colour", "gray")
    assert changed()
    assert np.abs(seen[-1] - seen[-1][..., :1]).max() <= 1
    shown.set("scale", "all")
    assert changed()
    shown.set("top", 5)
    assert changed()
    covered = (np.abs(seen[-1] - seen[1]) > 0).any(axis=-1).mean()
    assert covered < 0.06
    shown.set("truth", True)
    assert changed()
    edge = (np.abs(seen[-1] - [0, 229, 255]) < 3).all(axis=-1)
    assert edge[10:20, 12:30].sum() == 2 * 18 + 2 * 8
    assert edge.sum() == edge[10:20, 12:30].sum()
    assert shown.run("return document.getElementById('divider-label').hidden")
    shown.set("with", "grad_cam.guided")
    assert changed()
    assert not shown.run("return document.getElementById('divider-label').hidden")
    shown.set("divider", 25)
    assert changed()
    shown.run("document.querySelectorAll('#images button')[1].click()")
    shown.settled()
    assert changed()
    shown.run("document.querySelectorAll('#maps button')[4].click()")
    shown.settled()
    assert changed()
    assert shown.run("return location.hash") == (
        "#image=1&map=integrated_gradients.vanilla&with=grad_cam.guided&divider=25&strength=100"
        "&colour=gray&scale=all&percentile=100&top=5&truth=1"
    )
    assert shown.errors() == []


@in_a_browser
def test_it_is_explored(browser, tmp_path):
    result = explored()
    write_page(result.for_page(), tmp_path)
    shown = Page(browser, tmp_path / "report.html", "#image=1&map=saliency.guided")
    assert shown.errors() == []
    hidden = (
        "return ['class-label', 'what-if', 'microscope']"
        ".map(name => document.getElementById(name).hidden)"
    )
    assert shown.run(hidden) == [False] * 3

    # A further class: the values under the mark are those of its maps, the rest belongs to another.
    shown.set("class", "2")
    readings = shown.at_pixel(3, 2)
    maps = result.others.maps["saliency", "guided"][1, 1]
    (row,) = [one for one in readings if one[0] == "Saliency, guided"]
    assert float(row[1]) == pytest.approx(
        float(maps[2, 3]), abs=float(0.51 * np.ptp(maps) / 255), rel=1e-3
    )
    assert "for key, on image_1.png" in shown.run(
        "return document.getElementById('caption').textContent"
    )
    assert shown.run(hidden) == [False, True, True]
    assert "class=2" in shown.run("return location.hash")
    shown.set("class", "0")

    # A quarter of the pixels gone, and what that does to the class.
    shown.set("removed", 25)
    text = shown.run("return document.getElementById('without').toDataURL()")
    left = image_of(text)[..., :3].astype(int)
    gone = (left == [9, 200, 30]).all(axis=-1)
    maps = np.asarray(result.maps["saliency", "guided"][1])
    steps = np.rint(255 * (maps - maps.min()) / np.ptp(maps)).ravel()  # as the page has them
    order = np.argsort(-steps, kind="stable")[: round(0.25 * maps.size)]
    wanted = np.zeros(maps.size, bool)
    wanted[order] = True
    np.testing.assert_array_equal(gone, wanted.reshape(maps.shape))
    said = shown.run("return document.getElementById('what-if-says').textContent")
    curves = {name: curve[1] for name, curve in result.what_if.curves.items()}
    assert f"a probability of {100 * curves['saliency guided'][1]:.1f} %" in said
    assert f"({100 * curves['saliency guided'][0]:.1f} % before)" in said
    for name in BASELINES:
        assert f"{name} {100 * curves[name][1]:.1f} %" in said
    shown.set("removed", 0)
    text = shown.run("return document.getElementById('without').toDataURL()")
    assert np.abs(image_of(text)[..., :3].astype(int) - result.images[1]).mean() < 6
    lines = shown.run(
        "return [...document.querySelectorAll('#curves polyline')]"
        ".map(line => [line.textContent, line.getAttribute('points')])"
    )
    assert [name for name, _ in lines] == [*BASELINES, "Saliency, guided"]
    heights = [float(point.split(",")[1]) for point in lines[-1][1].split()]
    whole = shown.run("return [downCurve(0), downCurve(1)]")
    wanted = [whole[0] + p * (whole[1] - whole[0]) for p in curves["saliency guided"]]
    np.testing.assert_allclose(heights, wanted, atol=0.06)

    # The microscope: rows from the logit down, by energy and by count.
    rows = "return [...document.querySelectorAll('#relus tr')].map(r => r.textContent)"
    dense, convolution = shown.run(rows)
    assert dense.startswith("fc1 8")
    assert "passes 50.0 %" in dense
    assert convolution.startswith(FISH)
    assert "channel 4" in convolution
    shown.set("measure", "count")
    assert "stopped: both 40.0 %" in shown.run(rows)[0]
    assert shown.run("return location.hash") == (
        "#image=1&map=saliency.guided&at=3,2&removed=0&measure=count"
    )
    assert shown.errors() == []


@in_a_browser
def test_an_address_is_a_view(browser, written):
    _, path = written
    address = (
        "#image=1&map=grad_cam.guided&with=saliency.vanilla&divider=30&strength=80&top=40&at=7,9"
    )
    one = Page(browser, path)
    one.run("document.querySelectorAll('#images button')[1].click()")
    one.settled()
    for name, value in (
        ("with", "saliency.vanilla"),
        ("divider", 30),
        ("strength", 80),
        ("top", 40),
    ):
        one.set(name, value)
    one.run("document.querySelectorAll('#maps button')[3].click()")
    one.settled()
    one.at_pixel(7, 9)
    view, readings = one.view(), one.readings()
    assert one.run("return location.hash") == address
    other = Page(browser, path, address)
    np.testing.assert_array_equal(other.view(), view)
    assert other.readings() == readings
    told = Page(browser, path, "#image=1&rule=guided")
    assert told.run("return state.map") == "saliency.guided"
    told = Page(browser, path, "#method=grad_cam&rule=guided")
    assert told.run("return state.map") == "grad_cam.guided"
    for wrong in (
        "#image=9&top=0&at=900,1",
        "#map=nothing&scale=%3Cb%3E&image=-1",
        "#at=1&image=x",
    ):
        odd = Page(browser, path, wrong)
        assert odd.run("return state.image === 0 && state.at === '' && state.top === 100")
        assert odd.errors() == []


@in_a_browser
def test_keys_alone(browser, written):
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys

    _, path = written
    shown = Page(browser, path, "#with=grad_cam.guided")
    reached = []
    for _ in range(16):
        ActionChains(browser).send_keys(Keys.TAB).perform()
        reached.append(shown.run(
            "const e = document.activeElement;"
                "return e.id || e.getAttribute('aria-label') || e.textContent"
        ))  # fmt: skip
    for name in (
        "view",
        "with",
        "divider",
        "strength",
        "colour",
        "scale",
        "percentile",
        "top",
        "truth",
    ):
        assert name in reached
    assert "Image 1: goose, image_0.png" in reached
    shown.run("document.querySelector('#images button').focus()")
    ActionChains(browser).send_keys(Keys.ARROW_RIGHT, Keys.ENTER).perform()
    shown.settled()
    assert shown.run("return state.image") == 1
    assert sum("Saliency" in name or "Grad-CAM" in name for name in reached) >= 4
    shown.run("document.getElementById('view').focus()")
    ActionChains(browser).send_keys(Keys.ARROW_LEFT, Keys.ARROW_DOWN).perform()
    assert shown.run("return state.at") == f"{WIDTH // 2 - 1},{HEIGHT // 2 + 1}"
    before = shown.view()
    ActionChains(browser).send_keys("f").perform()
    shown.settled()
    assert shown.run("return [state.map, state.with]") == ["grad_cam.guided", "saliency.vanilla"]
    assert np.abs(shown.view() - before).max() > 8


@in_a_browser
def test_it_asks_nobody_and_says_what_it_shows(browser, tmp_path):
    path = tmp_path / "report.html"
    write_page(made(1, names=[NASTY]).for_page(), tmp_path)
    shown = Page(browser, path)
    assert shown.requests() == [path.as_uri()]
    assert shown.errors() == []
    assert shown.run("return document.title") == "What the network looks at"
    caption = shown.run("return document.getElementById('caption').textContent")
    assert "<script>document.title='no'<!--" in caption
    assert FISH in caption
    labels = shown.run(
        "return [...document.querySelectorAll('#view, #maps canvas')]"
        ".map(canvas => canvas.getAttribute('aria-label'))"
    )
    assert all(re.search("strongest at the (top|middle|bottom) (left|centre|right)", label)
               for label in labels)  # fmt: skip
    unnamed = shown.run(
        "return [...document.querySelectorAll('button, input, select')].filter(e => "
        "!(e.labels?.length || e.getAttribute('aria-label') || e.textContent.trim())).length"
    )
    assert unnamed == 0


@in_a_browser
def test_it_is_printed_with_every_map(browser, written):
    result, path = written
    shown = Page(browser, path)
    from selenium.webdriver.support.ui import WebDriverWait

    WebDriverWait(browser, 60).until(
        lambda _: shown.run("return document.body.dataset.paper === 'ready'")
    )
    pictures = shown.run(
        "return [...document.querySelectorAll('#paper img')].map(i => [i.alt, i.naturalWidth])"
    )
    assert len(pictures) == len(result.files) * (1 + len(list(result.maps)))
    assert all(alt and width == WIDTH for alt, width in pictures)
    printed = browser.execute_cdp_cmd("Page.printToPDF", {"preferCSSPageSize": True})
    pdf = base64.b64decode(printed["data"])
    assert pdf.count(b"/Subtype /Image") >= len(pictures)
    assert b"/MediaBox [0 0 594" in pdf or b"/MediaBox [0 0 595" in pdf  # A4


@in_a_browser
def test_an_images_file_is_loaded_when_the_image_is_looked_at(browser, many):
    _, path = many
    shown = Page(browser, path)
    files = [(path.parent / f"report_files/000{n}.js").as_uri() for n in range(1, 9)]
    assert shown.requests() == [path.as_uri(), files[0]]
    for number in (4, 0, 4):
        shown.run(f"document.querySelectorAll('#images button')[{number}].click()")
        shown.settled()
    shown.set("scale", "all")  # for which no other image is needed
    assert shown.requests() == [files[4]]
    for number in (1, 2, 3, 4, 0):  # the first is no longer kept
        shown.run(f"document.querySelectorAll('#images button')[{number}].click()")
        shown.settled()
    assert shown.requests() == [files[1], files[2], files[3], files[0]]
    assert shown.run("return [known.size, arrived.size]") == [4, 0]
    assert shown.run("return document.querySelectorAll('head script').length") == 0
    assert shown.errors() == []


@in_a_browser
def test_one_scale_for_all_is_that_of_all_images(browser, many):
    result, path = many
    shown = Page(browser, path, "#image=2&strength=100&scale=all&map=integrated_gradients.vanilla")
    maps = np.asarray(result.maps["integrated_gradients", "vanilla"])
    steps = np.rint(255 * (maps[2] - maps[2].min()) / np.ptp(maps[2]))
    values = maps[2].min() + steps / 255 * np.ptp(maps[2])
    end = np.abs(maps).max()
    shades = np.clip((256 * (values + end) / (2 * end)).astype(int), 0, 255)
    wanted = 255 * colormap_named("RdBu_r")(shades)[..., :3]
    assert np.abs(shown.view() - wanted).max() <= 4  # a step's rounding, at most a shade


@in_a_browser
def test_a_file_that_is_missing_or_of_another_report_is_said(browser, many):
    _, path = many
    folder = path.parent / "report_files"
    moved = (folder / "0003.js").rename(folder / "away")
    other = (folder / "0005.js").read_text()
    (folder / "0004.js").write_text(other.replace("jaxvisImage(4,", "jaxvisImage(3,"))
    (folder / "0006.js").write_text("jaxvisImage(5, {")
    shown = Page(browser, path, "#at=3,4")
    said = "const t = document.getElementById('trouble'); return t.hidden ? '' : t.textContent"
    assert shown.run(said) == ""
    for number, words in (
        (2, "image_2.png are in report_files/0003.js, which is not beside this page"),
        (3, "report_files/0004.js is not this report's: it does not have the maps of image_3.png"),
        (5, "report_files/0006.js is not this report's"),
    ):
        shown.run(f"document.querySelectorAll('#images button')[{number}].click()")
        shown.settled()
        assert words in shown.run(said)
        assert not shown.view().any()  # nor another image's maps
        assert shown.readings() == []
    moved.rename(folder / "0003.js")
    shown.run("document.querySelectorAll('#images button')[2].click()")
    shown.settled()
    assert shown.run(said) == ""
    assert shown.view().any()
    assert len(shown.readings()) == 5


@in_a_browser
def test_an_image_among_many_is_found_by_class_file_and_keys(browser, many):
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys

    _, path = many
    shown = Page(browser, path)
    seen = ("return [...document.querySelectorAll('#images button')]"
            ".filter(b => b.checkVisibility()).map(b => data.index.map(one => one.file)"
            ".indexOf(b.title))")  # fmt: skip
    assert shown.run(seen) == [0, 1, 2, 3, 4, 5, 6, 7]
    for words, wanted in (("GOOSE", [0, 3, 6]), ("key _5", [5]), ("4.png", [4]), ("cat", [])):
        shown.set("find", words)
        assert shown.run(seen) == wanted
        found = shown.run("return document.getElementById('found').textContent")
        assert found == f"{len(wanted)} of 8"
    shown.set("find", "key")  # 2, 5
    shown.run("document.getElementById('find').focus()")
    keys = ActionChains(browser)
    keys.send_keys(Keys.TAB, Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ENTER).perform()
    shown.settled()
    assert shown.run("return state.image") == 5
    shown.set("find", "")
    for pressed, wanted in ((Keys.HOME, 0), (Keys.END, 7), (Keys.ARROW_LEFT, 6)):
        ActionChains(browser).send_keys(pressed, Keys.SPACE).perform()
        shown.settled()
        assert shown.run("return state.image") == wanted
    browser.set_window_size(500, 1000)
    ActionChains(browser).send_keys(Keys.HOME, Keys.ARROW_DOWN, Keys.ENTER).perform()
    shown.settled()
    below = shown.run(
        "const [a, ...b] = [...document.querySelectorAll('#images button')]"
        ".map(b => b.getBoundingClientRect());"
        "return 1 + b.findIndex(one => one.top > a.bottom && one.left === a.left)"
    )
    browser.set_window_size(1280, 1000)
    assert shown.run("return state.image") == below > 1
    tabs = "return [...document.querySelectorAll('#images button')].filter(b => b.tabIndex === 0)"
    assert len(shown.run(tabs)) == 1


@in_a_browser
def test_of_many_images_the_one_shown_is_printed(browser, many):
    from selenium.webdriver.support.ui import WebDriverWait

    result, path = many
    shown = Page(browser, path, "#image=1")
    pictures = "return [...document.querySelectorAll('#paper img')].map(i => i.alt)"
    for number in (1, 6):
        shown.run(f"document.querySelectorAll('#images button')[{number}].click()")
        shown.settled()
        WebDriverWait(browser, 60).until(
            lambda _, number=number: shown.run(pictures)[:1] == [f"image_{number}.png"]
        )
        assert len(shown.run(pictures)) == 1 + len(list(result.maps))
    assert "printed is the image that is shown" in shown.run(
        "return document.getElementById('about').textContent.toLowerCase()"
    )


@in_a_browser
def test_values_are_said_when_asked_for_and_not_at_every_move(browser, written):
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys

    _, path = written
    shown = Page(browser, path, "#map=grad_cam.guided&with=saliency.vanilla")
    shown.run(
        "window.said = [];"
        "const live = document.querySelectorAll('[aria-live], [role=status], output');"
        "for (const one of live) new MutationObserver(() => said.push(one.textContent))"
        ".observe(one, {childList: true, characterData: true, subtree: true});"
    )
    view = shown.run("return document.getElementById('view')")
    moves = ActionChains(browser).move_to_element(view)
    for _ in range(5):
        moves = moves.move_by_offset(5, 3)
    moves.perform()
    assert shown.run("return state.at") != ""
    assert shown.run("return said") == []
    shown.run("document.getElementById('view').focus()")
    ActionChains(browser).send_keys(Keys.ARROW_LEFT).perform()
    shown.at_pixel(7, 9)
    readings = {row[0]: row for row in shown.readings()}
    cam, saliency = readings["Grad-CAM, guided"], readings["Saliency, vanilla"]
    assert shown.run("return said.at(-1)") == (
        f"Column 7, row 9: Grad-CAM, guided {cam[1]}, among the strongest {cam[2][4:]}; "
        f"Saliency, vanilla {saliency[1]}, among the strongest {saliency[2][4:]}."
    )
    assert len(shown.run("return said")) == 2


CONTRAST = r"""
const linear = (v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
const luminance = (rgb) => {
  const [r, g, b] = rgb.map((v) => linear(v / 255));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const numbers = (text) => text.match(/[\d.]+/g).map(Number);
const behind = (element) => {
  for (let one = element; one; one = one.parentElement) {
    const colour = numbers(getComputedStyle(one).backgroundColor);
    if (colour.length === 3 || colour[3] === 1) return colour;
    if (colour[3] > 0) throw new Error('a background that shines through: ' + one.outerHTML);
  }
};
const found = [];
for (const element of document.querySelectorAll('body *')) {
  const own = [...element.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
  const field = ['SELECT', 'INPUT'].includes(element.tagName);
  if (!(own || field) || ['SCRIPT', 'OPTION', 'NOSCRIPT'].includes(element.tagName)) continue;
  const colours = [behind(element), numbers(getComputedStyle(element).color)];
  const [dark, light] = colours.map(luminance).sort((a, b) => a - b);
  found.push([`${element.tagName}#${element.id}`, (light + 0.05) / (dark + 0.05)]);
}
return found;
"""


@in_a_browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_can_be_read(scheme, browser, many):
    """WCAG 2.2, 1.4.3: 4.5 : 1, between the colours that the browser computes."""
    _, path = many
    looks = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": looks})
    try:
        shown = Page(browser, path, "#with=grad_cam.guided&at=3,3")
        shown.run("document.getElementById('trouble').hidden = false;"
                  "document.getElementById('trouble').textContent = 'x'")  # fmt: skip
        found = shown.run(CONTRAST)
        dark = shown.run("return matchMedia('(prefers-color-scheme: dark)').matches")
    finally:
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    assert dark == (scheme == "dark")
    assert len(found) > 60
    assert [one for one in found if one[1] < 4.5] == []
