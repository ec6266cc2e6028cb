import pytest
from jinja2 import TemplateError

from fusionseq.markdown import Markdown, render_markdown


def render(expression: str, **values: object) -> str:
    return render_markdown(f"{{{{ {expression} }}}}", values)


def test_text_means_nothing_to_markdown() -> None:
    assert render("x", x="a|b <i>_c_\n`d`") == r"a\|b \<i\>\_c\_ \`d\`"
    assert render("x", x=Markdown("a|b")) == "a|b"
    assert render("x | code", x="a|b\n`c`") == r"`` a\|b `c` ``"


def test_numbers_are_rounded_on_purpose() -> None:
    assert render("x | fixed(2)", x=0.125) == "0.12"
    assert render("x | number", x=0.0002) == "0.0002"
    assert render("x | significant", x=0.00001234) == "1.2e-05"
    assert render("x | integer", x=1234567) == "1,234,567"
    assert render("x", x=1234) == "1234"


@pytest.mark.parametrize(
    ("expression", "value"),
    [("x", 0.5), ("x", None), ("x", True), ("x | fixed(1)", float("nan")), ("x | integer", 1.0), ("y", 1)],
)
def test_anything_else_is_refused(expression: str, value: object) -> None:
    with pytest.raises(TemplateError):
        render(expression, x=value)
