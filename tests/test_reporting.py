import math

import pytest

from fusionseq.errors import PipelineError
from fusionseq.reporting import render


def fill(template: str, **values: object) -> str:
    return render(template, values)


def test_latex_is_not_escaped_again() -> None:
    assert fill(r"\VAR{text|latex}", text=" $x_1$\n") == "$x_1$"
    assert fill(r"\VAR{0.5|percent(1)}, \VAR{1234|integer}") == r"50.0\%, 1{,}234"


@pytest.mark.parametrize("expression", ["value", "value * 2", "0.5", "value|abs"])
def test_bare_float_is_refused(expression: str) -> None:
    with pytest.raises(PipelineError, match=r"line 2 .*fixed\(4\)"):
        fill("a\n\\VAR{" + expression + "}", value=0.25)


@pytest.mark.parametrize("value", [None, True, [1], {"a": 1}])
def test_what_is_neither_text_nor_number_is_refused(value: object) -> None:
    with pytest.raises(PipelineError, match="only text and numbers"):
        fill(r"\VAR{value}", value=value)


@pytest.mark.parametrize("expression", ["missing", "known.missing", "missing|latex", "missing|fixed(2)", "known['a']"])
def test_undefined_name_is_refused(expression: str) -> None:
    with pytest.raises(PipelineError, match="line 1 "):
        fill("\\VAR{" + expression + "}", known={})


def test_malformed_template_is_refused() -> None:
    with pytest.raises(PipelineError, match="line 3 "):
        fill("a\nb\n\\BLOCK{if}")


def test_sections_see_what_the_template_sets() -> None:
    sections = {"a.tex": "\\BLOCK{set x = 2}\\VAR{shout(name)} \\VAR{known}"}
    template = '\\BLOCK{set known = 1}\\BLOCK{macro shout(x)}\\VAR{x}!\\BLOCK{endmacro}\\BLOCK{include "a.tex"}'
    assert render(template, {"name": "b"}, sections) == "b! 1"


@pytest.mark.parametrize("wrong", ["\\VAR{missing}", "\\VAR{0.5}", "\\BLOCK{if}"])
def test_error_names_the_section(wrong: str) -> None:
    with pytest.raises(PipelineError, match=r"^line 2 of the paper's section a\.tex: "):
        render('1\n\\BLOCK{include "a.tex"}', {}, {"a.tex": f"1\n{wrong}"})


def test_missing_section_is_named() -> None:
    with pytest.raises(PipelineError, match=r"^line 1 of the paper's template: .*a\.tex"):
        render('\\BLOCK{include "a.tex"}', {}, {})


def test_comments_and_blocks_leave_no_trace() -> None:
    assert fill("a\n\\BLOCK{if true}\nb\n\\BLOCK{endif}\nc %% no\n") == "a\nb\nc\n"


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("0.98765|fixed(4)", "0.9877"),
        ("2|fixed(2)", "2.00"),
        ("(-0.25)|fixed(2)", r"\ensuremath{-}0.25"),
        ("(-0.00001)|fixed(2)", "0.00"),
        ("0.98765|percent(2)", r"98.77\%"),
        ("(1 - 0.95)|percent", r"5\%"),
        ("0.625|percent", r"62.5\%"),
        ("(-0.0312)|points(2)", r"\ensuremath{-}3.12"),
        ("999|integer", "999"),
        ("17434250|integer", "17{,}434{,}250"),
        ("0.001|number", r"\num{1e-3}"),
        ("0.00015|number", r"\num{1.5e-4}"),
        ("0.5|number", r"\num{0.5}"),
        ("0|number", r"\num{0}"),
        ("0.0018123|significant('milli')", "1.81"),
        ("1443439872|significant('giga')", "1.44"),
        ("922624|significant('giga')", "0.000923"),
        ("30700000000000|significant('giga')", "30{,}700"),
        ("1.4|significant", "1.40"),
        ("0.99996|significant", "1.00"),
        ("51.37|significant", "51.4"),
        ("1423.25|significant", "1{,}423"),
        ("0|significant", "0.00"),
        ("0.0123|pvalue", "$p = 0.012$"),
        ("0.001|pvalue", "$p = 0.001$"),
        ("0.00099|pvalue", "$p < 0.001$"),
        ("0|pvalue", "$p < 0.001$"),
        ("1|pvalue", "$p = 1.000$"),
        ("0.0123|pvalue(named=false)", "$0.012$"),
        ("0.0001|pvalue(named=false)", "$< 0.001$"),
        ("1|counted('seed')", "one seed"),
        ("3|counted('seed')", "three seeds"),
        ("24|counted('class', 'classes')", "24 classes"),
        ("21|in_words", "21"),
        ("['a', 'b_', 3]|listed", r"a, b\_ and 3"),
        ("['a', 'b']|listed", "a and b"),
        ("['a']|listed", "a"),
        ("['a', 'b', 'c']|listed('or')", "a, b or c"),
    ],
)
def test_numbers_are_formatted(expression: str, expected: str) -> None:
    assert fill("\\VAR{" + expression + "}") == expected


@pytest.mark.parametrize(
    "expression",
    [
        "nan|fixed(2)",
        "infinite|percent(1)",
        "'1'|fixed(1)",
        "true|fixed(1)",
        "1.5|integer",
        "1.01|pvalue",
        "nan|pvalue",
    ],
)
def test_what_is_no_such_number_is_refused(expression: str) -> None:
    with pytest.raises(PipelineError, match="line 1 "):
        fill("\\VAR{" + expression + "}", nan=math.nan, infinite=math.inf)
