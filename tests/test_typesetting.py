import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from paper_values import (
    DUPLICATES,
    PAPER,
    RECORD,
    SECTIONS,
    SIX_MODELS,
    SIX_P_VALUES,
    make_statistics,
    write_figures,
)
from pypdf import PdfReader

from fusionseq.artifacts import Subsets, write_subsets
from fusionseq.errors import PipelineError
from fusionseq.escaping import _LACKING, _LETTERS, _SIGNS, escape_latex
from fusionseq.params import read_params
from fusionseq.paths import Paths
from fusionseq.stages.paper import paper
from fusionseq.typesetting import typeset

needs_latex = pytest.mark.skipif(shutil.which("latexmk") is None, reason="latexmk is not installed")

HAND_WRITTEN = (
    "params.yaml",
    "pretraining/params.yaml",
    "paper/report.tex.jinja",
    "paper/published.yaml",
    "paper/references.bib",
    *(f"paper/sections/{name}" for name in SECTIONS),
)


def write_source(folder: Path, body: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "report.tex"
    path.write_text(
        "\\documentclass{article}\n\\usepackage[T1]{fontenc}\n\\usepackage[utf8]{inputenc}\n\\usepackage{lmodern}\n"
        f"\\pagestyle{{empty}}\n\\begin{{document}}\n{body}\n\\end{{document}}\n",
        encoding="utf-8",
    )
    return path


@needs_latex
def test_any_text_is_printed_as_it_stands(tmp_path: Path) -> None:
    texts = [
        *(f"x{chr(code)}y" for code in range(0x21, 0x7F)),
        r"\input{/etc/passwd} $x_1$ %&#",
        "a--b---c <<d>> ''e'' ,,f,, ?`g",
        "50 % of {a_b} ~ ^",
    ]
    covered = [chr(code) for first, last in _LETTERS for code in range(first, last + 1)] + sorted(_SIGNS)
    odd = ["猫 and 犬", "😀", "\x00\x1b", "ж", "\u202e", "\ud800", "Ŧ"]
    # A row may begin with any of them, and `\\` must not take it for an option.
    rows = [*texts, *(f"x{character}y" for character in covered if character not in _LACKING), "[1mm]", "*", *odd]
    table = "".join(rf"{escape_latex(row)} \\" + "\n" for row in rows)
    # Rows of one cell each, on as many pages as they take.
    source = write_source(tmp_path, rf"\noindent {table}\textit{{end}}")
    typeset(source, tmp_path / "report.pdf")
    printed = "\n".join(page.extract_text() for page in PdfReader(tmp_path / "report.pdf").pages)
    lines = [line.strip() for line in printed.splitlines()]
    for text in texts:
        # TeX has one apostrophe, the typographic one.
        assert text.replace("'", "\u2019") in lines
    for text in ("[1mm]", "*", "[U+732B] and [U+72AC]", "[U+1F600]", "[U+0000 U+001B]", "[U+D800]", "[U+0166]"):
        assert text in lines


@needs_latex
def test_clock_of_tex_stands_still(tmp_path: Path) -> None:
    typeset(write_source(tmp_path, r"\today"), tmp_path / "report.pdf")
    assert PdfReader(tmp_path / "report.pdf").pages[0].extract_text().strip() == "January 1, 1970"


def test_missing_latexmk_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PipelineError, match=r"^latexmk is not installed, .* `apt-get install .* latexmk`$"):
        typeset(write_source(tmp_path, "a"), tmp_path / "report.pdf")


@needs_latex
@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("a\n\\undefinedcommand", r"! Undefined control sequence\. .* line 8"),
        ("\\usepackage{a}", "! LaTeX Error: Can be used only in preamble"),
        ("\\input{nowhere}", r"! LaTeX Error: File `nowhere\.tex' not found"),
        ("\\ref{nowhere}", "Reference `nowhere' on page 1 undefined"),
        ("\\cite{nowhere}", "Citation `nowhere' on page 1 undefined"),
    ],
)
def test_latex_error_is_one_line_and_keeps_the_old_pdf(tmp_path: Path, body: str, message: str) -> None:
    (tmp_path / "report.pdf").write_bytes(b"old")
    with pytest.raises(PipelineError, match=rf"^report\.tex cannot be typeset: {message}") as error:
        typeset(write_source(tmp_path, body), tmp_path / "report.pdf")
    assert "\n" not in str(error.value)
    assert (tmp_path / "report.pdf").read_bytes() == b"old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.pdf", "report.tex"]


@needs_latex
def test_missing_package_says_what_to_install(tmp_path: Path) -> None:
    source = write_source(tmp_path, "a")
    source.write_text(source.read_text(encoding="utf-8").replace("lmodern", "nosuchpackage"), encoding="utf-8")
    with pytest.raises(PipelineError, match=r"nosuchpackage\.sty is not installed\. `apt-get install"):
        typeset(source, tmp_path / "report.pdf")


def write_inputs(root: Path) -> Paths:
    """All that the paper is made of, from invented results."""
    paths = Paths(root)
    repository = PAPER.parent
    for name in HAND_WRITTEN:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(repository / name, root / name)
    statistics = make_statistics(SIX_MODELS, SIX_P_VALUES)
    for path, content in (
        (paths.statistics, json.dumps(statistics)),
        (paths.backbone_record, json.dumps(RECORD)),
        (paths.metrics, "{}"),
        (paths.benchmark, (repository / "tests" / "benchmark.json").read_text(encoding="utf-8")),
        (paths.feature_mode("mobilenetv2"), '{"mode": "cached"}'),
        (paths.manifest, '{"origin": {"source": "digits"}, "skipped": []}'),
        (paths.skipped, "image,reason\n"),
        (paths.duplicates, json.dumps(dict.fromkeys(DUPLICATES, 0))),
        (paths.requirements, "numpy"),
        (paths.gpu_requirements, "numpy"),
        (paths.code / "code.py", ""),
        (paths.raw / "images.bin", "x"),
        *(
            (of_model(name), "x")
            for name in statistics["models"]
            for of_model in (paths.history, paths.predictions, paths.probabilities)
        ),
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    labels = np.array([0, 0, 0, 0, 1, 1, 1])
    subset = np.array(["train", "train", "validation", "test", "train", "validation", "test"])
    write_subsets(paths.subsets, Subsets(("cat & dog", "猫"), tuple("abcdefg"), labels, subset))
    write_figures(paths.figures)
    return paths


@needs_latex
def test_paper_has_the_same_bytes_in_every_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = write_inputs(tmp_path / "first"), write_inputs(tmp_path / "another folder" / "second")
    # A user's settings would typeset something else.
    (tmp_path / ".latexmkrc").write_text("$pdflatex = 'false';", encoding="utf-8")
    for paths, zone, locale in ((first, "UTC", "C.UTF-8"), (second, "Pacific/Auckland", "C")):
        for variable, value in (("TZ", zone), ("LC_ALL", locale), ("HOME", str(tmp_path))):
            monkeypatch.setenv(variable, value)
        paper(read_params(paths.params), paths)
    assert first.report_source.read_bytes() == second.report_source.read_bytes()
    assert first.report.read_bytes() == second.report.read_bytes()

    names = [path.name for path in first.paper.iterdir()]
    assert sorted(names) == [
        "published.yaml",
        "references.bib",
        "report.pdf",
        "report.tex",
        "report.tex.jinja",
        "sections",
    ]
    reader = PdfReader(first.report)
    printed = " ".join(" ".join(page.extract_text() for page in reader.pages).split())
    assert "The fusion model outperforms the sequential one" in printed
    assert "1 ([U+732B]) 2 (cat & dog)" in printed
    assert "??" not in printed
    assert "CreationDate" not in (reader.metadata or {})
