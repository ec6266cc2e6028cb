import re
from base64 import b64encode
from collections import Counter
from hashlib import sha256
from html import unescape
from html.parser import HTMLParser

import pytest
from jinja2 import UndefinedError
from page_values import STRANGE_NAMES, make_page_values

from fusionseq.page.rendering import format_parameter, guard_script, render_page
from fusionseq.page.sheets import name_classes

LIBRARY = "window.vegaEmbed = '</script><script>alert(1)</script><!--';"


class Reader(HTMLParser):
    """Elements, attributes and text of a page, as a browser finds them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: Counter[str] = Counter()
        self.attributes: set[str] = set()
        self.texts: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements[tag] += 1
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


@pytest.mark.parametrize(
    ("names", "num_models", "num_seeds", "has_errors", "has_pixels"),
    [
        (STRANGE_NAMES, 3, 1, True, True),
        (STRANGE_NAMES, 6, 3, True, False),
        (("a", "b"), 2, 1, False, False),
        (tuple(f"class <{number}>" for number in range(200)), 2, 2, True, True),
    ],
    ids=["strange names and one seed", "all models", "no controls and no errors", "200 classes"],
)
def test_names_are_text_and_nothing_else(
    names: tuple[str, ...], num_models: int, num_seeds: int, has_errors: bool, has_pixels: bool
) -> None:
    values = make_page_values(names, num_models, num_seeds, has_errors=has_errors, has_pixels=has_pixels)
    page = render_page(values, LIBRARY)
    assert render_page(values, LIBRARY) == page
    reader = Reader(page)
    # The two scripts, and the data of the charts.
    assert reader.elements["script"] == 3
    assert not {"b", "i", "does", "class"} & set(reader.elements)
    assert not [name for name in reader.attributes if name.startswith("on")]
    for name in name_classes(names)[:8]:
        assert name in reader.texts
    assert "Fusion <b>" in reader.texts
    assert "0<i>.png" not in page
    assert len(page) < 1_500_000
    assert ("No test image is misclassified" in page) != has_errors
    assert ("data:image/png;base64" in page) == (has_errors and has_pixels)
    assert ('role="grid"' in page) == (len(names) <= 40)


def test_only_the_scripts_of_the_page_are_allowed() -> None:
    page = render_page(make_page_values(), LIBRARY)
    scripts = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    assert len(scripts) == 2
    hashes = [b64encode(sha256(script.encode()).digest()).decode() for script in scripts]
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    assert policy
    allowed = " ".join(f"'sha256-{digest}'" for digest in hashes)
    assert f"; script-src {allowed}; " in unescape(policy[1])
    assert unescape(policy[1]).startswith("default-src 'none';")


def test_nothing_is_fetched() -> None:
    page = render_page(make_page_values(), LIBRARY)
    addresses = re.findall(r"""(?:src|href|url)\s*[=(]\s*["']?([^"')\s>]+)""", page)
    assert addresses
    assert all(address.startswith(("data:", "#")) for address in addresses)


def test_a_script_keeps_to_its_element() -> None:
    assert guard_script("'</script>' + '</SCRIPT' + '<!--'") == r"'<\/script>' + '<\/SCRIPT' + '<\!--'"
    assert guard_script("a </b> c < d") == "a </b> c < d"


def test_a_value_that_is_missing_is_an_error() -> None:
    values = make_page_values()
    del values["commit"]
    with pytest.raises(UndefinedError, match="commit"):
        render_page(values, LIBRARY)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        ([0, 1], "[0, 1]"),
        (["a", "é"], "[a, é]"),
        ("x", "x"),
        (1e-05, "1e-05"),
        ([], "[]"),
    ],
)
def test_parameters_are_written_as_in_their_file(value: object, text: str) -> None:
    assert format_parameter(value) == text
