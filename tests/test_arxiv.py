import pytest

from fusionseq.arxiv import prepare_source
from fusionseq.errors import PipelineError

TEXT = "%\n\n\\documentclass{article}\n\\begin{document}%s\\bibliography{references}\n\\end{document}\n"


def prepare(body: str) -> tuple[str, dict[str, str]]:
    source = prepare_source(TEXT.replace("%s", body), "paper")
    assert source.references == "paper/references.bib"
    return source.text, source.figures


def test_figures_lie_below_the_source() -> None:
    body = (
        r"\includegraphics{../reports/figures/a.pdf} \includegraphics[width=\linewidth]{../reports/figures/b_2.pdf}"
        "\n\\includegraphics\n[width=1cm]{drawing.pdf}"
    )
    text, figures = prepare(body)
    assert figures == {
        "figures/a.pdf": "reports/figures/a.pdf",
        "figures/b_2.pdf": "reports/figures/b_2.pdf",
        "figures/drawing.pdf": "paper/drawing.pdf",
    }
    assert r"\includegraphics{figures/a.pdf} \includegraphics[width=\linewidth]{figures/b_2.pdf}" in text
    assert ".." not in text


def test_the_source_begins_with_what_arxiv_looks_for() -> None:
    text, figures = prepare("no figure")
    assert text.startswith("\\pdfoutput=1\n\\documentclass{article}\n")
    assert text.endswith("\\end{document}\n")
    assert figures == {}


def test_a_figure_may_come_twice() -> None:
    assert len(prepare(r"\includegraphics{../a.pdf}\includegraphics{../a.pdf}")[1]) == 1


@pytest.mark.parametrize("name", ["two words.pdf", "猫.pdf", "-a.pdf", ".a.pdf", "a&b.pdf", "", "a#b.pdf", "a\nb.pdf"])
def test_names_that_arxiv_would_change_are_refused(name: str) -> None:
    with pytest.raises(PipelineError, match="rename it"):
        prepare(rf"\includegraphics{{../reports/{name}}}" if name else r"\includegraphics{..}")


def test_two_figures_of_one_name_are_refused() -> None:
    with pytest.raises(PipelineError, match=r"reports/a\.pdf and other/a\.pdf have one name"):
        prepare(r"\includegraphics{../reports/a.pdf}\includegraphics{../other/a.pdf}")


@pytest.mark.parametrize(
    "text", ["", "\\bibliography{a}", "\\documentclass{article}", "\\documentclass\\bibliography{a,b}"]
)
def test_what_is_no_paper_is_refused(text: str) -> None:
    with pytest.raises(PipelineError, match=r"paper/report\.tex must be a LaTeX document with one"):
        prepare_source(text, "paper")
