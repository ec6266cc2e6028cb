import random
import re
import unicodedata

import pytest

from fusionseq.escaping import Latex, escape_latex
from fusionseq.page.plain import print_plainly, read_citations
from fusionseq.reporting import fixed, integer, percent, pvalue

CHARACTERS = "\\{}$&#%_~^[]*<>\"`|'-,.:; aZ0é–“€猫🐈قط\u0301"


def test_any_text_survives_latex() -> None:
    draw = random.Random(0)  # noqa: S311, any texts will do
    for _ in range(500):
        text = "".join(draw.choices(CHARACTERS, k=24))
        # LaTeX composes accents, and takes several spaces for one.
        expected = unicodedata.normalize("NFC", re.sub(" +", " ", text))
        assert print_plainly(escape_latex(text), {}) == expected


@pytest.mark.parametrize(
    ("latex", "plain"),
    [
        (percent(0.98236, 2), "98.24%"),
        (fixed(-0.5, 2), "−0.50"),
        (integer(1234567), "1,234,567"),
        (pvalue(0.043), "p\u00a0=\u00a00.043"),
        (pvalue(0.0001), "p\u00a0<\u00a00.001"),
        (Latex(r"the $t$ interval of \citet{a2020}, ``so'' 1--2"), "the t interval of A (2020), “so” 1–2"),
        (Latex(r"\texttt{[U+732B U+1F408]}"), "猫🐈"),
    ],
)
def test_what_claims_write_is_printed(latex: Latex, plain: str) -> None:
    assert print_plainly(latex, {"a2020": "A (2020)"}) == plain


@pytest.mark.parametrize("latex", [r"\emph{so}", "a {b}", r"$\alpha$", r"\ensuremath{+}"])
def test_commands_that_are_not_known_are_not_printed(latex: str) -> None:
    with pytest.raises(ValueError, match="no plain text"):
        print_plainly(Latex(latex), {})


def test_publications_are_called_by_their_authors() -> None:
    bibliography = """@book{one, author = {Nobody}}

@article{barz2020,
  author  = {Barz, Bj{\\"o}rn and Denzler, Joachim},
  title   = {T},
  year    = {2020},
}

@misc{many2021,
  author = {Many, A. and More, B. and others},
  year   = {2021},
}
"""
    assert read_citations(bibliography) == {"barz2020": "Barz and Denzler (2020)", "many2021": "Many et al. (2021)"}
