"""Words of the hand-in in one language: texts filled in, nouns counted, numbers as they are written
there."""

import math
import re
from typing import Any, NamedTuple

from jaxvis.report.lab_texts import NOUNS, ON_IMAGES, TEXTS
from jaxvis.text import visible

LANGUAGES = ("en", "ru")
SPACE = "\N{NO-BREAK SPACE}"
NOTHING = "\N{EN DASH}"


class Span(NamedTuple):
    """Part of a paragraph: words, or code."""

    text: str
    code: bool = False


Paragraph = tuple[Span, ...]


class Words(NamedTuple):
    """One language: "en" or "ru"."""

    language: str

    def text(self, key: str, **values: Any) -> str:
        """Return a text without code, filled in."""
        return self._as_set(key).format(**values)

    def paragraph(self, key: str, **values: Any) -> Paragraph:
        """Return a text as spans, filled in: a value never ends or begins code."""
        parts = self._as_set(key).split("`")
        return tuple(
            Span(visible(part.format(**values)), bool(number % 2))
            for number, part in enumerate(parts)
            if part
        )

    def _as_set(self, key: str) -> str:
        """A text in which no line begins with a dash or a sign that belongs to what precedes."""
        text = str(getattr(TEXTS[key], self.language))
        return re.sub(r" (?=— )|(?<=\d) (?=%)|(?<=№) ", SPACE, text)

    def counted(self, n: int, noun: str) -> str:
        """Return a number and its noun: 2 images, 5 изображений."""
        forms = getattr(NOUNS[noun], self.language)
        if self.language == "en":
            form = forms[n != 1]
        elif n % 100 in range(11, 15) or n % 10 not in (1, 2, 3, 4):
            form = forms[2]
        else:
            form = forms[n % 10 != 1]
        return f"{self.whole(n)}{SPACE}{form}"

    def on_images(self, n: int) -> str:
        """Return "this image", or "these 4 images", as it stands behind "on" ("по")."""
        one, more = getattr(ON_IMAGES, self.language)
        return one if n == 1 else more.format(n=self.whole(n))

    def whole(self, n: int) -> str:
        """Return a whole number, its thousands apart."""
        text = f"{n:,}"
        return text if self.language == "en" else text.replace(",", SPACE)

    def number(self, value: float, digits: int = 2) -> str:
        """Return a number with so many digits, and no minus before a zero; a dash for NaN."""
        if math.isnan(value):
            return NOTHING
        text = f"{round(value, digits) + 0.0:.{digits}f}"
        return text if self.language == "en" else text.replace(".", ",").replace("-", "\u2212")

    def percent(self, share: float, digits: int = 1) -> str:
        """Return a share as per cent."""
        return NOTHING if math.isnan(share) else f"{self.number(100 * share, digits)}{SPACE}%"
