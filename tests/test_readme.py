"""The README's example runs as it stands, and its commands are those that .ci/run looks for."""

import re
import shutil
from importlib.resources import files
from pathlib import Path

import jax
import numpy as np

import jaxvis as jv

README = Path(__file__).parents[1] / "README.md"


def test_the_library_example_runs(tmp_path, monkeypatch):
    (tmp_path / "photographs").mkdir()
    for number in range(1, 5):
        name = f"goose_{number}.png"
        shutil.copy(str(files("jaxvis") / "data" / name), tmp_path / "photographs" / name)
    monkeypatch.chdir(tmp_path)
    (example,) = re.findall(r"```python\n(.*?)```", README.read_text(), flags=re.DOTALL)
    names: dict = {}
    exec(example, names)
    assert names["x"].shape == (4, 224, 224, 3)
    overlay = eval(example.strip().splitlines()[-1], names)
    assert overlay.shape == (4, 224, 224, 3)
    assert overlay.dtype == np.uint8
    wanted = jv.saliency(names["model"], names["x"], 0, rule=jv.GUIDED)
    np.testing.assert_allclose(names["maps"].saliency["guided"], wanted, rtol=1e-3, atol=1e-8)


def test_two_command_lines_and_every_link_leads_somewhere():
    text = README.read_text()
    assert len(re.findall(r"^python3 -m pip install", text, flags=re.MULTILINE)) == 2
    for link in re.findall(r"\]\(([^)#]+)\)", text):
        assert link.startswith("https://") or (README.parent / link).exists(), link


def test_the_page_on_any_network_runs():
    page = (README.parent / "tutorials" / "any_network.md").read_text()
    names: dict = {}
    with jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard"):
        for example in re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL):
            exec(example, names)
    assert names["network"].layer == "out_relu"
    assert names["maps"].grad_cam["vanilla"].shape == (1, 3, 3)
