import pytest

from fusionseq.escaping import escape_latex, mark_latex


@pytest.mark.parametrize("special", list('\\{}$&#%_~^[]*<>|"`'))
def test_special_character_does_not_pass_as_it_is(special: str) -> None:
    assert escape_latex(special) != special


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("50 % of a_b & c", r"50 \% of a\_b \& c"),
        ("\\input{x}", r"\textbackslash{}input\{x\}"),
        ("[a]*", "{[}a{]}{*}"),
        ("a--b---c, ''d'',,", "a-{}-b-{}-{}-c, '{}'d'{}',{},"),
        ("one\n\n\ttwo", "one two"),
        ("Niño Łódź ẞ 3 × 3", "Niño Łódź ẞ 3 × 3"),
        ("e\u0301", "é"),
        ("a猫犬b", r"a\texttt{[U+732B U+72AC]}b"),
        ("\x00\ud800\u200b", r"\texttt{[U+0000 U+D800 U+200B]}"),
        ("😀", r"\texttt{[U+1F600]}"),
        ("", ""),
    ],
)
def test_text_is_escaped(text: str, expected: str) -> None:
    assert escape_latex(text) == expected


def test_marked_text_loses_its_ends_alone() -> None:
    assert mark_latex(" $x_1$ & y\n") == "$x_1$ & y"
