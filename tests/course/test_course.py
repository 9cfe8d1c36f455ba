"""The checks of the notebooks: what they take, what they refuse, and what they say then.

Answers are run as a notebook runs them: code, in a namespace with the notebook's names.
"""

import inspect
import linecache
import re
import textwrap
from functools import cache
from importlib import import_module
from itertools import count
from pathlib import Path

import jax
import jax.numpy as jnp
import nbformat
import numpy as np
import pytest
from answers import (  # noqa: F401 - the files are looked up by the names of the lessons
    adversarial,
    any_model,
    backdoor,
    beyond_one_gradient,
    fooling_the_map,
    gradcam,
    gradient_microscope,
    images,
    keras_weights,
    masks_and_relevance,
    one_compiled_call,
    relu_rules,
    saliency,
    vgg16,
    which_is_best,
    your_own_model,
)

import jaxvis as jv
from jaxvis import course
from jaxvis.course import attacks
from jaxvis.course import images as course_images
from jaxvis.course.attempt import explained
from jaxvis.course.check import EXERCISES

TUTORIALS = Path(__file__).parent.parent.parent / "tutorials"
LESSONS = [lesson.__name__.rpartition(".")[2] for lesson in course.LESSONS]
NUMBER = count()


@cache
def cells(lesson):
    (path,) = TUTORIALS.rglob(f"[0-9][0-9]_{lesson}.ipynb")
    return nbformat.read(path, as_version=4).cells


def tagged(lesson, tag):
    return [cell for cell in cells(lesson) if tag in cell.metadata.get("tags", [])]


def run(code, names):
    """Run code as a cell, whose lines can be looked up, as IPython's can."""
    code = textwrap.dedent(code).strip("\n") + "\n"
    file = f"<cell {next(NUMBER)}>"
    linecache.cache[file] = len(code), None, code.splitlines(keepends=True), file
    exec(compile(code, file, "exec"), names)


def run_cell_with(lesson, text, names):
    """Run the notebook's own cell in which this text stands."""
    (cell,) = [
        c
        for c in cells(lesson)
        if c.cell_type == "code" and text in c.source and not c.metadata.get("tags")
    ]
    run(cell.source, names)


@pytest.fixture(autouse=True, scope="module")
def quickly():
    """Compile without XLA's optimisations: half of the time, for what runs once."""
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


@pytest.fixture(autouse=True)
def as_in_a_notebook():
    """JAX as it comes, and not as strict as in the other tests."""
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        yield


@cache
def small_vgg16():
    model = jv.VGG16(width=1 / 16, fc=16, classes=12, size=32, seed=3)
    return model, np.random.default_rng(0).normal(0, 60, (2, 32, 32, 3)).astype(np.float32)


@cache
def of_lesson(lesson):
    """The names that the notebook has defined where its exercises come."""
    names = {"np": np, "jnp": jnp, "jax": jax, "jv": jv, "__name__": "__main__"}
    if lesson == "images":
        names |= {
            name: getattr(course_images, name) for name in ("MEAN", "TORCH_MEAN", "TORCH_STD")
        }
    if lesson == "saliency":
        model, x = small_vgg16()
        names |= {"model": model, "x": x, "index": 0, "rival": 2}
        run("def logit(picture): return model(picture[None])[0, index]", names)
    if lesson == "gradient_microscope":
        run_cell_with(lesson, "def three_units", names)
    if lesson == "which_is_best":
        run_cell_with(lesson, "def ranks", names)
    if lesson == "one_compiled_call":
        model, pixels = small_vgg16()
        names |= {"model": model, "pixels": pixels, "target": 0}
    if lesson == "keras_weights":
        names |= {"height": 3, "width": 4, "channels": 5}
    if lesson == "your_own_model":
        names["x"] = np.zeros((2, 56, 56, 3), np.float32)
        run_cell_with(lesson, "def convolve", names)
        run_cell_with(lesson, "def initial", names)
    if lesson == "any_model":
        names["Literal"] = jax.extend.core.Literal
    if lesson == "adversarial":
        names |= {"attacks": attacks, "LOWEST": attacks.LOWEST, "HIGHEST": attacks.HIGHEST}
    return names


def checked(capsys, lesson, name, code):
    names = dict(of_lesson(lesson))
    run(code, names)
    capsys.readouterr()
    course.check(name, names)
    return capsys.readouterr().out


def of_exercise(lesson):
    """The exercise's name, and its cells: the gap, and the code of the solution."""
    for exercise, check, solution in zip(
        *(tagged(lesson, tag) for tag in ("exercise", "check", "solution")), strict=True
    ):
        (name,) = re.findall(r'jv\.course\.check\("(\w+)", globals\(\)\)', check.source)
        (code,) = re.findall(r"```python\n(.*?)```", solution.source, re.DOTALL)
        yield name, exercise.source, code


def answers(lesson, kind):
    return getattr(import_module(f"answers.{lesson}"), kind)


def right_answers():
    for lesson in LESSONS:
        for name, _, solution in of_exercise(lesson):
            for number, code in enumerate([solution, *answers(lesson, "RIGHT")[name]]):
                yield pytest.param(lesson, name, code, id=f"{name}-{number}")


def wrong_answers():
    for lesson in LESSONS:
        for name, gap, _ in of_exercise(lesson):
            for number, (code, words) in enumerate([(gap, ""), *answers(lesson, "WRONG")[name]]):
                yield pytest.param(lesson, name, code, words, id=f"{name}-{number}")


@pytest.mark.parametrize(("lesson", "name", "code"), list(right_answers()))
def test_right_however_it_is_written(capsys, lesson, name, code):
    said = checked(capsys, lesson, name, code)
    assert said.startswith("Right: "), said


@pytest.mark.parametrize(("lesson", "name", "code", "words"), list(wrong_answers()))
def test_wrong_and_what_is_said(capsys, lesson, name, code, words):
    said = checked(capsys, lesson, name, code)
    assert said.startswith("Not yet: "), said
    assert "\nHint: " in said
    course.hint()
    said += capsys.readouterr().out
    assert re.search(words, said), said


def test_at_least_three_right_and_five_wrong():
    asked = {name: lesson for lesson in LESSONS for name, _, _ in of_exercise(lesson)}
    assert asked.keys() == EXERCISES.keys()
    for name, lesson in asked.items():
        assert len(answers(lesson, "RIGHT")[name]) >= 3, name
        assert len(answers(lesson, "WRONG")[name]) >= 5, name


def test_no_answer_stands_in_sight():
    """A cell that checks is that line alone."""
    for lesson in LESSONS:
        for cell in tagged(lesson, "check"):
            assert re.fullmatch(r'jv\.course\.check\("\w+", globals\(\)\)', cell.source)


def test_hints_come_one_by_one(capsys):
    def hint():
        course.hint()
        return capsys.readouterr().out

    course.check("softmax", {"softmax": lambda z: np.exp(z)})
    first = capsys.readouterr().out
    assert first.count("Hint:") == 1
    assert ".max()" not in first
    assert ".max()" in hint()
    assert "folded" in hint()
    course.check("softmax", {"softmax": jax.nn.softmax})
    assert "Hint" not in capsys.readouterr().out
    assert "folded" in hint()


def test_what_is_not_there_is_asked_for(capsys):
    course.check("margin", {"margin": None, "margin_gradient": None})
    assert "`model` is not there" in capsys.readouterr().out


def test_an_exception_becomes_a_sentence_with_their_line(capsys):
    code = "def softmax(z):\n    e = np.exp(z)\n    return e / np.sum(e, axis=1)\n"
    said = checked(capsys, "vgg16", "softmax", code)
    assert "AxisError at the line `return e / np.sum(e, axis=1)`: axis 1 is out of bounds" in said
    assert "Traceback" not in said


def test_an_exception_that_a_check_did_not_think_of_as_well(capsys):
    class Odd:
        def __array__(self, dtype=None, copy=None):
            raise OSError("odd")

    course.check("softmax", {"softmax": lambda z: Odd()})
    assert "could not be compared: OSError" in capsys.readouterr().out


OF_ONE_FUNCTION = [
    name for name, one in EXERCISES.items() if [*inspect.signature(one.judge).parameters] == [name]
]


@pytest.mark.parametrize("name", OF_ONE_FUNCTION)
def test_nothing_comes_out_as_a_traceback(capsys, name):
    for answer in [
        lambda *_: None,
        lambda *_: "text",
        lambda *_: {},
        lambda *_: np.nan,
        lambda *_: [[1, 2], [3]],
        lambda *_: 1 / 0,
        lambda *_: undefined,
        lambda: 0,
        lambda *_: np.zeros(3)[5],
        None,
        "text",
    ]:
        course.check(name, {name: answer})
        said = capsys.readouterr().out
        assert said.startswith("Not yet: "), said
        assert "\nHint: " in said


@pytest.mark.parametrize("message", ["", "first\nsecond", "long " * 100])
def test_any_message(message):
    said = explained(ValueError(message))
    assert said.startswith("ValueError: ")
    assert "\n" not in said
    assert len(said) < 300
