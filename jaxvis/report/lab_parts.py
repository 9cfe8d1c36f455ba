"""What a hand-in is made of, as plain data: `hand_in` makes it, HTML and Markdown show it."""

from typing import NamedTuple

from jaxvis.report.lab_words import Paragraph, Words


class Figure(NamedTuple):
    """A file in the report's folder, what it shows, and that for whoever does not see it."""

    file: str
    label: str
    caption: Paragraph
    alt: str


class Table(NamedTuple):
    """A heading and rows of cells; the first column names the row."""

    label: str
    caption: Paragraph
    head: list[str]
    rows: list[list[str]]


class Fold(NamedTuple):
    """Lines that are shown when asked for, and always on paper."""

    title: str
    text: str


class Section(NamedTuple):
    """One task.

    Attributes:
        key: its name in addresses and in what a browser keeps.
        part: the heading of the part of the lab that begins here, or "".
        title: its heading.
        task: the lab's words.
        about: paragraphs before the code.
        tables: that belong to those.
        code: lines of Python.
        figures, folds: what the code makes.
        measured: tables of what was measured.
        observed: paragraphs on that.
    """

    key: str
    part: str
    title: str
    task: Paragraph
    about: list[Paragraph]
    tables: list[Table]
    code: str
    figures: list[Figure]
    folds: list[Fold]
    measured: list[Table]
    observed: list[Paragraph]


class HandIn(NamedTuple):
    """The whole: what stands on the title page, what was given, tasks, and how it was made."""

    words: Words
    student: str
    group: str
    teacher: str
    given: list[Paragraph]
    sections: list[Section]
    made: list[Paragraph]
