"""The hand-in as one file of HTML, with everything in it: to fill in on screen, and to print."""

import base64
import io
from importlib.resources import files
from pathlib import Path

from jaxvis.report.lab_parts import HandIn, Table

BLANKS = ("ministry", "university", "institute", "chair")  # lines at the top of a title page


JPEG_QUALITY = 92  # without a trace to the eye, and a third of the bytes of the PNG


def lab_html(hand: HandIn, place: Path) -> str:
    """Return lab.html; its figures are read from `place`, where they were drawn."""
    import jinja2  # when a page is wanted: half of the commands write none
    from PIL import Image

    def data_uri(name: str) -> str:
        buffer = io.BytesIO()
        with Image.open(place / name) as picture:
            picture.convert("RGB").save(buffer, "JPEG", quality=JPEG_QUALITY, subsampling=0)
        return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"

    assets = files("jaxvis.report") / "page_files"
    style, script = ((assets / f"lab.{kind}").read_text("utf-8") for kind in ("css", "js"))
    template = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    ).from_string((assets / "lab.html").read_text("utf-8"))
    page = template.render(
        hand=hand, text=hand.words.text, blanks=BLANKS, data_uri=data_uri, words_in=_words_in,
        style=style, script=script,
    )  # fmt: skip
    return page.lstrip()  # macros stand before it


def _words_in(table: Table, column: int) -> bool:
    """Whether a column holds words, which begin where the column does, and no numbers."""
    return not all(row[column][:1] in "0123456789\u2212\u2013" for row in table.rows)
