r"""The sentences of the paper's claims as plain text: what LaTeX would print of them.

It knows the commands that `escape_latex`, the filters of the paper and the claims write, and no others.
"""

import re
from collections.abc import Mapping

from fusionseq.escaping import Latex, escape_latex

_SIGNS = {str(escape_latex(sign)): sign for sign in '\\{}$&#%_~^[]*<>"`|\u00a0'} | {
    r"\ensuremath{-}": "\u2212",
    "{,}": ",",
    "---": "—",
    "--": "–",
    "``": "“",
    "''": "”",
}
# A longer command may begin as a shorter one does.
_TOKEN = re.compile(
    "|".join((
        r"\\texttt\{\[(?P<points>U\+[^\]]+)\]\}",
        r"\\citet\{(?P<citation>[^{}]+)\}",
        r"\$(?P<formula>[^$\\{}]*)\$",
        r"(?P<unjoined>[-,'])\{\}",
        rf"(?P<sign>{'|'.join(map(re.escape, sorted(_SIGNS, key=len, reverse=True)))})",
        r"(?P<unknown>[\\{}$&#%_^])",
    ))
)  # fmt: skip


def print_plainly(text: Latex, citations: Mapping[str, str]) -> str:
    """Turn LaTeX into the text that it prints.

    Parameters
    ----------
    text
        What a claim or a filter of the paper gave.
    citations
        What is printed for a publication, by its key.

    Raises
    ------
    ValueError
        It has a command that is not known here.
    """

    def replace(match: re.Match[str]) -> str:
        kind, content = match.lastgroup, match[match.lastgroup or 0]
        if kind == "points":
            return "".join(chr(int(point.removeprefix("U+"), 16)) for point in content.split())
        if kind == "citation":
            return citations[content]
        if kind == "formula":
            # As in the paper, no line ends within it.
            return content.replace(" ", "\u00a0")
        if kind == "sign":
            return _SIGNS[content]
        if kind == "unjoined":
            return content
        raise ValueError(f"no plain text is known for {text[match.start() :][:30]!r}.")

    return _TOKEN.sub(replace, text)


def read_citations(bibliography: str) -> dict[str, str]:
    """Find how each publication of a .bib file is called in a sentence, such as "Barz and Denzler (2020)"."""
    citations = {}
    for entry in re.split(r"^@", bibliography, flags=re.MULTILINE)[1:]:
        key = re.search(r"\{([^,\s]+),", entry)
        author = re.search(r"^\s*author\s*=\s*\{(.*)\},?$", entry, re.MULTILINE)
        year = re.search(r"^\s*year\s*=\s*\{(.*)\},?$", entry, re.MULTILINE)
        if key and author and year:
            citations[key[1]] = f"{_name_authors(author[1])} ({year[1]})"
    return citations


def _name_authors(field: str) -> str:
    authors = [author.partition(",")[0].strip() for author in field.split(" and ")]
    return " and ".join(authors) if len(authors) <= 2 and "others" not in authors else f"{authors[0]} et al."
