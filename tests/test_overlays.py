from typing import Any

import pytest
import yaml

from fusionseq.errors import PipelineError
from fusionseq.overlays import put_value, read_value, replace_sections, replace_value, split_edit

TEXT = """\
# Of the file.

first: # of the section
  one: 1.0e-3   # kept in its column
  two: 'quoted'

# Above the second, at the left.
second:
    deep: {a: 1,  b: [0,   1]}
    # Inside, at the end.

third: ~
"""


def test_section_takes_the_place_of_its_namesake_alone() -> None:
    overlay = "# Of the overlay.\nsecond:\n  new: 2 # comes along\n  # This too.\n\n# Not this.\n"
    kept, rest = TEXT.split("second:\n")
    assert replace_sections(TEXT, overlay) == kept + "second:\n  new: 2 # comes along\n  # This too.\n" + rest[-10:]


def test_sections_keep_the_order_of_the_text() -> None:
    changed = replace_sections(TEXT, "third: 3\n\nfirst: 1 # one\n")
    assert changed == TEXT.replace(TEXT[TEXT.index("first") : TEXT.index("\n\n# Above")], "first: 1 # one").replace(
        "third: ~", "third: 3"
    )


def test_section_that_is_missing_is_put_at_the_end() -> None:
    assert replace_sections(TEXT, "fourth: 4\n") == f"{TEXT}\nfourth: 4\n"
    assert replace_sections("first: 1", "fourth: 4\n") == "first: 1\n\nfourth: 4\n"


def test_line_ends_of_another_system_are_kept() -> None:
    text = TEXT.replace("\n", "\r\n")
    assert replace_sections(text, "third: 3\n") == text.replace("third: ~\r\n", "third: 3\n")


@pytest.mark.parametrize(
    ("before", "value", "after"),
    [
        ("a:\n  b: 1   # column\n", 2, "a:\n  b: 2   # column\n"),
        ("a:\n  b: 'it''s'  # x\nc: 1\n", "its", "a:\n  b: its  # x\nc: 1\n"),
        ("a: {b: 1, c: 2}\n", 0.5, "a: {b: 0.5, c: 2}\n"),
        ("a:\n  b: [0,  1] # x\n", [3], "a:\n  b: [3] # x\n"),
        ("a:\n  b:\n  - 0\n  - 1 # one\n\n# two\nc: 1\n", [3, 4], "a:\n  b: [3, 4] # one\n\n# two\nc: 1\n"),
        ("a:\n  b:\n  - 0\n  - [1,\n    2]\n", None, "a:\n  b: null\n"),
        ("a:\n  b:\n  c: 1\n", True, "a:\n  b: true\n  c: 1\n"),
        ("a:\n  b: # nothing yet\n", 1, "a:\n  b: 1 # nothing yet\n"),
        ('"a":\n  "b" : 1\n', 2, '"a":\n  "b" : 2\n'),
        ("b: 0\nab: {b: 1}\na:\n  b: 1\n", 2, "b: 0\nab: {b: 1}\na:\n  b: 2\n"),
        ("a:\n  b: long\n    text # x\n", "short", "a:\n  b: short # x\n"),
        ("a:\n  b: 1\n  b: 2\n", 3, "a:\n  b: 1\n  b: 3\n"),
    ],
)
def test_value_takes_the_place_of_the_one_before(before: str, value: object, after: str) -> None:
    changed = replace_value(before, ("a", "b"), value)
    assert changed == after
    assert yaml.safe_load(changed)["a"]["b"] == value


@pytest.mark.parametrize(
    ("value", "spelled"),
    [
        (512, "512"),
        (1e-5, "1.0e-05"),
        (None, "null"),
        (False, "false"),
        ([0, 1, 2], "[0, 1, 2]"),
        ([], "[]"),
        (list(range(100)), str(list(range(100)))),
        ("mixed_float16", "mixed_float16"),
        ("/home/me/images", "/home/me/images"),
        ("yes", '"yes"'),
        ("null", '"null"'),
        ("1e5", '"1e5"'),
        ("", '""'),
        ("a: b #c", '"a: b #c"'),
        ("naïve 猫", '"naïve 猫"'),
        ("x " * 100, f'"{"x " * 100}"'),
        ('line\n"\\', r'"line\n\"\\"'),
    ],
)
def test_values_are_spelled_in_one_line(value: object, spelled: str) -> None:
    changed = replace_value("a: 0 # x\n", ("a",), value)
    assert changed == f"a: {spelled} # x\n"
    assert yaml.safe_load(changed) == {"a": value}


@pytest.mark.parametrize("location", [("b",), ("a", "c"), ("a", "b", "c")])
def test_place_that_is_missing_is_one_error(location: tuple[str, ...]) -> None:
    with pytest.raises(PipelineError, match=rf"^params\.yaml: {location[-1]} is missing"):
        replace_value("a:\n  b: 1\n", location, 2)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("512", 512),
        ("1e-4", 1e-4),
        ("1.0e-3", 1e-3),
        ("null", None),
        ("", None),
        ("true", True),
        ("[0, 1]", [0, 1]),
        ("[0,1e-4]", [0, 1e-4]),
        ("yes", "yes"),
        ("main", "main"),
        ('"1"', "1"),
        ("'a # b'", "a # b"),
        # As typed: YAML would see a comment, a mapping, a date, an error.
        ("labels #1.csv", "labels #1.csv"),
        ("{a: 1}", "{a: 1}"),
        ("2020-01-01", "2020-01-01"),
        ("2020-99-99", "2020-99-99"),
        ("[0, 1", "[0, 1"),
        ("!!python/name:os.system", "!!python/name:os.system"),
        ("[" * 2000, "[" * 2000),
        ("9" * 5000, "9" * 5000),
        ("a\ab", "a\ab"),
    ],
)
def test_value_is_read_as_one_means_it(text: str, value: object) -> None:
    read = read_value(text)
    assert (read, type(read)) == (value, type(value))


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        ("image_size=96", (("image_size",), "96")),
        ("training.frozen.epochs=3", (("training", "frozen", "epochs"), "3")),
        ("data.path=/a=b\nc", (("data", "path"), "/a=b\nc")),
        ("data.labels=", (("data", "labels"), "")),
    ],
)
def test_edit_is_split_at_its_first_sign(edit: str, expected: tuple[tuple[str, ...], str]) -> None:
    assert split_edit(edit) == expected


@pytest.mark.parametrize(
    "edit", ["", "head", "=1", "head.=1", ".units=1", "head units=1", "head..units=1", "1=1", "--x=1"]
)
def test_malformed_edit_is_one_error(edit: str) -> None:
    with pytest.raises(PipelineError, match=r"^an edit must look like section\.key=value\. Got ") as caught:
        split_edit(edit)
    assert "\n" not in str(caught.value)


def test_value_is_put_where_it_belongs() -> None:
    content: dict[str, Any] = {"a": {"b": 1, "c": 2}}
    put_value(content, ("a", "b"), 3)
    put_value(content, ("d", "e", "f"), 4)
    assert content == {"a": {"b": 3, "c": 2}, "d": {"e": {"f": 4}}}
    with pytest.raises(PipelineError, match=r"^a\.b\.c\.d cannot be set: a\.b is no section\."):
        put_value(content, ("a", "b", "c", "d"), 5)
