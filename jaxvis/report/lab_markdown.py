"""The hand-in in Markdown, its figures beside it."""

from collections.abc import Sequence

from jaxvis.report.lab_parts import Fold, HandIn, Section, Table
from jaxvis.report.lab_words import Paragraph, Words
from jaxvis.report.markdown import block, code, plain

LINE = "\\_" * 24  # to be filled in


def lab_markdown(hand: HandIn) -> str:
    """Return lab.md."""
    words = hand.words
    parts = [*_title_page(hand), f"## {plain(words.text('given_title'))}", *map(_text, hand.given)]
    for section in hand.sections:
        parts += _section(section, words)
    parts.append(f"## {plain(words.text('made_title'))}")
    parts.append("\n".join(f"- {_text(line)}" for line in hand.made))
    return "\n\n".join(parts) + "\n"


def _title_page(hand: HandIn) -> list[str]:
    def line(key: str) -> str:
        return plain(hand.words.text(key))

    group, student, teacher = (
        plain(one) or LINE for one in (hand.group, hand.student, hand.teacher)
    )
    blanks = (f"{LINE} ({line(key)})" for key in ("ministry", "university", "institute", "chair"))
    return [
        "  \n".join(blanks),
        f"# {line('title')}",
        f"{line('discipline')}  \n{line('subject')}",
        f"{line('done_by')} {line('student_of_group')} {group}, {student}  \n"
        f"{line('checked_by')} {teacher}",
        line("place_and_year"),
    ]


def _section(section: Section, words: Words) -> list[str]:
    parts = [f"# {plain(section.part)}"] if section.part else []
    parts += [f"## {plain(section.title)}", f"> {_text(section.task)}", *map(_text, section.about)]
    parts += _tables(section.tables)
    if section.code:
        parts.append(f"```python\n{section.code}\n```")
    for figure in section.figures:
        parts.append(f"![{plain(figure.alt)}]({figure.file})")
        parts.append(f"{plain(figure.label)} {_text(figure.caption)}")
    parts += map(_fold, section.folds)
    parts += _tables(section.measured)
    parts.append(f"**{plain(words.text('observed'))}.**")
    parts += map(_text, section.observed)
    return [*parts, f"**{plain(words.text('own_words'))}.**", f"... {words.text('your_words')}"]


def _text(paragraph: Paragraph) -> str:
    return "".join(code(span.text) if span.code else plain(span.text) for span in paragraph)


def _tables(tables: Sequence[Table]) -> list[str]:
    parts = []
    for table in tables:
        rows = [table.head, *table.rows]
        lines = ["| " + " | ".join(map(plain, row)) + " |" for row in rows]
        lines.insert(1, "|---" * len(table.head) + "|")
        parts += [f"{plain(table.label)} {_text(table.caption)}", "\n".join(lines)]
    return parts


def _fold(fold: Fold) -> str:
    return f"<details><summary>{plain(fold.title)}</summary>\n\n{block(fold.text)}\n\n</details>"
