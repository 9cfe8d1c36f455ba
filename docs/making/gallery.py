"""Tables and cards of lessons and methods, as Markdown."""

import re
from pathlib import Path

from making import notebooks
from making.notebooks import Lesson


def table(lessons: list[Lesson]) -> str:
    """Return the lab path: what each lesson is about, what one writes, and how long it takes."""
    rows = ["| | lesson | you write | about |", "|---|---|---|---|"]
    for one in lessons:
        rows.append(
            f"| {one.number} | [{one.title}](../tutorials/{one.path.name}) | "
            f"{' · '.join(one.exercises)} | {one.minutes}\u00a0min |"
        )
    minutes = sum(one.minutes for one in lessons)
    rows.append(f"| | all {len(lessons)}, with exercises | | {minutes / 60:.0f}\u00a0hours |")
    return "\n".join(rows)


def toctree(lessons: list[Lesson]) -> str:
    lines = ["```{toctree}", ":hidden:", ":maxdepth: 1", ":caption: The lab", "", "lab"]
    lines += [f"tutorials/{one.path.stem}" for one in lessons]
    return "\n".join([*lines, "```"])


def lesson_cards(lessons: list[Lesson], folder: Path) -> str:
    """Return a grid of cards, and write the thumbnails they show."""
    folder.mkdir(parents=True, exist_ok=True)
    cards = []
    for one in lessons:
        data = notebooks.thumbnail(one.path)
        card = [f":::{{grid-item-card}} {one.number} {one.title}",
                f":link: tutorials/{one.path.stem}", ":link-type: doc"]  # fmt: skip
        if data is not None:
            (folder / f"{one.path.stem}.jpg").write_bytes(data)
            card += [f":img-top: _thumbnails/{one.path.stem}.jpg",
                     f":img-alt: A picture of the lesson {one.title}"]  # fmt: skip
        cards.append("\n".join([*card, "", _first_sentence(one.about), ":::"]))
    return _grid(cards)


def method_cards() -> str:
    """Return a grid of cards, one a method, from the catalogue; thumbnails lie in _static."""
    import jaxvis as jv

    cards = []
    for name, method in jv.METHODS.items():
        title = method.title[0].upper() + method.title[1:]
        cards.append("\n".join([
            f":::{{grid-item-card}} {title}", f":link: jv.{name}", ":link-type: any",
            f":img-top: _static/methods/{name}.jpg",
            f":img-alt: The map that {method.title} makes of a drawn goose", "",
            f"{method.about}", "", f"*{method.paper}*", ":::",
        ]))  # fmt: skip
    return _grid(cards)


def also_cited(bibliography: str, lessons: list[Lesson]) -> str:
    """Return a list of the papers that lessons link to and the bibliography does not have."""
    found: dict[str, list[str]] = {}
    for one in lessons:
        text = one.path.read_text(encoding="utf-8")
        for number in re.findall(r"https://arxiv\.org/abs/(\d{4}\.\d{4,5})", text):
            if number not in bibliography:
                found.setdefault(number, [])
                if one.number not in found[number]:
                    found[number].append(one.number)
    lines = [f"- [arXiv {number}](https://arxiv.org/abs/{number}), in lesson {', '.join(where)}"
             for number, where in sorted(found.items())]  # fmt: skip
    return "\n".join(lines) or "Nothing that is not in the lists above."


def _grid(cards: list[str]) -> str:
    return "\n".join(["::::{grid} 1 2 3 3", ":gutter: 3", "", "\n\n".join(cards), "::::"])


def _first_sentence(text: str) -> str:
    """Return the first sentence, without what is bold; a long one up to a comma."""
    text = re.sub(r"\*\*The problem\.\*\* *", "", text).replace("**", "")
    for end in (". ", "? ", ": "):
        if 30 < text.find(end) < 220:
            return text[: text.find(end)] + end[0].replace(":", ".")
    if len(text) <= 220:
        return text
    cut = text[:180].rpartition(",")[0] or text[:180].rpartition(" ")[0]
    return cut + " ..."
