from pathlib import Path

import numpy as np
import pytest

from fusionseq.artifacts import read_array, read_table
from fusionseq.errors import PipelineError
from fusionseq.processed_images import ProcessedImages, write_processed_images

ROWS = [("b, 1.png", 1, "train", "0a", "f" * 16), ("naïve\n2.png", 0, "", "0b", "0" * 16)]


def test_images_survive_the_disk(tmp_path: Path) -> None:
    pixels = tmp_path / "pixels.npy"
    np.save(pixels, np.arange(6))
    folder = tmp_path / "processed"
    write_processed_images(folder, pixels, ("x", "y, z"), ROWS, [("c.png", "empty file")])
    images = ProcessedImages.read(folder)
    assert images.class_names == ("x", "y, z")
    assert images.names == ("b, 1.png", "naïve\n2.png")
    assert images.labels.dtype == np.int64
    assert images.labels.tolist() == [1, 0]
    assert images.subsets == ("train", "")
    assert images.digests == ("0a", "0b")
    assert images.perceptual_hashes == ("f" * 16, "0" * 16)
    assert read_array(folder / "images.npy").tolist() == list(range(6))
    assert read_table(folder / "skipped.csv") == [{"image": "c.png", "reason": "empty file"}]
    assert not pixels.exists()


def test_missing_images_are_one_error(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match=r"images\.csv does not exist"):
        ProcessedImages.read(tmp_path)
