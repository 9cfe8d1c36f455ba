"""Make what a lecturer hands out: `python3 docs/editions.py OUT`, after `pip install '.[docs]'`.

    OUT/student/       gaps as they are, no solutions, checks folded; cells tagged for nbgrader
    OUT/instructor/    solutions in the gaps, run, so that every check says "Right"
    OUT/nbgrader/      a course folder: source/jaxvis/ and its settings, for generate_assignment
    OUT/slides/        a file for each lesson, with reveal.js in it; arrows, Esc, `?print-pdf`
    OUT/figures/       every figure of every lesson

All of it from the notebooks in tutorials/, by the tags of their cells. `--no-run` leaves the
instructor's edition unrun, which is the only part that takes minutes.
"""

import argparse
import copy
import sys
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import nbformat  # noqa: E402
from making import notebooks, slides  # noqa: E402
from making.notebooks import solution_code, tagged  # noqa: E402
from nbformat import NotebookNode  # noqa: E402

COURSE = "jaxvis"
POINTS = 2  # for every check
BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"

# nbgrader gives points to a cell that runs without an error. A check says "Right" or "Not yet".
BEFORE_CHECK = """\
# Graded: "Right" runs through, anything else is an error.
said = []


def print(*parts, **options):
    said.append(" ".join(str(part) for part in parts))
    __import__("builtins").print(*parts, **options)


"""
AFTER_CHECK = """

del print
assert said and said[0].startswith("Right"), said[0] if said else "nothing was said"
"""
SETTINGS = f'''\
"""nbgrader's settings for this course: nbgrader generate_assignment {COURSE}"""

c = get_config()  # noqa: F821
c.CourseDirectory.course_id = "{COURSE}"
c.ClearSolutions.code_stub = {{"python": "# your lines here"}}  # a gap has to run as it stands
c.ClearSolutions.begin_solution_delimeter = "{BEGIN.removeprefix("### ")}"
c.ClearSolutions.end_solution_delimeter = "{END.removeprefix("### ")}"
c.ExecutePreprocessor.timeout = 600
'''


def student(notebook: NotebookNode) -> NotebookNode:
    """Return a notebook without solutions; exercises and checks have not been run."""
    made = copy.deepcopy(notebook)
    made.cells = [cell for cell in made.cells if not tagged(cell, "solution")]
    for cell in made.cells:
        if tagged(cell, "exercise") or tagged(cell, "check"):
            cell.outputs, cell.execution_count = [], None
        if tagged(cell, "check"):
            cell.metadata["jupyter"] = {"source_hidden": True}
    return graded(made)


def instructor(notebook: NotebookNode) -> NotebookNode:
    """Return a notebook whose gaps hold the solutions, not yet run again."""
    made = copy.deepcopy(notebook)
    for gap, check, solution in notebooks.exercise_cells(made.cells):
        made.cells[gap].source = solution_code(made.cells[solution])
        for place in (gap, check):
            made.cells[place].outputs, made.cells[place].execution_count = [], None
    return made


def source(notebook: NotebookNode) -> NotebookNode:
    """Return a notebook from which nbgrader makes a release: gap, then the solution, marked."""
    made = copy.deepcopy(notebook)
    for gap, check, solution in notebooks.exercise_cells(made.cells):
        code = solution_code(made.cells[solution])
        made.cells[gap].source = f"{made.cells[gap].source}\n\n\n{BEGIN}\n{code}\n{END}"
        made.cells[check].source = BEFORE_CHECK + made.cells[check].source + AFTER_CHECK
        made.cells[check].metadata["jupyter"] = {"source_hidden": True}
    made.cells = [cell for cell in made.cells if not tagged(cell, "solution")]
    for cell in made.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return graded(made)


def graded(notebook: NotebookNode) -> NotebookNode:
    """Add nbgrader's metadata: exercises may be written, checks are locked and give points."""
    for cell in notebook.cells:
        if not (tagged(cell, "exercise") or tagged(cell, "check")):
            continue
        is_check = tagged(cell, "check")
        cell.metadata["nbgrader"] = {
            "schema_version": 3,
            "grade_id": cell.id,
            "grade": is_check,
            "solution": not is_check,
            "locked": is_check,
            "task": False,
        } | ({"points": POINTS} if is_check else {})
    return notebook


def run(notebook: NotebookNode) -> str | None:
    """Run a notebook in place; return why that was not possible, or which check is not right."""
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, DeadKernelError

    client = NotebookClient(
        notebook, timeout=900, kernel_name="python3", coalesce_streams=True, record_timing=False
    )
    try:
        client.execute()
    except CellExecutionError as error:
        return f"{error.ename}: {error.evalue}"
    except DeadKernelError as error:
        return f"the kernel is gone: {error}"
    for cell in notebook.cells:
        if tagged(cell, "check"):
            said = "".join(output.get("text", "") for output in cell.outputs)
            if not said.startswith("Right"):
                return f"the check {cell.id} says {said[:200]!r}"
    return None


def make(out: Path, executed: bool = True, say: Callable[[str], None] = print) -> list[str]:
    """Write all editions of all lessons; return what went wrong."""
    wrong = []
    for path in notebooks.paths():
        notebook = notebooks.read(path)
        filled = instructor(notebook)
        if executed and (problem := run(filled)):
            wrong.append(f"{path.name}: {problem}")
        for folder, edition in (
            ("student", student(notebook)),
            ("instructor", filled),
            (f"nbgrader/source/{COURSE}", source(notebook)),
        ):
            target = out / folder / path.name
            target.parent.mkdir(parents=True, exist_ok=True)
            nbformat.validate(edition)
            nbformat.write(edition, target)
        write(out / "slides" / f"{path.stem}.html", slides.page(path).encode())
        for name, data in slides.pictures(path).items():
            write(out / "figures" / name, data)
        say(f"{path.stem}: student, instructor{'' if executed else ' (not run)'}, slides, figures")
    write(out / "nbgrader" / "nbgrader_config.py", SETTINGS.encode())
    return wrong


def write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("out", type=Path, metavar="OUT")
    parser.add_argument("--no-run", action="store_true", help="do not run the instructor's edition")
    arguments = parser.parse_args()
    wrong = make(arguments.out, not arguments.no_run)
    print("\n".join(wrong), file=sys.stderr)
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
