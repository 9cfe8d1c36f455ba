"""Formulas as MathML, which browsers draw themselves: nothing is fetched, and no script runs."""

from html import escape
from typing import Any

from docutils import nodes
from latex2mathml.converter import convert


def inline(latex: str) -> str:
    return convert(latex)


def display(latex: str) -> str:
    return convert(latex, display="block")


def _inline(self: Any, node: nodes.math) -> None:
    self.body.append(inline(node.astext()))
    raise nodes.SkipNode


def _display(self: Any, node: nodes.math_block) -> None:
    text = node.astext()
    self.body.append(f'<div class="formula" role="math" aria-label="{escape(text)}">')
    self.body.append(display(text))
    self.body.append("</div>")
    raise nodes.SkipNode


def setup(app: Any) -> dict[str, bool]:
    app.add_html_math_renderer("mathml", (_inline, None), (_display, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
