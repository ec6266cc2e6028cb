"""Typeset a paper as arXiv does: in a folder that holds nothing else, with pdfLaTeX alone."""

import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from fusionseq.errors import PipelineError

# More than references and floats ever take to settle; arXiv stops about there too.
_MOST_RUNS = 4

_OPTIONS = ("-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape")
_UNSETTLED = re.compile(r"Rerun to get|Label\(s\) may have changed")
_UNRESOLVED = re.compile(r"Warning: ((?:Citation|Reference) .*? undefined)|(No file \S+\.bbl)")
# What else leads TeX to files that arXiv does not have, or stops its clock.
_UNSET = re.compile(r"(TEX|BIB|BST)INPUTS.*|TEXMF(HOME|CONFIG|LOCAL)?|(FORCE_)?SOURCE_DATE(_EPOCH)?")


def make_bibliography(files: Mapping[str, bytes], source: str, references: Mapping[str, bytes]) -> bytes:
    """Have BibTeX choose and set the references that a LaTeX source cites.

    Parameters
    ----------
    files
        Contents by name: the source and its figures.
    source
        Name of the source.
    references
        Contents of BibTeX files by name.

    Raises
    ------
    PipelineError
        TeX is not installed, or refuses something.
    """
    with TemporaryDirectory() as name:
        folder = Path(name)
        _write(folder, {**files, **references})
        _run(folder, "pdflatex", *_OPTIONS, "-draftmode", source)
        _run(folder, "bibtex", source.removesuffix(".tex"))
        return (folder / source).with_suffix(".bbl").read_bytes()


def typeset_alone(files: Mapping[str, bytes], source: str) -> bytes:
    """Typeset a LaTeX source with nothing but some files, and give the PDF.

    Raises
    ------
    PipelineError
        TeX is not installed or refuses the source, something else is needed, or a reference leads nowhere.
    """
    with TemporaryDirectory() as name:
        folder = Path(name)
        _write(folder, files)
        for _ in range(_MOST_RUNS):
            _run(folder, "pdflatex", *_OPTIONS, source)
            log = (folder / source).with_suffix(".log").read_text(encoding="utf-8", errors="replace")
            if not _UNSETTLED.search(log):
                break
        else:
            raise PipelineError(f"{source} does not settle in {_MOST_RUNS} runs of pdflatex; mend its template.")
        if unresolved := _UNRESOLVED.search(log):
            raise PipelineError(f"{source} alone: {unresolved[1] or unresolved[2]}. Mend its template or references.")
        return (folder / source).with_suffix(".pdf").read_bytes()


def _write(folder: Path, files: Mapping[str, bytes]) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def _run(folder: Path, *command: str) -> None:
    environment = {name: value for name, value in os.environ.items() if not _UNSET.fullmatch(name)}
    # Nothing above or beside the folder can be read, and no package of a person's own; lines of the log stay whole.
    environment |= {"openin_any": "p", "openout_any": "p", "TEXMFHOME": str(folder), "max_print_line": "10000"}
    try:
        done = subprocess.run(
            command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=False
        )
    except FileNotFoundError as error:
        raise PipelineError(f"{command[0]} is not installed; `make latex` installs it or says how.") from error
    if done.returncode:
        output = done.stdout.decode(errors="replace")
        found = re.search(r"^(?:! |I couldn't|error).*", output, re.MULTILINE | re.IGNORECASE)
        reason = found[0].removeprefix("! ").strip() if found else f"exit status {done.returncode}."
        raise PipelineError(
            f"{command[0]} refuses {command[-1]} in a folder without anything else: {reason} Mend the template, "
            "or install what `make latex` names."
        )
