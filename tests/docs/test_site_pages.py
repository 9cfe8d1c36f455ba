"""The site's own pages: examples that run, pictures and papers that are there, links that lead."""

import re

import jax
import pytest
from making import gallery, links, notebooks, staging
from PIL import Image

import jaxvis as jv

DOCS = notebooks.ROOT / "docs"
WITH_CODE = [path for path in sorted(DOCS.rglob("*.md")) if "```python\n" in path.read_text()]


@pytest.mark.parametrize("path", WITH_CODE, ids=lambda path: path.stem)
def test_examples_run(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # some write files
    names: dict = {}
    jax.config.update("jax_disable_most_optimizations", True)
    try:
        with jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard"):
            for example in re.findall(r"```python\n(.*?)```", path.read_text(), flags=re.DOTALL):
                exec(example, names)
    finally:
        jax.config.update("jax_disable_most_optimizations", False)


def test_every_method_has_a_picture():
    for name in jv.METHODS:
        with Image.open(DOCS / "_static" / "methods" / f"{name}.jpg") as picture:
            assert picture.size == (224, 224)
            assert picture.convert("L").getextrema()[1] > 60, f"{name} is dark"
    files = {path.stem for path in (DOCS / "_static" / "methods").iterdir()}
    assert files == set(jv.METHODS)


def test_every_paper_of_a_method_is_in_the_bibliography():
    text = (DOCS / "bibliography.md").read_text()
    for name, method in jv.METHODS.items():
        number = re.search(r"arXiv (\d+\.\d+)", method.paper)
        author = re.split(r"[ ,&]", method.paper)[0]
        assert number[1] in text if number else author in text, name
    assert set(re.findall(r"doi\.org/(10\.[^)]+)\)", text)) == set(
        re.findall(r"\[(10\.[^\]]+)\]\(", text)
    )


def test_papers_that_only_lessons_cite_are_listed():
    found = notebooks.lessons()
    text = gallery.also_cited("", found)
    assert "https://arxiv.org/abs/1312.6034" in text
    assert "1312.6034" not in gallery.also_cited("1312.6034", found)


def test_lessons_are_found_with_titles_and_exercises():
    found = notebooks.lessons()
    assert [one.path for one in found] == sorted(notebooks.TUTORIALS.glob("*.ipynb"))
    for one in found:
        cells = notebooks.read(one.path).cells
        assert f"# {one.title}" in cells[0].source
        assert len(one.exercises) == len(notebooks.exercise_cells(cells)) > 0
        assert 10 < len(one.about) < 1500
        assert notebooks.thumbnail(one.path)[:2] == b"\xff\xd8"
    table = gallery.table(found)
    assert table.count("\n") == len(found) + 2


def test_links_lead_to_pages_or_to_the_repository():
    pages = ["docs/index.md", "docs/truth.md", "tutorials/04_rules.ipynb", "weights/README.md"]

    def change(text, source="docs/howto/a.md"):
        copied = set()
        return staging.relinked(text, source, pages, copied, "https://x.org/a/b"), copied

    assert change("[a](../truth.md#b)")[0] == "[a](../truth.md#b)"
    assert change("[a](nb:rules)")[0] == "[a](../tutorials/04_rules.ipynb)"
    assert change("[a](../README.md)", "weights/README.md")[0] == "[a](../index.md)"
    assert change("[a](../jaxvis/scores.py)", "weights/README.md")[0] == (
        "[a](https://x.org/a/b/blob/main/jaxvis/scores.py)"
    )
    text, copied = change("![a](../../tutorials/report.jpg)")
    assert (text, copied) == ("![a](../tutorials/report.jpg)", {"tutorials/report.jpg"})
    assert change("[a](nowhere.md) [b](https://c.org/d) [e](#f)")[0] == (
        "[a](nowhere.md) [b](https://c.org/d) [e](#f)"
    )
    with pytest.raises(FileNotFoundError, match="NN_other"):
        change("[a](nb:other)")


def test_every_link_to_a_lesson_finds_it():
    pages, found = staging.sources(), 0
    assert "docs/index.md" in pages
    for source in pages:
        if source.endswith(".md"):
            text = (notebooks.ROOT / source).read_text()
            found += text.count("](nb:")
            assert "](nb:" not in staging.relinked(text, source, pages, set(), "https://x.org/a/b")
    assert found > 10


@pytest.mark.parametrize(
    ("html", "problem"),
    [
        ('<a href="b.html#there">x</a>', None),
        ('<a href="b.html">x</a> <a href="#here" id="here">y</a>', None),
        ('<a href="https://doi.org/10.1000/182">x</a>', None),
        ('<a href="c.html">x</a>', "no such file"),
        ('<a href="b.html#gone">x</a>', "no such anchor"),
        ('<img src="https://x.org/a.png">', "fetched from elsewhere"),
        ('<script src="//cdn.x.org/a.js"></script>', "fetched from elsewhere"),
        ('<link rel="stylesheet" href="https://x.org/a.css">', "fetched from elsewhere"),
        ('<a href="https://doi.org/182">x</a>', "no DOI"),
        ('<a href="https://arxiv.org/abs/12">x</a>', "no number"),
        ('<a href="file:///etc/passwd">x</a>', "kind 'file'"),
        ('<a href="../../outside.html">x</a>', "no such file"),
    ],
)
def test_links_are_checked(tmp_path, html, problem):
    (tmp_path / "a.html").write_text(html)
    (tmp_path / "b.html").write_text('<p id="there"></p>')
    found = links.problems(tmp_path)
    assert len(found) == (problem is not None)
    assert problem is None or problem in found[0]


def test_styles_that_fetch_are_found(tmp_path):
    (tmp_path / "a.html").write_text("")
    (tmp_path / "a.css").write_text("p { background: url('https://x.org/a.png') }")
    assert len(links.problems(tmp_path)) == 1


def test_formulas_of_all_lessons_become_mathml():
    mathml = pytest.importorskip("making.mathml")
    formulas = set()
    for path in notebooks.paths():
        for cell in notebooks.read(path).cells:
            if cell.cell_type == "markdown":
                text = re.sub(r"```.*?```|`[^`]*`", "", cell.source, flags=re.DOTALL)
                for found in re.findall(r"\$\$(.+?)\$\$|\$([^$\n]+)\$", text, flags=re.DOTALL):
                    formulas.add("".join(found))
    assert len(formulas) > 50
    for formula in formulas:
        made = mathml.inline(formula)
        assert made.startswith("<math")
        assert "\\" not in re.sub(r"<[^>]*>", "", made), formula
