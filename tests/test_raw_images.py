import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from fusionseq.artifacts import read_json
from fusionseq.datasets import Dataset, EncodedImage
from fusionseq.errors import BadImageError, PipelineError
from fusionseq.raw_images import list_raw_shards, read_raw_images, write_raw_images
from fusionseq.shards import SHARD_SIZE, name_shard

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
    raw = list(read_raw_images(tmp_path))
    assert tuple(read_json(tmp_path / "classes.json")) == CLASSES
    assert [image.name for image in raw] == [image.name for image in IMAGES]
    assert [image.label for image in raw] == [1, 0, 1, 2]
    assert [image.subset for image in raw] == ["train", "", "validation", "test"]
    assert [image.content for image in raw] == [image.content for image in IMAGES]


def write_many(folder: Path, num_images: int) -> list[EncodedImage]:
    """Write images, most of whose names take more than a line or more bytes than characters."""
    hard = (
        "a, b",
        'say "x"',
        "two\nlines",
        "\n\n",
        "old\rline",
        "two\r\nlines",
        "naïve 猫",
        "\u2028\x85\x0c",
        "plain",
        '"',
    )
    images = [
        EncodedImage(f"{hard[row % len(hard)]}{row}{hard[row % 7]}", row % 3, str(row).encode(), "")
        for row in range(num_images)
    ]
    write_raw_images(folder, Dataset(CLASSES, num_images, images, {}), images, "error")
    return images


@pytest.mark.parametrize("extra", [0, 1, 7])
def test_each_shard_holds_the_next_images_in_order(tmp_path: Path, extra: int) -> None:
    images = write_many(tmp_path, 2 * SHARD_SIZE + extra)
    shards = list_raw_shards(tmp_path)
    assert [shard.num_images for shard in shards] == [SHARD_SIZE, SHARD_SIZE, *([extra] if extra else [])]
    assert [shard.name for shard in shards] == [name_shard(number) for number in range(len(shards))]
    # Each by itself, not after the one before it.
    for number, shard in reversed(list(enumerate(shards))):
        expected = images[SHARD_SIZE * number : SHARD_SIZE * (number + 1)]
        read = [(image.name, image.label, image.content) for image in read_raw_images(tmp_path, shard)]
        assert read == [(image.name, image.label, image.content) for image in expected]


def test_all_images_are_those_of_the_shards_one_after_the_other(tmp_path: Path) -> None:
    write_many(tmp_path, SHARD_SIZE + 20)
    of_shards = [image for shard in list_raw_shards(tmp_path) for image in read_raw_images(tmp_path, shard)]
    assert list(read_raw_images(tmp_path)) == of_shards


def test_images_are_read_one_by_one_and_can_be_read_again(tmp_path: Path) -> None:
    write_raw_images(tmp_path, make_dataset(), IMAGES, "error")
    assert next(read_raw_images(tmp_path)).content == IMAGES[0].content
    assert list(read_raw_images(tmp_path)) == list(read_raw_images(tmp_path))


def test_digests_are_those_of_the_encoded_images(tmp_path: Path) -> None:
    write_raw_images(tmp_path, make_dataset(), IMAGES, "error")
    expected = [hashlib.sha256(image.content).hexdigest() for image in IMAGES]
    assert [image.digest for image in read_raw_images(tmp_path)] == expected


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
    assert [image.name for image in read_raw_images(tmp_path)] == [image.name for image in IMAGES]
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
        list_raw_shards(tmp_path)
    with pytest.raises(PipelineError, match=r"images\.csv does not exist"):
        list(read_raw_images(tmp_path))
    (tmp_path / "images.csv").write_text("image,label,subset,offset,size,sha256\na,0,,0,1,0\n", encoding="utf-8")
    with pytest.raises(PipelineError, match=r"images\.bin does not exist"):
        list(read_raw_images(tmp_path))
