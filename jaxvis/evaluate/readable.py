"""An evaluation in brief: what a page, a report and a terminal show of it before all figures."""

import math
import textwrap
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from jaxvis.evaluate.conclusion import findings
from jaxvis.evaluate.evaluation import Evaluation
from jaxvis.evaluate.metrics.baselines import BASELINES
from jaxvis.evaluate.questions import depends
from jaxvis.evaluate.questions.question import Question, shown
from jaxvis.evaluate.sentences import sentences
from jaxvis.evaluate.verdict import FAILED, LEVEL, MARKS, NOT_SETTLED, PASSED, Verdict

MOST_COLUMNS = 5  # what can be read at a glance, and fits a page
NO_VALUE = "none"  # where a map is zero everywhere, there is no likeness
ASKS = {
    "where": "Where?",
    "which": "Which of two?",
    "matters": "Does it matter?",
    depends.NETWORK: "All layers re-initialised",
    depends.LAST: "Last layer re-initialised",
}
ASKS_BOTH = "All layers / the last re-initialised"
# Of which network and map there is more to know: weights/README.md has the figures.
NOTES = (
    ("demo", "Grad-CAM rectified", "Grad-CAM rectified of the demo owes its existence to how fc1 "
     "was centred in training: without that it was zero everywhere on all 200 scenes looked at."),
)  # fmt: skip


class Brief(NamedTuple):
    """What an evaluation comes to, as plain text.

    Attributes:
        sentences: three: what passed; what failed and what that means; what is not settled. Of too
            few images: that nothing is settled; what the figures describe; what is needed.
        heading: of the table, five columns at most: "map", and what each column asks.
        rows: one a map, controls last: its name, and the means that decide with a mark.
        rule: in one line, when a mark is given.
        findings: what was found of each map, by its name.
        notes: what else has to be known of this network, and what was not asked: sentences.
    """

    sentences: list[str]
    heading: list[str]
    rows: list[list[str]]
    rule: str
    findings: dict[str, str]
    notes: list[str]


def in_brief(evaluation: Evaluation, network: str = "") -> Brief:
    """Return three sentences, the table that decides, and its rule; `network` as `load` takes it,
    for what else has to be known of it."""
    questions, found = evaluation.questions, evaluation.verdict
    columns = _columns(questions)
    names = list(dict.fromkeys(name for question in questions for name in question.values))
    return Brief(
        sentences(questions, found),
        ["map", *(_heading(column) for column in columns)],
        [
            [name, *(_cell([q for q in column if name in q.values], found, name)
                     for column in columns)]
            for name in names
        ],
        _rule(questions, found),
        findings(questions, found),
        [
            *(note for of, name, note in NOTES if of == network and name in names),
            *evaluation.left_out,
        ],
    )  # fmt: skip


def in_columns(heading: Sequence[str], rows: Sequence[Sequence[str]], width: int = 18) -> str:
    """Return a table as text, in columns of even width, its heading broken at about `width`."""
    broken = [in_lines(text, width) for text in heading]
    tall = max(map(len, broken))
    lines = [[cell[line] if line < len(cell) else "" for cell in broken] for line in range(tall)]
    widths = [max(len(row[place]) for row in [*lines, *rows]) for place in range(len(heading))]

    def even(row: Sequence[str]) -> str:
        return "  ".join(cell.ljust(wide) for cell, wide in zip(row, widths, strict=True)).rstrip()

    between = "  ".join("-" * wide for wide in widths)
    return "\n".join([*map(even, lines), between, *map(even, rows)])


def in_lines(text: str, width: int) -> list[str]:
    """Return a text in lines of at most `width` letters; a percent sign stays with its number."""
    kept = text.replace(" %", "\N{NO-BREAK SPACE}%")
    lines = textwrap.wrap(kept, width, break_on_hyphens=False, break_long_words=False)
    return [line.replace("\N{NO-BREAK SPACE}", " ") for line in lines] or [""]


def _columns(questions: Sequence[Question]) -> list[list[Question]]:
    """The questions of each column: two that show the same figures share one if there are many."""
    columns: list[list[Question]] = []
    for question in questions:
        shared = len(questions) >= MOST_COLUMNS and columns and question.draws
        if shared and columns[-1][-1].draws:
            columns[-1].append(question)
        else:
            columns.append([question])
    return columns


def _heading(column: Sequence[Question]) -> str:
    first = column[0]
    asks = ASKS.get(first.key, first.title) if len(column) == 1 else ASKS_BOTH
    images = "1 image" if first.images == 1 else f"{first.images} images"
    return f"{asks}{'' if asks.endswith('?') else ':'} {', '.join(first.decide)} ({images})"


def _cell(column: Sequence[Question], found: Verdict, name: str) -> str:
    """Return the means of a map and its mark; a control has none, and two questions have two."""
    return " / ".join(
        " ".join([_means(question, name), *_mark(question, found, name)]) for question in column
    )


def _means(question: Question, name: str) -> str:
    means = [question.estimate(name, metric).mean for metric in question.decide]
    return ", ".join(NO_VALUE if math.isnan(mean) else shown(mean) for mean in means)


def _mark(question: Question, found: Verdict, name: str) -> Iterator[str]:
    if name not in BASELINES:
        yield MARKS[found.marks[name][question.key]]


def _rule(questions: Sequence[Question], found: Verdict) -> str:
    passes, fails = [], []
    if any(question.line is None for question in questions):
        passes.append("better than every control (the last rows) by one figure, worse by none")
        fails.append("worse than one")
    if any(question.key == "which" for question in questions):
        passes.append("of two objects above 0")
        fails.append("below 0")
    if any(question.draws for question in questions):
        passes.append(f"re-initialised, both likenesses below {depends.LINE} (ours)")
        fails.append("both above")
    tests = len(found.comparisons)
    corrected = f", corrected for all {tests} comparisons (Holm)" if tests > 1 else ""
    return (
        f"{MARKS[PASSED]} passes: clearly {'; '.join(passes)}. {MARKS[FAILED]} fails: clearly "
        f"{'; '.join(fails)}. {MARKS[NOT_SETTLED]} is not settled. Clear is what an exact paired "
        f"sign-flip test finds at {100 * LEVEL:.0f} %{corrected}."
    )
