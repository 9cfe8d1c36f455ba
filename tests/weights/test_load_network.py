"""`jv.load`: a name, a file, a function in a module; and what is said where none of them is."""

import itertools
import os
import subprocess
import sys
import textwrap

import jax
import numpy as np
import pytest

import jaxvis as jv
from jaxvis.models.network import Network
from jaxvis.weights.load import NetworkError, names_function

NUMBERS = itertools.count()
MAKE = """
    import jax
    import jax.numpy as jnp
    import jaxvis as jv

    def f(weights, x):
        return jax.nn.relu(x).mean(axis=(1, 2)) @ weights["w"]

    def make():
        model = jax.tree_util.Partial(f, {"w": jnp.eye(3, 4)})
        return jv.describe(
            jv.expose_relu(model), size=(8, 6), preprocess=lambda images: images.astype("float32"),
            labels=["a", "b", "c", "d"],
        )
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Write a module into the working directory; return its name, which no other test has."""
    monkeypatch.chdir(tmp_path)

    def write(text, name=None):
        name = name or f"network_{next(NUMBERS)}"
        (tmp_path / f"{name}.py").write_text(textwrap.dedent(text))
        return name

    before = set(sys.modules)
    yield write
    for name in set(sys.modules) - before:
        if getattr(sys.modules[name], "__file__", None) and str(tmp_path) in str(
            sys.modules[name].__file__
        ):
            del sys.modules[name]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    path = tmp_path_factory.mktemp("tiny") / "tiny.h5"
    jv.save_vgg16(jv.VGG16(width=1 / 64, classes=3, size=32, labels=["x", "y", "z"]), path)
    return path


def same_weights(one, other):
    leaves = zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True)
    return all(np.array_equal(a, b) for a, b in leaves)


# ---- what is loaded -----------------------------------------------------------------------------


def test_the_demo_is_the_default():
    found = jv.load()
    assert isinstance(found, Network)
    assert same_weights(found.model, jv.load_vgg16("demo"))
    assert found[1:] == (
        (224, 224), jv.preprocess, jv.load_vgg16("demo").labels, "block5_conv3",
        "VGG16, demo", "softmax", "nearest",
    )  # fmt: skip
    assert "goose" in found.labels


@pytest.mark.parametrize("kind", [str, os.fspath, lambda path: path])
def test_a_file_is_a_vgg16(tiny, kind):
    found = jv.load(kind(tiny), precision="highest")
    assert same_weights(found.model, jv.load_vgg16(tiny))
    assert found.model.fc1.precision == "highest"
    assert found[1:] == (
        (32, 32), jv.preprocess, ("x", "y", "z"), "block5_conv3", f"VGG16, {tiny}", "softmax",
        "nearest",
    )  # fmt: skip
    named = jv.load(kind(tiny), labels=["cat", "dog", "goose"])
    assert named.labels == named.model.labels == ("cat", "dog", "goose")
    with pytest.raises(
        jv.WeightsError, match=r"tiny.h5: .*3 classes, but labels= .* gives 2 names"
    ):
        jv.load(kind(tiny), labels=["cat", "dog"])


@pytest.mark.parametrize("name", ["we:ights.h5", "we:ights", "C:tiny.h5"])
def test_a_colon_may_be_in_the_name_of_a_file(tiny, tmp_path, monkeypatch, name):
    """Also one that looks like a function; and what there is no file of is no function either."""
    (tmp_path / name).write_bytes(tiny.read_bytes())
    monkeypatch.chdir(tmp_path)
    assert not names_function(name)
    assert same_weights(jv.load(name, precision="highest").model, jv.load_vgg16(tiny))
    if "." in name:
        with pytest.raises(jv.WeightsError, match=f"absent_{name}"):
            jv.load(f"absent_{name}")


def test_a_function_in_the_working_directory(module):
    name = module(MAKE)
    path = list(sys.path)
    found = jv.load(f"{name}:make")
    assert sys.path == path
    assert (found.size, found.labels, found.layer) == ((8, 6), ("a", "b", "c", "d"), "#1")
    x = found.preprocess(np.full((1, 8, 6, 3), 7, np.uint8))
    np.testing.assert_array_equal(found.model(x), [[7, 7, 7, 0]])
    assert jv.load(f"{name}:make", labels="efgh").labels == ("e", "f", "g", "h")
    with pytest.raises(ValueError, match="labels has 3 names; wanted 4"):
        jv.load(f"{name}:make", labels="abc")


def test_a_function_of_a_package_and_one_that_returns_a_vgg16(module, tmp_path):
    name = module("")
    (tmp_path / f"{name}.py").rename(tmp_path / f"{name}_inner.py")
    folder = tmp_path / name
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "nets.py").write_text(
        "import jaxvis as jv\n\n"
        "def vgg():\n"
        "    return jv.VGG16(width=1 / 64, classes=3, size=32, labels=['x', 'y', 'z'])\n"
    )
    found = jv.load(f"{name}.nets:vgg")
    assert isinstance(found.model, jv.VGG16)
    assert (found.size, found.labels, found.layer) == ((32, 32), ("x", "y", "z"), "block5_conv3")
    assert jv.load(f"{name}.nets:vgg", labels=["a", "b", "c"]).class_index("b") == 1


def test_what_lies_beside_the_module_is_found_while_it_makes_the_network(module):
    """Many people import where they need something."""
    beside = module(MAKE)
    name = module(f"def make():\n    from {beside} import make\n    return make()\n")
    assert jv.load(f"{name}:make").size == (8, 6)


def test_in_a_process_of_its_own(tmp_path):
    """Not this one's, in which the working directory may have been on the path all along."""
    (tmp_path / "mine.py").write_text(textwrap.dedent(MAKE))
    code = (
        "import sys; sys.path = [p for p in sys.path if p not in ('', sys.argv[1])]\n"
        "import jaxvis as jv; print(jv.load('mine:make').labels, sys.argv[1] in sys.path)"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", code, tmp_path], cwd=tmp_path, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.stdout == "('a', 'b', 'c', 'd') False\n", done.stderr


# ---- what is not --------------------------------------------------------------------------------


def test_no_such_module(module):
    name = module("")
    for absent, found in (
        ("absent_module", "absent_module"),
        ("absent_module.inner", "absent_module"),
        (f"{name}.inner", f"{name}.inner"),
    ):
        with pytest.raises(NetworkError, match=f"^{absent}:make: there is no module '{found}' he"):
            jv.load(f"{absent}:make")
    with pytest.raises(NetworkError, match=f"there is no module '{name}.py' here .* in my_network"):
        jv.load(f"{name}.py:make")  # as people write who think of the file


def test_no_such_function(module):
    name = module("make = 3\n")
    for absent in ("made", "make"):
        message = f"^{name}:{absent}: {name} has no function '{absent}'; wanted one that returns"
        with pytest.raises(NetworkError, match=message):
            jv.load(f"{name}:{absent}")


@pytest.mark.parametrize(
    ("value", "kind"), [("None", "NoneType"), ("lambda x: x", "function"), ("(1, 2)", "tuple")]
)
def test_something_else_is_returned(module, value, kind):
    name = module(f"def make():\n    return {value}\n")
    with pytest.raises(NetworkError, match=f"^{name}:make: it returned .* {kind}; wanted a N"):
        jv.load(f"{name}:make")


@pytest.mark.parametrize("absent", ["absent_library", "n", "network"])
def test_what_the_module_itself_does_not_find_stays_an_import_error(module, absent):
    """Also if its name begins that of the module."""
    name = module(f"import {absent}\n")
    assert absent not in sys.modules
    with pytest.raises(ModuleNotFoundError, match=f"No module named '{absent}'") as caught:
        jv.load(f"{name}:make")
    assert caught.value.name == absent
    name = module("from json import absent\n")
    with pytest.raises(ImportError, match="cannot import name 'absent'"):
        jv.load(f"{name}:make")
    name = module("def make():\n    import absent_library\n")
    with pytest.raises(ModuleNotFoundError, match="absent_library"):
        jv.load(f"{name}:make")


def test_other_errors_of_the_function_are_its_own_and_leave_the_path_alone(module):
    name = module("def make():\n    raise KeyError('mine')\n")
    path = list(sys.path)
    with pytest.raises(KeyError, match="mine"):
        jv.load(f"{name}:make")
    assert sys.path == path


def test_precision_is_of_networks_that_jaxvis_builds(module):
    name = module(MAKE)
    with pytest.raises(NetworkError, match="precision='highest' is for .*jax.default_matmul_pre"):
        jv.load(f"{name}:make", precision="highest")


@pytest.mark.parametrize("name", ["nowhere.h5", "nowhere/net:make", "my-net:make", "net:a.b"])
def test_anything_else_is_a_path(name):
    assert not names_function(name)
    with pytest.raises(jv.WeightsError, match=name):
        jv.load(name)
