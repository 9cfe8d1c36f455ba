"""Every option of every command changes the result as its help says, by an oracle of its own.

An option that is parsed and then forgotten leaves every other test green. So each test here asks
the library, or a count by hand, for the result with the option and for that without it, and wants
the command's to be the first and not the second. `proves` names the options that a test is about;
one that no test names fails `test_no_option_is_untested`.
"""

import argparse
import base64
import contextlib
import csv
import functools
import hashlib
import importlib.util
import io
import json
import os
import re
import shutil
import subprocess
import sys
import types
from pathlib import Path
from typing import NamedTuple

import h5py
import jax
import matplotlib
import numpy as np
import pytest
import scipy.ndimage
import test_evaluate_command  # noqa: F401 - whose tests prove options too
import test_maps_command  # noqa: F401
from PIL import Image
from proved import TESTED, each, proves

import jaxvis as jv
from jaxvis import evaluate as ev
from jaxvis.cli.main import COMMANDS, main, parser
from jaxvis.cli.options import size
from jaxvis.demo.scenes import CLASSES, HELD_OUT_SEEDS
from jaxvis.errors import InputError
from jaxvis.evaluate.metrics.baselines import BASELINES
from jaxvis.methods.catalogue import LAB
from jaxvis.models.heads import HeadLayer, dense
from jaxvis.models.preprocessing import preprocessing
from jaxvis.models.vgg16 import PRECISIONS
from jaxvis.pictures import render
from jaxvis.pictures import sheet as sheets
from jaxvis.weights.cache import Source
from jaxvis.weights.fetch import SOURCES

LABELS = ["cat", "goose", "fish"]
OTHERS = ["heron", "stork", "crane"]
BOXES = {"a_1.png": (5, 10, 30, 36), "b_2.png": (20, 0, 50, 20)}  # of 50 x 40 pixels
SIZE = (32, 32)
LAYER = "block3_conv3"  # 8 x 8
KEYS = ["where", "matters", "network", "last"]
BOTH = [("report", "pictures"), ("evaluate", "--images", "pictures")]
MODULE = """
import jax
import numpy as np

import jaxvis as jv

KERNEL = np.random.Generator(np.random.PCG64(3)).normal(0, 0.1, (3, 3, 3, 12)).astype(np.float32)


def model(x):
    order = ("NHWC", "HWIO", "NHWC")
    y = jax.lax.conv_general_dilated(x, KERNEL, (2, 2), "SAME", dimension_numbers=order)
    return (jax.nn.relu(y) ** 2).mean(axis=(1, 2)) / 300


def make(size=(32, 32), labels=("left", "right")):
    exposed = jv.expose_relu(lambda x: model(x)[:, : len(labels)])
    return jv.describe(exposed, size=size, preprocess=jv.preprocess, labels=labels)


def smooth():
    return make()._replace(resample="bicubic")


def for_scenes():
    return make((224, 224), jv.demo.scenes.CLASSES)
"""


class Done(NamedTuple):
    code: int
    out: str
    err: str


def jaxvis(*arguments: object) -> Done:
    """Run the command in this process, where what was compiled before serves again."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main([str(argument) for argument in arguments])
    return Done(code, out.getvalue(), err.getvalue())


def told(*arguments: object) -> dict:
    """Return what the command says with --json."""
    done = jaxvis(*arguments, "--json")
    assert (done.code, done.err) == (0, "")
    return json.loads(done.out)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Two pictures with boxes, a tiny VGG16, and a network of one's own.

    The VGG16 is unsure of its classes, so that probabilities tell one map from another.
    """
    folder = tmp_path_factory.mktemp("options")
    model = jv.VGG16(width=1 / 16, classes=3, size=32, labels=LABELS)
    model.predictions.kernel[...] *= 0.03
    jv.save_vgg16(model, folder / "tiny.h5")
    (folder / "my_network.py").write_text(MODULE)
    (folder / "labels.txt").write_text("\n".join(OTHERS))
    rng = np.random.Generator(np.random.PCG64(0))
    (folder / "pictures").mkdir()
    for name in BOXES:
        pixels = rng.integers(0, 256, (40, 50, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / "pictures" / name)
    with (folder / "boxes.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["file", "xmin", "ymin", "xmax", "ymax"])
        rows.writerows([name, *box] for name, box in BOXES.items())
    return folder


@pytest.fixture(autouse=True)
def there(place, tmp_path, monkeypatch):
    """Work in the place, with caches of one's own and no network."""
    monkeypatch.chdir(place)
    monkeypatch.setenv("JAXVIS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setenv("JAXVIS_OFFLINE", "1")
    monkeypatch.delenv("JAXVIS_COMPILE_CACHE", raising=False)
    yield
    sys.modules.pop("my_network", None)


def same(found: object, wanted: object) -> bool:
    """Whether two results are one, but for the order in which a compiler adds up."""
    found, wanted = np.asarray(found, np.float64), np.asarray(wanted, np.float64)
    return found.shape == wanted.shape and np.allclose(
        found, wanted, rtol=1e-5, atol=1e-6 * np.abs(wanted).max()
    )


def pictures(resample="nearest"):
    return jv.load_images("pictures", SIZE, resample=resample)


@functools.cache
def tiny(precision):
    return jv.load_vgg16("tiny.h5", precision=precision)


def maps_of(
    method, rule="vanilla", *, classes=None, precision="highest", resample="nearest", **options
):
    """Return one kind of map of the pictures, from the library alone."""
    x = jv.preprocess(pictures(resample))
    maps = jv.explain(
        tiny(precision),
        x,
        classes,
        methods=[method],
        rules=[rule if rule in jv.RULES else "vanilla"],
        **options,
    )
    return np.asarray(maps[method, rule])


def masks_of(boxes=BOXES):
    """Return which pixels have their centre in the box, each asked in turn."""
    masks = np.zeros((len(boxes), *SIZE), bool)
    for mask, (left, top, right, bottom) in zip(masks, boxes.values(), strict=True):
        for y, x in np.ndindex(*SIZE):
            across, down = (x + 0.5) * 50 / SIZE[1], (y + 0.5) * 40 / SIZE[0]
            mask[y, x] = left <= across < right and top <= down < bottom
    return masks


def enlarged(maps):
    factors = (1, SIZE[0] / maps.shape[1], SIZE[1] / maps.shape[2])
    return scipy.ndimage.zoom(np.asarray(maps, np.float64), factors, order=1)


def inside(maps, masks=None):
    """Return the mean share of the maps that lies in the boxes."""
    masks = masks_of() if masks is None else masks
    return np.mean([(a * mask).sum() / a.sum() for a, mask in zip(maps, masks, strict=True)])


def test_no_option_is_untested():
    """Whoever adds an option adds a test here, and its name to `proves`."""
    top = parser()
    (commands,) = [a for a in top._actions if isinstance(a, argparse._SubParsersAction)]
    assert len(commands.choices) == len(COMMANDS)
    parsers = {"jaxvis": top, **commands.choices}
    found = {
        f"{command} {name}"
        for command, one in parsers.items()
        for action in one._actions
        for name in action.option_strings or [action.dest]
        if action is not commands and not isinstance(action, argparse._HelpAction)
    }
    assert sorted(found - TESTED) == []
    assert sorted(TESTED - found) == []  # and nothing is tested that is gone


# report


def report(*arguments):
    """Run `jaxvis report` on the pictures; return what it told and the raw values it left.

    It makes one map and no evaluation, unless the arguments ask for others.
    """
    few = ("--methods", "saliency", "--rules", "vanilla") if "--methods" not in arguments else ()
    quick = () if "--boxes" in arguments else ("--no-evaluation",)
    done = told("report", "pictures", "--network", "tiny.h5", *few, *quick, *arguments)
    with np.load(done["maps"]) as maps:
        return done, dict(maps)


GRAD_CAM = ("--methods", "grad_cam", "--rules", "vanilla")


@proves("report --class")
@pytest.mark.parametrize("name", ["fish", "2"])
def test_class(name):
    done, maps = report("--class", name)
    assert [image["class"] for image in done["images"]] == [{"index": 2, "name": "fish"}] * 2
    assert maps["classes"].tolist() == [2, 2]
    assert same(maps["saliency_vanilla"], maps_of("saliency", classes=2))
    assert not same(maps["saliency_vanilla"], maps_of("saliency"))


@proves("report --labels")
def test_labels():
    """The names are the file's everywhere, also for those that are asked for."""
    done, _ = report("--labels", "labels.txt", "--class", "stork")
    assert {image["class"]["name"] for image in done["images"]} == {"stork"}
    assert {top["name"] for image in done["images"] for top in image["top"]} == set(OTHERS)
    page = Path("report/report.md").read_text()
    assert "heron" in page
    assert "goose" not in page


@proves("report --layer")
@pytest.mark.parametrize("layer", [LAYER, "block4_conv1"])
def test_layer(layer):
    done, maps = report("--layer", layer, *GRAD_CAM)
    assert str(maps["layer"]) == layer
    assert same(maps["grad_cam_vanilla"], maps_of("grad_cam", layer=layer))
    assert maps["grad_cam_vanilla"].shape != maps_of("grad_cam").shape
    assert f"Grad-CAM of {layer}" in Path(done["report"]).read_text()


@proves("report --layer")
def test_layer_by_number():
    """Of a network of one's own the layer is a number, counted from the end if negative."""
    arguments = ("report", "pictures", "--network", "my_network:make", *GRAD_CAM)
    found = told(*arguments, "--no-evaluation", "--layer", "-1")
    with np.load(found["maps"]) as maps:
        assert maps["layer"] == -1
    done = jaxvis(*arguments, "--layer", "-2")  # it has one convolution only
    assert done.code == 2
    assert "-2" in done.err


@proves("report --methods", "report --rules")
@pytest.mark.parametrize(
    ("methods", "rules", "wanted"),
    [
        ("saliency", "guided", ["saliency_guided"]),
        ("grad_cam", "rectified,vanilla", ["grad_cam_rectified", "grad_cam_vanilla"]),
        ("lab", "vanilla", [f"{name}_vanilla" for name in LAB]),
        (
            "all",
            "vanilla",
            [f"{name}_{'vanilla' if row.rules else 'any'}" for name, row in jv.METHODS.items()],
        ),
    ],
)
def test_methods_and_rules(methods, rules, wanted, tmp_path):
    """Those asked for are there, as arrays and as figures, in the order asked for; no others."""
    done, maps = report("--methods", methods, "--rules", rules, "--out", tmp_path)
    assert [name for name in maps if name.startswith(tuple(jv.METHODS))] == wanted
    figures = {Path(figure).stem for figure in done["figures"]}
    assert figures == {"inputs", "comparison", *wanted}
    assert figures == {path.stem for path in tmp_path.iterdir() if path.suffix in (".png", ".jpg")}
    for name in wanted:
        method, rule = name.rsplit("_", 1)
        assert same(maps[name], maps_of(method, rule))
        assert rule in ("vanilla", "any") or not same(maps[name], maps_of(method, "vanilla"))


@proves("report --precision")
def test_precision():
    """On a CPU only bfloat16 differs from the rest; what reaches the network is tested below."""
    _, maps = report("--precision", "bfloat16")
    wanted = maps_of("saliency", precision="bfloat16")
    assert same(maps["saliency_vanilla"], wanted)
    assert not same(wanted, maps_of("saliency"))


@proves(*each("report evaluate", "--precision"))
@pytest.mark.parametrize("chosen", [None, *PRECISIONS])
@pytest.mark.parametrize("command", ["report", "evaluate"])
def test_every_precision_reaches_the_network(command, chosen, monkeypatch):
    """The default is "highest", so that all devices agree."""
    seen = []

    def load(network, *, labels, precision):
        seen.append(precision)
        raise InputError("that is all")

    monkeypatch.setattr("jaxvis.report.lab.load", load)
    monkeypatch.setattr("jaxvis.report.evaluation.load", load)
    images = ("pictures",) if command == "report" else ("--images", "pictures")
    option = () if chosen is None else ("--precision", chosen)
    assert jaxvis(command, *images, "--network", "tiny.h5", *option).code == 2
    assert seen == [chosen or "highest"]


@proves("report --resample")
@pytest.mark.parametrize("resample", ["bicubic", "box"])
def test_resample(resample):
    _, maps = report("--resample", resample)
    np.testing.assert_array_equal(maps["images"], pictures(resample))
    assert not same(maps["images"], pictures())
    assert same(maps["saliency_vanilla"], maps_of("saliency", resample=resample))


@proves("report --resample")
@pytest.mark.parametrize(("option", "wanted"), [(None, "bicubic"), ("nearest", "nearest")])
def test_a_network_may_say_how_images_are_resized(option, wanted, tmp_path):
    chosen = () if option is None else ("--resample", option)
    found = told(
        "report", "pictures", "--network", "my_network:smooth", "--methods", "saliency",
        "--rules", "vanilla", "--no-evaluation", "--out", tmp_path, *chosen,
    )  # fmt: skip
    with np.load(found["maps"]) as maps:
        np.testing.assert_array_equal(maps["images"], pictures(wanted))
    assert f"resized with '{wanted}'" in (tmp_path / "report.md").read_text()


@proves("evaluate --resample")
@pytest.mark.parametrize(("option", "wanted"), [(None, "bicubic"), ("box", "box")])
def test_an_evaluation_resizes_as_the_network_says(option, wanted, monkeypatch):
    seen = []

    def load_images(files, size, *, resample):
        seen.append(resample)
        raise InputError("that is all")

    monkeypatch.setattr("jaxvis.evaluate.subjects.load_images", load_images)
    chosen = () if option is None else ("--resample", option)
    images = ("--images", "pictures", "--network", "my_network:smooth")
    assert jaxvis("evaluate", *images, *chosen).code == 2
    assert seen == [wanted]


SVG = ("--figures", "svg")  # in which panels have the colours that they have


def colours_in(path):
    """Return the colours of the panels of a figure."""
    found = set()
    for text in re.findall(r"data:image/png;base64,([^\"]+)", Path(path).read_text()):
        with Image.open(io.BytesIO(base64.b64decode(text))) as picture:
            pixels = np.asarray(picture.convert("RGB"))
        found |= set(map(tuple, pixels.reshape(-1, 3).tolist()))
    return found


def share_shown(pixels, path):
    """Return the share of the colours of `pixels` that a figure has."""
    wanted = set(map(tuple, np.asarray(pixels).reshape(-1, 3).tolist()))
    assert len(wanted) > 100  # else chance would do
    return len(wanted & colours_in(path)) / len(wanted)


def coloured(raw, colormap, figure, *, percentile=100.0):
    """Return the colours of maps by the path of the figure that shows them.

    In a figure of their own each runs from its smallest value to its largest or to a percentile; in
    the comparison all are on one scale, from 0 to the largest raw value or to that percentile.
    """
    maps, colours = enlarged(raw), matplotlib.colormaps[colormap]
    low, high = (np.percentile(maps, q, axis=(1, 2), keepdims=True) for q in (0, percentile))
    top = np.percentile(raw, percentile)
    return {
        f"report/{figure}.svg": colours((maps - low) / (high - low), bytes=True)[..., :3],
        "report/comparison.svg": colours(maps / top, bytes=True)[..., :3],
    }


def blended(images, colours, alpha):
    return np.rint((1 - alpha) * images + alpha * colours).astype(np.uint8)


def page_of(done):
    """Return what the images of a report's page hold."""
    text = Path(done["page"]).read_text("utf-8")
    (data,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', text, re.S)
    return json.loads(data)["images"]


def floats(one):
    values = np.frombuffer(base64.b64decode(one["floats"]), "<f4")
    return values.reshape(one["height"], one["width"])


@proves("report --classes")
def test_further_classes():
    """The page has maps for the most probable classes, the one explained first and once."""
    logits = np.asarray(tiny("highest")(jv.preprocess(pictures())))
    for arguments, given in (((), None), (("--class", "fish"), 2)):
        done, _ = report("--classes", "3", "--layer", LAYER, *GRAD_CAM, *arguments)
        for number, image in enumerate(page_of(done)):
            order = np.argsort(-logits[number]).tolist()
            first = order[0] if given is None else given
            rest = [index for index in order if index != first]
            assert [other["class"] for other in image["others"]] == [LABELS[i] for i in rest]
            for index, one in zip([first, *rest], [image, *image["others"]], strict=True):
                wanted = maps_of("grad_cam", classes=index, layer=LAYER)[number]
                assert same(floats(one["maps"][0]), wanted)
    assert all(image["others"] == [] for image in page_of(report(*GRAD_CAM)[0]))


@proves("report --what-if")
def test_what_if():
    """A quarter of the pixels gone, those of the largest values first, by a loop."""
    done, maps = report("--what-if")
    x = np.array(jv.preprocess(pictures()))
    for number, image in enumerate(page_of(done)):
        order = np.argsort(-maps["saliency_vanilla"][number].ravel(), kind="stable")
        left = x[number].reshape(-1, 3).copy()
        left[order[: round(0.25 * len(order)) + 4]] = 0  # steps of 5 % are 52 of 1024 pixels
        logits = np.asarray(tiny("highest")(left.reshape(1, *SIZE, 3)))
        wanted = jax.nn.softmax(logits)[0, maps["classes"][number]]
        assert image["what_if"]["maps"][0][5] == pytest.approx(float(wanted), abs=2e-4)
        assert list(image["what_if"]["controls"]) == list(BASELINES)
    assert all(image["what_if"] is None for image in page_of(report()[0]))


@proves("report --microscope")
def test_microscope():
    done, maps = report("--microscope", "--rules", "guided", "--methods", "saliency")
    x = jv.preprocess(pictures())
    for number, image in enumerate(page_of(done)):
        (rule,) = image["microscope"]
        seen = jv.microscope(
            tiny("highest"), x[number : number + 1], int(maps["classes"][number]), rule=jv.GUIDED
        )
        assert rule == "guided"
        assert [row["name"] for row in image["microscope"][rule]] == list(seen)[::-1]
        for row in image["microscope"][rule]:
            g, h = (np.asarray(a, np.float64) for a in seen[row["name"]][:2])
            assert row["energy"][0] == pytest.approx((h**2).sum() / (g**2).sum(), abs=1e-4)
    assert all(image["microscope"] is None for image in page_of(report()[0]))


@proves("report --alpha")
def test_alpha():
    """The overlay's pixels are those of a blend by hand, in the figure and in the comparison."""
    alpha, name = 0.25, "grad_cam_vanilla"
    _, maps = report("--alpha", alpha, "--layer", LAYER, *GRAD_CAM, *SVG)
    for path, colours in coloured(maps[name], "jet", name).items():
        assert share_shown(blended(maps["images"], colours, alpha), path) > 0.95
        assert share_shown(blended(maps["images"], colours, 0.5), path) < 0.1


@proves("report --colormap")
@pytest.mark.parametrize(("method", "percentile"), [("saliency", 99.5), ("grad_cam", 100)])
def test_colormap(method, percentile):
    """The percentile is what `figure_comparison` says of maps that stand alone."""
    name = f"{method}_vanilla"
    _, maps = report("--colormap", "viridis", "--methods", method, "--rules", "vanilla", *SVG)
    for colormap, at_least, at_most in (("viridis", 0.95, 1), ("jet", 0, 0.1)):
        pixels_of = coloured(maps[name], colormap, name, percentile=percentile)
        for path, pixels in pixels_of.items():
            if method == "grad_cam":
                pixels = blended(maps["images"], pixels, 0.5)
            assert at_least <= share_shown(pixels, path) <= at_most


@proves("report --colormap")
@pytest.mark.parametrize(
    ("method", "wanted", "percentile"),
    [("saliency", "jet", 99.5), ("smoothgrad", "inferno", 99.5), ("grad_cam", "jet", 100),
     ("layer_cam", "inferno", 100)],
)  # fmt: skip
def test_colours_that_nobody_asked_for(method, wanted, percentile):
    """The lab's two are drawn in its jet, every other method in colours that are even."""
    name = f"{method}_vanilla"
    methods = (f"grad_cam,{method}" if method == "layer_cam" else method, "--rules", "vanilla")
    done, maps = report("--methods", *methods, "--layer", LAYER, *SVG)
    for colormap, at_least, at_most in ((wanted, 0.95, 1), ("viridis", 0, 0.1)):
        for path, pixels in coloured(maps[name], colormap, name, percentile=percentile).items():
            if jv.METHODS[method].at == "layer":
                pixels = blended(maps["images"], pixels, 0.5)
            assert at_least <= share_shown(pixels, path) <= at_most
    page = Path(done["report"]).read_text()
    if method == "layer_cam":
        assert "- Figures: colours 'jet' of Grad-CAM; 'inferno' of LayerCAM." in page
    else:
        assert f"- Figures: colours '{wanted}'." in page


PLAIN_PRESETS = {  # what the page says of their colours
    "jaxvis": "'inferno'", "tf-keras-vis": "'jet'", "keras-vis": "'jet'", "captum": "'Blues'",
    "pair": "'gray'", "torchcam": "'jet'",
}  # fmt: skip
SIGNED_PRESETS = {
    "signed": "'RdBu_r'", "captum signed": "from #ff0000 over #ffffff to #008000",
}  # fmt: skip


@pytest.fixture
def panels(monkeypatch):
    """The pictures in the figures that a report saves, two in a row, by the file's stem.

    And their titles, by "title of" the stem.
    """
    found, drawn = {}, []

    def sheet(rows, titles, title, look):
        drawn[:] = [rows, title]
        return sheets.sheet(rows, titles, title, look)

    def rendered(figure, path, **options):
        rows, title = drawn
        found[path.stem] = np.stack([row.pictures for row in rows])
        found[f"title of {path.stem}"] = title
        return render.rendered(figure, path, **options)

    monkeypatch.setattr("jaxvis.pictures.figures.sheet", sheet)
    monkeypatch.setattr("jaxvis.report.lab.render", types.SimpleNamespace(**vars(render)))
    monkeypatch.setattr("jaxvis.report.lab.render.rendered", rendered)
    return found


def share_equal(found, wanted):
    """Return the share of pixels that are the same, but for a step of the colours."""
    return (np.abs(np.asarray(found, int) - wanted).max(axis=-1) <= 4).mean()


@proves("report --figures")
@pytest.mark.parametrize("kind", [None, "png", "svg", "pdf"])
def test_figures(kind, tmp_path):
    """Files of that kind, whose first bytes say so, and links to them, with words for the blind."""
    rules = ("--methods", "saliency,grad_cam", "--rules", "vanilla", "--layer", LAYER)
    done, _ = report(*rules, "--out", tmp_path, *(() if kind is None else ("--figures", kind)))
    photographs = "jpg" if kind in (None, "png") else kind
    over = [f"{name}.{photographs}" for name in ("inputs", "grad_cam_vanilla", "comparison")]
    names = [f"saliency_vanilla.{kind or 'png'}", *over]
    assert sorted(Path(path).name for path in done["figures"]) == sorted(names)
    begins = {"png": b"\x89PNG", "jpg": b"\xff\xd8\xff", "svg": b"<?xml", "pdf": b"%PDF"}
    page = (tmp_path / "report.md").read_text()
    for name in names:
        assert (tmp_path / name).read_bytes().startswith(begins[name[-3:]])
        ((mark, words),) = re.findall(rf"^(!?)\[(.+)\]\({name}\)$", page, flags=re.MULTILINE)
        assert mark == ("" if kind == "pdf" else "!")  # a PDF is not shown in a page
        assert "a\\_1.png for " in words
    assert "[Saliency, vanilla rule, under each image: " in page
    assert "[Grad-CAM, vanilla rule, over each image: " in page
    assert (
        "[Grid, a row each for input, saliency: vanilla, Grad-CAM: vanilla; a column each: " in page
    )


@proves("report --preset")
@pytest.mark.parametrize("preset", [None, *PLAIN_PRESETS, *SIGNED_PRESETS])
def test_preset(preset, panels):
    """All figures show what `present` makes of the maps, with their signs if it shows signs."""
    assert {*PLAIN_PRESETS, *SIGNED_PRESETS} == {*jv.PRESETS}
    chosen = () if preset is None else ("--preset", preset)
    methods = ("--methods", "saliency,grad_cam", "--rules", "vanilla", "--layer", LAYER)
    done, maps = report(*methods, *chosen)
    page, title = Path(done["report"]).read_text(), panels["title of comparison"]
    for name in jv.PRESETS:
        signed = name in SIGNED_PRESETS
        for row, method in enumerate(("saliency", "grad_cam"), start=1):
            raw = maps_of(method, layer=LAYER, signed=signed)
            wanted = jv.present(raw, name, images=maps["images"] if method == "grad_cam" else None)
            for found in (panels[f"{method}_vanilla"][-1], panels["comparison"][row]):
                if name == preset:
                    assert share_equal(found, wanted) > 0.98
                elif not {name, preset} <= {None, "tf-keras-vis", "keras-vis"}:  # alike
                    assert share_equal(found, wanted) < 0.9
    for method in ("saliency", "grad_cam"):  # what is kept has no signs
        assert same(maps[f"{method}_vanilla"], maps_of(method, layer=LAYER))
    if preset is None:
        assert "preset" not in page
        assert title == "All maps, one scale per row"
        assert "- Figures: colours 'jet'." in page
    else:
        colours = (PLAIN_PRESETS | SIGNED_PRESETS)[preset]
        made = f"- Figures: every map as the preset '{preset}' shows it, colours {colours}."
        assert made in page
        assert title == f"All maps, as '{preset}' shows them"
        assert "99.5th percentile" not in page
        assert "one scale per row" not in page
    signs = "Here with signs: the middle of the colours is 0"
    assert page.count(signs) == 2 * (preset in SIGNED_PRESETS)


@proves("report --preset", "report --colormap", "report --alpha")
def test_a_preset_in_other_colours(panels):
    """What is asked for holds, and the preset has the rest."""
    asked = ("--preset", "torchcam", "--colormap", "viridis", "--alpha", "0.8")
    done, maps = report("--layer", LAYER, *GRAD_CAM, *asked)
    raw, looks = maps_of("grad_cam", layer=LAYER), {"colormap": "viridis", "alpha": 0.8}
    for found in (panels["grad_cam_vanilla"][0], panels["comparison"][1]):
        for changed in ({}, {"colormap": None}, {"alpha": None}, {"preset": "jaxvis"}):
            asked = {"preset": "torchcam", "images": maps["images"], **looks, **changed}
            share = share_equal(found, jv.present(raw, **asked))
            assert share < 0.9 if changed else share > 0.98
    assert "the preset 'torchcam' shows it, colours 'viridis'." in Path(done["report"]).read_text()


@pytest.mark.parametrize(
    ("name", "near"), [("captun", "captum"), ("tf_keras_vis", "tf-keras-vis"), ("Pair", "pair")]
)
def test_a_preset_that_is_not_there(name, near, tmp_path):
    done = jaxvis("report", "pictures", "--network", "tiny.h5", "--out", tmp_path, "--preset", name)
    assert (done.code, done.out) == (2, "")
    assert f"preset is '{name}'; wanted one of jaxvis, signed, tf-keras-vis" in done.err
    assert f"Near names: {near}" in done.err
    assert list(tmp_path.iterdir()) == []


@proves("report --boxes")
def test_boxes():
    """With boxes the first question is asked, and its answer is a count by hand."""
    done, _ = report("--boxes", "boxes.csv")
    assert [question["key"] for question in done["questions"]] == KEYS
    found = done["questions"][0]["maps"]["saliency vanilla"]["energy inside"]
    assert same(found["mean"], inside(maps_of("saliency")))
    assert not same(found["mean"], inside(maps_of("saliency"), masks_of()[::-1]))
    assert "Where is it?" in Path(done["report"]).read_text()


@proves("report --no-evaluation")
def test_no_evaluation(tmp_path):
    """Without boxes two questions are left; with --no-evaluation there is no conclusion at all."""
    few = ("report", "pictures", "--network", "tiny.h5", *GRAD_CAM)
    measured = told(*few, "--out", tmp_path / "measured")
    assert [question["key"] for question in measured["questions"]] == ["matters", "network", "last"]
    assert measured["conclusion"]
    assert "**The rule.**" in (tmp_path / "measured" / "report.md").read_text()
    plain = told(*few, "--out", tmp_path / "plain", "--no-evaluation")
    assert plain["questions"] == plain["conclusion"] == []
    assert "**The rule.**" not in (tmp_path / "plain" / "report.md").read_text()


@proves("report --quiet", "report --json", "report --out")
def test_what_a_report_prints_and_where_it_writes(tmp_path, monkeypatch):
    names = {
        "comparison.jpg",
        "grad_cam_vanilla.jpg",
        "inputs.jpg",
        "maps.npz",
        "report.html",
        "report.md",
    }
    arguments = (
        "report", Path("pictures").absolute(), "--network", Path("tiny.h5").absolute(),
        "--no-evaluation", *GRAD_CAM,
    )  # fmt: skip
    monkeypatch.chdir(tmp_path)

    done = jaxvis(*arguments)
    assert done.out.splitlines()[-1] == "report: report/report.md"
    assert {path.name for path in Path("report").glob("[!.]*")} == names

    assert jaxvis(*arguments, "--quiet", "--out", "a/b") == (0, "", "")
    assert {path.name for path in Path("a/b").glob("[!.]*")} == names
    refused = jaxvis(*arguments, "--quiet", "--class", "gose")
    assert refused.code == 2
    assert "gose" in refused.err  # errors are printed nevertheless

    done = jaxvis(*arguments, "--json", "--out", "c")
    found = json.loads(done.out)  # and nothing else is printed
    assert found["report"] == str(Path("c/report.md"))
    assert sorted(found["figures"]) == sorted(f"c/{n}" for n in names if n.endswith(".jpg"))
    assert {path.name for path in Path().iterdir()} == {"report", "a", "c"}


LAB_REPORT = (
    "report", "pictures", "--network", "my_network:make", "--layer", "-1", "--no-evaluation",
    "--lab",
)  # fmt: skip


@proves("report --lab", "report --student", "report --group", "report --teacher")
def test_a_report_to_hand_in(tmp_path):
    """Its title page says what it was told, and leaves lines where it was told nothing."""
    names = ("--student", "Anna <Meyer>", "--group", "B-12", "--teacher", "Dr Sato")
    done = jaxvis(*LAB_REPORT, *names, "--out", tmp_path / "a")
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines()[-2] == f"to hand in: {tmp_path / 'a' / 'lab.html'}"
    page = (tmp_path / "a" / "lab.html").read_text()
    for name in ("Anna &lt;Meyer&gt;", "B-12", "Dr Sato"):
        assert f">{name}</span>" in page
    text = (tmp_path / "a" / "lab.md").read_text()
    assert "student of group B-12, Anna \\<Meyer\\>" in text
    assert "Checked by: Dr Sato" in text
    found = told(*LAB_REPORT, "--out", tmp_path / "b")
    assert found["lab"] == str(tmp_path / "b" / "lab.html")
    page = (tmp_path / "b" / "lab.html").read_text()
    assert page.count('class="blank') == 8
    assert page.count('contenteditable="true"') == 8 + 6  # and the student's own words
    assert "lab" not in told(*LAB_REPORT[:-1], "--out", tmp_path / "b")
    assert not list((tmp_path / "b").glob("lab.*"))


@proves("report --language")
@pytest.mark.parametrize(
    ("options", "wanted"),
    [((), "Task 6. Conclusion"), (("--language", "en"), "Task 6. Conclusion"),
     (("--language", "ru"), "Задание 6. Вывод")],
)  # fmt: skip
def test_language(options, wanted, tmp_path):
    told(*LAB_REPORT, *options, "--out", tmp_path)
    for name in ("lab.html", "lab.md"):
        text = (tmp_path / name).read_text(encoding="utf-8")
        assert wanted in text
        assert ("Conclusion" in text) == ("Вывод" not in text)
    with pytest.raises(SystemExit):
        jaxvis(*LAB_REPORT, "--language", "de")


@pytest.mark.parametrize("option", ["--student", "--group", "--teacher", "--language"])
def test_what_only_a_report_to_hand_in_says(option, tmp_path):
    done = jaxvis(*LAB_REPORT[:-1], option, "ru", "--out", tmp_path / "out")
    assert done.code == 2
    assert f"{option}: only the report to hand in says this; add --lab" in done.err
    assert not (tmp_path / "out").exists()


@proves("report images", "evaluate --images")
@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (["pictures/b_2.png"], ["b_2.png"]),
        (["pictures/b_2.png", "pictures/a_1.png"], ["b_2.png", "a_1.png"]),
        (["pictures/a*"], ["a_1.png"]),
        (["pictures"], ["a_1.png", "b_2.png"]),
    ],
)
def test_images(given, wanted, tmp_path):
    """Files, folders and globs."""
    few = ("--network", "my_network:make", "--methods", "saliency", "--rules", "vanilla")
    found = told("report", *given, *few, "--no-evaluation", "--out", tmp_path)
    assert [Path(image["file"]).name for image in found["images"]] == wanted
    images = jv.load_images([Path("pictures", name) for name in wanted], SIZE)
    with np.load(found["maps"]) as maps:
        np.testing.assert_array_equal(maps["images"], images)

    found = told("evaluate", "--images", *given, *few, "--class", "left", "--out", tmp_path)
    own = own_network()
    x = own.preprocess(images)
    areas = ev.deletion(own.model, x, 0, jv.saliency(own.model, x, 0)).area
    deletion = found["questions"][0]["maps"]["saliency vanilla"]["deletion"]
    assert deletion["images"] == len(wanted)
    assert deletion["mean"] == pytest.approx(areas.mean(), rel=1e-4)


def own_network(function="make"):
    """Return a network of `my_network`, made from the text and not by `jv.load`."""
    names: dict = {}
    exec(MODULE, names)
    return names[function]()


@proves(*each("report", "--network", "--weights"))
@pytest.mark.parametrize("option", ["--network", "--weights"])
def test_network(option, tmp_path):
    """A file, a function in the working directory, and the name that the option had before."""
    few = ("--methods", "saliency", "--rules", "vanilla", "--no-evaluation", "--out", tmp_path)
    found = told("report", "pictures", option, "my_network:make", *few)
    own = own_network()
    x = own.preprocess(pictures())
    best = np.asarray(own.model(x)).argmax(axis=1)
    assert [i["class"]["name"] for i in found["images"]] == [own.labels[c] for c in best]
    with np.load(tmp_path / "maps.npz") as maps:
        assert same(maps["saliency_vanilla"], jv.saliency(own.model, x, best))
    found = told("report", "pictures", option, "tiny.h5", *few)
    assert {top["name"] for image in found["images"] for top in image["top"]} == set(LABELS)
    with np.load(tmp_path / "maps.npz") as maps:
        assert same(maps["saliency_vanilla"], maps_of("saliency"))


@proves("report --network", "evaluate --network")
@pytest.mark.parametrize("arguments", BOTH)
def test_photographs_want_the_imagenet_network(arguments, tmp_path):
    done = jaxvis(*arguments, "--out", tmp_path / "out")
    assert done.code == 4
    assert "no --network is named, and the weights of the usual one" in done.err
    done = jaxvis(*arguments, "--network", "imagenet", "--out", tmp_path / "out")
    assert done.code == 4
    assert "imagenet: not here, and JAXVIS_OFFLINE is set" in done.err


FEW = ("--network", "my_network:make", "--methods", "saliency", "--rules", "vanilla")


@proves(*each("report evaluate", "--photographs"))
def test_photographs(tmp_path):
    """The report shows five, the evaluation measures all seven; any network may look at them."""
    files = jv.photographs()
    found = told("report", "--photographs", *FEW, "--no-evaluation", "--out", tmp_path)
    assert [image["file"] for image in found["images"]] == [str(file) for file in files[:5]]
    with np.load(found["maps"]) as maps:
        np.testing.assert_array_equal(maps["images"], jv.load_images(files[:5], SIZE))
    found = told("evaluate", "--photographs", *FEW, "--out", tmp_path / "evaluation")
    assert found["images"] == 7
    own = own_network()
    x = own.preprocess(jv.load_images(files, SIZE))
    best = np.asarray(own.model(x)).argmax(axis=1)
    areas = ev.deletion(own.model, x, best, jv.saliency(own.model, x, best)).area
    deletion = found["questions"][0]["maps"]["saliency vanilla"]["deletion"]
    assert deletion["mean"] == pytest.approx(areas.mean(), rel=1e-4)


@pytest.mark.parametrize("command", ["report", "evaluate"])
def test_photographs_have_a_network_of_their_own(command, monkeypatch):
    seen = []

    def load(network, *, labels, precision):
        seen.append((network, precision))
        raise InputError("that is all")

    monkeypatch.setattr("jaxvis.report.lab.load", load)
    monkeypatch.setattr("jaxvis.report.evaluation.load", load)
    assert jaxvis(command, "--photographs").code == 2
    assert jaxvis(command, "--photographs", "--network", "demo").code == 2
    assert seen == [("efficientnet-lite0", "highest"), ("demo", "highest")]


@pytest.mark.parametrize("arguments", BOTH)
def test_photographs_or_images_of_your_own(arguments, tmp_path):
    done = jaxvis(*arguments, "--photographs", "--out", tmp_path / "out")
    option = "IMAGES" if arguments[0] == "report" else "--images"
    assert done == (
        2, "",
        f"jaxvis: --photographs are images already, and {option} gives others: pictures; leave out "
        "one of the two\n",
    )  # fmt: skip
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("command", ["report", "evaluate"])
@pytest.mark.parametrize(("missing", "code"), [("skimage", 3), ("lite0", 4)])
def test_photographs_that_are_not_installed(command, missing, code, tmp_path, monkeypatch):
    """Whichever package is missing, the same command brings all."""
    found = importlib.util.find_spec
    monkeypatch.setattr(
        "jaxvis.packages.find_spec", lambda name: None if missing in name else found(name)
    )
    done = jaxvis(command, "--photographs", "--out", tmp_path / "out")
    assert done.code == code
    assert "one command brings them: python3 -m pip install 'jaxvis[photos]'" in done.err
    assert not (tmp_path / "out").exists()


def test_the_photographs_under_their_own_network(tmp_path):
    """What `jaxvis report --photographs` is for: a real network that knows a cat and a cup."""
    few = ("--methods", "grad_cam", "--rules", "vanilla", "--no-evaluation")
    found = told("report", "--photographs", *few, "--out", tmp_path)
    names = [image["class"]["name"] for image in found["images"]]
    assert names[:3] == ["Egyptian_cat", "espresso", "moped"]
    network = jv.load("efficientnet-lite0", precision="highest")
    images = jv.load_images(jv.photographs()[:5], (224, 224), resample="bicubic")
    x = network.preprocess(images)
    with np.load(found["maps"]) as maps:
        np.testing.assert_array_equal(maps["images"], images)
        wanted = jv.grad_cam(network.model, x, maps["classes"], layer="block7a")
        assert same(maps["grad_cam_vanilla"], wanted)


# evaluate


class Chosen(NamedTuple):
    """The options of the run that all tests of `evaluate` look at."""

    classes: int | None = 2
    layer: str = LAYER
    rule: str = "guided"
    precision: str = "bfloat16"
    resample: str = "bicubic"


CHOSEN = ("--images", "pictures", "--network", "tiny.h5", "--layer", LAYER, "--methods", "grad_cam",
          "--rules", "guided", "--precision", "bfloat16", "--closely", "1")  # fmt: skip
NAME = "Grad-CAM guided"


@functools.cache
def chosen_maps(chosen=Chosen()):  # noqa: B008 - a NamedTuple does not change
    options = chosen._asdict()
    return enlarged(maps_of("grad_cam", options.pop("rule"), **options))


@pytest.fixture(scope="module")
def evaluated(place, tmp_path_factory):
    """One run with all options that change numbers: a run takes seconds, and each tells apart."""
    out = tmp_path_factory.mktemp("evaluated")
    with contextlib.chdir(place):
        found = told(
            "evaluate", *CHOSEN, "--class", "crane", "--labels", "labels.txt", "--resample",
            "bicubic", "--boxes", "boxes.csv", "--out", out,
        )  # fmt: skip
    assert found == json.loads((out / "evaluation.json").read_text())
    return found


@proves("evaluate --boxes", "evaluate --class", "evaluate --labels", "evaluate --layer",
        "evaluate --methods", "evaluate --precision", "evaluate --resample",
        "evaluate --rules")  # fmt: skip
def test_the_evaluation_is_of_the_maps_asked_for(evaluated):
    """The class is named as only the file of labels names it; the share is counted by hand."""
    questions = evaluated["questions"]
    assert [question["key"] for question in questions] == KEYS
    for question in questions:
        controls = [] if question["key"] in ("network", "last") else BASELINES
        assert list(question["maps"]) == [NAME, *controls]
    found = questions[0]["maps"][NAME]["energy inside"]
    assert found["images"] == 2
    assert same(found["mean"], inside(chosen_maps()))
    assert evaluated["layer"] == LAYER


@pytest.mark.parametrize(
    "ignored",
    [
        {"classes": None},
        {"layer": "block5_conv3"},
        {"rule": "vanilla"},
        {"precision": "highest"},
        {"resample": "nearest"},
    ],
    ids=str,
)
def test_no_option_of_the_evaluation_is_ignored(evaluated, ignored):
    """Without the option the share would be another."""
    found = evaluated["questions"][0]["maps"][NAME]["energy inside"]["mean"]
    assert not same(found, inside(chosen_maps(Chosen()._replace(**ignored))))


@proves("evaluate --closely")
def test_closely(evaluated):
    """What takes long is asked of the first image, where it is of both."""
    where, matters, network, last = evaluated["questions"]
    assert evaluated["closely"] == 1
    assert evaluated["images"] == where["maps"]["random"]["energy inside"]["images"] == 2
    assert {found["images"] for found in matters["maps"]["random"].values()} == {0, 1}
    for question in (network, last):
        assert {found["images"] for found in question["maps"][NAME].values()} == {1}
    x = jv.preprocess(pictures("bicubic"))
    areas = ev.deletion(tiny("bfloat16"), x[:1], 2, chosen_maps()[:1]).area
    assert matters["maps"][NAME]["deletion"]["mean"] == pytest.approx(areas[0], rel=1e-2)


@proves("evaluate --quiet", "evaluate --json", "evaluate --out", "evaluate --weights")
def test_what_an_evaluation_prints_and_where_it_writes(place, tmp_path, monkeypatch):
    """By default the conclusion in brief; without boxes or weights of one question."""
    names = {"evaluation.json", "evaluation.md", "matters.png"}
    shutil.copy(place / "my_network.py", tmp_path)
    monkeypatch.chdir(tmp_path)
    arguments = (
        "evaluate", "--images", place / "pictures", "--weights", "my_network:make",
        "--methods", "saliency", "--rules", "vanilla", "--closely", "1",
    )  # fmt: skip
    done = jaxvis(*arguments)
    assert done.out.startswith("On this image nothing is settled: ")
    (heading,) = [line for line in done.out.splitlines() if line.startswith("map ")]
    assert heading.split() == ["map", "Does", "it", "matter?"]
    assert "Rule: + passes: clearly better than every control" in done.out
    assert "map by map: evaluation/evaluation.md" in done.out.splitlines()[-1]
    assert {path.name for path in Path("evaluation").glob("[!.]*")} == names

    assert jaxvis(*arguments, "--quiet", "--out", "a/b") == (0, "", "")
    assert {path.name for path in Path("a/b").glob("[!.]*")} == names
    refused = jaxvis(*arguments, "--quiet", "--class", "up")
    assert refused.code == 2
    assert "up" in refused.err

    done = jaxvis(*arguments, "--json", "--out", "c")
    found = json.loads(done.out)
    assert found == json.loads(Path("c/evaluation.json").read_text())
    assert {Path(chart).parent for chart in found["charts"]} == {Path("c")}
    assert {path.name for path in Path().iterdir()} >= {"evaluation", "a", "c"}


@proves("evaluate --scenes", "evaluate --class")
def test_scenes_of_a_class(tmp_path):
    """So many are drawn, and all show that one; of all classes: test_evaluate_command."""
    found = told(
        "evaluate", "--network", "my_network:for_scenes", "--scenes", "2", "--closely", "1",
        "--methods", "saliency", "--rules", "vanilla", "--out", tmp_path, "--class", "cat",
    )  # fmt: skip
    assert found["images"] == 2
    drawn = [jv.scene(seed, "cat") for seed in HELD_OUT_SEEDS[:2]]
    x = jv.preprocess(np.stack([one.image for one in drawn]))
    maps = np.asarray(jv.saliency(own_network("for_scenes").model, x, CLASSES.index("cat")))
    wanted = inside(maps, [one.mask for one in drawn])
    energy = found["questions"][0]["maps"]["saliency vanilla"]["energy inside"]
    assert energy["images"] == 2
    assert energy["mean"] == pytest.approx(wanted, rel=1e-3)
    which = found["questions"][1]
    assert which["key"] == "which"
    assert which["maps"]["saliency vanilla"]["at the other"]["images"] == 1  # a quarter, rounded up


# both


def kept(folder, *arguments, **environment):
    """Run a process, since JAX stays told what to do; return what it compiled into `folder`."""
    few = ("--network", "my_network:make", "--methods", "saliency", "--rules", "vanilla", "--quiet")
    subprocess.run(
        [sys.executable, "-m", "jaxvis", *arguments, *few, "--out", folder / "out"],
        env=os.environ | environment, check=True,
    )  # fmt: skip
    return {path.name for path in folder.rglob("jaxlib-*/*") if not path.name.endswith("-atime")}


@proves("report --cache")
def test_cache_of_a_report(tmp_path):
    """What one process compiled the next one finds; it goes to the folder of the cache."""
    arguments = ("report", "pictures", "--no-evaluation", "--cache")
    first = kept(tmp_path, *arguments)
    assert len(first) > 1
    assert {path.name for path in tmp_path.iterdir()} == {"cache", "out"}
    assert kept(tmp_path, *arguments) == first


@proves("evaluate --cache")
def test_cache_of_an_evaluation(tmp_path):
    arguments = ("evaluate", "--images", "pictures/a_1.png", "--cache")
    assert len(kept(tmp_path, *arguments)) > 1
    assert {path.name for path in tmp_path.iterdir()} == {"cache", "out"}


@pytest.mark.parametrize("arguments", BOTH)
@pytest.mark.parametrize("value", ["", "off", "1", "true", "FOLDER"])
def test_cache_by_a_variable(arguments, value, tmp_path, monkeypatch):
    """JAXVIS_COMPILE_CACHE=1 or =FOLDER does the same; without either nothing is kept."""
    asked = []
    monkeypatch.setattr("jaxvis.gradients.compile_cache.use_compile_cache", asked.append)
    monkeypatch.setenv("JAXVIS_COMPILE_CACHE", value)
    jaxvis(*arguments, "--network", "nowhere.h5", "--out", tmp_path)
    assert asked == {"1": [None], "true": [None], "FOLDER": ["FOLDER"]}.get(value, [])


# fetch, summary, classes, and the command itself


@proves("fetch name", "fetch --file")
@pytest.mark.parametrize("name", sorted(SOURCES))
def test_fetch(name, tmp_path, monkeypatch):
    """A copy is verified and installed under the name that Keras gave the file; no other is."""
    content = name.encode() * 100
    file = SOURCES[name].file
    known = Source(file, len(content), hashlib.md5(content).hexdigest(), ("https://nowhere/",))
    monkeypatch.setitem(SOURCES, name, known)
    (tmp_path / "copy").write_bytes(content)
    done = jaxvis("fetch", name)
    assert done.code == 4  # without --file it would have to be fetched
    assert "JAXVIS_OFFLINE is set" in done.err
    done = jaxvis("fetch", name, "--file", tmp_path / "copy")
    installed = tmp_path / "cache" / file
    assert done == (0, f"{name}: verified, at {installed}\n", "")
    assert installed.read_bytes() == content
    (tmp_path / "copy").write_bytes(content[::-1])
    assert jaxvis("fetch", name, "--file", tmp_path / "copy").code == 4
    assert jaxvis("fetch", name).code == 0  # nothing is fetched that is there
    listed = jaxvis("weights").out
    assert f"{name}: {installed}, {len(content):,} bytes, verified" in listed


@proves(*each("summary", "--network", "--weights"))
@pytest.mark.parametrize("option", ["--network", "--weights"])
def test_summary(option):
    """The parameters are counted from the arrays; the full VGG16's are Simonyan & Zisserman's."""
    for name, network in (
        ("tiny.h5", jv.load_vgg16("tiny.h5")),
        ("demo", jv.load_vgg16("demo")),
    ):
        count = sum(array.size for array in jax.tree.leaves(network))
        assert f"Total params: {count:,} " in jaxvis("summary", option, name).out
    assert "Total params: 138,357,544 " in jaxvis("summary").out
    own = jaxvis("summary", option, "my_network:make")
    assert own.code == 0
    assert "Total params: 138,357,544 " not in own.out


@proves("classes text", *each("classes", "--network", "--weights"))
@pytest.mark.parametrize("option", ["--network", "--weights"])
def test_classes(option):
    """The names are those that the network was made with; without one ImageNet's."""
    for network, names in (
        ("tiny.h5", LABELS),
        ("my_network:make", ["left", "right"]),
        ("demo", CLASSES),
    ):
        listed = jaxvis("classes", option, network).out.splitlines()
        assert [line.split() for line in listed] == [[str(i), n] for i, n in enumerate(names)]
    assert jaxvis("classes", "goos", option, "tiny.h5").out.split() == ["1", "goose"]
    assert jaxvis("classes", "left", option, "tiny.h5").code == 2
    assert jaxvis("classes", "goose").out.splitlines()[0].split() == ["99", "n01855672", "goose"]
    assert len(jaxvis("classes").out.splitlines()) == 1000


@proves("jaxvis --version")
def test_version(capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["--version"])
    assert stopped.value.code == 0
    assert capsys.readouterr().out == f"jaxvis {jv.__version__}\n"


# --- What a file does not tell of its network -----------------------------------------------------


@pytest.fixture(scope="module")
def alone(place):
    """Weights alone, of a network with a pooling and a hidden layer, that names neither."""
    head = [
        HeadLayer("pooling", "GlobalMaxPooling2D"), dense("hidden", 8, "sigmoid"),
        dense("last", 3),
    ]  # fmt: skip
    model = jv.VGG16(width=1 / 16, size=(64, 64), head=head, seed=5)
    model.hidden.kernel[...] *= 0.01  # so that its sigmoids are not all at their end
    jv.save_vgg16(model, place / "alone.h5")
    with h5py.File(place / "alone.h5", "r+") as file:
        del file.attrs["jaxvis"]
        names = [name.decode() for name in file.attrs["layer_names"]]
        file.attrs["layer_names"] = [n for n in names if len(file[n].attrs["weight_names"])]
    return model


def logits_with(*options):
    told("report", "pictures", "--no-evaluation", "--methods", "saliency", *options)
    return np.load("report/maps.npz")["logits"]


RIGHT = ("--pool", "max", "--activation", "sigmoid", "--size", "64x64")


@proves(*each("report", "--preprocess", "--size", "--pool", "--activation", "--last"))
def test_report_on_weights_alone(alone):
    images = jv.load_images("pictures", (64, 64))
    x = {mode: preprocessing(mode)(images) for mode in ("tf", "caffe")}
    network = ("--network", "alone.h5")
    for mode in x:
        assert same(logits_with(*network, *RIGHT, "--preprocess", mode), alone(x[mode]))
    assert same(logits_with(*network, *RIGHT), alone(x["caffe"]))
    for option, other in (("--pool", "avg"), ("--activation", "linear")):
        changed = [*RIGHT]
        changed[changed.index(option) + 1] = other
        assert not same(logits_with(*network, *changed), alone(x["caffe"]))
    assert np.load("report/maps.npz")["images"].shape[1:3] == (64, 64)
    larger = [*RIGHT[:-1], "64x96"]
    logits_with(*network, *larger)
    assert np.load("report/maps.npz")["images"].shape[1:3] == (64, 96)
    for last in ("softmax", "sigmoid"):
        logits_with(*network, *RIGHT, "--last", last)
        assert f"The {last} of " in Path("report/report.md").read_text()


@proves(
    *each("evaluate summary classes", "--preprocess", "--size", "--pool", "--activation", "--last")
)
def test_evaluate_and_summary_on_weights_alone(alone):
    for missing in ("--pool", "--activation", "--size"):
        place = RIGHT.index(missing)
        left = [*RIGHT[:place], *RIGHT[place + 2 :]]
        for command in (("summary",), ("classes",), ("evaluate", "--images", "pictures")):
            done = jaxvis(*command, "--network", "alone.h5", *left)
            assert done.code == 4
            assert f"pass {missing[2:]}=" in done.err
    done = jaxvis("summary", "--network", "alone.h5", *RIGHT, "--last", "sigmoid")
    assert "The sigmoid of " in done.out
    done = jaxvis("summary", "--network", "alone.h5", *RIGHT[:-1], "64x96", "--preprocess", "tf")
    assert done.out.strip() == jv.load(
        "alone.h5", pool="max", activation="sigmoid", size=(64, 96), preprocess="tf"
    ).summary().strip()  # fmt: skip
    assert "(None, 64, 96, 3)" in done.out
    assert jaxvis("summary", "--pool", "avg").code == 2

    def measured(*options):
        found = told(
            "evaluate", "--images", "pictures/a_1.png", "--methods", "saliency", "--rules",
            "vanilla", "--closely", 1, "--network", "alone.h5", *RIGHT, *options,
        )  # fmt: skip
        return json.dumps(found["questions"], sort_keys=True)

    assert measured("--preprocess", "tf") != measured()


def test_bad_sizes():
    for text in ("31", "axb", "1x2x3", ""):
        with pytest.raises(argparse.ArgumentTypeError, match="wanted HEIGHTxWIDTH in pixels"):
            size(text)
    assert (size("150x200"), size("96")) == ((150, 200), (96, 96))
