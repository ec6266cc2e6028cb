"""The paper's source as arXiv wants it: one LaTeX file at the top, its figures below, and no path that leads out.

Source: https://info.arxiv.org/help/submit_tex.html.
"""

import posixpath
import re
from dataclasses import dataclass

from fusionseq.errors import PipelineError

SOURCE = "report.tex"
BIBLIOGRAPHY = "report.bbl"
_FIGURES = "figures"

# What arXiv keeps in a name; it replaces all else by underscores.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.,+=-]*")
_GRAPHIC = re.compile(r"(\\includegraphics\s*(?:\[[^]]*\])?\s*\{)([^}]*)\}")
_REFERENCES = re.compile(r"\\bibliography\s*\{([^},]+)\}")

# arXiv looks for it in the first five lines, and then takes pdfLaTeX.
_FIRST_LINE = "\\pdfoutput=1\n"


@dataclass(frozen=True)
class ArxivSource:
    """The source of a paper, and which files it needs.

    Attributes
    ----------
    text
        The LaTeX source.
    figures
        Paths in the repository, by their names in the archive.
    references
        Path of the BibTeX file in the repository.
    """

    text: str
    figures: dict[str, str]
    references: str


def prepare_source(text: str, folder: str) -> ArxivSource:
    """Make a LaTeX source independent of the repository around it.

    Parameters
    ----------
    text
        The source.
    folder
        Where it lies in the repository, from which its paths start.

    Raises
    ------
    PipelineError
        It is no LaTeX source with one bibliography, or the name of a figure would not survive.
    """
    _, begin, rest = text.partition("\\documentclass")
    references = _REFERENCES.findall(text)
    if not begin or len(references) != 1:
        raise PipelineError(f"{folder}/{SOURCE} must be a LaTeX document with one \\bibliography. Mend its template.")
    figures: dict[str, str] = {}

    def rename(match: re.Match[str]) -> str:
        path = posixpath.normpath(posixpath.join(folder, match[2]))
        name = f"{_FIGURES}/{posixpath.basename(path)}"
        if not _NAME.fullmatch(posixpath.basename(path)):
            raise PipelineError(
                f"the figure {match[2]} must have a name of the letters, digits and _.,+=- that arXiv keeps; rename it."
            )
        if figures.setdefault(name, path) != path:
            raise PipelineError(f"the figures {figures[name]} and {path} have one name; rename one of them.")
        return f"{match[1]}{name}}}"

    # What comes before is comments and what the template's macros left.
    source = _FIRST_LINE + _GRAPHIC.sub(rename, begin + rest)
    return ArxivSource(source, figures, posixpath.join(folder, f"{references[0].strip()}.bib"))
