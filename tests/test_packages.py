"""Files of other packages are found where those are installed, and nothing of them runs."""

import sys

import pytest

from jaxvis.packages import INSTALL_PHOTOS, file_in


def test_a_file_is_found_and_its_package_not_imported(tmp_path, monkeypatch):
    (tmp_path / "loud").mkdir()
    (tmp_path / "loud" / "__init__.py").write_text("raise SystemExit('imported')\n")
    (tmp_path / "loud" / "data").mkdir()
    (tmp_path / "loud" / "data" / "a.txt").write_text("a")
    (tmp_path / "flat.py").write_text("raise SystemExit('imported')\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert file_in("loud", "data/a.txt") == tmp_path / "loud" / "data" / "a.txt"
    assert file_in("loud", "data/b.txt") is None
    assert file_in("loud", "data") is None
    assert file_in("flat", "data/a.txt") is None  # a module has no files
    assert file_in("no_such_package", "data/a.txt") is None
    assert not {"loud", "flat"} & set(sys.modules)


@pytest.mark.parametrize("text", ["python3 -m pip install 'jaxvis[photos]'", "'.[photos]'"])
def test_what_brings_them(text):
    assert text in INSTALL_PHOTOS
