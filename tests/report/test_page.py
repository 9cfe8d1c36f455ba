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
from jaxvis.methods.maps import Maps
from jaxvis.models.labels import Prediction
from jaxvis.pictures.render import colormap_named, upsample
from jaxvis.report import page
from jaxvis.report.page import page_data, pages_html
from jaxvis.report.result import Options, Result

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
    data = page_data(result)
    assert [(one["method"], one["rule"]) for one in data["maps"]] == list(result.maps)
    for one, maps in zip(data["maps"], result.maps.values(), strict=True):
        for written, wanted in zip(one["of"], np.asarray(maps), strict=True):
            step = 0 if one["method"] == "grad_cam" else (wanted.max() - wanted.min()) / 255
            np.testing.assert_allclose(values_of(written), wanted, atol=0.501 * step + 1e-12)
            assert written["low"] == wanted.min()
            assert written["high"] == wanted.max()
    colours = [one["colours"] for one in data["maps"]]
    assert colours == ["jet", "jet", "jet", "jet", "RdBu_r"]


def test_the_page_holds_the_pictures_and_the_truth():
    result = made()
    for number, one in enumerate(page_data(result)["images"]):
        assert np.abs(image_of(one["picture"]) - result.images[number].astype(int)).mean() < 6
        np.testing.assert_array_equal(image_of(one["truth"]) > 127, result.masks[number])
        assert one["class"] == ["goose", FISH][number]
        assert [top["name"] for top in one["top"]] == [FISH, "goose"]
    assert [one["truth"] for one in page_data(made(masks=False))["images"]] == [None, None]
    for name, text in page_data(result)["colours"].items():
        table = np.frombuffer(base64.b64decode(text), np.uint8).reshape(256, 3)
        wanted = colormap_named(name)(np.arange(256))[:, :3] * 255
        np.testing.assert_allclose(table, wanted, atol=0.51)


def test_colours_that_were_asked_for():
    result = made()._replace(options=Options(colormap="viridis"))
    data = page_data(result)
    assert {one["colours"] for one in data["maps"]} == {"viridis"}
    assert "viridis" in data["colours"]
    (text,) = pages_html(result).values()
    assert '<option value="viridis">viridis</option>' in text


def test_names_end_no_script():
    (text,) = pages_html(made(1, names=[NASTY])).values()
    assert text.count("<script") == text.count("</script>") == 2  # data, and what reads them
    assert "<b>" not in text
    (data,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', text, re.S)
    name = json.loads(data)["images"][0]["file"]
    assert name.startswith("<script>document.title='no'<!--")
    assert "\n" not in name
    assert "\u202e" not in name


def test_nothing_is_fetched():
    (text,) = pages_html(made()).values()
    assert not re.findall(r"""(?:src|href)=["'](?!data:)|@import|url\(|https?://""", text)


def test_many_images_are_many_pages(monkeypatch):
    monkeypatch.setattr(page, "MOST", 3)
    found = pages_html(made(7))
    assert list(found) == ["report.html", "report_2.html", "report_3.html"]
    files = []
    for name, text in found.items():
        assert re.findall(r'<a href="(.*?)"', text) == list(found)
        assert re.findall(r'<a href="(.*?)" aria-current', text) == [name]
        (data,) = re.findall(r'id="data">(.*?)</script>', text, re.S)
        files += [one["file"] for one in json.loads(data)["images"]]
        assert all(len(one["of"]) == len(json.loads(data)["images"])
                   for one in json.loads(data)["maps"])  # fmt: skip
    assert files == [f"image_{i}.png" for i in range(7)]


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
            "const done = arguments[0]; valuesOf(state.image).then(() => setTimeout(done, 50))"
        )
        return self.readings()

    def errors(self):
        return errors(self.browser)

    def requests(self):
        return requests(self.browser)


@pytest.fixture
def written(tmp_path):
    result = made()
    path = tmp_path / "report.html"
    path.write_text(pages_html(result)["report.html"], encoding="utf-8")
    return result, path


@in_a_browser
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
        "&colour=gray&scale=all&top=5&truth=1"
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
    for _ in range(30):
        ActionChains(browser).send_keys(Keys.TAB).perform()
        reached.append(shown.run(
            "const e = document.activeElement;"
                "return e.id || e.getAttribute('aria-label') || e.textContent"
        ))  # fmt: skip
    for name in ("view", "with", "divider", "strength", "colour", "scale", "top", "truth"):
        assert name in reached
    assert sum("Image" in name for name in reached) >= 2
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
    path.write_text(pages_html(made(1, names=[NASTY]))["report.html"], encoding="utf-8")
    shown = Page(browser, path)
    assert shown.requests() == [path.as_uri()]
    assert shown.errors() == []
    assert shown.run("return document.title") == "What the network looks at"
    caption = shown.run("return document.getElementById('caption').textContent")
    assert "<script>document.title='no'<!--" in caption
    assert FISH in caption
    labels = shown.run(
        "return [...document.querySelectorAll('canvas')].map(c => c.getAttribute('aria-label'))"
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
