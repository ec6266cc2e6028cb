"""The benchmarks' bookkeeping; what they measure is never tested against the clock."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import run
from typing import Any

import numpy as np
import pytest
from benchmarks.clone import Clone
from benchmarks.cluster import SIDES, summarize, using_cores
from benchmarks.flow import DRIVER, WORKER, DrawnShards, compare_peaks, draw_image, find_peaks, list_shards
from benchmarks.growth import NUM_START
from benchmarks.needs import tabulate_needs, work_out, write_bytes
from benchmarks.operations import measure_rate
from benchmarks.processes import Usage, name_role, watching
from benchmarks.sharing import PROGRAMS, Way, measure_ways, open_ways, plan_folder
from benchmarks.table import RECORDS, mark_table, replace_marked, replace_table, tabulate
from programs import needs
from remote_servers import FolderServer
from sharing_cases import make_original

from fusionseq.engines import run_work
from fusionseq.preprocessing import Preprocessed, preprocess_images
from fusionseq.shard_files import ShardedArray
from fusionseq.shards import SHARD_SIZE

FOLDER = Path(__file__).parent.parent / "benchmarks"
# Every record that was ever written by a whole measurement.
RESULTS = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.json"))}


def test_committed_records_are_those_that_a_table_shows() -> None:
    assert {"results"} <= set(RESULTS) <= set(RECORDS)


@pytest.mark.parametrize(
    ("record", "location", "goal"), [(name, row[1], row[3]) for name in RESULTS for row in RECORDS[name]]
)
def test_committed_results_hold_every_figure_of_the_table(record: str, location: str, goal: str) -> None:
    section, key = location.split(".")
    value = RESULTS[record][section][key]
    assert value > 0 or (goal == "0" and value == 0)


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


@pytest.mark.skipif("cluster" not in RESULTS, reason="the cluster was not measured yet")
def test_committed_needs_are_those_of_the_rates() -> None:
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert replace_marked(text, "needs", tabulate_needs(RESULTS["cluster"])) == text


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


RATES = {
    "drawn_bytes": 40_000,
    "decode_core_s": 0.0036,
    "frozen_core_s": 0.36,
    "operations": 20.1e9,
    "numbers": 1000,
    "arrays": 4,
}


def test_needs_follow_from_rates_and_prices() -> None:
    needs = work_out(RATES, 1_000_000)
    assert needs["encoded_bytes"] == 110e9
    assert needs["decoded_bytes"] == 1e6 * 224 * 224 * 3
    assert needs["features_bytes"] == 2 * needs["features_float16_bytes"] == 4e9
    assert needs["files"] == 5 * 2084
    assert needs["decode_core_hours"] == pytest.approx(1)
    assert needs["frozen_core_hours"] == pytest.approx(100)
    # 30 % of 67 TFLOP/s are a thousand times the operations of an image.
    assert needs["frozen_gpu_hours"] == pytest.approx(1000 / 3600)
    assert needs["network_hours"] == pytest.approx((110e9 + 2 * 150_528e6 + 4e9) * 8 / 10e9 / 3600)
    assert needs["core_dollars"] == pytest.approx(101 * 0.04)
    assert needs["gpu_dollars"] == pytest.approx(0.04 + 2.5 * 1000 / 3600)


def test_needs_are_tabulated_with_their_assumptions() -> None:
    text = tabulate_needs({"rates": RATES})
    assert "| Frozen layers, time of one core | 360 ms | 100 h | 10,000 h | measured |" in text
    assert "| Files, in shards of 480 |  | 10,420 | 1,041,670 | counted |" in text
    assert "| Both stages on cores alone | $0.00000404 | $4.04 | $404 | measured, at an assumed price |" in text
    assert "- Assumed, since no GPU was measured in this run: 30% of the 67 TFLOP/s" in text


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0 B"), (9, "9.00 B"), (150_528, "151 kB"), (48.4e12, "48.4 TB"), (2e18, "2,000 PB")]
)
def test_bytes_are_written_to_three_digits(number: float, text: str) -> None:
    assert write_bytes(number) == text


def test_sides_of_a_cluster_are_compared() -> None:
    seconds = {(side, NUM_START): 10.0 for side in SIDES}
    seconds |= {("local", 960): 100.0, ("one_worker", 960): 110.0, ("two_workers", 960): 55.0}
    results = summarize(seconds, seconds, 960)
    assert results["ray_over_local"] == 1.1
    assert results["two_workers_speedup"] == 2
    assert results["one_worker_start_s"] == 10


def test_commands_are_kept_to_some_cores() -> None:
    ask = [sys.executable, "-c", "import os; print(len(os.sched_getaffinity(0)))"]
    with using_cores(1):
        assert subprocess.check_output(ask) == b"1\n"


def test_drawn_shards_are_averages_of_resized_images(tmp_path: Path) -> None:
    num_images = SHARD_SIZE + 20
    work, shards = DrawnShards(tmp_path), list_shards(num_images)
    assert [shard.num_images for shard in shards] == [SHARD_SIZE, 20]
    assert sum(1 for _ in run_work(work, shards, "local", None)) == num_images
    assert all(map(work.is_done, shards))
    features = ShardedArray(tmp_path)
    assert features.shape == (num_images, 8, 8, 3)
    numbers = (0, SHARD_SIZE + 19)
    for number, image in zip(numbers, preprocess_images(map(draw_image, numbers), "ab", 224), strict=True):
        assert isinstance(image, Preprocessed)
        cell = image.pixels[28:56, 196:224]
        np.testing.assert_allclose(features[number][1, 7], cell.mean((0, 1)), rtol=1e-5)


def test_peaks_are_those_of_the_largest_process_of_each_role() -> None:
    few = find_peaks([Usage(DRIVER, 10.0), Usage(WORKER, 20.0), Usage(WORKER, 30.0), Usage("raylet", 8.0)])
    many = find_peaks([Usage(DRIVER, 11.0), Usage(WORKER, 33.0), Usage("raylet", 10.0), Usage("other", 50.0)])
    results: dict[str, Any] = compare_peaks(few, many)
    assert results["worker_memory_ratio"] == results["driver_memory_ratio"] == 1.1
    assert (results["peak_memory_role"], results["peak_memory_ratio"]) == ("raylet", 1.25)
    assert results["peak_memory_growth_mib"] == 2
    assert results["largest_process_mib"] == 50


def test_processes_are_watched_with_what_they_start() -> None:
    child = "import time; memory = bytes(range(256)) * 200_000; time.sleep(0.5)"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    # What has been running is none of it.
    with subprocess.Popen(["sleep", "60"]) as other:
        with watching(0.02) as usages:
            subprocess.run([sys.executable, "-c", parent], check=True)
        other.kill()
    assert len(usages) == 2
    assert sorted(usage.peak_memory > 45 for usage in usages) == [False, True]


@pytest.mark.parametrize(
    ("command", "role"),
    [
        ("ray::MapWorker(MapBatches(_Worker)).submit", "MapWorker"),
        ("ray::IDLE", "IDLE"),
        ("/env/bin/python3 -m benchmarks.flow 960 /tmp/folder", "benchmarks.flow"),
        ("/env/bin/python -u /env/ray/dashboard/agent.py --port 1", "dashboard/agent"),
        ("/env/ray/core/src/ray/raylet/raylet --store_socket_name=x", "raylet"),
    ],
)
def test_processes_are_named_by_what_they_are_there_for(command: str, role: str) -> None:
    assert name_role(command.split()) == role
