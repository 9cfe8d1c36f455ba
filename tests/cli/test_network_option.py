"""A network of one's own from the shell: what is written of it, and what is said where it fails."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import jaxvis as jv
from jaxvis.cli.main import main

NETWORK = """
import jax
import numpy as np

import jaxvis as jv

RNG = np.random.Generator(np.random.PCG64(3))
WEIGHTS = {
    "zeroth": {"kernel": RNG.normal(0, 0.3, (3, 3, 3, 8)), "bias": RNG.normal(0, 0.1, 8)},
    "first": {"kernel": RNG.normal(0, 0.3, (3, 3, 8, 8)), "bias": RNG.normal(0, 0.1, 8)},
    "answer": {"kernel": RNG.normal(0, 1, (8, 4)), "bias": RNG.normal(0, 0.1, 4)},
}
WEIGHTS = jax.tree.map(lambda a: a.astype(np.float32), WEIGHTS)


def conv(w, x):
    order = ("NHWC", "HWIO", "NHWC")
    y = jax.lax.conv_general_dilated(x, w["kernel"], (2, 2), "SAME", dimension_numbers=order)
    return jax.nn.relu(y + w["bias"].reshape(1, 1, 1, -1))


def forward(weights, x):
    y = conv(weights["first"], conv(weights["zeroth"], x)).mean(axis=(1, 2))
    return y @ weights["answer"]["kernel"] + weights["answer"]["bias"].reshape(1, -1)


def make(labels=("cat", "goose", "fish", "dog")):
    model = jv.expose_relu(jax.tree_util.Partial(forward, WEIGHTS))
    return jv.describe(
        model, size=(32, 24), preprocess=lambda images: images / np.float32(127.5) - np.float32(1),
        labels=labels,
    )


def nameless():
    return make(None)


def closed():
    return make()._replace(model=jv.expose_relu(lambda x: forward(WEIGHTS, x)))


def wrong():
    return 3


def unfinished():
    return jv.describe(jv.expose_relu(lambda x: forward(WEIGHTS, x)[:, :, None]), size=(32, 24),
                       preprocess=lambda images: images / np.float32(255))
"""
NAME = "network_of_the_shell"
KEYS = ["where", "matters", "network", "last"]
CONTROLS = ["random", "image centre", "edge detector"]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("own")
    (folder / f"{NAME}.py").write_text(NETWORK)
    rng = np.random.Generator(np.random.PCG64(0))
    (folder / "pictures").mkdir()
    for name in ("a.png", "b.png"):
        pixels = rng.integers(0, 256, (40, 50, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / "pictures" / name)
    (folder / "labels.txt").write_text("one\ntwo\nthree\nfour\n")
    (folder / "boxes.csv").write_text("file,xmin,ymin,xmax,ymax\na.png,5,5,30,30\nb.png,0,0,9,9\n")
    return folder


@pytest.fixture(autouse=True)
def there(place, monkeypatch):
    monkeypatch.chdir(place)
    yield
    sys.modules.pop(NAME, None)


@pytest.fixture
def jaxvis(capsys):
    """Run the command; return its exit code, what it printed, and its errors."""

    def run(*arguments):
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as exit_:  # argparse's own errors
            code = exit_.code
        done = capsys.readouterr()
        return code, done.out, done.err

    return run


def own():
    """The module's names, from its text and not by `jv.load`."""
    names: dict = {}
    exec(NETWORK, names)
    return names


def names_in(folder):
    return sorted(path.name for path in Path(folder).glob("[!.]*"))


# ---- the report ---------------------------------------------------------------------------------


@pytest.mark.parametrize("option", ["--network", "--weights"])
def test_the_report_names_the_network_and_has_its_table(jaxvis, tmp_path, option):
    code, out, err = jaxvis(
        "report", "pictures", option, f"{NAME}:make", "--class", "goose", "--out", tmp_path
    )
    assert (code, err) == (0, "")
    assert out.splitlines()[-1] == f"report: {tmp_path}/report.md"
    kinds = [f"{kind}_{rule}.{end}" for kind, end in (("grad_cam", "jpg"), ("saliency", "png"))
             for rule in jv.RULES]  # fmt: skip
    fixed = ["comparison.jpg", "inputs.jpg", "maps.npz", "report.html", "report.md"]
    assert names_in(tmp_path) == sorted([*fixed, *kinds])
    page = (tmp_path / "report.md").read_text()
    for wanted in (
        f"- Network: `{NAME}:make`.", "## Grad-CAM of value #2", "goose (1)",
        "zeroth  bias (8,), kernel (3, 3, 3, 8)      224", "Total params: 844",
        "### Does it depend on the network?", "nothing is settled",
    ):  # fmt: skip
        assert wanted in page, wanted
    assert "block5_conv3" not in page
    assert "VGG16" not in page
    names = own()
    images = jv.load_images("pictures", (32, 24))
    x = images / np.float32(127.5) - np.float32(1)
    with np.load(tmp_path / "maps.npz") as maps:
        np.testing.assert_array_equal(maps["images"], images)
        np.testing.assert_allclose(
            maps["logits"], names["forward"](names["WEIGHTS"], x), rtol=1e-4, atol=1e-5
        )
        cam = jv.grad_cam(names["make"]().model, x, 1, layer=-1, rule=jv.GUIDED)
        np.testing.assert_allclose(maps["grad_cam_guided"], cam, rtol=1e-3, atol=1e-6)
        assert maps["grad_cam_guided"].shape == (2, 8, 6)


def figure_of(kind):
    """The file of a method's figure: a JPEG where it is laid over photographs."""
    over = jv.METHODS[kind.rsplit("_", 1)[0]].at == "layer"
    return f"{kind}.{'jpg' if over else 'png'}"


@pytest.mark.parametrize(
    ("options", "kinds"),
    [
        (["--methods", "grad_cam"], [f"grad_cam_{rule}" for rule in jv.RULES]),
        (["--rules", "guided,vanilla"],
         ["saliency_guided", "saliency_vanilla", "grad_cam_guided", "grad_cam_vanilla"]),
        (["--methods", "all", "--rules", "rectified"],
         [f"{name}_{'rectified' if m.rules else 'any'}" for name, m in jv.METHODS.items()
          if not m.of_chain]),
        (["--methods", " saliency, saliency", "--rules", "guided,"], ["saliency_guided"]),
    ],
)  # fmt: skip
def test_the_files_are_those_of_the_methods_and_rules(jaxvis, tmp_path, options, kinds):
    code, out, err = jaxvis(
        "report", "pictures", "--network", f"{NAME}:make", "--no-evaluation", "--out", tmp_path,
        *options,
    )  # fmt: skip
    assert (code, err) == (0, "")
    wanted = ["comparison.jpg", "inputs.jpg", "maps.npz", "report.html", "report.md"]
    assert names_in(tmp_path) == sorted(wanted + [figure_of(kind) for kind in kinds])
    assert f"{len(kinds) + 2} figures" in out
    with np.load(tmp_path / "maps.npz") as maps:
        fixed = {"files", "images", "classes", "logits", "layer"}
        assert [name for name in maps if name not in fixed] == kinds
    page = (tmp_path / "report.md").read_text()
    shown = [line.split("](")[1].rstrip(")") for line in page.splitlines() if line.startswith("![")]
    assert shown == ["inputs.jpg", *map(figure_of, kinds), "comparison.jpg"]
    left_out = "Left out: FullGrad and LRP, for which a network has to come apart into layers."
    assert (left_out in page) == ("all" in options)


def test_a_network_without_names_has_numbers(jaxvis, tmp_path):
    common = ["report", "pictures", "--network", f"{NAME}:nameless", "--out", tmp_path,
              "--methods", "grad_cam", "--rules", "vanilla"]  # fmt: skip
    code, out, err = jaxvis(*common, "--class", "2")
    assert (code, err) == (0, "")
    assert "explained for class 2 (2)" in out
    assert "class 3 " in (tmp_path / "report.md").read_text()
    code, out, err = jaxvis(*common, "--class", "2", "--labels", "labels.txt", "--json")
    assert json.loads(out)["images"][0]["class"] == {"index": 2, "name": "three"}
    code, out, err = jaxvis(*common, "--class", "goose")
    assert (code, out) == (2, "")
    assert "has no class names, so 'goose' cannot be found" in err
    code, out, err = jaxvis(*common, "--class", "7")
    assert (code, out) == (2, "")
    assert "wanted indices from 0 to 3" in err


# ---- the evaluation -----------------------------------------------------------------------------


def test_the_evaluation(jaxvis, tmp_path):
    code, out, err = jaxvis(
        "evaluate", "--images", "pictures", "--boxes", "boxes.csv", "--network", f"{NAME}:make",
        "--class", "dog", "--closely", "1", "--methods", "grad_cam", "--rules", "guided,vanilla",
        "--out", tmp_path, "--json",
    )  # fmt: skip
    assert (code, err) == (0, "")
    told = json.loads(out)
    assert (told["network"], told["layer"], told["images"], told["closely"]) == (
        f"{NAME}:make", "#2", 2, 1,
    )  # fmt: skip
    assert [question["key"] for question in told["questions"]] == KEYS
    for question in told["questions"]:
        controls = [] if question["key"] in ("network", "last") else CONTROLS
        assert list(question["maps"]) == ["Grad-CAM guided", "Grad-CAM vanilla", *controls]
    charts = ["last.png", "layers.png", "matters.png", "network.png", "where.png"]
    assert names_in(tmp_path) == sorted(["evaluation.json", "evaluation.md", *charts])
    page = (tmp_path / "evaluation.md").read_text()
    assert f"- Network: `{NAME}:make`; layer value #2; files." in page

    x = jv.load_images("pictures", (32, 24)) / np.float32(127.5) - np.float32(1)
    cam = np.asarray(jv.grad_cam(own()["make"]().model, x, 3, layer=-1, rule=jv.GUIDED))
    a = jv.upsample(cam, (32, 24))
    y, x = (np.arange(32) + 0.5)[:, None] * 40 / 32, (np.arange(24) + 0.5)[None] * 50 / 24
    masks = [(x >= 5) & (x < 30) & (y >= 5) & (y < 30), (x < 9) & (y < 9)]
    inside = [(one * mask).sum() / one.sum() for one, mask in zip(a, masks, strict=True)]
    found = told["questions"][0]["maps"]["Grad-CAM guided"]["energy inside"]
    np.testing.assert_allclose(found["mean"], np.mean(inside), rtol=1e-3)


def test_a_network_that_closes_over_its_weights_is_not_asked_the_third_question(jaxvis, tmp_path):
    code, out, err = jaxvis(
        "evaluate", "--images", "pictures", "--network", f"{NAME}:closed", "--closely", "1",
        "--methods", "saliency", "--rules", "vanilla", "--out", tmp_path,
    )  # fmt: skip
    assert (code, err) == (0, "")
    assert names_in(tmp_path) == ["evaluation.json", "evaluation.md", "matters.png"]
    for text in (out, (tmp_path / "evaluation.md").read_text()):
        assert "Whether the maps depend on the network was not asked: the model holds no" in text
    assert "Does it depend on the network?" not in out


# ---- the other commands -------------------------------------------------------------------------


def test_summary_and_classes(jaxvis):
    code, out, err = jaxvis("summary", "--network", f"{NAME}:make")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0].split() == ["Layer", "Weights", "Param", "#"]
    rows = {line.split()[0]: int(line.split()[-1]) for line in lines[2:5]}
    assert rows == {"answer": 36, "first": 584, "zeroth": 224}
    assert lines[-1] == "Total params: 844"
    code, out, err = jaxvis("summary", "--network", f"{NAME}:closed")
    assert (code, err) == (0, "")
    assert out.startswith("no table of layers: the model holds no weights")
    assert jaxvis("classes", "oo", "--network", f"{NAME}:make") == (0, "   1  goose\n", "")
    code, out, err = jaxvis("classes", "--network", f"{NAME}:nameless")
    assert (code, out, err) == (2, "", f"jaxvis: {NAME}:nameless has no class names\n")


# ---- mistakes -----------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [["report", "pictures"], ["evaluate", "--images", "pictures"]])
@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--network", "absent_net:make"], 2, "there is no module 'absent_net' here or among"),
        (["--network", f"{NAME}.py:make"], 2, "as in my_network:make for make() in my_network.py"),
        (["--network", f"{NAME}:absent"], 2, "has no function 'absent'; wanted one that returns"),
        (["--network", f"{NAME}:wrong"], 2, "it returned something of type int; wanted a Network"),
        (["--network", f"{NAME}:unfinished"], 2, "shape (1, 4, 1) for 1 images; wanted logits"),
        (["--network", f"{NAME}:make", "--precision", "highest"], 2, "precision='highest' is for"),
        (["--network", f"{NAME}:make", "--layer", "conv"], 2, "names 0 values 'conv' "),
        (["--network", f"{NAME}:make", "--layer", "9"], 2, "but the function has 2 convolutions"),
        (["--network", f"{NAME}:make", "--class", "gose"], 2, "nearest: goose (1)"),
        (["--network", "absent/net:make"], 4, "absent/net:make: there is no such file"),
        (["--methods", "gradcam"], 2, "'gradcam' is not known; wanted some of saliency, "),
        (["--methods", ","], 2, "',' is not known; wanted some of saliency"),
        (["--rules", "vanilla,deconvnet"], 2, "'deconvnet' is not known; wanted some of vanilla, "),
    ],
)
def test_mistakes(jaxvis, tmp_path, command, arguments, code, message):
    """A message and a code, and nothing is written."""
    found, out, err = jaxvis(*command, *arguments, "--out", tmp_path / "out")
    assert message in err
    assert (found, out) == (code, "")
    assert not list((tmp_path / "out").glob("*"))


def test_scenes_are_for_networks_that_know_their_classes(jaxvis, tmp_path):
    code, out, err = jaxvis("evaluate", "--network", f"{NAME}:make", "--out", tmp_path)
    assert (code, out) == (2, "")
    assert "the network has no class aeroplane" in err
    assert "images of your own" in err


def test_an_error_inside_the_module_is_shown_whole(jaxvis, place):
    """It is its author's, who needs the lines."""
    (place / "broken_net.py").write_text("import absent_library\n")
    with pytest.raises(ModuleNotFoundError, match="absent_library"):
        jaxvis("report", "pictures", "--network", "broken_net:make")
