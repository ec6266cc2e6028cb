r"""Fill a LaTeX template with values: text is escaped, and numbers are rounded on purpose or not at all.

A template writes `\VAR{value}`, `\BLOCK{if …}` and `%% comment`, so that it stays LaTeX to an editor.
"""

import math
import re
from collections.abc import Iterable, Mapping
from numbers import Integral, Real
from traceback import extract_tb
from types import MappingProxyType

from jinja2 import (
    Environment,
    FunctionLoader,
    StrictUndefined,
    TemplateError,
    TemplateRuntimeError,
    TemplateSyntaxError,
    Undefined,
)

from fusionseq.errors import PipelineError
from fusionseq.escaping import Latex, escape_latex, mark_latex

_NUMBER_WORDS = (
    "no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
)  # fmt: skip
_PREFIXES = {"": 1, "milli": 1e-3, "mega": 1e6, "giga": 1e9}
_SMALLEST_P_VALUE = 0.001
_SMALLEST_PLAIN = 0.01
# How Jinja calls a template that no loader gave.
_MAIN = "<template>"


def fixed(value: object, digits: int) -> Latex:
    """Round to a number of digits after the point."""
    return _mark_sign(f"{_check_real(value):.{digits}f}")


def percent(value: object, digits: int | None = None) -> Latex:
    """Write a share as per cent; without `digits`, a parameter as it was chosen."""
    hundredfold = 100 * _check_real(value)
    text = f"{hundredfold:.6g}" if digits is None else f"{hundredfold:.{digits}f}"
    return Latex(rf"{_mark_sign(text)}\%")


def points(value: object, digits: int) -> Latex:
    """Write a difference of shares in percentage points, without the words."""
    return fixed(100 * _check_real(value), digits)


def integer(value: object) -> Latex:
    """Write a whole number with its thousands separated."""
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TemplateRuntimeError(f"integer takes a whole number. Got {value!r}.")
    # Braces keep mathematics from setting a space after the comma.
    return _mark_sign(f"{int(value):,}".replace(",", "{,}"))


def number(value: object) -> Latex:
    """Write a parameter as it was chosen, such as a learning rate; small ones with a power of ten."""
    text = f"{_check_real(value):g}"
    if 0 < abs(float(text)) < _SMALLEST_PLAIN:
        mantissa, exponent = f"{float(text):e}".split("e")
        text = f"{float(mantissa):g}e{int(exponent)}"
    return Latex(rf"\num{{{text}}}")


def significant(value: object, prefix: str = "") -> Latex:
    """Write a measurement to three digits, in "milli", "mega" or "giga" of its unit if told to."""
    real = _check_real(value) / _PREFIXES[prefix]
    exponent = int(f"{real:.2e}".partition("e")[2])
    return _mark_sign(f"{real:,.{max(0, 2 - exponent)}f}".replace(",", "{,}"))


def pvalue(value: object, *, named: bool = True) -> Latex:
    """Write a p-value to three digits, or as below the smallest of them; `named` puts "p" before it."""
    real = _check_real(value)
    if not 0 <= real <= 1:
        raise TemplateRuntimeError(f"pvalue takes a number from 0 to 1. Got {real!r}.")
    if real < _SMALLEST_P_VALUE:
        return Latex(f"${'p ' if named else ''}< {_SMALLEST_P_VALUE}$")
    return Latex(f"${'p = ' if named else ''}{real:.3f}$")


def counted(count: object, noun: str, plural: str | None = None) -> Latex:
    """Write a number and its noun as prose does: "one seed", "three seeds", "24 seeds"."""
    if isinstance(count, bool) or not isinstance(count, Integral):
        raise TemplateRuntimeError(f"counted takes a whole number. Got {count!r}.")
    return Latex(f"{in_words(count)} {escape_latex(noun if count == 1 else plural or f'{noun}s')}")


def in_words(count: object) -> Latex:
    """Write a small whole number as a word."""
    if isinstance(count, Integral) and 0 <= int(count) < len(_NUMBER_WORDS):
        return Latex(_NUMBER_WORDS[int(count)])
    return integer(count)


def listed(items: Iterable[object], conjunction: str = "and") -> Latex:
    """Write items as prose does: "a, b and c"."""
    texts = [finalize(item) for item in items]
    return Latex(f" {conjunction} ".join(filter(None, (", ".join(texts[:-1]), *texts[-1:]))))


def finalize(value: object) -> str:
    """Turn what an expression gave into LaTeX.

    Raises
    ------
    TemplateRuntimeError
        It is neither text nor a whole number.
    """
    if isinstance(value, Latex):
        return value
    if isinstance(value, str):
        return escape_latex(value)
    if isinstance(value, Undefined):
        return str(value)  # raises, with the name
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TemplateRuntimeError(f"only text and numbers can be printed. Got {value!r}.")
    if isinstance(value, Integral):
        return str(int(value))
    raise TemplateRuntimeError(
        f"a bare number must not be printed; pass it through fixed(4), percent(2), number or pvalue. Got {value!r}."
    )


def render(template: str, values: Mapping[str, object], sections: Mapping[str, str] = MappingProxyType({})) -> str:
    """Fill a template.

    Parameters
    ----------
    template
        LaTeX with expressions. Its filters are the functions `fixed`, `percent`, `points`, `integer`, `number`,
        `significant`, `pvalue`, `counted`, `in_words`, `listed`, and `latex`, which is `mark_latex`, for what a macro
        gave.
    values
        By the names that the template knows them by.
    sections
        Further templates that it may include, by name; they see what it sets and defines.

    Raises
    ------
    PipelineError
        A name is not defined, a number is not rounded, or a template is malformed; the message names the line.
    """
    # Where an error arose is told by the file name.
    loader = FunctionLoader(lambda name: (sections[name], name, None) if name in sections else None)
    try:
        return _ENVIRONMENT.overlay(loader=loader).from_string(template).render(values)
    except TemplateError as error:
        # A syntax error knows its place; any other left it in the traceback, the innermost last.
        places = [
            (frame.filename, frame.lineno)
            for frame in extract_tb(error.__traceback__)
            if frame.filename in {_MAIN, *sections}
        ]
        name, line = places[-1] if places else (_MAIN, None)
        if isinstance(error, TemplateSyntaxError):
            name, line = error.filename or _MAIN, error.lineno
        where = "the paper's template" if name == _MAIN else f"the paper's section {name}"
        raise PipelineError(f"line {line} of {where}: {error}") from error


def _check_real(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, Real) or not math.isfinite(value):
        raise TemplateRuntimeError(f"a finite number was expected. Got {value!r}.")
    return float(value)


def _mark_sign(text: str) -> Latex:
    if not text.startswith("-"):
        return Latex(text)
    # A hyphen is no minus sign, and nothing is below zero that is rounded to it.
    return Latex(rf"\ensuremath{{-}}{text[1:]}" if re.search("[1-9]", text) else text[1:])


def _build_environment() -> Environment:
    environment = Environment(
        block_start_string=r"\BLOCK{",
        block_end_string="}",
        variable_start_string=r"\VAR{",
        variable_end_string="}",
        comment_start_string=r"\COMMENT{",
        comment_end_string="}",
        line_comment_prefix="%%",
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=StrictUndefined,
        finalize=finalize,
        autoescape=False,  # noqa: S701, HTML's escapes are of no use here; `finalize` writes LaTeX's
    )
    filters = (fixed, percent, points, integer, number, significant, pvalue, counted, in_words, listed)
    environment.filters |= {function.__name__: function for function in filters} | {"latex": mark_latex}
    return environment


_ENVIRONMENT = _build_environment()
