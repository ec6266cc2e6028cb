"""Make LaTeX print any text as it stands."""

import re
import unicodedata
from itertools import groupby


class Latex(str):
    """Text that is LaTeX already and is not escaped again."""

    __slots__ = ()


# Letters that T1 fonts hold, less the few that they lack, and signs of the companion fonts.
_LETTERS = ((0x20, 0x7E), (0xC0, 0x17F), (0x218, 0x21B), (0x1E9E, 0x1E9E))
_LACKING = frozenset("ĦħĸĿŀŉŦŧſ")
_SIGNS = frozenset("\u00a0¡¢£¥§©ª«®°±²³µ¶·¹º»¼½¾¿–—‘’‚“”„†‡•…‰‹›€™")

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    # Where a row of a table begins, the line break before would take these for its own options.
    "[": "{[}",
    "]": "{]}",
    "*": "{*}",
    # T1 fonts join these with their neighbours into other signs.
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    '"': r"\textquotedbl{}",
    "`": r"\textasciigrave{}",
    "|": r"\textbar{}",
    "\u00a0": "~",
}
_JOINED = re.compile(r"([-,'])(?=\1)")


def escape_latex(text: str) -> Latex:
    """Make LaTeX print a text as it stands, within one paragraph.

    Characters that the fonts of the paper lack are printed as their code points, such as [U+732B].
    """
    # An empty line would end the paragraph, and with it the table that the text stands in.
    composed = unicodedata.normalize("NFC", re.sub(r"[ \t\r\n\f\v]+", " ", text))
    pieces = []
    for covered, characters in groupby(composed, _is_covered):
        if covered:
            pieces.append(_JOINED.sub(r"\1{}", "".join(_SPECIAL.get(character, character) for character in characters)))
        else:
            pieces.append(rf"\texttt{{[{' '.join(f'U+{ord(character):04X}' for character in characters)}]}}")
    return Latex("".join(pieces))


def _is_covered(character: str) -> bool:
    in_range = any(first <= ord(character) <= last for first, last in _LETTERS)
    return character in _SIGNS or (in_range and character not in _LACKING)


def mark_latex(text: str) -> Latex:
    """Mark text as LaTeX; line feeds at its ends could end the paragraph that it is put into."""
    return Latex(str(text).strip())
