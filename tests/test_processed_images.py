from pathlib import Path

import numpy as np
import pytest
from sharded import write_shards

from fusionseq.artifacts import read_table
from fusionseq.errors import PipelineError
from fusionseq.processed_images import ProcessedImages, write_processed_images
from fusionseq.shard_files import ShardedArray

ROWS = [("b, 1.png", 1, "train", "0a", "f" * 16), ("naïve\n2.png", 0, "", "0b", "0" * 16)]


def test_images_survive_the_disk(tmp_path: Path) -> None:
    shards = sorted(write_shards(tmp_path / "pixels", np.arange(6), 4).iterdir())
    folder = tmp_path / "processed"
    write_processed_images(folder, shards, ("x", "y, z"), ROWS, [("c.png", "empty file")])
    images = ProcessedImages.read(folder)
    assert images.class_names == ("x", "y, z")
    assert images.names == ("b, 1.png", "naïve\n2.png")
    assert images.labels.dtype == np.int64
    assert images.labels.tolist() == [1, 0]
    assert images.subsets == ("train", "")
    assert images.digests == ("0a", "0b")
    assert images.perceptual_hashes == ("f" * 16, "0" * 16)
    assert ShardedArray(folder / "images")[:].tolist() == list(range(6))
    assert read_table(folder / "skipped.csv") == [{"image": "c.png", "reason": "empty file"}]
    assert not any(path.exists() for path in shards)


def test_images_take_the_place_of_those_of_another_run(tmp_path: Path) -> None:
    for values, ends in ((np.arange(6), (2, 4)), (np.arange(3), ())):
        shards = sorted(write_shards(tmp_path / "pixels", values, *ends).iterdir())
        write_processed_images(tmp_path / "processed", shards, ("x",), ROWS, [])
    assert ShardedArray(tmp_path / "processed" / "images")[:].tolist() == [0, 1, 2]


def test_missing_images_are_one_error(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match=r"images\.csv does not exist"):
        ProcessedImages.read(tmp_path)
