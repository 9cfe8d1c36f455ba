"""What a lecturer hands out: gaps without solutions, solutions that are right, slides that fit."""

import nbformat
import pytest
from chromium import browser_fixture, errors, in_a_browser, requests  # noqa: F401
from making import notebooks
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

slides = pytest.importorskip("making.slides", reason="wants the extra docs")
editions = pytest.importorskip("editions")

PATHS = notebooks.paths()
SHORT = min(PATHS, key=lambda path: path.stat().st_size)


def made(kind, path):
    return getattr(editions, kind)(notebooks.read(path))


def cells(notebook, tag):
    return [cell for cell in notebook.cells if notebooks.tagged(cell, tag)]


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_students_get_gaps_and_no_solutions(path):
    stored, student = notebooks.read(path), made("student", path)
    nbformat.validate(student)
    assert cells(student, "solution") == []
    assert "<summary>Solution" not in nbformat.writes(student)
    gaps = cells(stored, "exercise")
    assert [cell.source for cell in cells(student, "exercise")] == [cell.source for cell in gaps]
    for cell in cells(student, "exercise") + cells(student, "check"):
        assert cell.outputs == []
    other = [cell for cell in stored.cells if not set(cell.metadata.get("tags", [])) &
             {"exercise", "check", "solution"}]  # fmt: skip
    kept = [cell for cell in student.cells if "nbgrader" not in cell.metadata]
    assert kept == other


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_lecturers_get_solutions_in_the_gaps(path):
    stored, filled = notebooks.read(path), made("instructor", path)
    nbformat.validate(filled)
    for cell, solution in zip(cells(filled, "exercise"), cells(stored, "solution"), strict=True):
        assert cell.source == notebooks.solution_code(solution)
        compile(cell.source, cell.id, "exec")
    assert len(filled.cells) == len(stored.cells)


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_nbgrader_knows_every_cell(path):
    for kind in ("student", "source"):
        notebook = made(kind, path)
        nbformat.validate(notebook)
        marked = [cell for cell in notebook.cells if "nbgrader" in cell.metadata]
        assert marked == [cell for cell in notebook.cells if
                          set(cell.metadata.get("tags", [])) & {"exercise", "check"}]  # fmt: skip
        of = [cell.metadata["nbgrader"] for cell in marked]
        assert len({one["grade_id"] for one in of}) == len(of)
        for exercise, check in zip(of[::2], of[1::2], strict=True):
            assert (exercise["solution"], exercise["grade"], exercise["locked"]) == (
                True, False, False,
            )  # fmt: skip
            assert (check["solution"], check["grade"], check["locked"]) == (False, True, True)
            assert check["points"] == editions.POINTS
            assert "points" not in exercise
    for cell in cells(made("source", path), "exercise"):
        gap, _, rest = cell.source.partition(f"\n{editions.BEGIN}\n")
        assert rest.endswith(editions.END)
        compile(gap, cell.id, "exec")  # what nbgrader leaves runs as it stands


@pytest.mark.parametrize(
    ("says", "right"), [("Right: well done.", True), ("Not yet: a hint.", False), (None, False)]
)
def test_a_check_gives_points_only_for_right(says, right, capsys):
    """nbgrader gives them to a cell that ends without an error."""
    check = "def say(text):\n    print(text)\n\n\n"
    check += f"say({says!r})\nprint('More')" if says else "pass"
    names: dict = {}
    code = editions.BEFORE_CHECK + check + editions.AFTER_CHECK
    if right:
        exec(code, names)
    else:
        with pytest.raises(AssertionError, match=says or "nothing was said"):
            exec(code, names)
    assert capsys.readouterr().out == (f"{says}\nMore\n" if says else "")


def test_nbgrader_makes_a_release(tmp_path):
    """With nbgrader's own preprocessor: the gap stays, the solution goes."""
    clearing = pytest.importorskip("nbgrader.preprocessors").ClearSolutions()
    clearing.code_stub = {"python": "# your lines here"}
    stored = notebooks.read(SHORT)
    released, _ = clearing.preprocess(editions.source(stored), {})
    for cell, gap in zip(cells(released, "exercise"), cells(stored, "exercise"), strict=True):
        assert cell.source.startswith(gap.source)
        assert cell.source.endswith("# your lines here")
        assert "SOLUTION" not in cell.source


def a_lesson():
    """A notebook of one exercise, which needs no JAX. Those of the course run in test_tutorials."""
    check = "if two == 2:\n    print('Right: two.')\nelse:\n    print('Not yet: more.')"
    solution = "<details>\n<summary>Solution</summary>\n\n```python\ntwo = 1 + 1\n```\n\n</details>"
    made = [new_code_cell("two = 1", metadata={"tags": ["exercise"]}),
            new_code_cell(check, metadata={"tags": ["check"]}),
            new_markdown_cell(solution, metadata={"tags": ["solution"]})]  # fmt: skip
    return new_notebook(cells=made)


def test_a_lecturers_notebook_is_run_and_right():
    filled = editions.instructor(a_lesson())
    assert editions.run(filled) is None
    assert filled.cells[1].outputs[0].text == "Right: two.\n"


def test_a_wrong_solution_and_an_error_are_told():
    assert "Not yet: more." in editions.run(a_lesson())  # its gap is as it was
    broken = a_lesson()
    broken.cells[0].source = "two = 1 / 0"
    assert editions.run(broken) == "ZeroDivisionError: division by zero"


def test_all_is_written_where_it_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(notebooks, "paths", lambda: [SHORT])
    assert editions.make(tmp_path, executed=False, say=lambda _: None) == []
    name, figures = SHORT.stem, notebooks.pictures(notebooks.read(SHORT))
    wanted = {f"student/{name}.ipynb", f"instructor/{name}.ipynb", f"slides/{name}.html",
              f"nbgrader/source/jaxvis/{name}.ipynb", "nbgrader/nbgrader_config.py"}  # fmt: skip
    suffixes = ["png" if data.startswith(b"\x89PNG") else "jpg" for *_, data in figures]
    assert {"png", "jpg"} == {*suffixes}  # of a photograph too
    wanted |= {f"figures/{name}_figure_{k}.{suffix}" for k, suffix in enumerate(suffixes, start=1)}
    found = {p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*") if p.is_file()}
    assert found == wanted
    compile((tmp_path / "nbgrader" / "nbgrader_config.py").read_text(), "config", "exec")


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_slides_hold_the_lesson_and_no_solution(path):
    stored, lecture = notebooks.read(path), slides.slides(notebooks.read(path))
    assert lecture.cells[0].metadata.slideshow.slide_type == "slide"
    kinds = [cell.metadata.slideshow.slide_type for cell in lecture.cells]
    headings = [line for cell in stored.cells if cell.cell_type == "markdown"
                and not slides.left_out(cell)
                for line in cell.source.split("\n") if line.startswith(("# ", "## "))]  # fmt: skip
    assert kinds.count("slide") == len(headings)
    assert len(slides.pictures(path)) == sum(
        "picture" in cell.metadata.get("tags", []) for cell in lecture.cells
    )
    text = "\n".join(cell.source for cell in lecture.cells)
    assert "Solution" not in text
    assert "colab.research" not in text
    assert "pip install" not in text


@in_a_browser
def test_slides_fit_and_ask_for_nothing(browser, tmp_path):
    path = max(PATHS, key=lambda path: path.stat().st_size)
    file = tmp_path / f"{path.stem}.html"
    file.write_text(slides.page(path), encoding="utf-8")
    browser.set_window_size(1280, 800)
    browser.get(file.as_uri())
    browser.execute_async_script(
        "Reveal.isReady() ? arguments[0]() : Reveal.on('ready', arguments[0])"
    )
    seen = 0
    while True:
        seen += 1
        size = browser.execute_script(
            "const s = Reveal.getCurrentSlide();return [s.scrollWidth, s.scrollHeight, s.innerText]"
        )
        assert size[0] <= 1161, size
        assert size[1] <= 700, size
        if browser.execute_script("return Reveal.isLastSlide()"):
            break
        browser.execute_script("Reveal.next()")
    assert seen == browser.execute_script("return Reveal.getTotalSlides()") > 15
    assert errors(browser) == []
    assert requests(browser) == [file.as_uri()]
