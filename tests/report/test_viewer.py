"""`jv.show`: the page in a notebook's output, in a frame from which its script gets nowhere."""

import json
import re
from html import unescape

import numpy as np
import pytest
from test_page import Page, browser, in_a_browser, values_of  # noqa: F401 - a fixture

import jaxvis as jv

NAME = "\"></iframe><script>document.title = 'no'</script>"


@pytest.fixture
def explained(narrow, rng):
    images = rng.integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)
    return images, jv.explain(narrow, jv.preprocess(images), [3, 6], rules=["guided"])


def data_of(html):
    (text,) = re.findall(r'id="data">(.*?)</script>', html, re.S)
    return json.loads(text)


def test_it_holds_maps_and_names(narrow, explained):
    images, maps = explained
    network = jv.describe(narrow, labels=list("abcdefg"))
    viewer = jv.show(maps, images, network=network, classes=[3, 6], names=["one", NAME])
    data = data_of(viewer.html)
    assert [one["class"] for one in data["images"]] == ["d", "g"]
    assert [one["file"] for one in data["images"]] == ["one", NAME]
    assert data["layer"] == "block5_conv3"
    for number, image in enumerate(data["images"]):
        for one, wanted in zip(image["maps"], maps.values(), strict=True):
            step = 0 if "floats" in one else np.ptp(wanted[number]) / 255
            np.testing.assert_allclose(values_of(one), wanted[number], atol=0.51 * step + 1e-12)
        best = int(np.argmax(maps.logits[number]))
        assert image["top"][0]["name"] == "abcdefg"[best]
    assert repr(viewer).startswith("<jaxvis viewer: 2 images, 2 maps each")
    plain = data_of(jv.show(maps, images).html)
    wanted = [f"class {index}" for index in np.argmax(maps.logits, axis=1)]
    assert [one["class"] for one in plain["images"]] == wanted
    assert [one["file"] for one in plain["images"]] == ["image 1", "image 2"]


def test_it_is_a_frame_that_holds_the_page(explained, tmp_path):
    images, maps = explained
    viewer = jv.show(maps, images, names=["one", NAME])
    frame = viewer._repr_html_()
    assert re.fullmatch(r'<iframe [^<>]*sandbox="allow-scripts"[^<>]*></iframe>', frame)
    (page,) = re.findall(r'srcdoc="(.*?)"', frame, re.S)
    assert unescape(page) == viewer.html
    path = viewer.save(tmp_path / "page.html")
    assert path.read_text("utf-8") == viewer.html


@in_a_browser
def test_it_works_in_a_frame(browser, explained, tmp_path):  # noqa: F811
    images, maps = explained
    path = tmp_path / "cell.html"
    frame = jv.show(maps, images, names=["one", NAME])._repr_html_()
    path.write_text(f"<!DOCTYPE html><title>cell</title>{frame}", encoding="utf-8")
    browser.get("about:blank")
    browser.get_log("browser"), browser.get_log("performance")
    browser.get(path.as_uri())
    browser.switch_to.frame(0)
    cell = Page.__new__(Page)
    cell.browser = browser
    cell.settled()
    cell.run("document.querySelectorAll('#images button')[1].click()")
    cell.settled()
    readings = cell.at_pixel(5, 9)
    (row,) = [one for one in readings if one[0] == "Saliency, guided"]
    wanted = np.asarray(maps["saliency", "guided"][1])
    assert float(row[1]) == pytest.approx(
        float(wanted[9, 5]), rel=1e-3, abs=float(0.51 * np.ptp(wanted) / 255)
    )
    assert NAME in cell.run("return document.getElementById('caption').textContent")
    assert cell.errors() == []
    requested = [one for one in cell.requests() if not one.startswith("about:")]
    browser.switch_to.default_content()
    assert browser.title == "cell"
    assert requested == [path.as_uri()]


def test_what_does_not_belong_together_is_refused(narrow, explained, rng):
    images, maps = explained
    refused = [
        ((np.zeros((2, 64, 64)), images), {}, "maps are a ndarray; wanted what jv.explain"),
        ((maps, jv.preprocess(images)), {}, "images must be uint8"),
        ((maps, images[:1]), {}, r"logits have shape \(2, 7\); wanted \(1, classes\)"),
        ((maps, images), {"classes": [1, 2, 3]}, "wanted one index, or one per image"),
        ((maps, images), {"classes": 7}, "wanted indices from 0 to 6"),
        ((maps, images), {"classes": 1.5}, "wanted one index"),
        ((maps, images), {"names": ["a"]}, "names are 1; wanted one per image: 2"),
        ((maps, images), {"masks": np.ones((2, 8, 8), bool)}, r"masks have shape \(2, 8, 8\)"),
    ]
    for given, more, message in refused:
        with pytest.raises(ValueError, match=message):
            jv.show(*given, **more)
    x = jv.preprocess(images)
    layers = jv.explain(narrow, x, 0, layer=("block5_conv3", "block4_conv3"), rules=["guided"])
    with pytest.raises(ValueError, match="of several layers, block5_conv3, block4_conv3"):
        jv.show(layers, images)
    classes = jv.explain(narrow, x, [[0, 1], [2, 3]], rules=["guided"])
    with pytest.raises(ValueError, match="maps must be|want maps of shape"):
        jv.show(classes, images)
