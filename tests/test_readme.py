"""The README's example runs as it stands, and its commands are those that .ci/run looks for."""

import re
import shutil
from importlib.resources import files
from pathlib import Path

import jax
import numpy as np
import pytest

import jaxvis as jv

README = Path(__file__).parents[1] / "README.md"


@pytest.fixture
def quickly():
    """Compile without XLA's optimisations: half of the time, for what runs once."""
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


def test_the_library_example_runs(tmp_path, monkeypatch):
    (tmp_path / "photographs").mkdir()
    for number in (1, 2):
        name = f"goose_{number}.png"
        shutil.copy(str(files("jaxvis") / "data" / name), tmp_path / "photographs" / name)
    monkeypatch.chdir(tmp_path)
    (example,) = re.findall(r"```python\n(.*?)```", README.read_text(), flags=re.DOTALL)
    names: dict = {}
    exec(example, names)
    assert names["x"].shape == (2, 224, 224, 3)
    overlay = eval(example.strip().splitlines()[-1], names)
    assert overlay.shape == (2, 224, 224, 3)
    assert overlay.dtype == np.uint8
    wanted = jv.saliency(names["network"].model, names["x"], 0, rule=jv.GUIDED)
    np.testing.assert_allclose(names["maps"].saliency["guided"], wanted, rtol=1e-3, atol=1e-8)


def test_two_command_lines_and_every_link_leads_somewhere():
    text = README.read_text()
    assert len(re.findall(r"^python3 -m pip install", text, flags=re.MULTILINE)) == 2
    for link in re.findall(r"\]\(([^)#]+)\)", text):
        assert link.startswith("https://") or (README.parent / link).exists(), link


def test_the_page_on_any_network_runs(quickly):
    page = (README.parent / "tutorials" / "any_network.md").read_text()
    names: dict = {}
    with jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard"):
        for example in re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL):
            exec(example, names)
    assert names["network"].layer == "out_relu"
    assert names["maps"].grad_cam["vanilla"].shape == (1, 3, 3)


def test_the_page_on_methods_is_the_catalogue_and_runs(quickly, monkeypatch):
    page = (README.parent / "tutorials" / "methods.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \|$", page, flags=re.MULTILINE)
    assert [name for name, _ in rows] == list(jv.METHODS)
    for name, cells in rows:
        row = jv.METHODS[name]
        at = f"{row.at}, layer" if row.of_both else row.at
        assert cells.split(" | ") == [
            row.title, row.kind, at, "yes" if row.rules else "no",
            f"{row.forward} + {row.backward}", row.paper,
        ]  # fmt: skip
        assert f"`{name}`" in page
        assert callable(getattr(jv, name))
    names: dict = {}
    two = jv.demo_images()[:2]  # of four, which show no more
    monkeypatch.setattr(jv, "demo_images", lambda: two)
    for example in re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL):
        exec(example, names)
    assert np.abs(names["integrated"].error).max() < 5
    assert names["why"].shape == names["shares"].shape == names["x"].shape[:3]
    assert names["picture"].shape == names["x"][:1].shape
    assert names["signed"]["saliency", "vanilla"].min() < 0
    panels = [axes for axes in names["figure"].axes if axes.images]
    assert len(panels) == 2 * (1 + len(names["signed"]))


def test_the_page_on_methods_has_every_preset():
    page = (README.parent / "tutorials" / "methods.md").read_text()
    rows = re.findall(r'^\| `"([\w -]+)"` \| (.*?) \|$', page, flags=re.MULTILINE)
    assert [name for name, _ in rows] == list(jv.PRESETS)
    for name, cells in rows:
        preset = jv.PRESETS[name]
        *_, scale, colours, alpha = cells.split(" | ")
        assert float(alpha) == preset.alpha
        assert colours == (
            preset.colormap if isinstance(preset.colormap, str) else "red, white, green"
        )
        assert ("0 in the middle" in scale) == preset.signed
