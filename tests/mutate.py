"""Change one node of jaxvis's code at a time, and see whether the tests that mirror it fail.

    python tests/mutate.py [--count 120] [--seed 0] [--only FILE] [--log FILE.jsonl]

What it found, and why what survives may: tests/mutants.md. Each change is made in a copy of the
repository; what a log holds is not run again.
"""

import argparse
import ast
import copy
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("gradients", "methods", "any_model", "evaluate")
SECONDS = 120  # for the tests of one mutation; without any they take less than half of that

# The tests of a file, or of a folder, behind tests/.../test_<its name>.py, if that is not among
# them: the quickest first.
TESTS = {
    "gradients": "gradients/relu gradients/groups gradients/cut gradients/called",
    "gradients/compile_cache": "",
    "gradients/target": "methods/maps methods/saliency methods/grad_cam methods/several",
    "methods": "methods/maps methods/tf_keras_vis methods/saliency methods/grad_cam "
    "methods/catalogue methods/one_pass methods/several",
    "any_model": "any_model/cut_at any_model/expose any_model/adapters",
    "evaluate": "evaluate/tables evaluate/conclusion evaluate/readable evaluate/all_maps "
    "evaluate/any_network",
    "evaluate/verdict": "evaluate/conclusion evaluate/tables evaluate/verdict",
    "evaluate/metrics": "evaluate/metrics/peers",
    "evaluate/metrics/average_drop": "evaluate/metrics/rise evaluate/metrics/peers",
    "evaluate/metrics/bootstrap": "evaluate/metrics/sign_flip evaluate/tables",
    "evaluate/metrics/checks": "evaluate/metrics/location evaluate/metrics/fidelity "
    "evaluate/metrics/rise",
    "evaluate/metrics/draws": "evaluate/metrics/baselines evaluate/metrics/fidelity "
    "evaluate/one_by_one",
    "evaluate/metrics/road": "evaluate/metrics/rise evaluate/metrics/peers",
    "evaluate/metrics/removal": "evaluate/metrics/rise evaluate/metrics/peers",
    "evaluate/questions": "evaluate/questions/question evaluate/tables evaluate/conclusion "
    "evaluate/one_by_one",
}

SWAPS: dict[Any, Any] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.And: ast.Or, ast.Or: ast.And,
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult, ast.Mod: ast.Mult, ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
}  # fmt: skip
LOOKS = {
    "color", "fontsize", "frameon", "labelsize", "layout", "linewidth", "mfc", "ncols", "rotation",
    "rotation_mode", "ha", "marker",
}  # fmt: skip
CHECKS = {"strict"}  # of zip: an assertion
SYMMETRIC = {"min", "max", "minimum", "maximum", "isinstance"}  # or a TypeError at once
NAMES = {"min": "max", "max": "min", "minimum": "maximum", "maximum": "minimum"}


class Mutation(NamedTuple):
    """One change of a file, whose texts are as it was and as it is with it."""

    file: str
    line: int
    column: int
    what: str
    old: str
    new: str

    def label(self) -> str:
        """Return what is printed, and known again from a log."""
        return f"{self.file}:{self.line}:{self.column}: {self.what}"

    def tests(self, place: Path) -> list[str]:
        """Return the test files that belong to the file: its own, then those of its folder."""
        inside = Path(self.file).relative_to("jaxvis")
        own = Path("tests") / inside.parent / f"test_{inside.stem}.py"
        named = TESTS.get(inside.with_suffix("").as_posix(), TESTS[inside.parent.as_posix()])
        others = [_test(name) for name in named.split()]
        places = others if own in others else [own, *others]
        return list(dict.fromkeys(p.as_posix() for p in places if (place / p).exists()))


def mutations(file: str) -> list[Mutation]:
    """Return all changes of a file that compile."""
    source = (ROOT / file).read_bytes()
    starts = [0]
    for line in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    found = []
    for node, new, what in _changes(ast.parse(source)):
        start = starts[node.lineno - 1] + node.col_offset
        end = starts[node.end_lineno - 1] + node.end_col_offset
        text = (source[:start] + new.encode() + source[end:]).decode()
        try:
            compile(text, file, "exec")
        except SyntaxError:
            continue
        found.append(Mutation(file, node.lineno, node.col_offset, what, source.decode(), text))
    return found


def _code(node: Any) -> Iterator[Any]:
    """Walk what runs: no annotations, no texts, no arguments of what is raised, no looks."""
    yield node
    if isinstance(node, ast.JoinedStr | ast.Raise):
        return
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
                continue
            if isinstance(child, ast.keyword) and child.arg in LOOKS | CHECKS:
                continue
            if isinstance(child, ast.AST):
                yield from _code(child)


def _changes(tree: ast.AST) -> Iterator[tuple[Any, str, str]]:
    """Yield nodes with what is to stand in their place, and a word for it."""
    negative = {id(n.operand) for n in _code(tree) if isinstance(n, ast.UnaryOp)}
    for node in _code(tree):
        for new in _others(node):
            old, text = ast.unparse(node), ast.unparse(new)
            if text != old:
                text = f"({text})" if isinstance(new, ast.expr) else text
                yield node, text, f"{_short(old)} -> {_short(text)}"
        if isinstance(node, ast.Constant) and id(node) not in negative:
            if isinstance(node.value, bool):
                yield node, str(not node.value), f"{node.value} -> {not node.value}"
            elif isinstance(node.value, int | float):
                yield node, repr(node.value + 1), f"{node.value} -> {node.value + 1}"
        if isinstance(node, ast.If | ast.IfExp | ast.While):
            test = ast.unparse(node.test)
            yield node.test, f"(not ({test}))", f"if not: {_short(test)}"
        if isinstance(node, ast.stmt) and _can_go(node):
            yield node, "pass", f"without: {_short(ast.unparse(node))}"


def _others(node: Any) -> Iterator[ast.AST]:
    """Yield nodes like this one but for one thing."""
    new: Any
    if isinstance(node, ast.Compare):
        for place, op in enumerate(node.ops):
            new = copy.deepcopy(node)
            new.ops[place] = SWAPS[type(op)]()
            yield new
    if isinstance(node, ast.BinOp | ast.BoolOp | ast.AugAssign) and type(node.op) in SWAPS:
        new = copy.deepcopy(node)
        new.op = SWAPS[type(node.op)]()
        yield new
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        if isinstance(node.operand, ast.Constant):
            yield ast.Constant(0)
        else:
            yield node.operand
    if isinstance(node, ast.Call):
        for place, keyword in enumerate(node.keywords):
            if keyword.arg is not None and keyword.arg not in LOOKS | CHECKS:
                new = copy.deepcopy(node)
                del new.keywords[place]
                yield new
        name = getattr(node.func, "attr", getattr(node.func, "id", ""))
        starred = any(isinstance(value, ast.Starred) for value in node.args[:2])
        if len(node.args) > 1 and not starred and name not in SYMMETRIC:
            new = copy.deepcopy(node)
            new.args[:2] = new.args[1::-1]
            yield new
    if isinstance(node, ast.Name) and node.id in NAMES:
        yield ast.Name(NAMES[node.id])
    if isinstance(node, ast.Attribute) and node.attr in NAMES:
        new = copy.deepcopy(node)
        new.attr = NAMES[node.attr]
        yield new


def _can_go(node: ast.stmt) -> bool:
    """Whether a statement may be missing without a name that is then unknown."""
    if isinstance(node, ast.Expr):
        return not isinstance(node.value, ast.Constant)
    if isinstance(node, ast.Assign):
        return not any(isinstance(target, ast.Name | ast.Tuple) for target in node.targets)
    return isinstance(node, ast.AugAssign | ast.Raise | ast.Continue | ast.Break)


def _short(text: str) -> str:
    return text if len(text) < 80 else text[:77] + "..."


def _test(name: str) -> Path:
    folder, _, last = name.rpartition("/")
    return Path("tests", folder, f"test_{last}.py")


def failed(tests: list[str], place: Path) -> str:
    """Run tests in the copy; return the first that fails, or "" if none does."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-n", "0", "-p", "no:cacheprovider"]
    run = subprocess.run(
        [*command, *tests], cwd=place, env=environment(place, tests), timeout=SECONDS,
        capture_output=True, text=True,
    )  # fmt: skip
    if run.returncode == 0:
        return ""
    lines = [
        line.split(" ")[1] for line in run.stdout.splitlines() if line[:5] in ("FAILE", "ERROR")
    ]
    return next(iter(lines), "import")


def outcome(mutation: Mutation, place: Path) -> str:
    """Run the tests of a mutation in the copy, which is as it was afterwards."""
    changed = place / mutation.file
    changed.write_text(mutation.new, encoding="utf-8")
    try:
        found = failed(mutation.tests(place), place)
    except subprocess.TimeoutExpired:
        return "timeout"
    finally:
        changed.write_text(mutation.old, encoding="utf-8")
    return f"killed by {found}" if found else "survived"


def environment(place: Path, tests: list[str]) -> dict[str, str]:
    """No bytecode, for a change within one second can look old; what XLA compiles is kept."""
    own = {"PYTHONPATH": str(place), "PYTHONDONTWRITEBYTECODE": "1"}
    if any("compile_cache" in test for test in tests):
        return {k: v for k, v in os.environ.items() if not k.startswith("JAX_")} | own
    cache = {
        "JAX_COMPILATION_CACHE_DIR": str(place / "compiled"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    }
    return cache | os.environ | own


def chosen(count: int, seed: int, only: str | None) -> list[Mutation]:
    """Return so many mutations that a seed repeats, of one file or of all."""
    files = [
        path.relative_to(ROOT).as_posix()
        for room in ROOMS
        for path in sorted((ROOT / "jaxvis" / room).rglob("*.py"))
    ]
    if only is not None:
        files = [file for file in files if file == only]
    every = [one for file in files for one in mutations(file)]
    return random.Random(seed).sample(every, min(count, len(every)))


def main() -> None:
    """Run the mutations, and print one line for each."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--count", type=int, default=120)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", metavar="FILE", help="such as jaxvis/gradients/relu.py")
    parser.add_argument("--log", type=Path, metavar="FILE.jsonl")
    asked = parser.parse_args()
    known: dict[str, str] = {}
    if asked.log is not None and asked.log.exists():
        rows = [json.loads(line) for line in asked.log.read_text().splitlines()]
        known = {row["mutation"]: row["outcome"] for row in rows}
    every = [(one, one.label()) for one in chosen(asked.count, asked.seed, asked.only)]
    counted: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "copy"
        shutil.copytree(ROOT, place, ignore=shutil.ignore_patterns(".git", "__pycache__"))
        used = {
            test: None for one, label in every if label not in known for test in one.tests(place)
        }
        for test in used:  # a test that fails of the code as it is would kill all
            if found := failed([test], place):
                sys.exit(f"{found} fails without any mutation")
        for one, label in every:
            started = time.perf_counter()
            result = known.get(label) or outcome(one, place)
            seconds = round(time.perf_counter() - started, 1)
            if asked.log is not None and label not in known:
                with asked.log.open("a") as log:
                    row = {"mutation": label, "outcome": result, "seconds": seconds}
                    log.write(json.dumps(row) + "\n")
            counted[result.split()[0]] += 1
            print(f"{result}  {seconds:.1f} s  {label}", flush=True)
    total = sum(counted.values())
    print(f"{total - counted['survived']} of {total} killed ({counted['timeout']} by time)")


if __name__ == "__main__":
    main()
