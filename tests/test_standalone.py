import shutil
from pathlib import Path

import pytest
from paper_repository import REFERENCES, SOURCE

from fusionseq.arxiv import prepare_source
from fusionseq.errors import PipelineError
from fusionseq.standalone import make_bibliography, typeset_alone

ROOT = Path(__file__).parent.parent

pytestmark = pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")


def prepare(change: tuple[str, str] = ("", "")) -> dict[str, bytes]:
    text = prepare_source(SOURCE.replace(*change) if change[0] else SOURCE, "paper").text
    figure = (ROOT / "reports" / "figures" / "class_distribution.pdf").read_bytes()
    return {"report.tex": text.encode(), "figures/curve.pdf": figure}


def test_the_bibliography_holds_what_is_cited() -> None:
    more = REFERENCES + "@book{other, author = {Nobody}, title = {Unread}, year = 2000}\n"
    bibliography = make_bibliography(prepare(), "report.tex", {"references.bib": more.encode()})
    assert b"Knuth" in bibliography
    assert b"Unread" not in bibliography
    pdf = typeset_alone({**prepare(), "report.bbl": bibliography}, "report.tex")
    assert pdf.startswith(b"%PDF-")


def test_a_reference_that_leads_nowhere_is_named() -> None:
    with pytest.raises(PipelineError, match=r"report\.tex alone: Citation `knuth' .* undefined\. Mend"):
        typeset_alone(prepare(), "report.tex")
    with pytest.raises(PipelineError, match=r"report\.tex alone: Reference `nowhere' .* undefined\. Mend"):
        typeset_alone({**prepare((r"\ref{results}", r"\ref{nowhere}")), "report.bbl": b""}, "report.tex")


def test_files_from_elsewhere_are_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.sty").write_text("")
    monkeypatch.setenv("TEXINPUTS", f"{tmp_path}:")
    with pytest.raises(PipelineError, match=r"^pdflatex refuses report\.tex .*File `mine\.sty' not found"):
        typeset_alone(prepare(("{natbib}", "{natbib}\\usepackage{mine}")), "report.tex")
    (tmp_path / "mine.tex").write_text("")
    with pytest.raises(PipelineError, match="pdflatex refuses"):
        typeset_alone(prepare((r"\section", rf"\input{{{tmp_path}/mine}}\section")), "report.tex")


def test_bad_references_are_named() -> None:
    with pytest.raises(PipelineError, match=r"^bibtex refuses report .*I couldn't open database file"):
        make_bibliography(prepare(), "report.tex", {})


def test_a_machine_without_tex_is_told_what_installs_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PipelineError, match=r"^pdflatex is not installed; `make latex`"):
        typeset_alone(prepare(), "report.tex")
