import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from fusionseq.artifacts import read_json
from fusionseq.datasets import Dataset, EncodedImage
from fusionseq.errors import BadImageError, PipelineError
from fusionseq.raw_images import RawImages, write_raw_images

IMAGES = [
    EncodedImage("b, 1.png", 1, b"second class", "train"),
    EncodedImage("a\n2.png", 0, b"", ""),
    EncodedImage("naïve.jpg", 1, bytes(range(256)) * 3, "validation"),
    EncodedImage("c.png", 2, b"\r\n\x00", "test"),
]
CLASSES = ("x", "naïve, y", "z")


def make_dataset() -> Dataset:
    return Dataset(CLASSES, len(IMAGES), iter(IMAGES), {"source": "nowhere"})


def test_images_survive_the_disk(tmp_path: Path) -> None:
    dataset = make_dataset()
    write_raw_images(tmp_path, dataset, dataset.images, "error")
    raw = RawImages.read(tmp_path)
    assert len(raw) == len(IMAGES)
    assert raw.class_names == CLASSES
    assert raw.names == tuple(image.name for image in IMAGES)
    assert raw.labels.dtype == np.int64
    assert raw.labels.tolist() == [1, 0, 1, 2]
    assert raw.subsets == ("train", "", "validation", "test")
    assert list(raw.contents()) == [image.content for image in IMAGES]


def test_contents_can_be_read_again(tmp_path: Path) -> None:
    write_raw_images(tmp_path, make_dataset(), IMAGES, "error")
    raw = RawImages.read(tmp_path)
    assert next(raw.contents()) == IMAGES[0].content
    assert list(raw.contents()) == list(raw.contents())
    assert list(raw.contents(2)) == [image.content for image in IMAGES[2:]]
    assert list(raw.contents(4)) == []


def test_digests_are_those_of_the_encoded_images(tmp_path: Path) -> None:
    write_raw_images(tmp_path, make_dataset(), IMAGES, "error")
    expected = tuple(hashlib.sha256(image.content).hexdigest() for image in IMAGES)
    assert RawImages.read(tmp_path).digests == expected


def test_few_large_files_are_written(tmp_path: Path) -> None:
    write_raw_images(tmp_path, make_dataset(), IMAGES, "error")
    names = ["classes.json", "images.bin", "images.csv", "manifest.json"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    assert (tmp_path / "images.bin").read_bytes() == b"".join(image.content for image in IMAGES)


def test_same_images_give_the_same_bytes(tmp_path: Path) -> None:
    contents = []
    for folder in (tmp_path / "one", tmp_path / "two"):
        write_raw_images(folder, make_dataset(), IMAGES, "error")
        contents.append({path.name: path.read_bytes() for path in folder.iterdir()})
    assert contents[0] == contents[1]


def test_broken_source_leaves_nothing_behind(tmp_path: Path) -> None:
    def fetch() -> Iterator[EncodedImage]:
        yield IMAGES[0]
        raise PipelineError("the line is down; try again.")

    with pytest.raises(PipelineError, match="line is down"):
        write_raw_images(tmp_path, make_dataset(), fetch(), "error")
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_read_stops_the_run_or_is_left_out(tmp_path: Path) -> None:
    images: list[EncodedImage | BadImageError] = [
        IMAGES[0],
        BadImageError("pipe.jpg", "not a regular file"),
        *IMAGES[1:],
    ]
    with pytest.raises(BadImageError, match=r"^pipe\.jpg: .* \(not a regular file\)"):
        write_raw_images(tmp_path, make_dataset(), images, "error")
    assert list(tmp_path.iterdir()) == []
    write_raw_images(tmp_path, make_dataset(), images, "skip")
    assert RawImages.read(tmp_path).names == tuple(image.name for image in IMAGES)
    assert read_json(tmp_path / "manifest.json") == {
        "origin": {"source": "nowhere"},
        "skipped": [{"image": "pipe.jpg", "reason": "not a regular file"}],
    }


def test_two_images_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match=r"two images are called naïve\.jpg"):
        write_raw_images(tmp_path, make_dataset(), [*IMAGES, IMAGES[2]], "skip")


def test_a_dataset_without_an_image_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match="no image that can be read"):
        write_raw_images(tmp_path, make_dataset(), [BadImageError("a.jpg", "empty file")], "skip")


def test_missing_dataset_is_one_error(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match=r"images\.csv does not exist"):
        RawImages.read(tmp_path)
