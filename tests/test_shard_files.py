import gc
import os
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.lib import format as npy
from numpy.typing import NDArray
from sharded import write_shards

from fusionseq import shard_files
from fusionseq.errors import PipelineError
from fusionseq.shard_files import ShardedArray
from fusionseq.shards import name_shard

VALUES = np.random.default_rng(0).integers(0, 1000, (17, 2, 3)).astype(np.int16)
DESCRIPTORS = Path("/proc/self/fd")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Shards of one, six, nine and one row."""
    return write_shards(tmp_path / "array", VALUES, 1, 7, 16)


def test_length_shape_and_dtype_are_those_of_the_whole(folder: Path) -> None:
    array = ShardedArray(folder)
    assert (len(array), array.shape, array.dtype) == (17, VALUES.shape, VALUES.dtype)
    assert (array.names, array.lengths) == ([name_shard(number) for number in range(4)], [1, 6, 9, 1])
    assert [len(shard) for shard in array.shards()] == array.lengths


@pytest.mark.parametrize(
    "rows",
    [
        *(slice(None), slice(0, 1), slice(1, 7), slice(5, 9), slice(0, 17, 5), slice(2, 999), slice(-3, None)),
        *(slice(None, None, -1), slice(15, 3, -4), slice(4, 4), slice(9, 2)),
        *([], [3], [16, 0, 7, 6, 1], [2, 2, 2, 9, 2], list(range(17)), np.array([7, 0], np.uint8)),
    ],
    ids=str,
)
def test_several_rows_are_those_of_the_whole(folder: Path, rows: Any) -> None:
    expected = VALUES[rows if isinstance(rows, slice) else np.asarray(rows, np.int64)]
    found = ShardedArray(folder)[rows]
    assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("kind", [int, np.int64, np.uint8, np.array])
def test_one_row_has_no_axis_of_rows(folder: Path, kind: Callable[[int], Any]) -> None:
    array = ShardedArray(folder)
    for row in range(17):
        found = array[kind(row)]
        assert found.shape == (2, 3)
        np.testing.assert_array_equal(found, VALUES[row])


def test_rows_come_in_order(folder: Path) -> None:
    np.testing.assert_array_equal(list(ShardedArray(folder)), VALUES)


@pytest.mark.parametrize("rows", [17, -1, [0, 17], [3, -1], np.array([2**40])])
def test_rows_that_are_not_there_are_refused(folder: Path, rows: Any) -> None:
    with pytest.raises(IndexError, match="rows must be from 0 to 16"):
        ShardedArray(folder)[rows]


@pytest.mark.parametrize("rows", [[True, False], np.ones(17, bool), 1.0, [0.5, 2], (3, 0)], ids=str)
def test_what_is_no_position_is_refused(folder: Path, rows: Any) -> None:
    with pytest.raises(IndexError):
        ShardedArray(folder)[rows]


def test_values_are_a_copy_that_may_be_changed(folder: Path) -> None:
    array = ShardedArray(folder)
    array[3][:] = 0
    array[2:5][:] = 0
    np.testing.assert_array_equal(array[:], VALUES)
    with pytest.raises(ValueError, match="read-only"):
        next(array.shards())[0] = 0


def count_descriptors() -> int:
    gc.collect()
    return len(list(DESCRIPTORS.iterdir()))


@pytest.mark.skipif(not DESCRIPTORS.exists(), reason="the system does not tell the descriptors of a process")
def test_few_of_many_shards_are_open_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shard_files, "_MAPPED", 3)
    write_shards(tmp_path / "array", np.arange(40), *range(1, 40))
    before = count_descriptors()
    array = ShardedArray(tmp_path / "array")
    rows = np.random.default_rng(0).integers(0, 40, 200)
    np.testing.assert_array_equal(array[rows], rows)
    assert array[:].tolist() == [array[row].item() for row in range(40)] == list(array) == list(range(40))
    assert 0 < count_descriptors() - before <= 3
    del array
    assert count_descriptors() == before


def test_rows_of_a_huge_array_take_no_memory_for_the_others(tmp_path: Path) -> None:
    length = 2**32
    path = write_shards(tmp_path / "array", np.array([7], np.uint8)) / f"{name_shard(1)}.npy"
    with path.open("wb") as file:
        npy.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": (length,)})
        # Nothing but the last byte takes room on the disk.
        file.seek(length - 1, os.SEEK_CUR)
        file.write(b"\x09")
    tracemalloc.start()
    try:
        array = ShardedArray(tmp_path / "array")
        assert len(array) == length + 1
        assert [int(array[row]) for row in (length, 0, length // 2)] == [9, 7, 0]
        assert array[length - 1 :].tolist() == [0, 9]
        assert array[[length, 0, length]].tolist() == [9, 7, 9]
        assert array[:: length // 2].tolist() == [7, 0, 9]
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def cut_header(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:100])


def remove_rows(path: Path) -> None:
    np.save(path, VALUES[:0])


@pytest.mark.parametrize("number", [0, 1, 3])
@pytest.mark.parametrize("damage", [cut_short, empty, cut_header, remove_rows])
def test_damaged_shard_is_one_error(folder: Path, damage: Callable[[Path], None], number: int) -> None:
    path = folder / f"{name_shard(number)}.npy"
    damage(path)
    with pytest.raises(PipelineError, match=rf"{path.name} is damaged.* Remove it and run `dvc repro`\.$") as caught:
        ShardedArray(folder)
    assert "\n" not in str(caught.value)


def test_shard_that_lacks_whole_rows_is_one_error(folder: Path) -> None:
    path = folder / f"{name_shard(2)}.npy"
    path.write_bytes(path.read_bytes()[: -VALUES[0].nbytes])
    with pytest.raises(PipelineError, match=r"000002\.npy is damaged"):
        ShardedArray(folder)[8]


@pytest.mark.parametrize("other", [VALUES[:2].view(np.float16), VALUES[:2].reshape(2, 3, 2), VALUES[:2].reshape(2, 6)])
def test_shard_of_another_kind_is_one_error(folder: Path, other: NDArray[Any]) -> None:
    np.save(folder / f"{name_shard(1)}.npy", other)
    with pytest.raises(PipelineError, match=r"000001\.npy is not of one kind with 000000\.npy"):
        ShardedArray(folder)[:]


def test_folder_without_a_shard_is_one_error(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match=r"array holds no array\. Run `dvc repro` to make it\.$"):
        ShardedArray(tmp_path / "array")
    with pytest.raises(PipelineError, match="holds no array"):
        ShardedArray(tmp_path)


def test_shards_that_are_being_written_do_not_count(folder: Path) -> None:
    (folder / ".host.17.000001.npy").write_bytes(b"half")
    (folder / "000001.csv").write_text("no array", encoding="utf-8")
    np.testing.assert_array_equal(ShardedArray(folder)[:], VALUES)
