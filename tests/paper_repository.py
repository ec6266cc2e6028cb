"""A Git and DVC repository of a paper of one page, with all that a release takes; no stage of it needs Python."""

import shutil
from pathlib import Path

from small_repository import SmallRepository

ROOT = Path(__file__).parent.parent

_STAGES = """
stages:
  fetch:
    cmd: mkdir -p data && cat code.txt >data/x.bin
    deps: [code.txt]
    outs: [data/x.bin]
  draw:
    cmd: mkdir -p reports/figures && cp drawing.pdf reports/figures/curve.pdf && cat data/x.bin >reports/metrics.json
    deps: [data/x.bin]
    outs:
      - reports/figures: {cache: false}
      - reports/metrics.json: {cache: false}
  paper:
    cmd: cp template.tex paper/report.tex && cp drawing.pdf paper/report.pdf
    deps: [reports/metrics.json, template.tex]
    params: [seeds]
    outs:
      - paper/report.tex: {cache: false}
      - paper/report.pdf: {cache: false}
"""

SOURCE = r"""
% What a template's macros leave.
\documentclass{article}
\usepackage{graphicx}
\usepackage[numbers]{natbib}
\begin{document}
\section{Results}\label{results}
Section~\ref{results} follows \cite{knuth}.
\includegraphics[width=1cm]{../reports/figures/curve.pdf}
\bibliographystyle{plainnat}
\bibliography{references}
\end{document}
"""

REFERENCES = "@book{knuth, author = {Knuth, Donald E.}, title = {The {\\TeX}book}, year = {1984}}\n"

_FILES = {
    "dvc.yaml": _STAGES,
    "params.yaml": "seeds: [0]\n",
    "code.txt": "1\n",
    "template.tex": SOURCE,
    "paper/references.bib": REFERENCES,
    "pyproject.toml": '[project]\nname = "small"\nversion = "1.2.3"\n',
    "CITATION.cff": "cff-version: 1.2.0\nversion: 1.2.3\n",
    "LICENSE": "Do what you like.\n",
    ".gitignore": "/dist/\n/data/\n",
}


def make_paper_repository(root: Path, *names: str) -> SmallRepository:
    """Make the repository, with some files as this project has them, run its stages and commit them."""
    root.mkdir()
    repository = SmallRepository(root)
    repository.run("git", "init", "--quiet", "--initial-branch", "main")
    name_author(repository)
    for name, content in _FILES.items():
        path = root / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(content)
    for name in names:
        shutil.copy(ROOT / name, root / name)
    shutil.copy(ROOT / "reports" / "figures" / "class_distribution.pdf", root / "drawing.pdf")
    repository.run("dvc", "init", "--quiet")
    repository.run("dvc", "config", "core.analytics", "false")
    repository.run("dvc", "repro", "--quiet")
    commit_all(repository)
    return repository


def name_author(repository: SmallRepository) -> None:
    """Let the repository itself say who commits, since a machine may know nobody's name."""
    for key, value in (("user.name", "A"), ("user.email", "a@example.org"), ("commit.gpgsign", "false")):
        repository.run("git", "config", key, value)


def commit_all(repository: SmallRepository) -> None:
    """Commit everything that Git does not ignore."""
    repository.run("git", "add", "--all")
    repository.run("git", "commit", "--quiet", "--message", "Change")
