import json
from typing import Any

import pytest

from fusionseq.tolerance import Comparison, Verdict, compare_contents, holds_numbers

TABLE = "image,seed,0.5,bee\n7,0,0.25,0.75\n8,0,0.5,1e-09\n"
SCORES: dict[str, Any] = {"models": {"fusion": {"loss": [0.25, 0.5], "count": 360, "note": None, "title": "Fusion"}}}


def compare_tables(after: str, before: str = TABLE) -> Comparison:
    return compare_contents("a.csv", before.encode(), after.encode())


def compare_scores(change: dict[str, Any]) -> Comparison:
    after = {"models": {"fusion": SCORES["models"]["fusion"] | change}}
    return compare_contents("a.json", json.dumps(SCORES).encode(), json.dumps(after).encode())


@pytest.mark.parametrize("name", ["a.json", "a.csv", "a.pdf"])
def test_the_same_bytes_are_identical(name: str) -> None:
    assert compare_contents(name, b"\xff", b"\xff") == Comparison(Verdict.IDENTICAL)


def test_only_numbers_of_json_and_tables_have_a_tolerance() -> None:
    assert [holds_numbers(name) for name in ("a.json", "a/b.csv", "a.tex", "json")] == [True, True, False, False]
    assert compare_contents("a.tex", b"one\n0.50000\n", b"one\n0.50001\n") == Comparison(Verdict.DIFFERENT, "line 2")
    assert compare_contents("a.png", b"\xff\x00", b"\xff\x01") == Comparison(Verdict.DIFFERENT, "byte 2")
    assert compare_contents("a.png", b"\xff", b"\xff\x01").place == "byte 2"


@pytest.mark.parametrize(
    ("change", "verdict", "place"),
    [
        ({"loss": [0.25, 0.50004]}, "WITHIN_TOLERANCE", "models.fusion.loss[1]: 0.5 before, 0.50004 now"),
        ({"loss": [0.2500001, 0.50004]}, "WITHIN_TOLERANCE", "models.fusion.loss[0]: 0.25 before, 0.2500001 now"),
        # The first difference that counts, not the first of all.
        ({"loss": [0.2500001, 0.5002]}, "DIFFERENT", "models.fusion.loss[1]: 0.5 before, 0.5002 now"),
        ({"loss": [0.25]}, "DIFFERENT", "length of models.fusion.loss: 2 before, 1 now"),
        ({"count": 361}, "DIFFERENT", "models.fusion.count: 360 before, 361 now"),
        ({"count": 360.0}, "DIFFERENT", "models.fusion.count: 360 before, 360.0 now"),
        ({"note": 0.0}, "DIFFERENT", "models.fusion.note: null before, 0.0 now"),
        ({"note": False}, "DIFFERENT", "models.fusion.note: null before, false now"),
        ({"title": "fusion"}, "DIFFERENT", 'models.fusion.title: "Fusion" before, "fusion" now'),
        ({"title": {}}, "DIFFERENT", 'models.fusion.title: "Fusion" before, {} now'),
        ({"more": 1}, "DIFFERENT", "keys of models.fusion: nothing before, more now"),
    ],
)
def test_json_is_compared_number_by_number(change: dict[str, Any], verdict: str, place: str) -> None:
    assert compare_scores(change) == Comparison(Verdict[verdict], place)


@pytest.mark.parametrize(
    ("old", "new", "verdict", "place"),
    [
        ("0.75", "0.75007", "WITHIN_TOLERANCE", "row 2, column bee: 0.75 before, 0.75007 now"),
        ("1e-09", "9e-07", "WITHIN_TOLERANCE", "row 3, column bee: 1e-09 before, 9e-07 now"),
        ("1e-09", "2e-06", "DIFFERENT", "row 3, column bee: 1e-09 before, 2e-06 now"),
        ("0.75", "0.7501", "DIFFERENT", "row 2, column bee: 0.75 before, 0.7501 now"),
        ("0.75", "nan", "DIFFERENT", "row 2, column bee: 0.75 before, nan now"),
        ("7,0", "8,0", "DIFFERENT", "row 2, column image: 7 before, 8 now"),
        ("seed,0.5", "seed,0.50001", "DIFFERENT", "header: 0.5 before, 0.50001 now"),
        ("8,0,0.5,1e-09\n", "", "DIFFERENT", "row 3: 8,0,0.5,1e-09 before, nothing now"),
        ("0.75", "0.75,1", "DIFFERENT", "row 2: 7,0,0.25,0.75 before, 7,0,0.25,0.75,1 now"),
    ],
)
def test_tables_are_compared_cell_by_cell(old: str, new: str, verdict: str, place: str) -> None:
    assert compare_tables(TABLE.replace(old, new)) == Comparison(Verdict[verdict], place)


def test_class_names_with_line_breaks_stay_one_cell() -> None:
    before = 'name,p\n"two\nlines",0.5\n'
    assert compare_tables(before.replace("0.5", "0.50001"), before).place == "row 2, column p: 0.5 before, 0.50001 now"


def test_what_stands_between_the_numbers_has_no_tolerance() -> None:
    assert compare_tables(TABLE.replace("\n", "\r\n")) == Comparison(Verdict.DIFFERENT, "line 1")
    assert compare_tables(TABLE.replace("0.75", "0.75007").replace("\n8", "\r\n8")).place == "line 2"
    assert compare_contents("a.json", b'{"a":0.5}', b'{"a": 0.5}') == Comparison(Verdict.DIFFERENT, "line 1")
    assert compare_contents("a.json", b"[0.50]", b"[0.5]").verdict is Verdict.DIFFERENT


@pytest.mark.parametrize("content", [b"{", b"\xff", b""])
def test_what_cannot_be_read_is_different(content: bytes) -> None:
    assert compare_contents("a.json", b'{"a":\n1}', content).verdict is Verdict.DIFFERENT
    assert compare_contents("a.csv", TABLE.encode(), content).verdict is Verdict.DIFFERENT


def test_long_values_are_cut() -> None:
    assert len(compare_scores({"title": "x" * 1000}).place) < 150
