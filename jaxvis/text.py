"""Text that comes from outside, as one can show it: a name may hold anything but a slash."""

import difflib
import unicodedata
from collections.abc import Iterable

# Controls move a terminal's cursor or break lines; formats, as those that turn the direction of
# writing, make a name look like another; surrogates are bytes of a name that are no UTF-8.
_HIDDEN = ("Cc", "Cf", "Cs", "Zl", "Zp")
_JOINERS = "\N{ZERO WIDTH NON-JOINER}\N{ZERO WIDTH JOINER}"  # parts of words in many languages


def visible(text: object, keep: str = "") -> str:
    r"""Return the text with what cannot be seen written out, as \x1b or \n; not those in `keep`."""
    return "".join(
        character if character in keep + _JOINERS or unicodedata.category(character) not in _HIDDEN
        else _written_out(character)
        for character in str(text)
    )  # fmt: skip


def _written_out(character: str) -> str:
    if "\udc80" <= character <= "\udcff":  # a byte, as os.fsdecode has it
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape").decode("ascii")


def near_names(name: object, known: Iterable[str], most: int) -> list[str]:
    """Return so many of the names that are most like one that is not known, whatever its case."""
    by_lower = {one.lower(): one for one in known}
    found = difflib.get_close_matches(str(name).lower(), by_lower, n=most, cutoff=0.5)
    return [by_lower[lower] for lower in found]
