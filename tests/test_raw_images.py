import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from fusionseq.datasets import Dataset, EncodedImage
from fusionseq.errors import PipelineError
from fusionseq.raw_images import RawImages, write_raw_images

IMAGES = [
    EncodedImage("b, 1.png", 1, b"second class"),
    EncodedImage("a\n2.png", 0, b""),
    EncodedImage("naïve.jpg", 1, bytes(range(256)) * 3),
    EncodedImage("c.png", 2, b"\r\n\x00"),
]
CLASSES = ("x", "naïve, y", "z")


def make_dataset() -> Dataset:
    return Dataset(CLASSES, len(IMAGES), iter(IMAGES))


def test_images_survive_the_disk(tmp_path: Path) -> None:
    dataset = make_dataset()
    write_raw_images(tmp_path, dataset, dataset.images)
    raw = RawImages.read(tmp_path)
    assert len(raw) == len(IMAGES)
    assert raw.class_names == CLASSES
    assert raw.names == tuple(image.name for image in IMAGES)
    assert raw.labels.dtype == np.int64
    assert raw.labels.tolist() == [1, 0, 1, 2]
    assert list(raw.contents()) == [image.content for image in IMAGES]


def test_contents_can_be_read_again(tmp_path: Path) -> None:
    write_raw_images(tmp_path, make_dataset(), IMAGES)
    raw = RawImages.read(tmp_path)
    assert next(raw.contents()) == IMAGES[0].content
    assert list(raw.contents()) == list(raw.contents())


def test_digests_are_those_of_the_encoded_images(tmp_path: Path) -> None:
    write_raw_images(tmp_path, make_dataset(), IMAGES)
    expected = tuple(hashlib.sha256(image.content).hexdigest() for image in IMAGES)
    assert RawImages.read(tmp_path).digests == expected


def test_few_large_files_are_written(tmp_path: Path) -> None:
    write_raw_images(tmp_path, make_dataset(), IMAGES)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["classes.json", "images.bin", "images.csv"]
    assert (tmp_path / "images.bin").read_bytes() == b"".join(image.content for image in IMAGES)


def test_same_images_give_the_same_bytes(tmp_path: Path) -> None:
    contents = []
    for folder in (tmp_path / "one", tmp_path / "two"):
        write_raw_images(folder, make_dataset(), IMAGES)
        contents.append({path.name: path.read_bytes() for path in folder.iterdir()})
    assert contents[0] == contents[1]


def test_broken_source_leaves_nothing_behind(tmp_path: Path) -> None:
    def fetch() -> Iterator[EncodedImage]:
        yield IMAGES[0]
        raise PipelineError("the line is down; try again.")

    with pytest.raises(PipelineError, match="line is down"):
        write_raw_images(tmp_path, make_dataset(), fetch())
    assert list(tmp_path.iterdir()) == []


def test_missing_dataset_is_one_error(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match=r"images\.csv does not exist"):
        RawImages.read(tmp_path)
