"""Typeset LaTeX: the same source gives the same bytes, and no auxiliary file stays."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from fusionseq.artifacts import replacing
from fusionseq.errors import PipelineError

_PACKAGES = "texlive-latex-recommended texlive-latex-extra texlive-science texlive-fonts-recommended lmodern latexmk"
_INSTALL = f"`apt-get install --no-install-recommends {_PACKAGES}`"

# TeX's clock stands still, so that no date gets into the PDF; its log is not broken into short lines.
_ENVIRONMENT = {"SOURCE_DATE_EPOCH": "0", "FORCE_SOURCE_DATE": "1", "TZ": "UTC", "max_print_line": "10000"}


def typeset(tex_path: Path, pdf_path: Path) -> None:
    """Make a PDF of a LaTeX file; relative paths in it start at its own folder.

    Parameters
    ----------
    tex_path
        LaTeX source.
    pdf_path
        Where to put the PDF, whole or not at all.

    Raises
    ------
    PipelineError
        LaTeX is not installed, or refuses the source, or a reference in it leads nowhere.
    """
    with TemporaryDirectory() as folder:
        command = [
            "latexmk",
            "-norc",  # a user's own settings would give another PDF
            "-pdf",
            "-Werror",  # a reference that leads nowhere is one
            "-halt-on-error",
            "-interaction=nonstopmode",
            "-no-shell-escape",
            f"-outdir={folder}",
            tex_path.name,
        ]
        try:
            done = subprocess.run(
                command, cwd=tex_path.parent, env=os.environ | _ENVIRONMENT, capture_output=True, check=False
            )
        except FileNotFoundError as error:
            raise PipelineError(
                f"latexmk is not installed, so {tex_path.name} cannot be typeset. {_INSTALL}"
            ) from error
        built = Path(folder, tex_path.name).with_suffix("")
        if done.returncode or not built.with_suffix(".pdf").exists():
            log = built.with_suffix(".log")
            reason = _explain(log.read_text(encoding="utf-8", errors="replace") if log.exists() else "")
            raise PipelineError(f"{tex_path.name} cannot be typeset: {reason}")
        with replacing(pdf_path) as temporary:
            shutil.copyfile(built.with_suffix(".pdf"), temporary)


def _explain(log: str) -> str:
    """Say in one line what TeX complains of, and how to mend it."""
    if missing := re.search(r"^! .*File `(\S+\.(?:sty|cls|def|fd|tfm))' not found", log, re.MULTILINE):
        return f"{missing[1]} is not installed. {_INSTALL}"
    if error := re.search(r"^! (.*)", log, re.MULTILINE):
        line = re.search(r"^l\.(\d+)", log[error.start() :], re.MULTILINE)
        return f"{error[0].strip()} Mend its template{f', near line {line[1]} of the source' if line else ''}."
    if unresolved := re.search(r"^.*Warning: ((?:Citation|Reference) .*? undefined)", log, re.MULTILINE):
        return f"{unresolved[1]}. Mend its template or its references."
    return f"latexmk found no working LaTeX. {_INSTALL}"
