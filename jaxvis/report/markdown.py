"""The text of the lab report, in Markdown."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from jaxvis.evaluate.evaluation import Evaluation
from jaxvis.evaluate.readable import in_brief
from jaxvis.evaluate.tables import deciding, in_markdown, markdown
from jaxvis.methods.catalogue import METHODS
from jaxvis.methods.method import ANY, Method
from jaxvis.models.preprocessing import in_words
from jaxvis.pictures import palette
from jaxvis.pictures.presets import PRESETS
from jaxvis.report.result import Result, capitalised, left_out_text
from jaxvis.text import visible
from jaxvis.types import AnyArray

# What a rule does to a map of the input's size, and to one of a layer's.
RULES = {
    "vanilla": "Backpropagation as it is: a ReLU passes the gradient where its input was positive "
    "(Simonyan et al. 2013). Every pixel that would change the score shows, for or against it.",
    "rectified": "The deconvnet rule: a ReLU passes the gradient where the gradient is positive, "
    "whatever its input was (Zeiler & Fergus 2013).",
    "guided": "Guided backpropagation: both gates at once (Springenberg et al. 2014). Edges stand "
    "out clearly, which looks precise; whether they matter to the class is another question.",
}
RULES_AT_LAYER = {
    "vanilla": "Under backpropagation as it is, laid over the image.",
    "rectified": "The same under the deconvnet rule, which here touches only the ReLUs above the "
    "layer.",
    "guided": "The same under guided backpropagation, again only above the layer.",
}
MOST_NAMED = 8  # images in the alternative text of a figure
OWN_SCALE = "Each map has a scale of its own, from its smallest value to its 99.5th percentile."


def page(result: Result, drawn: Mapping[str, list[str]], environment: Mapping[str, Any]) -> str:
    """Return report.md: predictions, figures with a line on each, summary, versions, conclusion."""
    parts = ["# What the network looks at", _predictions(result), "## The images"]
    parts += _figures(
        drawn["inputs"],
        _of(result, "Input images"),
        "The images at the size that the network reads, before their colours are scaled for it, "
        "with the class explained and its probability.",
    )
    for name in result.maps.methods:
        parts += _method(result, METHODS[name], drawn)
    parts.append("## All together")
    if result.options.preset is None:
        together = (
            "Raw values, one scale per row: rows can be compared along themselves, not with each "
            "other."
        )
    else:
        together = "Every map on a scale of its own: what can be compared is where, not how much."
    rows = ", ".join(row.label for row in result.maps.rows())
    shows = _of(result, f"Grid, a row each for input, {rows}; a column each")
    parts += _figures(drawn["comparison"], shows, together)
    parts += ["## The network", block(result.network.summary())]
    parts += ["## How it was made", _made(result, environment)]
    if result.evaluation is not None:
        parts += measured(result.evaluation, result.options.network)
    return "\n\n".join(parts) + "\n"


def measured(evaluation: Evaluation, network: str) -> list[str]:
    """What was measured, and what follows: three sentences, the table that decides and its rule;
    folded away, every map by itself, the rule in full and all figures."""
    brief, asked = in_brief(evaluation, network), evaluation.questions
    _, *at_length = evaluation.conclusion
    parts = ["## Which map tells the truth?", *brief.sentences]
    parts += [in_markdown([brief.heading, *brief.rows]), f"**The rule.** {brief.rule}"]
    parts += [f"**Note.** {note}" for note in brief.notes]
    parts += _folded("Map by map, and the rule in full", at_length)
    parts += _folded("Each figure that decides", [deciding(asked, evaluation.verdict)])
    return parts + _folded(
        "All that was measured",
        [text for question in asked for text in (f"### {question.title}", markdown(question))],
    )


def _folded(summary: str, parts: Iterable[str]) -> list[str]:
    """Parts that a reader opens; the blank lines around them let Markdown find its tables there."""
    return [f"<details>\n<summary>{summary}</summary>", *parts, "</details>"]


def _method(result: Result, method: Method, drawn: Mapping[str, list[str]]) -> list[str]:
    """The section of a method: what it is, and a figure for every rule."""
    if method.at == "layer":
        parts = [f"## {capitalised(method.title)} of {layer(result.network.layer_name)}"]
        scale = "Maps are enlarged and laid over the image."
        rules = RULES_AT_LAYER
    else:
        parts = [f"## {capitalised(method.title)} maps"]
        scale = "" if result.options.preset else OWN_SCALE
        rules = RULES
    parts.append(" ".join(filter(None, [f"{method.about} {method.paper}.", scale, _signs(result)])))
    by_rule = result.drawn()[method.name]
    if method.at == "layer" and len(by_rule) > 1 and _all_equal(by_rule.values()):
        parts.append(
            "There is no ReLU above this layer, where alone a rule could change these maps: they "
            "are the same under every rule."
        )
    for rule, maps in by_rule.items():
        if rule != ANY:
            parts.append(f"### {capitalised(rule)}")
        under = "" if rule == ANY else f", {rule} rule"
        how = "over each image" if method.at == "layer" else "under each image"
        shows = _of(result, f"{capitalised(method.title)}{under}, {how}")
        parts += _figures(
            drawn[f"{method.name} {rule}"], shows, rules.get(rule, ""), _nothing(result, maps)
        )
    return parts


def _signs(result: Result) -> str:
    """Say so where a preset shows the signs that a method's own maps do without."""
    preset = result.options.preset
    if preset is None or not PRESETS[preset].signed:
        return ""
    return "Here with signs: the middle of the colours is 0, as the colour bar says."


def _all_equal(maps: Iterable[np.ndarray]) -> bool:
    first, *others = maps
    return all(np.array_equal(first, other) for other in others)


def _predictions(result: Result) -> str:
    """A table: the explained class and the five most probable ones of every image."""
    columns = len(result.predictions[0])
    ranks = " | ".join(f"{rank}." for rank in range(1, columns + 1))
    lines = [f"| image | explained for | {ranks} |", "|" + "---|" * (columns + 2)]
    for file, index, row in zip(result.files, result.classes, result.predictions, strict=True):
        name = result.network.class_name(index)
        best = " | ".join(f"{plain(p.name)} {100 * p.probability:.1f} %" for p in row)
        lines.append(f"| {plain(file.name)} | {plain(name)} ({index}) | {best} |")
    return "\n".join(lines)


def plain(text: str) -> str:
    """Text in which Markdown and HTML find nothing to do, on one line."""
    return "".join("\\" + mark if mark in "\\`*_{}[]<>#|&~$" else mark for mark in visible(text))


def layer(text: str) -> str:
    """A layer's name: as it is, if it is one word, inside which Markdown lets a _, / or # be."""
    return text if re.fullmatch(r"[\w .-][\w ./#-]*", text) else plain(text)


def code(text: str) -> str:
    """Text as code, between more backticks than stand together in it."""
    text = visible(text)
    fence = "`" * (_longest_run(text) + 1)
    space = " " if "`" in text else ""
    return f"{fence}{space}{text}{space}{fence}"


def block(text: str) -> str:
    """Lines of code."""
    text = visible(text, keep="\n")
    fence = "`" * max(3, _longest_run(text) + 1)
    return f"{fence}\n{text}\n{fence}"


def _longest_run(text: str) -> int:
    return max(map(len, re.findall("`+", text)), default=0)


def _of(result: Result, shows: str) -> str:
    """What a figure shows, and of which images: its alternative text."""
    named = [
        f"{file.name} for {result.network.class_name(index)}"
        for file, index in zip(result.files, result.classes, strict=True)
    ]
    more = f" and {len(named) - MOST_NAMED} more" if len(named) > MOST_NAMED else ""
    return f"{shows}: {', '.join(named[:MOST_NAMED])}{more}"


def _figures(files: list[str], shows: str, *lines: str) -> list[str]:
    """Return a figure with what it shows in words, links to its further parts, and lines below."""
    first, *others = files
    words = plain(shows)
    # A PDF cannot be shown in a page of Markdown: a link to it.
    parts = [f"[{words}]({first})" if first.endswith(".pdf") else f"![{words}]({first})"]
    if others:
        parts.append("More images: " + ", ".join(f"[{file}]({file})" for file in others) + ".")
    return parts + [line for line in lines if line]


def _nothing(result: Result, maps: AnyArray) -> str:
    """Say which maps are zero everywhere, so that nobody reads a picture into nothing."""
    empty = [
        plain(file.name) for file, one in zip(result.files, maps, strict=True) if not one.any()
    ]
    if not empty:
        return ""
    return f"Nothing positive: the map is zero everywhere for {', '.join(empty)}."


def _looks(result: Result) -> str:
    """Say how maps became colours: by which preset, and in which colours which method."""
    asked, preset = result.options.colormap, result.options.preset
    if preset is not None:
        colours = palette.in_words(asked or PRESETS[preset].colormap)
        return f"every map as the preset '{preset}' shows it, colours {colours}"
    titles: dict[str, list[str]] = {}
    for (name, _), colormap in zip(result.maps, result.colormaps(), strict=True):
        known = titles.setdefault(palette.in_words(colormap), [])
        if METHODS[name].title not in known:
            known.append(METHODS[name].title)
    if len(titles) == 1:
        return f"colours {next(iter(titles))}"
    return "colours " + "; ".join(f"{key} of {', '.join(of)}" for key, of in titles.items())


def _made(result: Result, environment: Mapping[str, Any]) -> str:
    options = result.options
    aside = {name: result.seconds[name] for name in ("evaluate", "draw") if name in result.seconds}
    alone = [f"{name} {value:.2f} s" for name, value in result.seconds.items() if name not in aside]
    beside = " beside ".join(f"{name} {value:.2f} s" for name, value in aside.items())
    versions = ", ".join(f"{name} {number}" for name, number in environment["versions"].items())
    return "\n".join(
        [
            f"- Network: {code(options.network)}.",
            f"- Images: resized with '{options.resample}', and read as "
            f"{plain(in_words(result.network.preprocess))}.",
            f"- Figures: {_looks(result)}.",
            f"- Device: {environment['device']}.",
            f"- Time: {', '.join([*alone, beside])}.",
            f"- Versions: {versions}.",
            "- Raw values: `maps.npz`.",
            *(f"- {sentence}" for sentence in left_out_text(options.methods, result.maps.methods)),
        ]
    )
