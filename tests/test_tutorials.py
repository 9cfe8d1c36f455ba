"""Every notebook in tutorials/ runs, says what it said when it was stored, and its exercises work.

Cells are told apart by tags. "exercise": code with a gap, which the code of the next "solution"
cell fills: a code cell, folded, or the fenced code of a Markdown cell in <details>. "check": the
line that prints "Right ..." or "Not yet ..." (of what, tests/course says). "varies": prints what
no two runs share, such as times.
"""

import contextlib
import copy
import io
import os
import re
from pathlib import Path

import nbformat
import pytest
from conftest import long
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

import jaxvis as jv

TUTORIALS = sorted((Path(__file__).parent.parent / "tutorials").glob("*.ipynb"))
LARGEST = 1_500_000  # bytes

# The steps of the lab, then further. Those with settings run on other weights by one line changed.
WITH_SETTINGS = (
    "01_vgg16",
    "02_images",
    "03_saliency",
    "04_relu_rules",
    "05_gradient_microscope",
    "06_gradcam",
    "07_which_is_best",
    "08_one_compiled_call",
    "09_keras_weights",
    "12_beyond_one_gradient",
    "16_masks_and_relevance",
)
WITH_OWN_NETWORKS = ("10_your_own_model", "11_any_model")
ON_DRAWN_SCENES = ("13_backdoor", "14_adversarial", "15_fooling_the_map")  # and nothing else
FULL_SIZE = ("03_saliency", "01_vgg16", "06_gradcam")  # minutes each; 02 and 04 call what these do
WEIGHTS = re.compile(r'^weights = "demo"(?= |$).*', re.MULTILINE)

# Run before anything else in the kernel. What IPython does between the cells is not the tutorial's.
STRICT = """
import warnings
warnings.filterwarnings("error")
for _module in ("IPython", "ipykernel", "traitlets", "zmq", "jupyter_client", "asyncio"):
    warnings.filterwarnings("default", module=_module)
warnings.filterwarnings("ignore", message=".*_figure_formats_changed is deprecated")  # its own
"""


def tagged(cell: NotebookNode, tag: str) -> bool:
    return tag in cell.metadata.get("tags", [])


def solution_code(cell: NotebookNode) -> str:
    """The code of a solution cell, which must be folded."""
    if cell.cell_type == "code":
        assert cell.metadata.get("jupyter", {}).get("source_hidden"), f"{cell.id} is not folded"
        return cell.source
    assert "<details>" in cell.source, f"{cell.id} is not folded"
    (source,) = re.findall(r"```python\n(.*?)```", cell.source, re.DOTALL)
    return source


def exercises(cells: list[NotebookNode]) -> dict[str, tuple[NotebookNode, str]]:
    """From the id of each check to the exercise that it checks, and the code of its solution."""
    kinds = {
        tag: [cell for cell in cells if tagged(cell, tag)]
        for tag in ("exercise", "check", "solution")
    }
    return {
        check.id: (exercise, solution_code(solution))
        for exercise, check, solution in zip(*kinds.values(), strict=True)
    }


def with_solutions(notebook: NotebookNode) -> NotebookNode:
    """Add behind every check: the solution, the check again, and the exercise as it was."""
    found = exercises(notebook.cells)
    cells = [new_code_cell(STRICT, id="strict")]
    for cell in copy.deepcopy(notebook.cells):
        cells.append(cell)
        if cell.id in found:
            exercise, solution = found[cell.id]
            for kind, source in (
                ("solution", solution), ("solved", cell.source), ("restored", exercise.source)
            ):  # fmt: skip
                cells.append(new_code_cell(source, id=f"{cell.id}-{kind}"))
    return new_notebook(cells=cells, metadata=notebook.metadata)


def execute(notebook: NotebookNode, folder: Path) -> dict[str, NotebookNode]:
    """Run in a kernel of this Python; an exception in a cell is raised here."""
    client = NotebookClient(
        notebook,
        timeout=600,
        kernel_name="python3",
        coalesce_streams=True,
        resources={"metadata": {"path": str(folder)}},
    )
    environment = os.environ | {
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": "",  # optimised, as readers have it
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    }
    environment.pop("PYTEST_CURRENT_TEST", None)  # else ipykernel leaves C++'s stderr alone
    client.execute(env=environment)
    return {cell.id: cell for cell in notebook.cells if cell.cell_type == "code"}


def printed(cell: NotebookNode) -> str:
    """All text that a cell shows, without the colours of a terminal."""
    texts = []
    for output in cell.outputs:
        if output.output_type == "stream":
            texts.append(output.text)
        elif not is_picture(output):  # whose text is only its size
            texts.append(output.get("data", {}).get("text/plain", ""))
    return re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(texts))


def is_picture(output: NotebookNode) -> bool:
    return any(kind.startswith("image/") for kind in output.get("data", {}))


def pictures(cell: NotebookNode) -> int:
    return sum(map(is_picture, cell.outputs))


def complaints(cell: NotebookNode) -> list[str]:
    """Errors, and whatever was written to stderr, where warnings go."""
    bad = [o for o in cell.outputs if o.output_type == "error" or o.get("name") == "stderr"]
    return [output.get("text") or output.get("evalue") for output in bad]


NUMBER = re.compile(r"(?<![\w.])[-+]?\d+(?:\.\d*)?(?:e[-+]?\d+)?(?!\w)")


def same_text(found: str, stored: str) -> bool:
    """Whether texts agree in their words, and in their numbers to 1 in 1000, or 1e-5.

    A printed number may be one off in its last digit.
    """
    if NUMBER.sub("#", found).split() != NUMBER.sub("#", stored).split():
        return False
    for a, b in zip(NUMBER.findall(found), NUMBER.findall(stored), strict=True):
        mantissa, _, exponent = b.partition("e")
        decimals = len(mantissa.partition(".")[2])
        last_digit = 1.01 * 10.0 ** (int(exponent or 0) - decimals) if "." in mantissa else 0
        if abs(float(a) - float(b)) > max(1e-5, 1e-3 * abs(float(b)), last_digit):
            return False
    return True


@pytest.mark.slow
@pytest.mark.parametrize("path", TUTORIALS, ids=lambda path: path.stem)
def test_tutorial_runs_as_stored(path, tmp_path):
    stored = nbformat.read(path, as_version=4)
    cells = execute(with_solutions(stored), tmp_path)
    for cell in cells.values():
        assert complaints(cell) == [], cell.source
    for cell in stored.cells:
        if cell.cell_type != "code":
            continue
        assert complaints(cell) == [], cell.source
        assert pictures(cells[cell.id]) == pictures(cell), cell.source
        if not tagged(cell, "varies"):
            found, wanted = printed(cells[cell.id]), printed(cell)
            assert same_text(found, wanted), f"{cell.source}\n\nnow {found}\n\nstored {wanted}"
        if tagged(cell, "check"):
            assert printed(cells[cell.id]).startswith("Not yet"), printed(cells[cell.id])
            solved = printed(cells[f"{cell.id}-solved"])
            assert solved.startswith("Right"), solved


@pytest.mark.parametrize("path", TUTORIALS, ids=lambda path: path.stem)
def test_tutorial_is_committed_as_it_should_be(path):
    assert path.stat().st_size < LARGEST
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    text = path.read_text()
    assert "colab.research.google.com" in text
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert len(exercises(notebook.cells)) >= 1
    for cell in code:
        if "pip install" in cell.source:  # it must leave Colab's own JAX alone
            assert "--no-deps" in cell.source
    for cell in code:
        for word in ("/tmp/", "/root/", "/home/", "site-packages", "object at 0x"):
            assert word not in printed(cell), cell.source


@pytest.mark.parametrize("path", TUTORIALS, ids=lambda path: path.stem)
def test_links_lead_somewhere(path):
    """To the other notebooks by their number, and to files that are there."""
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type != "markdown":
            continue
        for text, file in re.findall(r"\[([^\]]*)\]\((?!https?:)([^)#]+)", cell.source):
            assert (path.parent / file).is_file(), file
            for number in re.findall(r"^(?:[Nn]otebook )?(\d\d)$", text):
                assert file.startswith(number), (text, file)


def test_all_tutorials_are_there():
    assert [path.stem for path in TUTORIALS] == sorted(
        WITH_SETTINGS + WITH_OWN_NETWORKS + ON_DRAWN_SCENES
    )


@pytest.mark.parametrize("path", TUTORIALS, ids=lambda path: path.stem)
def test_weights_are_chosen_in_one_line(path):
    code = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    found = [cell for cell in code for _ in WEIGHTS.finditer(cell.source)]
    assert len(found) == (path.stem in WITH_SETTINGS)
    for cell in found:  # nothing but settings beside it
        lines = [line.partition("#")[0].strip() for line in cell.source.splitlines()]
        assert all(re.match(r"(weights|photographs|class_name|boxes) = \S", line) for line in lines)
    if path.stem in WITH_SETTINGS:  # and no other cell loads what it likes
        assert not any(re.search(r"load_vgg16\([\"']", cell.source) for cell in code)


@pytest.fixture(scope="session")
def full_size_file(tmp_path_factory):
    """A Keras file of the full-size VGG16 with random weights, 553 MB, removed afterwards."""
    path = tmp_path_factory.mktemp("full size") / "random.h5"
    jv.save_vgg16(jv.VGG16(), path)
    yield path
    path.unlink()


@pytest.mark.slow
@long
@pytest.mark.parametrize("name", FULL_SIZE)
def test_the_lab_runs_on_a_full_size_network(name, full_size_file, tmp_path):
    notebook = nbformat.read(TUTORIALS[0].with_stem(name), as_version=4)
    replaced = 0
    for cell in notebook.cells:
        if cell.cell_type == "code":
            line = f"weights = {str(full_size_file)!r}"
            cell.source, count = WEIGHTS.subn(lambda _, line=line: line, cell.source)
            replaced += count
    assert replaced == 1
    cells = execute(with_solutions(notebook), tmp_path)
    for cell in cells.values():
        assert complaints(cell) == [], cell.source
    solved = [printed(cell) for identifier, cell in cells.items() if identifier.endswith("-solved")]
    assert solved
    for text in solved:
        assert text.startswith("Right"), text


@pytest.mark.parametrize(
    ("found", "stored", "same"),
    [
        ("a 1.0000001", "a 1.0", True),
        ("a 1.0\n", "a  1.0", True),
        ("largest difference 1e-07", "largest difference 0.0", True),
        ("likeness 0.12", "likeness 0.13", True),
        ("likeness 0.12", "likeness 0.14", False),
        ("a 12", "a 13", False),
        ("a 1.01", "a 1.00005", False),
        ("a -1.0", "a 1.0", False),
        ("True", "False", False),
        ("a 1.0", "b 1.0", False),
        ("a 1.0 2.0", "a 1.0", False),
        ("\x1b", "", False),
    ],
)
def test_same_text(found, stored, same):
    assert same_text(found, stored) is same


GOOD = {
    "exercise": "a = ...",
    "check": "print('Right' if a == 1 else 'Not yet')",
    "solution": "a = 1",
}


def execute_here(notebook: NotebookNode, _: Path) -> dict[str, NotebookNode]:
    """Stand in for `execute` where nothing but print is in the cells: a kernel takes seconds."""
    names: dict = {}
    cells = {cell.id: cell for cell in notebook.cells if cell.id != "strict"}
    for cell in cells.values():
        if cell.cell_type == "code":
            with contextlib.redirect_stdout(io.StringIO()) as text:
                exec(cell.source, names)
            cell.outputs = [new_output("stream", name="stdout", text=text.getvalue())]
    return {identifier: cell for identifier, cell in cells.items() if cell.cell_type == "code"}


@pytest.mark.parametrize(
    ("change", "stored", "complaint"),
    [
        ({}, "Not yet\n", None),
        ({"solution": "a = 2"}, "Not yet\n", "Not yet"),
        ({"exercise": "a = 1"}, "Right\n", "Right"),
        ({"check": "print('Right')"}, "Right\n", "Right"),
        ({}, "Not yet 3\n", "stored Not yet 3"),
    ],
)
def test_a_defect_in_a_tutorial_is_seen(change, stored, complaint, tmp_path, monkeypatch):
    monkeypatch.setattr("test_tutorials.execute", execute_here)
    judge(change, stored, complaint, tmp_path)


@pytest.mark.slow  # a kernel each
@pytest.mark.parametrize(
    ("change", "stored", "complaint"),
    [
        ({}, "Not yet\n", None),
        ({"exercise": "import warnings; warnings.warn('old')"}, "", "UserWarning.*old"),
        ({"exercise": "import os; a = os.write(2, b'lo')"}, "Not yet\n", r"'lo'"),
        ({"exercise": "1 / 0"}, "", "ZeroDivisionError"),
    ],
)
def test_a_defect_that_a_kernel_shows_is_seen(change, stored, complaint, tmp_path):
    judge(change, stored, complaint, tmp_path)


def judge(change, stored, complaint, tmp_path):
    """Make a notebook with that defect, which has to get that complaint."""
    code = GOOD | change
    cells = [
        new_code_cell(code["exercise"], metadata={"tags": ["exercise"]}),
        new_code_cell(
            code["check"],
            metadata={"tags": ["check"]},
            outputs=[new_output("stream", name="stdout", text=stored)],
        ),
        new_markdown_cell(
            f"<details>\n\n```python\n{code['solution']}\n```\n</details>",
            metadata={"tags": ["solution"]},
        ),
    ]
    path = tmp_path / "small.ipynb"
    nbformat.write(new_notebook(cells=cells), path)
    if complaint is None:
        test_tutorial_runs_as_stored(path, tmp_path)
    else:
        with pytest.raises((AssertionError, CellExecutionError)) as error:
            test_tutorial_runs_as_stored(path, tmp_path)
        assert re.search(complaint, str(error.value), re.DOTALL)
