"""The benchmarks' bookkeeping; what they measure is never tested against the clock."""

import json
from pathlib import Path

import pytest
from benchmarks.operations import measure_rate
from benchmarks.table import BEGIN, END, ROWS, replace_table, tabulate

FOLDER = Path(__file__).parent.parent / "benchmarks"
RESULTS = json.loads((FOLDER / "results.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("location", [location for _, location, _, _ in ROWS])
def test_committed_results_hold_every_figure_of_the_table(location: str) -> None:
    section, key = location.split(".")
    assert RESULTS[section][key] > 0


def test_committed_results_are_of_the_whole_measurement() -> None:
    assert RESULTS["quick"] is False


def test_committed_table_is_that_of_the_results() -> None:
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert replace_table(text, RESULTS) == text
    assert tabulate(RESULTS) in text


def test_table_replaces_the_one_before_and_nothing_else() -> None:
    text = f"above\n{BEGIN}\nold\n{END}\nbelow\n"
    replaced = replace_table(text, RESULTS)
    assert replaced.startswith(f"above\n{BEGIN}\n| what |")
    assert replaced.endswith(f"{END}\nbelow\n")
    assert "old" not in replaced
    assert replace_table(replaced, RESULTS) == replaced


def test_matrix_rate_is_that_of_a_processor() -> None:
    assert 1e8 < measure_rate(1) < 1e15
