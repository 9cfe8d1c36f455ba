"""Every address of the repository follows from the one line of pyproject.toml."""

import shutil

import addresses
import pytest

ELSEWHERE = "https://github.com/somebody/geese"


def test_all_addresses_follow():
    assert addresses.problems() == []


@pytest.fixture(name="moved")
def moved_fixture(tmp_path):
    """A checkout whose repository has another address from now on."""
    root = addresses.ROOT
    for folder in ("tutorials", "weights"):
        (tmp_path / folder).mkdir()
        for path in (root / folder).iterdir():
            if path.suffix in (".md", ".ipynb"):
                shutil.copy(path, tmp_path / folder / path.name)
    shutil.copy(root / "README.md", tmp_path)
    text = (root / "pyproject.toml").read_text()
    old = addresses.repository()
    assert text.count(old) == 1
    new = text.replace(old, ELSEWHERE.replace("geese", "jaxvis"))
    (tmp_path / "pyproject.toml").write_text(new)
    return tmp_path


def test_another_address_is_written_everywhere(moved):
    notebooks = sorted((moved / "tutorials").glob("*.ipynb"))
    assert len(notebooks) > 9
    found = addresses.problems(moved)
    assert len(found) >= len(notebooks)
    assert set(addresses.write(moved)) >= {f"tutorials/{path.name}" for path in notebooks}
    assert addresses.problems(moved) == []
    for path in notebooks:
        text = path.read_text()
        assert "jaxvis/jaxvis" not in text
        assert f"github/somebody/jaxvis/blob/main/tutorials/{path.name})" in text
        assert "git+https://github.com/somebody/jaxvis" in text


def test_a_renamed_notebook_leads_to_itself(moved):
    addresses.write(moved)
    path = sorted((moved / "tutorials").glob("*.ipynb"))[3]
    path.rename(path.with_name("99_renamed.ipynb"))
    assert any("99_renamed" in problem for problem in addresses.problems(moved))
    assert addresses.write(moved) == ["tutorials/99_renamed.ipynb"]
    assert "blob/main/tutorials/99_renamed.ipynb" in path.with_name("99_renamed.ipynb").read_text()


def test_a_file_that_is_not_there_is_found(moved):
    addresses.write(moved)
    readme = moved / "README.md"
    gone = addresses.file_at("weights/GONE.md", addresses.repository(moved))
    readme.write_text(readme.read_text() + f"\n[gone]({gone})\n")
    (problem,) = addresses.problems(moved)
    assert "weights/GONE.md" in problem


def test_other_repositories_are_left_alone():
    text = "https://github.com/fchollet/deep-learning-models git+https://github.com/a/b"
    assert addresses.followed(text, "README.md", ELSEWHERE) == text
