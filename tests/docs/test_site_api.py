"""Every public name is on a page of the API, once, with what its docstring says."""

import re
from types import SimpleNamespace

import pytest
from making import api

import jaxvis as jv


def test_every_public_name_is_on_one_page():
    pages = api.pages()
    text = "\n".join(pages[name] for name in pages if name != "index.md")
    found = re.findall(r"^(?:\.\. auto\w+:: jv\.|\(jv-)([\w.]+)", text, re.MULTILINE)
    assert sorted(name for name in found if "." not in name) == sorted(jv.__all__)
    assert len(set(found)) == len(found)
    assert set(pages) == {f"{room}.md" for room in api.ROOMS} | {"index.md"}
    for name in jv.__all__:
        assert f"`{name}`" in pages["index.md"] or f"`{name} <" in pages["index.md"], name


def test_every_metric_and_score_is_there():
    names = api.documented()
    assert {"evaluate.deletion", "evaluate.sign_flip"} <= set(names["evaluate"])
    assert {f"scores.{name}" for name in ("logit", "contrast", "binary")} <= set(names["scores"])


def told(name):
    """What a page says about a name: the lines that Sphinx gets."""
    value = api.value_of(name)
    lines = (api.inspect.getdoc(value) or "").split("\n")
    app = SimpleNamespace(env=SimpleNamespace(jaxvis_names={"grad_cam", "input_gradient"}))
    api.on_docstring(app, "", f"jv.{name}", value, None, lines)
    return "\n".join(lines)


def test_shapes_and_paper_are_told():
    text = told("saliency")
    assert "- x: ``Float[n height width channels]``" in text
    assert "- returns: ``Float[n *k height width]``" in text
    assert "arXiv 1312.6034 <https://arxiv.org/abs/1312.6034>" in text
    assert ":py:obj:`input_gradient <jv.input_gradient>`" in text
    assert "\\|d score / d x\\|" in text


@pytest.mark.parametrize("name", sorted(name for name in jv.__all__ if name.isupper()))
def test_data_have_a_text_of_their_own(name):
    if name == "VGG16":
        pytest.skip("a class")
    text = told(name)
    assert text.strip()
    assert "Built-in" not in text


def test_signatures_fit_on_a_line():
    text = api.signature(jv.saliency)
    assert text == "(model, x, classes=None, *, rule=jv.VANILLA, score=None, channel_axis=None)"
    for name in jv.__all__:
        signature = api.signature(api.value_of(name))
        assert signature is None or " at 0x" not in signature, name
