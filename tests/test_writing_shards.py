"""How shards are written and put into their place; what reads them is tested in test_shard_files."""

import os
import re
import socket
from pathlib import Path

import numpy as np
import pytest
from sharded import write_shards

from fusionseq.errors import PipelineError
from fusionseq.shard_files import ShardedArray, explaining_disk, move_shards, writing_shard

VALUES = np.random.default_rng(0).integers(0, 1000, (17, 2, 3)).astype(np.int16)
FULL = Path("/dev/full")


@pytest.mark.parametrize("dtype", ["uint8", "float16", "float32"])
@pytest.mark.parametrize("shape", [(), (5,), (2, 3, 4)])
def test_bytes_are_those_that_numpy_saves_of_the_whole(tmp_path: Path, dtype: str, shape: tuple[int, ...]) -> None:
    values = np.random.default_rng(0).integers(0, 200, (1234, *shape)).astype(np.float64)
    # Not of the file's dtype, and of another order in memory.
    parts = [np.asfortranarray(part) for part in np.split(values, [1, 2, 2, 700])]
    with writing_shard(tmp_path / "a" / "b.npy", shape, dtype) as append:
        for part in parts:
            append(part)
    np.save(tmp_path / "expected.npy", values.astype(dtype))
    assert (tmp_path / "a" / "b.npy").read_bytes() == (tmp_path / "expected.npy").read_bytes()


def test_shard_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "000000.npy"
    with writing_shard(path, (3,), np.uint8) as append:
        append(np.ones((2, 3)))
        (beside,) = tmp_path.iterdir()
        file = beside.stat().st_ino
        # Of this process of this machine alone.
        assert re.fullmatch(rf"\.{re.escape(socket.gethostname())}\.{os.getpid()}\.000000\.npy", beside.name)
    assert [one.name for one in tmp_path.iterdir()] == ["000000.npy"]
    assert path.stat().st_ino == file, "it is not copied, which may be cut off"
    assert np.load(path).tolist() == [[1] * 3] * 2


class Killed(BaseException):
    """Nothing that the code under test may catch."""


@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt, Killed])
def test_block_that_fails_leaves_what_was_there(tmp_path: Path, failure: type[BaseException]) -> None:
    def fail(path: Path) -> None:
        with writing_shard(path, (3,), np.uint8) as append:
            append(np.ones((2, 3)))
            raise failure

    np.save(tmp_path / "old.npy", VALUES)
    for name in ("new.npy", "old.npy"):
        with pytest.raises(failure):
            fail(tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["old.npy"]
    np.testing.assert_array_equal(np.load(tmp_path / "old.npy"), VALUES)


def test_no_rows_make_no_file(tmp_path: Path) -> None:
    with writing_shard(tmp_path / "none.npy", (3,), np.uint8):
        pass
    with writing_shard(tmp_path / "empty.npy", (3,), np.uint8) as append:
        append(np.ones((0, 3)))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not FULL.exists(), reason="the system has no disk that is always full")
@pytest.mark.parametrize("num_rows", [0, 1, 100_000])
def test_full_disk_is_one_clear_line(tmp_path: Path, num_rows: int) -> None:
    path, host = tmp_path / "000000.npy", socket.gethostname()
    (tmp_path / f".{host}.{os.getpid()}.{path.name}").symlink_to(FULL)
    expected = rf"{re.escape(str(path))} cannot be written on {re.escape(host)}: No space left on device; make room"
    with pytest.raises(PipelineError, match=expected), writing_shard(path, (3,), np.uint8) as append:
        append(np.ones((num_rows, 3)))
    assert list(tmp_path.iterdir()) == []


def test_folder_that_cannot_be_made_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    path = tmp_path / "file" / "000000.npy"
    with pytest.raises(PipelineError, match="cannot be written on"), writing_shard(path, (3,), np.uint8):
        raise AssertionError("nothing can be written")
    with pytest.raises(ZeroDivisionError), explaining_disk(path):
        raise ZeroDivisionError


def test_shards_take_the_place_of_what_was_there(tmp_path: Path) -> None:
    folder = write_shards(tmp_path / "array", VALUES, 1, 7, 16)
    target = write_shards(tmp_path / "deep" / "target", np.arange(9), 1, 2, 3, 4, 5)
    move_shards(sorted(folder.glob("*.npy")), target)
    np.testing.assert_array_equal(ShardedArray(target)[:], VALUES)
    assert list(folder.iterdir()) == []
    move_shards([], target)
    assert list(target.iterdir()) == []
