"""The benchmarks' bookkeeping; what they measure is never tested against the clock."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import run

import pytest
from benchmarks.clone import Clone
from benchmarks.operations import measure_rate
from benchmarks.sharing import PROGRAMS, Way, measure_ways, open_ways, plan_folder
from benchmarks.table import RECORDS, mark_table, replace_table, tabulate
from programs import needs
from remote_servers import FolderServer
from sharing_cases import make_original

FOLDER = Path(__file__).parent.parent / "benchmarks"
# Every record that was ever written by a whole measurement.
RESULTS = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.json"))}


def test_committed_records_are_those_that_a_table_shows() -> None:
    assert {"results"} <= set(RESULTS) <= set(RECORDS)


@pytest.mark.parametrize(("record", "location"), [(name, row[1]) for name in RESULTS for row in RECORDS[name]])
def test_committed_results_hold_every_figure_of_the_table(record: str, location: str) -> None:
    section, key = location.split(".")
    assert RESULTS[record][section][key] > 0


@pytest.mark.parametrize("record", RESULTS)
def test_committed_results_are_of_the_whole_measurement(record: str) -> None:
    assert RESULTS[record]["quick"] is False


@pytest.mark.parametrize("record", RESULTS)
def test_committed_table_is_that_of_the_results(record: str) -> None:
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert replace_table(text, record, RESULTS[record]) == text
    assert tabulate(record, RESULTS[record]) in text


@pytest.mark.parametrize("record", RESULTS)
def test_table_replaces_the_one_before_and_nothing_else(record: str) -> None:
    begin, end = mark_table(record)
    text = f"above\n{begin}\nan outdated table\n{end}\nbelow\n"
    replaced = replace_table(text, record, RESULTS[record])
    assert replaced.startswith(f"above\n{begin}\n| what |")
    assert replaced.endswith(f"{end}\nbelow\n")
    assert "outdated" not in replaced
    assert replace_table(replaced, record, RESULTS[record]) == replaced


def test_matrix_rate_is_that_of_a_processor() -> None:
    assert 1e8 < measure_rate(1) < 1e15


def test_sharing_is_measured_beside_plain_copies(tmp_path: Path) -> None:
    original = make_original(tmp_path / "original")
    # A clone of the project has its own code.
    (original.root / "src").symlink_to(FOLDER.parent / "src")
    original.commit("Add the code")

    @contextmanager
    def open_folder(folder: Path) -> Iterator[list[Way]]:
        yield [plan_folder(FolderServer(folder / "shared"))]

    results = measure_ways(Clone(original.root, tmp_path / "site_cache"), open_folder, 1)
    assert results["num_files"] == 5
    assert results["folder_push_ratio"] == results["folder_push_s"] / results["folder_send_s"] > 0
    plain = results["folder_fetch_s"] + results["copy_s"]
    assert results["folder_pull_ratio"] == results["folder_pull_s"] / plain > 0
    assert results["folder_checked_pull_ratio_median"] == results["folder_checked_pull_median_s"] / plain > 0


@needs(*PROGRAMS)
def test_plain_copies_bring_every_byte_there_and_back(tmp_path: Path) -> None:
    source = tmp_path / "files"
    contents = {"md5/00/1": b"one", "md5/00/2.dir": b"", "md5/ff/3": bytes(range(256)) * 1000}
    for name, content in contents.items():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes(content)
    (tmp_path / "servers").mkdir()
    with open_ways(tmp_path / "servers") as ways:
        for way in ways:
            back = tmp_path / "back" / way.name
            back.mkdir(parents=True)
            if way.send is not None:
                run(way.send(source, "place"), check=True)
            run(way.fetch("place", back), check=True)
            found = {path.relative_to(back).as_posix(): path.read_bytes() for path in back.rglob("*") if path.is_file()}
            for name, content in contents.items():
                assert [found[key] for key in found if key.endswith(name)] == [content], way.name
            assert len(found) == len(contents)
