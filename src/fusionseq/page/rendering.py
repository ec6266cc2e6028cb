"""The page as one HTML file: text is escaped, numbers are rounded as in the paper, and nothing is fetched."""

import json
import re
from base64 import b64encode
from collections.abc import Callable, Mapping
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from fusionseq import reporting
from fusionseq.page.plain import print_plainly

_PAPER_FILTERS: tuple[Callable[..., Any], ...] = (
    reporting.fixed, reporting.percent, reporting.points, reporting.integer, reporting.pvalue, reporting.counted,
    reporting.in_words, reporting.listed,
)  # fmt: skip


# Another version of Vega-Lite may draw otherwise.
_VEGA_LITE = "6.4"


@cache
def make_library() -> str:
    """Make the script that defines `window.vegaEmbed`: Vega-Lite and all that it needs, in a few seconds."""
    # It takes a moment to import.
    import vl_convert

    return vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", _VEGA_LITE)


def render_page(values: Mapping[str, object], library: str) -> str:
    """Fill the page.

    Parameters
    ----------
    values
        By the names that the template knows them by.
    library
        Script that defines `window.vegaEmbed`.

    Returns
    -------
    str
        HTML that needs no other file, and that allows no script but its own.
    """
    script = _read("script.js")
    return _ENVIRONMENT.get_template("index.html.jinja").render(
        values,
        style=Markup(_read("style.css")),  # noqa: S704, a file of this package
        scripts=[guard_script(library), guard_script(script)],
        policy=" ".join(f"'sha256-{_digest(guard_script(text))}'" for text in (library, script)),
    )


def guard_script(text: str) -> Markup:
    """Make a script keep to its element: what would end it stands in texts alone, where a backslash is nothing."""
    return Markup(re.sub(r"<(?=/script|!--)", r"<\\", text, flags=re.IGNORECASE))  # noqa: S704, the page's own


def format_parameter(value: object) -> str:
    """Write a value of params.yaml as it would stand there, on one line."""
    if isinstance(value, list):
        return f"[{', '.join(map(format_parameter, value))}]"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _digest(text: str) -> str:
    return b64encode(sha256(text.encode()).digest()).decode("ascii")


def _read(name: str) -> str:
    return files("fusionseq.page").joinpath(name).read_text(encoding="utf-8")


def _print_plainly(function: Callable[..., Any]) -> Callable[..., str]:
    def call(*arguments: object, **options: object) -> str:
        return print_plainly(function(*arguments, **options), {})

    return call


def _signed(value: float, digits: int) -> str:
    """Write a difference of shares in percentage points, with its sign."""
    text = print_plainly(reporting.points(value, digits), {})
    return text if text.startswith("\u2212") or not text.strip("0.") else f"+{text}"


def _build_environment() -> Environment:
    environment = Environment(
        loader=FunctionLoader(_read),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {function.__name__: _print_plainly(function) for function in _PAPER_FILTERS}
    environment.filters |= {"signed": _signed, "parameter": format_parameter}
    return environment


_ENVIRONMENT = _build_environment()
