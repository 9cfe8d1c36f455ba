"""The explorable: one file, whose numbers are NumPy's, and whose maps are those of the data."""

import itertools
import json

import numpy as np
import pytest
from chromium import browser_fixture, errors, in_a_browser, requests  # noqa: F401
from making import explorable

from jaxvis.gradients.relu import RULES

MINUS = "\u2212"  # as it is printed
V = np.array([2.0, -3.0, 4.0])


@pytest.fixture(scope="module", name="file")
def file_fixture(tmp_path_factory):
    path = tmp_path_factory.mktemp("site") / "explorable.html"
    explorable.write(path)
    return path


def by_numpy(x, weights, gate_input, gate_gradient):
    """x and weights in tenths, whole: z, a, s, what leaves the ReLUs, what comes to the inputs."""
    z = x @ weights / 100
    a = np.maximum(z, 0)
    leaves = V.copy()
    if gate_input:
        leaves[z <= 0] = 0
    if gate_gradient:
        leaves[V <= 0] = 0
    return z, a, a @ V, leaves, weights / 10 @ leaves


def test_it_is_one_small_file(file):
    text = file.read_text()
    assert file.stat().st_size < 3_000_000
    assert "/*" not in text.partition("</style>")[0].rpartition("<style>")[2][:10]
    for mark in explorable.PARTS:
        assert mark not in text
    assert "http://" not in text.replace("http://www.w3.org/2000/svg", "")
    assert "https://" not in text


def test_the_data_are_whole():
    data = json.loads((explorable.HERE / "scenes.json").read_text())
    places, cells = len(data["places"]), data["cells"]
    assert set(data["maps"]) == {f"{a} {b}" for a in data["names"] for b in RULES}
    for one in data["maps"].values():
        assert len(one["saliencyOn"]) == len(one["camOn"]) == len(one["positive"]) == places
        assert len(one["cam"]) == -(-places * cells * cells // 3) * 4
    assert np.sum(data["probabilities"], axis=1).max() <= 1.001
    assert all(0 < area < 0.5 for area in data["areas"])


def test_the_data_are_the_networks(monkeypatch):
    """At one place, against maps made anew; JPEG keeps a saliency map to a few grey levels."""
    import base64
    import io
    import sys

    from PIL import Image

    monkeypatch.setattr(sys, "path", [str(explorable.HERE), *sys.path])
    import make_scenes

    import jaxvis as jv

    data = json.loads((explorable.HERE / "scenes.json").read_text())
    place = 17
    image, masks = make_scenes.scene(make_scenes.PLACES[place])
    network = jv.load("demo")
    x, index = network.preprocess(image[None]), network.class_index(make_scenes.OTHER)
    stored = data["maps"][f"{make_scenes.OTHER} guided"]
    cam = np.asarray(jv.grad_cam(network.model, x, index, layer=network.layer, rule=jv.GUIDED))[0]
    cells = np.frombuffer(base64.b64decode(stored["cam"]), np.uint8).reshape(-1, *cam.shape)
    np.testing.assert_allclose(cells[place] / 255, cam / cam.max(), atol=0.004)
    saliency = np.asarray(jv.saliency(network.model, x, index, rule=jv.GUIDED))[0]
    small = make_scenes.halved(saliency)
    strip = np.asarray(Image.open(io.BytesIO(base64.b64decode(stored["saliency"]))))
    grey = strip.reshape(-1, *small.shape)[place] / 255
    wanted = np.clip(small / np.percentile(small, 99.5), 0, 1)
    assert np.abs(grey - wanted).mean() < 0.02
    np.testing.assert_allclose(
        stored["saliencyOn"][place], [saliency[mask].sum() / saliency.sum() for mask in masks],
        atol=2e-3,
    )  # fmt: skip


# ---- in a browser


def number(text):
    return float(text.replace(MINUS, "-"))


def set_slider(browser, element, value):
    browser.execute_script(
        "arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('input'))",
        element, str(value),
    )  # fmt: skip


READ = """
const text = (id) => document.getElementById(id).textContent;
return {
  table: [...document.querySelectorAll("#table tbody tr")].map(
    (row) => [...row.children].map((cell) => cell.textContent)),
  gradient: text("gradient").replace(/[()]/g, "").split(", "), s: text("s"),
  drawn: [...document.querySelectorAll("#diagram text")].map((one) => one.textContent),
  rules: [...document.querySelectorAll("#named input:checked")].map((one) => one.value),
};"""
SET = """
const [x, weights, gates] = arguments;
for (const slider of document.querySelectorAll("#units .slider input")) {
  const { i, j } = slider.dataset;
  slider.value = j === undefined ? x[i] : weights[i][j];
  slider.dispatchEvent(new Event("input"));
}
["gate-input", "gate-gradient"].forEach((id, k) => {
  const gate = document.getElementById(id);
  if (gate.checked !== gates[k]) gate.click();
});"""


def shown(browser):
    """The numbers that the page says, and the names of rules that are chosen."""
    found = browser.execute_script(READ)
    columns = [[number(row[k]) for row in found["table"]] for k in (1, 2, 7)]
    gradient = [number(one) for one in found["gradient"]]
    return (*columns[:2], number(found["s"]), columns[2], gradient), found


def drawn(texts):
    """All numbers of the diagram, in the order in which they were made, but for v."""
    return [number(text.removeprefix("∂ ")) for text in texts
            if text[-1:] in tuple("0123456789") and not text.startswith("v")]  # fmt: skip


@in_a_browser
def test_three_units_say_what_numpy_says(browser, file):
    browser.get(file.as_uri())
    numbers, _ = shown(browser)
    np.testing.assert_allclose(np.hstack(numbers), [3, 1, -2, 3, 1, 0, 3, 2, -3, 0, 5, -1])
    rng = np.random.default_rng(0)
    cases = [(rng.integers(-40, 41, 2), rng.integers(-30, 31, (2, 3))) for _ in range(12)]
    # z is exactly 0 here, which floats would miss: 0.3 * 0.1 - 0.1 * 0.3
    cases.append((np.array([3, 1]), np.array([[1, 0, 10], [-3, 0, 10]])))
    for (x, weights), gates in itertools.product(cases, itertools.product((True, False), repeat=2)):
        browser.execute_script(SET, x.tolist(), weights.tolist(), gates)
        z, a, s, leaves, gradient = by_numpy(x, weights, *gates)
        numbers, found = shown(browser)
        for one, right in zip(numbers, (z, a, s, leaves, gradient), strict=True):
            np.testing.assert_allclose(one, right, atol=0.00501)
        wanted = [*(weights / 10).ravel(), x[0] / 10, gradient[0], x[1] / 10, gradient[1]]
        for j in range(3):
            wanted += [z[j], a[j], leaves[j], V[j]]
        np.testing.assert_allclose(drawn(found["drawn"]), [*wanted, s, 1], atol=0.00501)
        names = [name for name, rule in RULES.items() if tuple(map(bool, rule)) == gates]
        assert found["rules"] == (names or ["neither"])
    assert errors(browser) == []
    assert requests(browser) == [file.as_uri()]


@in_a_browser
def test_the_gradient_comes_back_step_by_step_by_the_keyboard(browser, file):
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    browser.get(file.as_uri())
    flowing = ".backward:not(.hidden)"
    browser.find_element(By.ID, "first").send_keys(Keys.ENTER)
    assert browser.find_elements(By.CSS_SELECTOR, flowing) == []
    browser.find_element(By.ID, "next").send_keys(Keys.ENTER)
    assert len(browser.find_elements(By.CSS_SELECTOR, flowing)) == 3  # output -> units
    assert "begins" in browser.find_element(By.ID, "step").text
    browser.find_element(By.ID, "next").send_keys(Keys.ENTER)
    assert len(browser.find_elements(By.CSS_SELECTOR, ".gate:not(.hidden)")) == 1  # unit 3 is off
    browser.find_element(By.ID, "next").send_keys(Keys.SPACE)
    assert len(browser.find_elements(By.CSS_SELECTOR, flowing)) == 7  # units 1 and 2 -> inputs
    assert not browser.find_element(By.ID, "next").is_enabled()
    slider = browser.find_element(By.CSS_SELECTOR, "#x-sliders input")
    slider.send_keys(Keys.ARROW_RIGHT)
    assert shown(browser)[0][0][0] == pytest.approx(3.1)
    browser.find_element(By.ID, "play").send_keys(Keys.ENTER)
    assert browser.find_elements(By.CSS_SELECTOR, flowing) == []


@in_a_browser
def test_only_vanilla_keeps_the_promise(browser, file):
    from selenium.webdriver.common.by import By

    browser.get(file.as_uri())
    said = {}
    for name in (*RULES, "neither"):
        browser.find_element(By.CSS_SELECTOR, f"#named input[value={name}]").click()
        said[name] = browser.find_element(By.ID, "promise").text
    vanilla, guided = said["vanilla"].replace(MINUS, "-"), said["guided"].replace(MINUS, "-")
    assert "promised 5.00, happened 5.00; x₂: promised -1.00, happened -1.00. Kept" in vanilla
    assert "promised 2.00, happened 5.00; x₂: promised 2.00, happened -1.00. Not" in guided
    assert "Not kept" in said["rectified"]
    assert "Not kept" in said["neither"]


@in_a_browser
def test_six_maps_follow_the_goose(browser, file):
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import WebDriverWait

    data = json.loads((explorable.HERE / "scenes.json").read_text())
    browser.get(file.as_uri())
    WebDriverWait(browser, 20).until(
        lambda driver: driver.execute_script("return document.body.dataset.ready") == "yes"
    )
    place = browser.find_element(By.ID, "place")
    seen = set()
    for at, name in ((0, "goose"), (23, "goose"), (23, data["names"][1])):
        set_slider(browser, place, at)
        browser.find_element(By.CSS_SELECTOR, f"#class input[value={name}]").click()
        tiles = browser.find_elements(By.CSS_SELECTOR, "#maps button")
        texts = [tile.find_element(By.CLASS_NAME, "on").text for tile in tiles]
        wanted = [
            f"goose {100 * goose + 1e-9:.0f} %, {data['names'][1]} {100 * other + 1e-9:.0f} %"
            for kind in ("saliencyOn", "camOn") for rule in RULES
            for goose, other in [data["maps"][f"{name} {rule}"][kind][at]]
        ]  # fmt: skip
        assert texts == wanted
        goose = data["probabilities"][at][0]
        assert f"goose {100 * goose:.0f} %" in browser.find_element(By.ID, "answer").text
        pictures = browser.execute_script(
            "return [...document.querySelectorAll('canvas')].map(one => one.toDataURL())"
        )
        assert len(pictures) == 9  # the scene, two large maps, which are two of six small ones
        assert len(set(pictures)) == 7
        seen |= set(pictures)
    assert len(seen) == 7 + 7 + 6  # the third has the second's scene
    browser.find_element(By.CSS_SELECTOR, "#rule input[value=guided]").click()
    pressed = browser.find_elements(By.CSS_SELECTOR, "#maps [aria-pressed=true]")
    assert [one.find_element(By.CLASS_NAME, "name").text for one in pressed] == [
        "saliency, guided", "Grad-CAM, guided",
    ]  # fmt: skip
    # What is drawn is the strip's picture in inferno: the brightest place of the drawing is there.
    peak = browser.execute_script(
        "const c = document.getElementById('large-saliency'); const d = c.getContext('2d')"
        ".getImageData(0, 0, 224, 224).data; let best = -1, at = 0;"
        "for (let i = 0; i < d.length; i += 4) { const v = d[i] + d[i + 1] + d[i + 2];"
        "if (v > best) { best = v; at = i / 4; } } return [Math.floor(at / 224), at % 224]"
    )
    import base64
    import io

    from PIL import Image

    strip = data["maps"][f"{data['names'][1]} guided"]["saliency"]
    grey = np.asarray(Image.open(io.BytesIO(base64.b64decode(strip)))).reshape(-1, 112, 112)[23]
    assert grey[peak[0] // 2, peak[1] // 2] >= int(grey.max()) - 3
    assert errors(browser) == []


@in_a_browser
@pytest.mark.parametrize("width", [360, 390, 1280])
def test_nothing_is_wider_than_the_window(browser, file, width):
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500},
    )
    browser.get(file.as_uri())
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
