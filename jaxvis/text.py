"""Text that comes from outside, as one can show it: a name may hold anything but a slash."""

import unicodedata

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
