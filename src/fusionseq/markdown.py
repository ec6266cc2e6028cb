"""Fill a Markdown template with values: text is escaped, and numbers are rounded on purpose or not at all."""

import math
from collections.abc import Mapping
from numbers import Integral, Real

from jinja2 import Environment, StrictUndefined, TemplateRuntimeError, Undefined

from fusionseq.comparison_text import MARKDOWN, mark_code


class Markdown(str):
    """Text that is Markdown already and is not escaped again."""

    __slots__ = ()


def code(text: str) -> Markdown:
    """Mark text as code; where it may have a vertical bar, within a table alone."""
    return Markdown(mark_code(text))


def fixed(value: object, digits: int) -> Markdown:
    """Round to a number of digits after the point."""
    return Markdown(f"{_check_real(value):.{digits}f}")


def number(value: object) -> Markdown:
    """Write a parameter as it was chosen."""
    return Markdown(f"{_check_real(value):g}")


def significant(value: object) -> Markdown:
    """Write a small number to two digits and a power of ten."""
    return Markdown(f"{_check_real(value):.1e}")


def integer(value: object) -> Markdown:
    """Write a whole number with its thousands separated."""
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TemplateRuntimeError(f"integer takes a whole number. Got {value!r}.")
    return Markdown(f"{int(value):,}")


def render_markdown(template: str, values: Mapping[str, object]) -> str:
    """Fill a template.

    Parameters
    ----------
    template
        Markdown with expressions. Its filters are the functions `code`, `fixed`, `integer`, `number`, `significant`.
    values
        By the names that the template knows them by.

    Raises
    ------
    jinja2.TemplateError
        A name is not defined, a number is not rounded, or the template is malformed.
    """
    return _ENVIRONMENT.from_string(template).render(values)


def _check_real(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, Real) or not math.isfinite(value):
        raise TemplateRuntimeError(f"a finite number was expected. Got {value!r}.")
    return float(value)


def _finalize(value: object) -> str:
    if isinstance(value, Markdown | Undefined):
        return str(value)  # an undefined one raises, with its name
    if isinstance(value, str):
        return MARKDOWN.prose(value)
    if not isinstance(value, bool) and isinstance(value, Integral):
        return str(int(value))
    raise TemplateRuntimeError(f"only text, whole and rounded numbers can be printed. Got {value!r}.")


def _build_environment() -> Environment:
    environment = Environment(
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        autoescape=False,  # noqa: S701, HTML's escapes are of no use here; `_finalize` writes Markdown's
    )
    environment.filters |= {function.__name__: function for function in (code, fixed, number, significant, integer)}
    return environment


_ENVIRONMENT = _build_environment()
